"""Options of `hf:`."""

from typing import Literal

from pydantic import Field

from evalharness.backends.settings import CheckpointOptions


class HuggingfaceOptions(CheckpointOptions):
    """Options of `hf:`, whatever the kind of the model.

    device_map           how accelerate spreads the weights over devices, in place of `device`
    trust_remote_code    run the Python files that the checkpoint brings
    batch_size           requests in a batch, at most; changes speed and memory only
    """

    device_map: Literal["auto", "balanced", "balanced_low_0", "sequential"] | None = None
    trust_remote_code: bool = False
    batch_size: int = Field(default=32, ge=1)
