"""Rotary positions: the frequencies that a checkpoint's rope parameters stand for.

Everything is computed in float32, in the order in which transformers computes it, since at
position 100,000 the last bit of a frequency is an angle that can be seen.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from evalharness.errors import did_you_mean
from evalharness.transformer.values import Values

KEYS = frozenset(
    {
        "rope_type",
        "type",
        "rope_theta",
        "factor",
        "partial_rotary_factor",
        "original_max_position_embeddings",
        "attention_factor",
        "beta_fast",
        "beta_slow",
        "short_factor",
        "long_factor",
        "low_freq_factor",
        "high_freq_factor",
        "mscale",
        "mscale_all_dim",
        "truncate",
        "finetuned",
    }
)


@dataclass(frozen=True, slots=True)
class Rotation:
    """Rotary positions of a layer (Su et al. 2021).

    frequencies  radians a position by which each pair (i, i + R/2) of a head's first R numbers is
                 turned; the numbers after them stay as they are
    magnitude    what cosine and sine are multiplied with
    """

    frequencies: tuple[float, ...]
    magnitude: float = 1.0


@dataclass(frozen=True, slots=True)
class Lengths:
    """Positions: `used` of the context in use, `trained` the most that config.json speaks of."""

    used: int
    trained: int


def rotation(parameters: Values, head_width: int, lengths: Lengths) -> Rotation:
    """Frequencies and magnitude by one set of rope parameters, as transformers 5 writes them.

    Raises DataError for a type or a parameter that is not known.
    """
    for key in parameters.keys():  # noqa: SIM118 - not a mapping
        if key not in KEYS:
            raise parameters.unknown(f"the rope parameter {key!r}")
    rope_type = rope_type_of(parameters)
    if rope_type not in TYPES:
        raise parameters.unknown(
            f"the rope type {rope_type!r} (it knows {', '.join(TYPES)})"
            f"{did_you_mean(rope_type, TYPES)}"
        )
    rotated = int(head_width * parameters.number("partial_rotary_factor"))
    frequencies, magnitude = TYPES[rope_type](parameters, rotated, lengths)
    if not 0 < 2 * len(frequencies) <= head_width:
        raise parameters.unknown(f"{rotated} rotated numbers of a head of width {head_width}")
    return Rotation(tuple(frequencies.tolist()), magnitude)


def rope_type_of(parameters: Values | Mapping[str, Any]) -> str:
    """`type` is the older name of `rope_type`; `su` that of `longrope`."""
    name = str(parameters.get("rope_type") or parameters.get("type") or "default")
    return "longrope" if name == "su" else name


def context(parameters: Values, trained: int) -> int:
    """The context that is used unless another is asked for.

    longrope has two sets of frequencies. transformers takes one or the other by the length of
    each text, so that a prefix of a short text could not be shared with a long one. Here the
    context in use decides for all texts, and by itself it is the one of the short set: then every
    text that fits is computed as transformers does. A longer `max_length` takes the long set.
    """
    if rope_type_of(parameters) != "longrope":
        return trained
    return min(trained, parameters.integer("original_max_position_embeddings"))


Computed = tuple[Tensor, float]


def _powers(parameters: Values, rotated: int) -> Tensor:
    """For each pair i: base ** (2i / R)."""
    base = parameters.number("rope_theta")
    return base ** (torch.arange(0, rotated, 2, dtype=torch.int64).float() / rotated)


def _default(parameters: Values, rotated: int, _: Lengths) -> Computed:
    """Su et al. 2021, arXiv 2104.09864: base ** (-2i / R).

    So is `dynamic` (NTK-aware scaling by the length of the text) for every text within the
    trained context, and a longer one is never computed.
    """
    return 1.0 / _powers(parameters, rotated), 1.0


def _linear(parameters: Values, rotated: int, _: Lengths) -> Computed:
    """Chen et al. 2023, arXiv 2306.15595: positions are divided by a factor."""
    return 1.0 / _powers(parameters, rotated) / parameters.number("factor"), 1.0


def _llama3(parameters: Values, rotated: int, _: Lengths) -> Computed:
    """Llama 3.1 (arXiv 2407.21783; its released code): waves longer than the original context are
    stretched by `factor`, short ones kept, and those between mixed by how many fit into it.
    """
    factor = parameters.number("factor")
    low, high = parameters.number("low_freq_factor"), parameters.number("high_freq_factor")
    original = parameters.integer("original_max_position_embeddings")
    plain = 1.0 / _powers(parameters, rotated)
    waves = 2 * math.pi / plain  # positions a turn
    kept = (original / waves - low) / (high - low)
    mixed = (1 - kept) * plain / factor + kept * plain
    stretched = torch.where(waves > original / low, plain / factor, mixed)
    return torch.where(waves < original / high, plain, stretched), 1.0


def _yarn(parameters: Values, rotated: int, lengths: Lengths) -> Computed:
    """Peng et al. 2023, arXiv 2309.00071: pairs that turn often are kept, those that turn seldom
    are stretched by `factor`, with a ramp between; products of query and key grow with it.
    """
    original = parameters.integer("original_max_position_embeddings")
    factor = parameters.get("factor") or lengths.trained / original
    base = parameters.number("rope_theta")

    def pair_that_turns(times: float) -> float:
        """Which pair turns so many times within the original context."""
        return rotated * math.log(original / (times * 2 * math.pi)) / (2 * math.log(base))

    first = pair_that_turns(parameters.get("beta_fast") or 32)
    last = pair_that_turns(parameters.get("beta_slow") or 1)
    if parameters.get("truncate") is not False:
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, rotated - 1)
    last += 0.001 if first == last else 0  # a ramp of no width would divide by zero
    pairs = torch.arange(rotated // 2, dtype=torch.float32)
    kept = 1 - ((pairs - first) / (last - first)).clamp(0, 1)
    powers = _powers(parameters, rotated)
    frequencies = 1.0 / (factor * powers) * (1 - kept) + 1.0 / powers * kept
    return frequencies, _yarn_magnitude(parameters, factor)


def _yarn_magnitude(parameters: Values, factor: float) -> float:
    """0.1 ln(factor) + 1 by the paper; DeepSeek's `mscale` pair weighs the logarithm."""
    if parameters.get("attention_factor") is not None:
        return parameters.number("attention_factor")

    def growth(weight: float) -> float:
        return 1.0 if factor <= 1 else 0.1 * weight * math.log(factor) + 1.0

    above, below = parameters.get("mscale"), parameters.get("mscale_all_dim")
    return growth(above) / growth(below) if above and below else growth(1.0)


def _longrope(parameters: Values, rotated: int, lengths: Lengths) -> Computed:
    """Ding et al. 2024, arXiv 2402.13753: a stretch of its own for each pair, one set for the
    original context and one for longer ones (see `context`).
    """
    original = parameters.integer("original_max_position_embeddings")
    key = "long_factor" if lengths.used > original else "short_factor"
    stretches = parameters.get(key)
    if not isinstance(stretches, list) or len(stretches) != (rotated + 1) // 2:
        raise parameters.wrong(key, f"a list of {(rotated + 1) // 2} numbers")
    factor = parameters.get("factor") or lengths.trained / original
    magnitude = parameters.get("attention_factor")
    if magnitude is None:
        grown = 1 + math.log(factor) / math.log(original) if factor > 1 else 1.0
        magnitude = math.sqrt(grown)
    powers = _powers(parameters, rotated)
    return 1.0 / (torch.tensor(stretches, dtype=torch.float32) * powers), float(magnitude)


TYPES: Mapping[str, Callable[[Values, int, Lengths], Computed]] = {
    "default": _default,
    "dynamic": _default,
    "linear": _linear,
    "llama3": _llama3,
    "yarn": _yarn,
    "longrope": _longrope,
}
