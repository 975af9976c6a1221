"""Which kind of model a checkpoint is of, by what its config.json says."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from evalharness.errors import DataError, did_you_mean

Kind = Literal["causal", "seq2seq", "masked"]

AUTO_CLASSES: Mapping[Kind, str] = MappingProxyType(
    {
        "causal": "AutoModelForCausalLM",
        "seq2seq": "AutoModelForSeq2SeqLM",
        "masked": "AutoModelForMaskedLM",
    }
)
"""transformers' class that makes a model of the kind from its config."""


def kind_of(config: Any, where: str) -> Kind:
    """The kind of the class that `architectures` names; else the first one in auto_map.

    config: a PreTrainedConfig. where: what errors call its file. Raises DataError for a class of
    no kind.
    """
    named = _named(config)
    known = _known_classes()
    # A class may be of several kinds to transformers: an encoder-decoder's is causal as well.
    order: tuple[Kind, ...] = ("causal", "seq2seq", "masked")
    if getattr(config, "is_encoder_decoder", False):
        order = ("seq2seq", "causal", "masked")
    for name in named:
        for kind in order:
            if name in known[kind]:
                return kind
    brought = getattr(config, "auto_map", None) or {}
    for kind, auto_class in AUTO_CLASSES.items():
        if auto_class in brought:
            return kind
    every = [name for names in known.values() for name in names]
    first = named[0] if named else "(none named)"
    advice = did_you_mean(first, every)
    if first.endswith("Model"):
        advice = " A model of that name has no layer that predicts words, as encoders for search."
    raise DataError(
        f"{where}: the class {first!r} is none that writes or scores texts: hf: knows "
        f"the classes of {', '.join(AUTO_CLASSES.values())}.{advice}"
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


def _known_classes() -> dict[Kind, set[str]]:
    from transformers.models.auto import modeling_auto as auto

    tables: dict[Kind, Any] = {
        "causal": auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        "seq2seq": auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
        "masked": auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    }
    return {kind: _flat(table.values()) for kind, table in tables.items()}


def _flat(names: Any) -> set[str]:
    """Some entries are tuples of names."""
    return {one for name in names for one in (name if isinstance(name, tuple | list) else (name,))}
