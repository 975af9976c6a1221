"""Keys and values that attention has seen before, given to the model as an argument.

Shapes: B rows, G key/value heads, T new tokens, S all tokens that are attended to, D head width.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

KeysValues = list[tuple[Tensor, Tensor]]
"""For each layer, keys and values (B, G, T, D)."""


class KeyValueCache(Protocol):
    """What attention calls: takes the new keys and values, returns all that are attended to."""

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Take (B, G, T, D) of the new tokens, return (B, G, S, D)."""
        ...


class StemCache:
    """Kept keys and values of a shared beginning, in front of one packed row (B = 1)."""

    def __init__(self, stems: Sequence[KeysValues]) -> None:
        self._stems = stems
        self.added: KeysValues = []

    @property
    def length(self) -> int:
        return sum(stem[0][0].shape[2] for stem in self._stems)

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        self.added.append((keys, values))
        if not self._stems:
            return keys, values
        return (
            torch.cat([stem[layer][0] for stem in self._stems] + [keys], dim=2),
            torch.cat([stem[layer][1] for stem in self._stems] + [values], dim=2),
        )


class SlotCache:
    """One slot a sequence, for decoding a batch token by token; slots in use are 0 .. B - 1."""

    def __init__(
        self, layers: int, slots: int, heads: int, capacity: int, width: int, like: Tensor
    ) -> None:
        """`like` gives dtype and device; `capacity` is the longest sequence a slot can hold."""
        shape = (layers, slots, heads, capacity, width)
        # Zeros, since a masked place still enters the sum, and 0 times a stray NaN is NaN.
        self._keys = torch.zeros(shape, dtype=like.dtype, device=like.device)
        self._values = torch.zeros_like(self._keys)
        self._rows = torch.empty(0, dtype=torch.long, device=like.device)
        self._lengths = self._rows
        self._used = 0

    def fill(self, slot: int, sequence: KeysValues) -> None:
        """Put a whole prompt, (1, G, T, D) for each layer, into a slot."""
        for layer, (keys, values) in enumerate(sequence):
            self._keys[layer, slot, :, : keys.shape[2]] = keys[0]
            self._values[layer, slot, :, : keys.shape[2]] = values[0]

    def move(self, origin: int, slot: int, length: int) -> None:
        """Copy the first `length` positions of one slot over another."""
        self._keys[:, slot, :, :length] = self._keys[:, origin, :, :length]
        self._values[:, slot, :, :length] = self._values[:, origin, :, :length]

    def begin_step(self, lengths: Sequence[int]) -> Tensor:
        """Say how much each slot holds; returns the mask (B, 1, 1, S) of the coming step."""
        device = self._keys.device
        self._lengths = torch.tensor(lengths, device=device)
        self._rows = torch.arange(len(lengths), device=device)
        self._used = max(lengths) + 1
        seen = torch.arange(self._used, device=device) <= self._lengths[:, None]
        return seen[:, None, None, :]

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        rows = len(self._rows)
        self._keys[layer, self._rows, :, self._lengths] = keys[:, :, 0]
        self._values[layer, self._rows, :, self._lengths] = values[:, :, 0]
        return (
            self._keys[layer, :rows, :, : self._used],
            self._values[layer, :rows, :, : self._used],
        )
