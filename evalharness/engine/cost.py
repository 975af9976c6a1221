"""How large packs should be, from what a layer of the model costs on this machine."""

import copy
import time
from dataclasses import dataclass

import torch

from evalharness.engine.trie import Limits
from evalharness.transformer.attention import causal_attention
from evalharness.transformer.model import Transformer

# Tokens of the two passes that are timed, and how often each is: the fastest counts, since a busy
# machine only ever makes a pass slower.
_FEW, _MANY, _REPEATS = 64, 512, 4
# A pack is so large that what it costs apart from its tokens is this share of the whole.
_OVERHEAD = 0.03


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What is believed of a measurement: on a busy machine it may be off by orders of magnitude.

    stem  tokens that cost as much as a pack apart from its tokens
    pack  tokens of a pack, which also bound the memory that it takes
    """

    stem: tuple[int, int]
    pack: tuple[int, int]


_CPU = _Bounds(stem=(16, 128), pack=(256, 1024))
_GPU = _Bounds(stem=(16, 1024), pack=(1024, 16_384))


@dataclass(frozen=True, slots=True)
class PackCost:
    """Seconds that one layer takes for a pack of T tokens: fixed + per_token * T."""

    fixed: float
    per_token: float


def measure_pack_cost(model: Transformer) -> PackCost:
    """Time one layer of the model with few and with many tokens, and draw a line through both."""
    shallow = _first_layer(model)
    times = [(_seconds(shallow, _FEW), _seconds(shallow, _MANY)) for _ in range(_REPEATS)]
    few, many = (min(column) for column in zip(*times, strict=True))
    per_token = max((many - few) / (_MANY - _FEW), 1e-12)
    return PackCost(fixed=max(few - per_token * _FEW, 0.0), per_token=per_token)


def limits_for(cost: PackCost, device: torch.device) -> Limits:
    """Packs so large that their fixed cost hardly counts, stems where they save more than it."""
    bounds = _CPU if device.type == "cpu" else _GPU
    worth = cost.fixed / cost.per_token  # tokens that cost as much as a pack apart from them
    return Limits(
        pack_size=_within(worth / _OVERHEAD, bounds.pack),
        minimum_stem=_within(worth, bounds.stem),
    )


def _within(value: float, bounds: tuple[int, int]) -> int:
    low, high = bounds
    return int(min(max(value, low), high))


def _first_layer(model: Transformer) -> Transformer:
    """The same model, with the same weights, that ends after its first layer."""
    shallow = copy.copy(model)
    shallow._modules = dict(model._modules)
    shallow.layers = model.layers[:1]
    return shallow


@torch.inference_mode()
def _seconds(model: Transformer, length: int) -> float:
    device = model.embedding.weight.device
    tokens = torch.zeros(1, length, dtype=torch.long, device=device)
    positions = torch.arange(length, device=device)[None] % model.config.max_length
    _finish(device)
    started = time.perf_counter()
    model(tokens, positions, causal_attention(tokens))
    _finish(device)
    return time.perf_counter() - started


def _finish(device: torch.device) -> None:
    """Wait until a GPU has done what it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
