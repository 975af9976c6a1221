"""Attention: which tokens see which others is an argument of a forward pass.

The model hands queries, keys and values of the new tokens to an `Attention`, which knows what was
computed before and who sees whom. Shapes: B rows, H query heads, G key/value heads, T new tokens,
S tokens attended to, D head width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

KeysValues = list[tuple[Tensor, Tensor]]
"""For each layer, keys and values (B, G, T, D)."""


@dataclass(frozen=True, slots=True)
class AttentionKind:
    """What distinguishes the attention of one layer from that of another.

    scale    what the product of query and key is multiplied with
    window   a token sees itself and the `window - 1` tokens before it; None: all before it
    softcap  products are bent to stay below this: c * tanh(x / c) (Gemma 2); None: they are not
    """

    scale: float
    window: int | None = None
    softcap: float | None = None


class Attention(Protocol):
    """What the model calls, once a layer."""

    def attend(
        self, layer: int, kind: AttentionKind, queries: Tensor, keys: Tensor, values: Tensor
    ) -> Tensor:
        """Queries (B, H, T, D), keys and values (B, G, T, D) of the new tokens -> (B, H, T, D)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Rows [start, stop) of a packed row, and what they see of it before `start`.

    above  (A,) places, in order; whatever a row of the block sees besides them is in the block
    """

    start: int
    stop: int
    above: Tensor

    def columns(self) -> Tensor:
        """(A + stop - start,) places that a row of the block may see."""
        own = torch.arange(self.start, self.stop, device=self.above.device)
        return torch.cat((self.above, own))

    def seen_of(self, tokens: Tensor) -> Tensor:
        """(B, G, T, D) -> (B, G, A + stop - start, D), a view where the columns have no gap."""
        count = len(self.above)
        if count == 0 or int(self.above[0]) == self.start - count:
            return tokens[:, :, self.start - count : self.stop]
        above = tokens.index_select(2, self.above)
        return torch.cat((above, tokens[:, :, self.start : self.stop]), dim=2)


class PackAttention:
    """A packed row: a token sees the stems, its ancestors in the row, and itself."""

    def __init__(
        self,
        positions: Tensor,
        reach: Tensor,
        blocks: Sequence[Block],
        stems: Sequence[KeysValues] = (),
        collected: KeysValues | None = None,
    ) -> None:
        """Positions and reach (T,): token i is an ancestor of the tokens [i, reach[i]).

        collected: takes the keys and values of each layer, where they are needed afterwards.
        """
        self._reach = reach
        self._positions = positions
        self._blocks = blocks
        self._stems = stems
        self._stem_length = sum(stem[0][0].shape[2] for stem in stems)
        self._places = torch.arange(len(positions), device=positions.device)
        self._masks: dict[tuple[int | None, torch.dtype], list[Tensor]] = {}
        self._collected = collected

    def attend(
        self, layer: int, kind: AttentionKind, queries: Tensor, keys: Tensor, values: Tensor
    ) -> Tensor:
        if self._collected is not None:
            self._collected.append((keys, values))
        stem_keys = [stem[layer][0] for stem in self._stems]
        stem_values = [stem[layer][1] for stem in self._stems]
        mixed = [
            masked_attention(
                queries[:, :, block.start : block.stop],
                _joined(stem_keys, block.seen_of(keys)),
                _joined(stem_values, block.seen_of(values)),
                mask,
                kind,
            )
            for block, mask in zip(
                self._blocks, self._masks_of(kind.window, queries.dtype), strict=True
            )
        ]
        return mixed[0] if len(mixed) == 1 else torch.cat(mixed, dim=2)

    def _masks_of(self, window: int | None, dtype: torch.dtype) -> list[Tensor]:
        """For each block (1, 1, rows, S), made once for all layers of one kind."""
        if (window, dtype) not in self._masks:
            masks = [self._mask(block, window, dtype) for block in self._blocks]
            self._masks[window, dtype] = masks
        return self._masks[window, dtype]

    def _mask(self, block: Block, window: int | None, dtype: torch.dtype) -> Tensor:
        rows, columns = self._places[block.start : block.stop, None], block.columns()
        own = (columns <= rows) & (rows < self._reach[columns])
        stem = torch.ones(len(rows), self._stem_length, dtype=torch.bool, device=own.device)
        seen = torch.cat((stem, own), dim=1)
        if window is not None:
            stem_positions = torch.arange(self._stem_length, device=own.device)
            of_columns = torch.cat((stem_positions, self._positions[columns]))
            of_rows = self._positions[block.start : block.stop, None]
            seen &= of_rows - of_columns < window
        return additive(seen, dtype)[None, None]


def _joined(above: Sequence[Tensor], own: Tensor) -> Tensor:
    return torch.cat([*above, own], dim=2) if above else own


def additive(seen: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where a boolean mask is true and -inf elsewhere: made once, instead of in every layer."""
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(
        ~seen, float("-inf")
    )


