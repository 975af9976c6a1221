"""Quantised checkpoints: which package transformers needs for each method."""

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

from evalharness.errors import DataError

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


def quantisation_of(config: Any) -> str | None:
    """The method by which the checkpoint's weights are quantised, or None."""
    settings = getattr(config, "quantization_config", None)
    if settings is None:
        return None
    values = settings if isinstance(settings, dict) else settings.to_dict()
    method = values.get("quant_method")
    if method is None and (values.get("load_in_8bit") or values.get("load_in_4bit")):
        return "bitsandbytes"  # as the first such checkpoints say it
    return str(getattr(method, "value", method))


def check_package(method: str | None, where: str) -> None:
    """Raises DataError naming the package that a quantised checkpoint needs and that is absent."""
    if method is None or method not in _PACKAGES:
        return
    module, package = _PACKAGES[method]
    if not is_installed(module):
        raise DataError(
            f"{where}: the weights are quantised ({method}), and the package {package!r}, which "
            f"computes with such weights, is not installed. Install it (pip install {package}) or "
            "benchmark the checkpoint that was not quantised."
        )


def is_installed(module: str) -> bool:
    """Can the module be imported?"""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it
        return False
