"""Attention of packs on a GPU: one kernel that skips whatever no token of a block sees.

FlexAttention (Dong et al. 2024) compiles the rule of who sees whom into the kernel, so that no mask
of a pack's size is ever made, and a pack of thousands of tokens costs what its trees cost.
"""

import logging
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from evalharness.transformer.attention import AttentionKind, Block, KeysValues, PackAttention

log = logging.getLogger("evalharness")

Kernel = Callable[..., Any]
"""flex_attention itself, or what torch.compile makes of it."""


class FlexPackAttention:
    """A packed row, as PackAttention, by FlexAttention."""

    def __init__(
        self,
        positions: Tensor,
        reach: Tensor,
        stems: Sequence[KeysValues],
        collected: KeysValues | None,
        kernel: Kernel,
    ) -> None:
        """See PackAttention."""
        self._stems = stems
        self._collected = collected
        self._kernel = kernel
        self._reach = reach
        self._stem_length = sum(stem[0][0].shape[2] for stem in stems)
        self._positions = positions
        stem_positions = torch.arange(self._stem_length, device=positions.device)
        self._key_positions = torch.cat((stem_positions, positions))
        self._masks: dict[int | None, BlockMask] = {}

    def attend(
        self, layer: int, kind: AttentionKind, queries: Tensor, keys: Tensor, values: Tensor
    ) -> Tensor:
        if self._collected is not None:
            self._collected.append((keys, values))
        if kind.window not in self._masks:
            self._masks[kind.window] = self._block_mask(kind.window)
        mixed: Tensor = self._kernel(
            queries,
            torch.cat([*(stem[layer][0] for stem in self._stems), keys], dim=2),
            torch.cat([*(stem[layer][1] for stem in self._stems), values], dim=2),
            score_mod=None if kind.softcap is None else _softcapped(kind.softcap),
            block_mask=self._masks[kind.window],
            scale=kind.scale,
            enable_gqa=True,
        )
        return mixed

    def _block_mask(self, window: int | None) -> BlockMask:
        stem_length, reach = self._stem_length, self._reach
        positions, key_positions = self._positions, self._key_positions

        def sees(_batch: Tensor, _head: Tensor, row: Tensor, column: Tensor) -> Tensor:
            own = column - stem_length
            below = (own <= row) & (row < reach[own.clamp(min=0)])
            seen = (column < stem_length) | below
            if window is None:
                return seen
            return seen & (positions[row] - key_positions[column] < window)

        rows, columns = len(positions), len(key_positions)
        return create_block_mask(sees, None, None, rows, columns, device=str(reach.device))


def _softcapped(cap: float) -> Callable[..., Tensor]:
    def bend(score: Tensor, *_: Tensor) -> Tensor:
        return cap * torch.tanh(score / cap)

    return bend


@cache
def compiled_kernel(device: torch.device) -> Kernel | None:
    """FlexAttention compiled for a GPU, or None where it does not work.

    It is tried on a small pack first and must give what PackAttention gives: compilers and drivers
    of users differ, and a slower answer is better than none or a wrong one. Remembered, since
    compiling takes seconds.
    """
    if device.type != "cuda":
        return None
    kernel: Kernel = torch.compile(flex_attention, dynamic=True)
    try:
        difference = difference_from_blocks(kernel, device)
    except Exception as error:  # a compiler fails in many ways
        log.warning("FlexAttention does not work here (%s): attention is slower", error)
        return None
    if not difference < 1e-2:
        log.warning("FlexAttention differs by %.1e here and is not used", difference)
        return None
    return kernel


def difference_from_blocks(kernel: Kernel, device: torch.device) -> float:
    """The largest difference between FlexPackAttention and PackAttention on a small random pack."""
    generator = torch.Generator().manual_seed(0)

    def random(heads: int, length: int) -> Tensor:
        return torch.randn(1, heads, length, 64, generator=generator).to(device)

    length = 160
    # Two trees; in the second, two branches of 30 tokens after a stem of 20.
    reach = torch.tensor([80] * 80 + [160] * 20 + [130] * 30 + [160] * 30, device=device)
    places = torch.arange(length, device=device)
    positions = 10 + torch.where(places < 80, places, places - 80)
    positions = torch.where(places >= 130, positions - 30, positions)
    stem: KeysValues = [(random(2, 10), random(2, 10))]
    queries, keys, values = random(4, length), random(2, length), random(2, length)
    kind = AttentionKind(scale=0.125, window=40, softcap=20.0)
    with torch.inference_mode():
        whole = Block(0, length, places[:0])
        expected = PackAttention(positions, reach, [whole], [stem]).attend(
            0, kind, queries, keys, values
        )
        found = FlexPackAttention(positions, reach, [stem], None, kernel).attend(
            0, kind, queries, keys, values
        )
    return float((found - expected).abs().max())
