"""Quantised checkpoints: by which method, and which package transformers needs for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

from evalharness.errors import DataError, did_you_mean

# Method in quantization_config -> (module that is imported, package that brings it). Methods that
# are not named here need nothing else, or transformers says itself what they need.
_PACKAGES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "aqlm": ("aqlm", "aqlm"),
        "auto-round": ("auto_round", "auto-round"),
        "awq": ("gptqmodel", "gptqmodel"),
        "bitsandbytes": ("bitsandbytes", "bitsandbytes"),
        "bitsandbytes_4bit": ("bitsandbytes", "bitsandbytes"),
        "bitsandbytes_8bit": ("bitsandbytes", "bitsandbytes"),
        "compressed-tensors": ("compressed_tensors", "compressed-tensors"),
        "eetq": ("eetq", "eetq"),
        "gptq": ("gptqmodel", "gptqmodel"),
        "hqq": ("hqq", "hqq"),
        "quanto": ("optimum.quanto", "optimum-quanto"),
        "quark": ("quark", "amd-quark"),
        "spqr": ("spqr_quant", "spqr_quant"),
        "torchao": ("torchao", "torchao"),
        "vptq": ("vptq", "vptq"),
    }
)


@dataclass(frozen=True, slots=True)
class Quantisation:
    """How the weights of a checkpoint are quantised.

    method  as quantization_config names it; None where it names none
    bits    of a weight; None where it does not say in the usual way
    """

    method: str | None
    bits: int | None

    def __str__(self) -> str:
        method = self.method or "unknown method"
        return method if self.bits is None else f"{method}, {self.bits} bits"


def quantisation_of(config: Any) -> Quantisation | None:
    """What config.json says of it, or None."""
    settings = getattr(config, "quantization_config", None)
    if not settings:
        return None
    values = settings if isinstance(settings, dict) else settings.to_dict()
    method, bits = values.get("quant_method"), values.get("bits")
    for number in (4, 8):
        if values.get(f"load_in_{number}bit"):
            method, bits = method or "bitsandbytes", number  # the first ones name no method
    name = None if method is None else str(getattr(method, "value", method))
    return Quantisation(name, bits if type(bits) is int else None)


def check_method(found: Quantisation | None, where: str) -> None:
    """Raises DataError for no method, for one that nobody knows and for one without its package."""
    if found is None:
        return
    if found.method is None:
        raise DataError(
            f"{where}: config.json says that the weights are quantised, but its "
            "quantization_config names no quant_method. Fetch the checkpoint or save it again, or "
            "benchmark the one that was not quantised."
        )
    known = {*_known_methods(), *_PACKAGES}
    if found.method not in known:
        raise DataError(
            f"{where}: config.json says that the weights are quantised by {found.method!r}, which "
            f"transformers does not know.{did_you_mean(found.method, known)} Update transformers, "
            "or benchmark the checkpoint that was not quantised."
        )
    if found.method not in _PACKAGES:
        return
    module, package = _PACKAGES[found.method]
    if not is_installed(module):
        raise DataError(
            f"{where}: the weights are quantised ({found}), and the package {package!r}, which "
            f"computes with such weights, is not installed. Install it (pip install {package}) or "
            "benchmark the checkpoint that was not quantised."
        )


def _known_methods() -> Iterable[str]:
    from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING

    return map(str, AUTO_QUANTIZATION_CONFIG_MAPPING)


def is_installed(module: str) -> bool:
    """Can the module be imported?"""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it
        return False
