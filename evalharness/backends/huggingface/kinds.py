"""Which kind of model a checkpoint is of, by what its config.json says."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from evalharness.errors import DataError, did_you_mean

Kind = Literal["causal", "seq2seq", "masked"]

# transformers' classes that make a model of the kind from its config. Models of images and texts
# are causal where they are given texts alone.
_AUTO_CLASSES: Mapping[str, Kind] = MappingProxyType(
    {
        "AutoModelForCausalLM": "causal",
        "AutoModelForSeq2SeqLM": "seq2seq",
        "AutoModelForMaskedLM": "masked",
        "AutoModelForImageTextToText": "causal",
    }
)


@dataclass(frozen=True, slots=True)
class ModelClass:
    """What a model's class is for, and transformers' class that makes it from its config."""

    kind: Kind
    auto_class: str


def class_of(config: Any, where: str) -> ModelClass:
    """By the class that `architectures` names; else the first one in auto_map.

    config: a PreTrainedConfig. where: what errors call its file. Raises DataError for a class of
    no kind.
    """
    named = _named(config)
    known = _known_classes()
    order = list(known)
    if getattr(config, "is_encoder_decoder", False):
        # A class may be of several kinds to transformers: an encoder-decoder's is causal as well.
        order = ["AutoModelForSeq2SeqLM", "AutoModelForCausalLM", "AutoModelForMaskedLM"]
    for name in named:
        for auto_class in order:
            if name in known[auto_class]:
                return ModelClass(_AUTO_CLASSES[auto_class], auto_class)
    brought = getattr(config, "auto_map", None) or {}
    for auto_class, kind in _AUTO_CLASSES.items():
        if auto_class in brought:
            return ModelClass(kind, auto_class)
    every = [name for names in known.values() for name in names]
    first = named[0] if named else "(none named)"
    advice = did_you_mean(first, every)
    if first.endswith("Model"):
        advice = " A model of that name has no layer that predicts words, as encoders for search."
    raise DataError(
        f"{where}: the class {first!r} is none that writes or scores texts: hf: knows "
        f"the classes of {', '.join(_AUTO_CLASSES)}.{advice}"
    )


def architecture_of(config: Any) -> str:
    """The class that config.json names, or the config's own type where it names none."""
    named = _named(config)
    return named[0] if named else type(config).__name__


def own_class_is_known(name: str) -> bool:
    """Does transformers bring the class itself?"""
    return any(name in names for names in _known_classes().values())


def _named(config: Any) -> list[str]:
    return [str(name) for name in getattr(config, "architectures", None) or []]


def _known_classes() -> dict[str, set[str]]:
    """Names of classes by the auto class that makes them."""
    from transformers.models.auto import modeling_auto as auto

    tables: dict[str, Any] = {
        "AutoModelForCausalLM": auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        "AutoModelForSeq2SeqLM": auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
        "AutoModelForMaskedLM": auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        "AutoModelForImageTextToText": auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    }
    return {name: _flat(table.values()) for name, table in tables.items()}


def _flat(names: Any) -> set[str]:
    """Some entries are tuples of names."""
    return {one for name in names for one in (name if isinstance(name, tuple | list) else (name,))}
