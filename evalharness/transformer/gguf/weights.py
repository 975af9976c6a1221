"""The tensors of a GGUF file as transformers' *.safetensors."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize
from safetensors.torch import save_file

from evalharness.errors import DataError
from evalharness.transformer.gguf.architectures import ROPE_TABLES, Architecture, Change
from evalharness.transformer.gguf.reading import GgufFile, Tensor

# What is not quantised keeps its type: SmolLM2 from float16 takes 269 MB on disk in place of 538,
# and is loaded as float32 in 0.35 s in place of 0.2 s, as bfloat16 or float16 no slower. What is
# quantised becomes float32, since a scale times a number has more digits than float16 keeps.
PLAIN = {
    GGMLQuantizationType.F32: torch.float32,
    GGMLQuantizationType.F16: torch.float16,
    GGMLQuantizationType.BF16: torch.bfloat16,
}
# What a conversion holds in memory at once, unless a single tensor is larger.
SHARD_BYTES = 1 << 29
# Elements that are dequantised at once: the gguf package needs several times their size for it.
SLAB = 1 << 22


@dataclass(frozen=True, slots=True)
class Weight:
    """A tensor of the file, transformers' name for it, and what is to be undone."""

    tensor: Tensor
    name: str
    change: Change | None

    @property
    def dtype(self) -> torch.dtype:
        return PLAIN.get(self.tensor.kind, torch.float32)

    @property
    def size(self) -> int:
        return math.prod(self.tensor.shape) * self.dtype.itemsize


def quantisation(file: GgufFile) -> str:
    """The kinds of the quantised tensors, that of most elements first; "" where there are none."""
    elements: Counter[str] = Counter()
    for tensor in file.tensors.values():
        if tensor.kind not in PLAIN:
            elements[tensor.kind.name] += math.prod(tensor.shape)
    return ", ".join(kind for kind, _ in elements.most_common())


def values(file: GgufFile, tensor: Tensor) -> torch.Tensor:
    """The elements of a tensor: float32 if they are quantised, else of the file's own type.

    Raises DataError for a kind of quantisation that the gguf package cannot undo.
    """
    content = np.fromfile(file.path, np.uint8, count=tensor.size, offset=tensor.start)
    if tensor.kind in PLAIN:
        return torch.from_numpy(content).view(PLAIN[tensor.kind]).reshape(tensor.shape)
    rows = content.reshape(math.prod(tensor.shape[:-1]), -1)
    found = torch.empty(len(rows), tensor.shape[-1])
    step = max(1, SLAB // tensor.shape[-1])
    try:
        for start in range(0, len(rows), step):
            slab = dequantize(rows[start : start + step], tensor.kind)
            found[start : start + step] = torch.from_numpy(slab)
    except NotImplementedError:
        raise DataError(
            f"{file.path}: the tensor {tensor.name!r} is of the type {tensor.kind.name}, which "
            "cannot be converted. Quantise the model in another way, such as Q8_0."
        ) from None
    return found.reshape(tensor.shape)


def find_weights(
    file: GgufFile, architecture: Architecture, config: Mapping[str, Any]
) -> list[Weight]:
    """Every weight of the model whose config.json is `config`.

    Raises DataError for a tensor that is missing, and for one that the architecture has not.
    """
    found: dict[str, Weight] = {}
    for name, expected in _expected(file, architecture, config):
        if name not in file.tensors:
            raise DataError(
                f"{file.path}: the tensor {name!r} is missing, so the file is not a whole model "
                f"of the architecture {file.architecture!r}."
            )
        found[name] = Weight(file.tensors[name], *expected)
    for name in file.tensors:
        if name not in found and name not in ROPE_TABLES:
            raise DataError(
                f"{file.path}: the tensor {name!r} is not known in the architecture "
                f"{file.architecture!r}. Give the original checkpoint instead of this file."
            )
    return list(found.values())


def _expected(
    file: GgufFile, architecture: Architecture, config: Mapping[str, Any]
) -> Iterator[tuple[str, tuple[str, Change | None]]]:
    """GGUF's name of each weight with transformers', and what is to be undone."""
    biased = set(architecture.biased)
    for switch, parts in architecture.biased_if.items():
        if config[switch]:
            biased.update(parts)

    def endings(part: str) -> tuple[str, ...]:
        return (".weight", ".bias") if part in biased else (".weight",)

    for part, name in architecture.parts.items():
        if part == "output" and config["tie_word_embeddings"]:
            continue
        for ending in endings(part):
            yield part + ending, (name + ending, architecture.changes.get(part))
    for layer in range(file.count(file.own("block_count"))):
        for part, name in architecture.layer_parts.items():
            for ending in endings(part):
                theirs = architecture.layer.format(layer) + name + ending
                yield f"blk.{layer}.{part}{ending}", (theirs, architecture.changes.get(part))


def write_weights(
    file: GgufFile, weights: Sequence[Weight], config: Mapping[str, Any], folder: Path
) -> None:
    """Write the weights as transformers does: one file, or several and an index of them."""
    shards = list(_shards(weights))
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        if len(shards) == 1:
            name = "model.safetensors"
        content = {weight.name: _original(file, weight, config) for weight in shard}
        save_file(content, folder / name, metadata={"format": "pt"})
        places |= dict.fromkeys(content, name)
        del content  # before the next shard's is made
    if len(shards) > 1:
        total = sum(weight.size for weight in weights)
        index = {"metadata": {"total_size": total}, "weight_map": places}
        path = folder / "model.safetensors.index.json"
        path.write_text(json.dumps(index, indent=1), encoding="utf-8")


def _shards(weights: Sequence[Weight]) -> Iterator[list[Weight]]:
    shard: list[Weight] = []
    size = 0
    for weight in weights:
        if shard and size + weight.size > SHARD_BYTES:
            yield shard
            shard, size = [], 0
        shard.append(weight)
        size += weight.size
    yield shard


def _original(file: GgufFile, weight: Weight, config: Mapping[str, Any]) -> torch.Tensor:
    """A weight as transformers has it, with what llama.cpp did to it undone."""
    stored = values(file, weight.tensor)
    try:
        return _undone(stored, weight.change, config).contiguous()
    except RuntimeError:  # torch cannot reshape it
        raise DataError(
            f"{file.path}: the tensor {weight.tensor.name!r} of shape {weight.tensor.shape} does "
            f"not fit {config['num_attention_heads']} heads."
        ) from None


def _undone(stored: torch.Tensor, change: Change | None, config: Mapping[str, Any]) -> torch.Tensor:
    match change:
        case Change.ONE_ADDED:
            return stored.float() - 1
        case Change.TRANSPOSED:
            return stored.T if stored.dim() == 2 else stored
        case Change.QUERY_ROWS_INTERLEAVED:
            return _rows_swapped(stored, (config["num_attention_heads"], -1, 2), 1)
        case Change.KEY_ROWS_INTERLEAVED:
            return _rows_swapped(stored, (config["num_key_value_heads"], -1, 2), 1)
        case Change.HEADS_TAKEN_APART:
            return _rows_swapped(stored, (3, config["num_attention_heads"], -1), 0)
        case None:
            return stored


def _rows_swapped(stored: torch.Tensor, rows: tuple[int, int, int], axis: int) -> torch.Tensor:
    """The rows, counted as `rows`, with that axis and the next one exchanged."""
    counted = stored.reshape(*rows, *stored.shape[1:])
    return counted.transpose(axis, axis + 1).reshape(stored.shape)