def causal_attention(tokens: Tensor) -> PackAttention:
    """Plain causal attention for tokens (B, T): every token sees all before it in its row."""
    length = tokens.shape[1]
    places = torch.arange(length, device=tokens.device)
    whole = Block(0, length, places[:0])
    return PackAttention(places, torch.full_like(places, length), [whole])


def masked_attention(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor, kind: AttentionKind
) -> Tensor:
    """Queries (B, H, T, D), keys, values (B, G, S, D), additive mask (B or 1, 1, T, S).

    Vaswani et al. 2017; H query heads share G key/value heads (Ainslie et al. 2023).
    """
    if kind.softcap is None:
        return functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, scale=kind.scale, enable_gqa=True
        )
    batch, heads, length, width = queries.shape
    grouped = queries.reshape(batch, keys.shape[1], -1, width)  # (B, G, H / G * T, D)
    products = (grouped @ keys.transpose(2, 3) * kind.scale).view(batch, heads, length, -1)
    weights = kind.softcap * torch.tanh(products / kind.softcap) + mask
    weights = weights.float().softmax(-1).to(values.dtype)
    mixed = weights.view(batch, keys.shape[1], -1, keys.shape[2]) @ values
    return mixed.view(batch, heads, length, -1)


class SlotAttention:
    """One slot a sequence, for decoding a batch token by token; slots in use are 0 .. B - 1.

    Keys and values of a token lie at the place of its position.
    """

    def __init__(
        self, *, layers: int, slots: int, heads: int, capacity: int, width: int, like: Tensor
    ) -> None:
        """`like` gives dtype and device; `capacity` is the longest sequence a slot can hold."""
        shape = (layers, slots, heads, capacity, width)
        self.slots = slots
        self.capacity = capacity
        # Zeros, since a masked place still enters the sum, and 0 times a stray NaN is NaN.
        self._keys = torch.zeros(shape, dtype=like.dtype, device=like.device)
        self._values = torch.zeros_like(self._keys)
        self._lengths = torch.empty(0, dtype=torch.long, device=like.device)
        self._rows = self._lengths
        self._used = 0
        self._masks: dict[int | None, Tensor] = {}

    def fill(self, slot: int, computed: Sequence[KeysValues], places: Sequence[int]) -> int:
        """Put a whole prompt into a slot: all of its stems, then `places` of its own pack.

        computed: keys and values of the stems from the root down, then of the pack. Returns the
        length of the prompt.
        """
        *stems, own = computed
        start = 0
        for stem in stems:
            stop = start + stem[0][0].shape[2]
            for layer, (keys, values) in enumerate(stem):
                self._keys[layer, slot, :, start:stop] = keys[0]
                self._values[layer, slot, :, start:stop] = values[0]
            start = stop
        stop = start + len(places)
        chosen = torch.as_tensor(places, device=self._keys.device)
        for layer, (keys, values) in enumerate(own):
            self._keys[layer, slot, :, start:stop] = keys[0].index_select(1, chosen)
            self._values[layer, slot, :, start:stop] = values[0].index_select(1, chosen)
        return stop

    def move(self, origin: int, slot: int, length: int) -> None:
        """Copy the first `length` positions of one slot over another."""
        self._keys[:, slot, :, :length] = self._keys[:, origin, :, :length]
        self._values[:, slot, :, :length] = self._values[:, origin, :, :length]

    def begin_step(self, lengths: Tensor, used: int) -> None:
        """Say how many positions each slot in use holds before the coming step.

        lengths: (B,); used: the largest of them plus one, given apart since reading it from a
        device would wait for the device.
        """
        self._lengths = lengths
        self._rows = torch.arange(len(lengths), device=lengths.device)
        self._used = used
        self._masks = {}

    def attend(
        self, layer: int, kind: AttentionKind, queries: Tensor, keys: Tensor, values: Tensor
    ) -> Tensor:
        rows = len(self._rows)
        self._keys[layer, self._rows, :, self._lengths] = keys[:, :, 0]
        self._values[layer, self._rows, :, self._lengths] = values[:, :, 0]
        # The query heads of a group stand as rows of their key/value head, which is read once.
        grouped = queries.view(rows, keys.shape[1], -1, queries.shape[-1])  # (B, G, H / G, D)
        mixed = masked_attention(
            grouped,
            self._keys[layer, :rows, :, : self._used],
            self._values[layer, :rows, :, : self._used],
            self._mask(kind.window, queries.dtype),
            kind,
        )
        return mixed.reshape(queries.shape)

    def _mask(self, window: int | None, dtype: torch.dtype) -> Tensor:
        """(B, 1, 1, S): a slot's new token sees all that the slot holds, and itself."""
        if window not in self._masks:
            places = torch.arange(self._used, device=self._lengths.device)[None]
            lengths = self._lengths[:, None]
            seen = places <= lengths
            if window is not None:
                seen &= lengths - places < window
            self._masks[window] = additive(seen, dtype)[:, None, None]
        return self._masks[window]
