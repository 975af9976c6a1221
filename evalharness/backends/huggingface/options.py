"""Options of `hf:`."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from evalharness.backends.settings import CheckpointOptions
from evalharness.backends.spec import ModelSpec
from evalharness.errors import UsageError


class HuggingfaceOptions(CheckpointOptions):
    """Options of `hf:`, whatever the kind of the model.

    device_map           how accelerate spreads the weights over devices, in place of `device`
    trust_remote_code    run the Python files that the checkpoint brings
    batch_size           requests in a batch, at most; changes speed and memory only
    source_language      what an encoder-decoder model of several languages reads, and
    target_language      what it writes, by the codes of its tokenizer
    input                what an encoder-decoder model is given of a task that makes texts from a
                         source: its prompt, or the bare source (see prompts/bare_sources.py).
                         "auto": the source for translation models, which take no instructions
    """

    device_map: Literal["auto", "balanced", "balanced_low_0", "sequential"] | None = None
    trust_remote_code: bool = False
    batch_size: int = Field(default=32, ge=1)
    source_language: str | None = None
    target_language: str | None = None
    input: Literal["auto", "prompt", "source"] = "auto"


def refuse_options(spec: ModelSpec, names: Sequence[str], reason: str) -> None:
    """Raises UsageError for the first of these options that the spec gives, with the reason."""
    for name in names:
        if name in spec.options:
            raise UsageError(
                f"model {spec.text!r}: the option {name!r} has no effect: {reason}. Leave it out."
            )
