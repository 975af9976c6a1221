"""Running packs through the model: stems are kept as long as a later pack needs them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evalharness.engine.trie import Integers, Pack
from evalharness.transformer.attention import Attention, Block, KeysValues, PackAttention
from evalharness.transformer.flex import FlexPackAttention, compiled_kernel
from evalharness.transformer.model import Transformer

# Rows of a pack that are attended for together: fewer see less in vain, more are computed faster.
BLOCK_ROWS = 128


@dataclass(frozen=True, slots=True)
class ComputedPack:
    """hidden (T, W) of the pack's tokens; `keys_values` of the stems in order, then of the pack."""

    hidden: Tensor
    keys_values: tuple[KeysValues, ...]


class PackRunner:
    """Computes the packs of a plan; each must be asked for in the plan's order."""

    def __init__(self, model: Transformer, packs: Sequence[Pack]) -> None:
        self._model = model
        self._packs = packs
        self._kept: dict[int, KeysValues] = {}

    def hidden(self, index: int) -> Tensor:
        """Hidden states (T, W) of pack `index`, when its keys and values are of no further use."""
        return self._compute(index, [] if self._packs[index].kept else None)

    def prefill(self, index: int) -> ComputedPack:
        """Pack `index` with keys and values of all that its tokens see."""
        own: KeysValues = []
        stems = [self._kept[stem] for stem in self._packs[index].stems]
        return ComputedPack(self._compute(index, own), (*stems, own))

    @torch.inference_mode()
    def _compute(self, index: int, collected: KeysValues | None) -> Tensor:
        """Compute a pack, keep it if it is a stem, drop stems that are not needed again."""
        pack = self._packs[index]
        # What a pack does not name, no later pack names: the stems in use lie on one path.
        self._kept = {stem: self._kept[stem] for stem in pack.stems}
        device = self._model.embedding.weight.device
        tokens, positions, reach = (
            on_device(numbers, device) for numbers in (pack.tokens, pack.positions, pack.reach)
        )
        stems = list(self._kept.values())
        kernel = compiled_kernel(device)
        attention: Attention = (
            PackAttention(positions, reach, blocks(pack, device), stems, collected)
            if kernel is None
            else FlexPackAttention(positions, reach, stems, collected, kernel)
        )
        hidden: Tensor = self._model(tokens[None], positions[None], attention)[0]
        if pack.kept and collected is not None:
            self._kept[index] = collected
        return hidden


def on_device(numbers: Integers, device: torch.device) -> Tensor:
    """Copy numbers to a device; to a GPU without waiting for what it is computing."""
    tensor = torch.from_numpy(numbers)
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def blocks(pack: Pack, device: torch.device) -> list[Block]:
    """Cut a pack into blocks of rows, each with the few places before it that its rows see.

    Branches of the trie do not see each other, which saves most of the products of a long row. What
    a row of a block sees before the block is seen by the first row, too, since it reaches so far.
    """
    length = len(pack.tokens)
    return [
        Block(
            start,
            min(start + BLOCK_ROWS, length),
            on_device(pack.path(start)[:-1], device),
        )
        for start in range(0, length, BLOCK_ROWS)
    ]


class Shares:
    """Divides the tokens and seconds of packs among the queries that end in them.

    A stem in which no query ends is paid for by the next pack.
    """

    def __init__(self) -> None:
        self._tokens = 0
        self._seconds = 0.0

    def divide(self, pack: Pack, seconds: float) -> list[tuple[int, float]]:
        """(tokens, seconds) for each end of the pack; all shares add up to what was computed."""
        self._tokens += len(pack.tokens)
        self._seconds += seconds
        if not len(pack.ends):
            return []
        each, left = divmod(self._tokens, len(pack.ends))
        share = self._seconds / len(pack.ends)
        self._tokens, self._seconds = 0, 0.0
        return [(each + (place < left), share) for place in range(len(pack.ends))]
