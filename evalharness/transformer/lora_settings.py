"""adapter_config.json of a LoRA adapter, as PEFT writes it."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from evalharness.errors import DataError
from evalharness.transformer.values import Values

OTHER_WAY = "Where `hf:REF?adapter=PATH` is offered, it leaves the adapter to peft."
# They say how the adapter was trained or found, or are read below.
_READ = frozenset(
    {
        "alpha_pattern",
        "auto_mapping",
        "base_model_name_or_path",  # paths differ between machines: names and shapes decide
        "bias",
        "corda_config",
        "ensure_weight_tying",
        "eva_config",
        "exclude_modules",
        "fan_in_fan_out",  # how the base stores its weight, which A and B do not depend on
        "inference_mode",
        "init_lora_weights",
        "layers_pattern",
        "layers_to_transform",
        "loftq_config",
        "lora_alpha",
        "lora_dropout",
        "megatron_core",
        "peft_type",
        "peft_version",
        "qalora_group_size",
        "r",
        "rank_pattern",
        "revision",
        "runtime_config",
        "target_modules",
        "task_type",
        "use_rslora",
    }
)
# Ways to fill A and B at the start that leave the base as it is.
_NEUTRAL_STARTS = (None, True, False, "gaussian", "eva", "orthogonal")
_Number = TypeVar("_Number", int, float)
_PLAIN_NAME = re.compile(r"\^?[A-Za-z0-9_.]+")


@dataclass(frozen=True, slots=True)
class Targets:
    """The modules that an adapter changes, named by the ends of their names."""

    names: tuple[str, ...]
    excluded: tuple[str, ...]
    layers: frozenset[int] | None

    def name(self, module: str) -> bool:
        """Is this module of a layer (layers.3.mlp.up_proj) one of them?"""
        number = re.search(r"\.(\d+)\.", module)
        if self.layers is not None and (number is None or int(number[1]) not in self.layers):
            return False
        return _among(module, self.names) and not _among(module, self.excluded)


def _among(module: str, names: Sequence[str]) -> bool:
    # A full name has the base's prefix in front, which the module has not.
    return any(
        name == "all-linear"
        or module == name
        or module.endswith(f".{name}")
        or name.endswith(f".{module}")
        for name in names
    )


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """What scales the updates of an adapter, and which modules it should have.

    `ranks` and `alphas` are for modules whose names end so; `targets` is None where a pattern names
    them.
    """

    rank: int
    alpha: float
    ranks: Mapping[str, int]
    alphas: Mapping[str, float]
    stabilised: bool
    targets: Targets | None

    @classmethod
    def read(cls, path: Path) -> "LoraSettings":
        """Raises DataError for a damaged file, and for what the built-in transformer lacks."""
        values = Values.read_file(path)
        _check_features(values)
        return cls(
            rank=values.integer("r"),
            alpha=values.number("lora_alpha"),
            ranks={name: int(value) for name, value in _pattern(values, "rank_pattern").items()},
            alphas=_pattern(values, "alpha_pattern"),
            stabilised=values.flag("use_rslora"),
            targets=_targets(values),
        )

    def rank_of(self, module: str) -> int:
        """The rank r of a module, by the base's own name of it."""
        return _chosen(self.ranks, module, self.rank)

    def scale_of(self, module: str) -> float:
        """The factor s in W x + s B (A x)."""
        rank = self.rank_of(module)
        divisor = math.sqrt(rank) if self.stabilised else rank
        return _chosen(self.alphas, module, self.alpha) / divisor


def _chosen(pattern: Mapping[str, _Number], module: str, otherwise: _Number) -> _Number:
    """The value of the first name that the module ends with; ^ stands before a whole name."""
    for name, value in pattern.items():
        whole = name.removeprefix("^")
        if module == whole or (whole == name and module.endswith(f".{name}")):
            return value
    return otherwise


def _check_features(values: Values) -> None:
    kind = values.get("peft_type")
    if kind != "LORA":
        raise _unknown(values, f"adapters of the type {kind!r} (peft_type), only LORA")
    if values.get("bias") not in (None, "none"):
        raise _unknown(values, f"bias={values.get('bias')!r}, only 'none'")
    start = values.get("init_lora_weights")
    if not isinstance(start, str | bool | None) or start not in _NEUTRAL_STARTS:
        raise _unknown(values, f"init_lora_weights={start!r}, which changes the base as well")
    for key in sorted(set(values.keys()) - _READ):
        # Keys of a later PEFT, too: what is off changes nothing.
        if values.get(key) not in (None, False, "", [], {}):
            name = {"use_dora": "DoRA (use_dora)"}.get(key, f"{key}={values.get(key)!r:.80}")
            raise _unknown(values, name)


def _unknown(values: Values, feature: str) -> DataError:
    return DataError(
        f"{values.where}: the built-in transformer does not know {feature}. {OTHER_WAY}"
    )


def _pattern(values: Values, key: str) -> dict[str, float]:
    """Numbers by ends of names. PEFT reads them as regular expressions, of which few are names."""
    pattern = values.mapping(key)
    numbers = values.inner(key, pattern)
    for name in pattern:
        if not _PLAIN_NAME.fullmatch(name):
            raise _unknown(values, f"the pattern {name!r} in {key}, only names of modules")
        if key == "rank_pattern":
            numbers.integer(name)
    return {name: numbers.number(name) for name in pattern}


def _targets(values: Values) -> Targets | None:
    names, excluded = values.get("target_modules"), values.get("exclude_modules")
    if names == "all-linear":
        names = ["all-linear"]
    if not isinstance(names, list) or isinstance(excluded, str):
        return None
    layers = values.get("layers_to_transform")
    try:
        numbers = None if layers is None else frozenset([layers] if type(layers) is int else layers)
    except TypeError:
        raise values.wrong("layers_to_transform", "numbers of layers") from None
    return Targets(tuple(map(str, names)), tuple(map(str, excluded or ())), numbers)
