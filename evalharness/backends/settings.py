"""What the backends that load checkpoints have in common: options, device, dtype, names."""

import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

import torch
from pydantic import BaseModel, Field

from evalharness.backends.checkpoint import find_adapter
from evalharness.backends.encoding import TextTokenizer
from evalharness.backends.spec import ModelSpec, parse_options
from evalharness.cache import file_digest
from evalharness.errors import DataError, UsageError
from evalharness.transformer.adapters import adapter_files

# Options that change how fast a model answers, or where, but never what.
_NEUTRAL = ("pack_size", "slots", "batch_size", "device", "device_map", "accept_licence")
# What the templates of Qwen3 and others call it.
_THINKING = "enable_thinking"


class CheckpointOptions(BaseModel):
    """Options of every scheme that loads a checkpoint.

    max_length may only shorten the context of the model. thinking is told to the chat template of a
    model that may think before it answers or not. adapter is the folder of an adapter that PEFT
    saved. accept_licence says that the terms of a model of the catalogue are agreed to, before it
    is downloaded.
    """

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    revision: str | None = None
    chat_template: Path | None = None
    thinking: Literal["on", "off"] | None = None
    adapter: Path | None = None
    max_length: int | None = Field(default=None, ge=2)
    accept_licence: str | None = None


_Options = TypeVar("_Options", bound=CheckpointOptions)


def checkpoint_options(spec: ModelSpec, options: type[_Options]) -> _Options:
    """The options of a spec. Raises UsageError for wrong ones, DataError for one that names a chat
    template or the folder of an adapter which is not there.
    """
    given = parse_options(spec, options)
    _check_template(given.chat_template)
    if given.adapter is None:
        return given
    return given.model_copy(update={"adapter": find_adapter(given.adapter)})


def choose_device(wanted: str) -> torch.device:
    """Raises UsageError for a device that this machine has not."""
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        return torch.device(next(name for name, there in present.items() if there))
    if not present[wanted]:
        there = ", ".join(name for name, is_there in present.items() if is_there)
        raise UsageError(
            f"the device {wanted!r} is not to be had on this machine; there is {there}."
        )
    return torch.device(wanted)


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """The dtype of that name; "auto" is float32 on a CPU, else bfloat16."""
    if wanted == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    return {
        "float32": torch.float32,
        "bfloat16": torch.bfloat16,
        "float16": torch.float16,
    }[wanted]


def dtype_name(dtype: torch.dtype) -> str:
    """The name without torch's own before it."""
    return str(dtype).removeprefix("torch.")


def peak_memory_bytes(device: torch.device) -> int:
    """Of the GPU if it is one, else of this process so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # Linux counts in kibibytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def model_name(spec: ModelSpec) -> str:
    """What tables call the model: the end of its path, and the options that change answers."""
    name = Path(spec.reference).name if "/" in spec.reference else spec.reference
    if "adapter" in spec.options:
        name = f"{name} + {Path(spec.options['adapter']).name}"
    hidden = (*_NEUTRAL, "adapter")
    shown = [f"{key}={value}" for key, value in spec.options.items() if key not in hidden]
    return f"{name} ({', '.join(shown)})" if shown else name


def _check_template(path: Path | None) -> None:
    """Raises DataError for a chat template that is given and cannot be read."""
    if path is None:
        return
    try:
        path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"chat_template: there is no file {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"chat_template: {path} cannot be read: {error}. It should be a text file in UTF-8."
        ) from None


def template_variables(thinking: Literal["on", "off"] | None) -> dict[str, bool]:
    """What the chat template is told of the option; nothing where it is left out."""
    return {} if thinking is None else {_THINKING: thinking == "on"}


def check_thinking(spec: ModelSpec, thinking: str | None, tokenizer: TextTokenizer) -> None:
    """Raises UsageError for the option where the chat template cannot be told of it."""
    if thinking is not None and not tokenizer.template_uses(_THINKING):
        raise UsageError(
            f"model {spec.text!r}: option 'thinking' has no effect: the checkpoint has no chat "
            f"template that looks at {_THINKING}. Leave the option out."
        )


def digests_beside(options: CheckpointOptions) -> dict[str, str]:
    """Of what is given in options, wherever it lies: another chat template, an adapter.

    Raises DataError for an adapter that is none.
    """
    found = {}
    if options.chat_template is not None:
        found["?chat_template"] = file_digest(options.chat_template)
    if options.adapter is not None:
        for file in adapter_files(options.adapter):
            found[f"?adapter/{file.name}"] = file_digest(file)
    return found


def check_unchanged(folder: Path, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raises DataError when digests are not those that the fingerprint was made of."""
    changed = sorted(name for name, _ in now.items() ^ before.items())
    if changed:
        raise DataError(
            f"{folder}: {changed[0]} changed while the checkpoint was loaded, so that "
            "its answers would be taken for those of another one. Run again when nothing "
            "writes to it."
        )
