"""Weights of a checkpoint folder; names and layouts of other projects become ours here."""

import json
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from evalharness.errors import DataError, did_you_mean
from evalharness.transformer.config import TransformerConfig
from evalharness.transformer.model import Transformer
from evalharness.transformer.names import NAMES, Names

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
# Index and single file of each kind, the preferred one first.
KINDS = (
    ("model.safetensors.index.json", "model.safetensors"),
    ("pytorch_model.bin.index.json", "pytorch_model.bin"),
)


def weight_files(folder: Path) -> list[Path]:
    """The weight files of a checkpoint, in order: safetensors where there are some.

    Raises DataError when there is none, or one that the index names is missing.
    """
    for index, single in KINDS:
        if (folder / index).exists():
            return _indexed(folder, index)
        if (folder / single).exists():
            return [folder / single]
        if single.endswith(".safetensors") and (files := sorted(folder.glob("*.safetensors"))):
            return files
    raise DataError(
        f"{folder} has no *.safetensors file and no pytorch_model.bin, so there are no weights "
        "to load."
    )


def _indexed(folder: Path, index: str) -> list[Path]:
    try:
        named = json.loads((folder / index).read_text(encoding="utf-8"))["weight_map"]
        names = sorted({str(name) for name in named.values()})
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, AttributeError, TypeError):
        raise DataError(f"{folder / index} is damaged: it should map weights to files.") from None
    except OSError as error:
        raise DataError(f"{folder / index} cannot be read: {error}.") from None
    for name in names:
        # Not resolved: files of the hub's cache are links that lead out of the folder.
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts:
            raise DataError(
                f"{folder / index} names {name!r}, which is outside the folder: weights from "
                "there are not read. Copy the file into the folder."
            )
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise DataError(f"{folder}: {index} names {missing[0]!r}, which is not there.")
    return [folder / name for name in names]


def load_transformer(
    folder: Path, config: TransformerConfig, dtype: torch.dtype, device: torch.device
) -> Transformer:
    """Build the model with the weights of a folder, memory-mapped where no conversion is needed.

    The weights of norms are float32 whatever `dtype` is. Raises DataError for a damaged file, for
    weights that are missing, unknown or misshapen, and for values that are not finite.
    """
    state: dict[str, Tensor] = {}
    for weight in _weights(folder, config):
        for ours, part in weight.parts(config):
            kept = torch.float32 if "norm" in ours else dtype
            state[ours] = part.to(device, kept)
            _check_finite(weight, state[ours], part)
    model = _fitted(folder, config, state)
    model.load_state_dict(state, assign=True)
    return model.to(device).eval().requires_grad_(False)


def check_weights(folder: Path, config: TransformerConfig) -> list[Path]:
    """The weight files of a folder, of which only names, shapes and lengths are read.

    Raises the errors of load_transformer, but for values that are not finite.
    """
    state: dict[str, Tensor] = {}
    for weight in _weights(folder, config):
        state.update(replace(weight, tensor=weight.tensor.to("meta")).parts(config))
    _fitted(folder, config, state)
    return weight_files(folder)


def _fitted(folder: Path, config: TransformerConfig, state: dict[str, Tensor]) -> Transformer:
    """A model without weights that takes those of `state`, to which a tied one is added."""
    if config.tied_embeddings:
        state["output.weight"] = state.get("embedding.weight", torch.empty(0))
    with torch.device("meta"):
        model = Transformer(config)
    _check_shapes(model, state, folder, NAMES[config.architecture])
    return model


@dataclass(frozen=True, slots=True)
class _Weight:
    """A tensor as a file has it."""

    path: Path
    name: str
    tensor: Tensor

    def parts(self, config: TransformerConfig) -> Iterator[tuple[str, Tensor]]:
        """Our names and tensors of it."""
        return _parts(self.path, self.name, self.tensor, NAMES[config.architecture], config)


def _weights(folder: Path, config: TransformerConfig) -> Iterator[_Weight]:
    """All of a folder, but for constants that the model computes itself."""
    ignored = NAMES[config.architecture].ignored
    for path in weight_files(folder):
        for name, tensor in read_tensors(path):
            if not ignored.search(name):
                yield _Weight(path, name, tensor)


def read_tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Name and tensor of everything in a file, mapped into memory and not yet read."""
    if path.suffix == ".bin":
        yield from _unpickled(path).items()
        return
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                yield name, file.get_tensor(name)
    except SafetensorError as error:
        raise DataError(f"{path} is damaged: {error}. Fetch or save it again.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from None


def _unpickled(path: Path) -> Mapping[str, Tensor]:
    """Tensors of a pickle file, by torch's loader that runs nothing which the file brings."""
    try:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # files of before torch 1.6 cannot be mapped
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise DataError(
            f"{path} is damaged, or it holds more than tensors: then loading it would run code "
            "of whoever made it. Save the checkpoint as safetensors."
        ) from None
    except (RuntimeError, EOFError, OSError) as error:
        raise DataError(f"{path} is damaged: {error}. Fetch or save it again.") from None
    if not isinstance(state, dict) or not all(isinstance(each, Tensor) for each in state.values()):
        raise DataError(f"{path} should map names to tensors.")
    return state


def _parts(
    path: Path, name: str, weight: Tensor, names: Names, config: TransformerConfig
) -> Iterator[tuple[str, Tensor]]:
    """Our names and tensors of one weight of a file."""
    target = names.target(name)
    if target is None:
        known = [names.origin(f"{each}.weight") for each in ("embedding", "norm", "output")]
        raise DataError(
            f"{path}: the weight {name!r} is not one of {config.architecture}."
            f"{did_you_mean(name, known)}"
        )
    if weight.dtype not in DTYPES:
        raise DataError(
            f"{path}: the weight {name!r} has the dtype {weight.dtype}; the built-in transformer "
            "does not know quantised checkpoints."
        )
    try:
        parts = target.convert(weight, config)
    except RuntimeError:  # torch's own words say nothing of the file
        raise DataError(
            f"{path}: the weight {name!r} has the shape {tuple(weight.shape)}, which cannot be "
            "divided as config.json asks for."
        ) from None
    yield from zip(target.names, parts, strict=True)


def _check_finite(origin: _Weight, weight: Tensor, source: Tensor) -> None:
    """Raises DataError for NaN and infinities: a model that has them scores anything or nothing.

    The sum is finite only if all are, and is much cheaper than asking each.
    """
    if weight.sum(dtype=torch.float32).isfinite() or weight.isfinite().all():
        return
    if source.isfinite().all():
        raise DataError(
            f"{origin.path}: the weight {origin.name!r} has values that {weight.dtype} cannot "
            "hold; choose another dtype."
        )
    raise DataError(
        f"{origin.path}: the weight {origin.name!r} has values that are NaN or infinite."
    )


def _check_shapes(
    model: Transformer, state: Mapping[str, Tensor], folder: Path, names: Names
) -> None:
    expected = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    for name in sorted(expected.keys() | state.keys()):
        wanted, found = expected.get(name), tuple(state[name].shape) if name in state else None
        if wanted == found:
            continue
        theirs = names.origin(name)
        part = "" if theirs.endswith(name) else f" (here {name})"
        if found is None:
            raise DataError(f"{folder}: the weight {theirs!r}{part} is missing.")
        should = "should not be there" if wanted is None else f"should have the shape {wanted}"
        raise DataError(
            f"{folder}: by config.json, the weight {theirs!r}{part} {should}, but its shape is "
            f"{found}."
        )
