"""Running packs through the model: stems are kept as long as a later pack needs them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evalharness.engine.trie import Pack
from evalharness.transformer.attention import Block, KeysValues, PackAttention
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

    @torch.inference_mode()
    def run(self, index: int) -> ComputedPack:
        """Compute pack `index`, keep it if it is a stem, drop stems that are not needed again."""
        pack = self._packs[index]
        # What a pack does not name, no later pack names: the stems in use lie on one path.
        self._kept = {stem: self._kept[stem] for stem in pack.stems}
        device = self._model.embedding.weight.device
        stems = list(self._kept.values())
        positions = torch.from_numpy(pack.positions).to(device)
        attention = PackAttention(
            positions, torch.from_numpy(pack.reach).to(device), blocks(pack), stems
        )
        tokens = torch.from_numpy(pack.tokens).to(device)
        hidden = self._model(tokens[None], positions[None], attention)[0]
        if pack.kept:
            self._kept[index] = attention.added
        return ComputedPack(hidden, (*stems, attention.added))


def blocks(pack: Pack) -> list[Block]:
    """Cut a pack into row blocks: trees of the trie do not see each other, which saves most of
    the products of a long row, and a long tree's first rows do not see its last ones.
    """
    firsts = pack.firsts()
    length = len(firsts)
    return [
        Block(start, min(start + BLOCK_ROWS, length), int(firsts[start]))
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
