"""The header of a GGUF file: its metadata and where its tensors lie. Nothing of the data is read.

Layout: the GGUF specification (ggml-org/ggml, docs/gguf.md). The reader of the gguf package makes
a numpy array of every string, which takes 7 s for the 49,152 tokens of SmolLM2, and goes on past
the end of a cut file; here every length is held against the size of the file before it is believed.
"""

import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from evalharness.errors import DataError
from evalharness.transformer.values import remedy

VERSIONS = (2, 3)
# The specification's numbers of value types and numpy's names of them; little-endian.
NUMBERS = MappingProxyType(
    dict(enumerate(("<u1", "<i1", "<u2", "<i2", "<u4", "<i4", "<f4", "?")))
    | {10: "<u8", 11: "<i8", 12: "<f8"}
)
STRING, ARRAY = 8, 9
FLOAT32 = 6
MOST_DIMENSIONS = 4


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a tensor lies: `size` bytes from `start` of the file on; shape as torch writes it."""

    name: str
    shape: tuple[int, ...]
    kind: GGMLQuantizationType
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class GgufFile:
    """A GGUF file whose header is whole and whose tensors lie inside the file."""

    path: Path
    metadata: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    @property
    def architecture(self) -> str:
        """GGUF's name of the architecture, with which the keys of its settings begin."""
        return str(self.value("general.architecture"))

    def own(self, key: str) -> str:
        """The whole name of a setting of the architecture."""
        return f"{self.architecture}.{key}"

    def value(self, key: str, default: Any = None) -> Any:
        """A value of the metadata. Raises DataError where it is missing and there is no default."""
        found = self.metadata.get(key, default)
        if found is None:
            raise DataError(f"{self.path}: the metadata key {key!r} is missing.")
        return found

    def texts(self, key: str) -> list[str]:
        """A list of texts of the metadata. Raises DataError where there is none."""
        found = self.value(key)
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise DataError(f"{self.path}: the metadata key {key!r} should be a list of texts.")
        return found

    def number(self, key: str, default: float | None = None) -> Any:
        """A positive number of the metadata. Raises DataError where there is none."""
        found = self.value(key, default)
        if isinstance(found, bool) or not isinstance(found, int | float) or not found > 0:
            shown = f"a list of {len(found)}" if isinstance(found, list) else repr(found)
            raise DataError(
                f"{self.path}: the metadata key {key!r} should be one positive number, "
                f"but it is {shown}."
            )
        return found

    def count(self, key: str, default: int | None = None) -> int:
        """A positive whole number of the metadata. Raises DataError where there is none."""
        found = self.number(key, default)
        if not isinstance(found, int):
            raise DataError(f"{self.path}: the metadata key {key!r} is {found}, no whole number.")
        return found


def read_gguf(path: Path) -> GgufFile:
    """Read the header of a GGUF file.

    Raises DataError for what is no GGUF file, a file that is cut off or damaged, a version, byte
    order or part of several files that cannot be read.
    """
    try:
        with path.open("rb") as file, _mapped(file) as content:
            header = _Header(path, content)
            tensors, metadata = header.read()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from None
    return GgufFile(path, MappingProxyType(metadata), MappingProxyType(tensors))


def _mapped(file: Any) -> mmap.mmap:
    try:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:  # nothing can be mapped of an empty file
        raise DataError(f"{file.name} is not a whole GGUF file: it is empty.") from None


class _Header:
    """A place in the file, and what is being read there, for messages."""

    def __init__(self, path: Path, content: mmap.mmap) -> None:
        self._path = path
        self._content = content
        self._place = 0
        self._what = "the header"

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensor_count, key_count = self._beginning()
        metadata: dict[str, Any] = {}
        for number in range(key_count):
            self._what = f"the key of metadata entry {number + 1} of {key_count}"
            key = self._string()
            self._what = f"the metadata key {key!r}"
            if key in metadata:
                raise self._damaged("it is there twice")
            metadata[key] = self._value(self._integer("<I"))
        parts = metadata.get("split.count", 1)
        if parts != 1:
            raise DataError(
                f"{self._path} is one of {parts} parts of a model. Join them first "
                "(llama-gguf-split --merge) and give the joined file."
            )
        return self._tensors(tensor_count, metadata.get("general.alignment", 32)), metadata

    def _beginning(self) -> tuple[int, int]:
        """The numbers of tensors and of metadata entries, from the first 24 bytes."""
        magic = self._take(4)
        if magic != b"GGUF":
            raise DataError(
                f"{self._path} is not a GGUF file: it begins with {magic!r}. {remedy(self._path)}"
            )
        version = self._integer("<I")
        if version not in VERSIONS:
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
            found = "for big-endian machines" if swapped in VERSIONS else f"of version {version}"
            raise DataError(
                f"{self._path} is a GGUF file {found}; versions 2 and 3 for little-endian "
                "machines can be read. Convert the model again with a current llama.cpp."
            )
        return self._integer("<Q"), self._integer("<Q")

    def _tensors(self, count: int, alignment: Any) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        for number in range(count):
            self._what = f"the description of tensor {number + 1} of {count}"
            name = self._string()
            if name in tensors:
                raise self._damaged(f"the tensor {name!r} is there twice")
            tensors[name] = self._description(name)
        if not isinstance(alignment, int) or not 0 < alignment <= 1 << 20:
            raise self._damaged(f"its alignment is {alignment}")
        start = -(-self._place // alignment) * alignment
        return {name: self._placed(tensor, start) for name, tensor in tensors.items()}

    def _description(self, name: str) -> Tensor:
        """What the file says of a tensor; its start still counts from the first tensor's data."""
        dimensions = self._integer("<I")
        if not 0 < dimensions <= MOST_DIMENSIONS:
            raise self._damaged(f"the tensor {name!r} has {dimensions} dimensions")
        # ggml writes the dimension that moves fastest first.
        shape = tuple(reversed([self._integer("<Q") for _ in range(dimensions)]))
        number = self._integer("<I")
        try:
            kind = GGMLQuantizationType(number)
        except ValueError:
            raise self._damaged(f"the tensor {name!r} is of an unknown type, {number}") from None
        block, block_bytes = GGML_QUANT_SIZES[kind]
        if math.prod(shape) == 0 or shape[-1] % block:
            raise self._damaged(f"the tensor {name!r} of type {kind.name} has the shape {shape}")
        size = math.prod(shape) // block * block_bytes
        return Tensor(name, shape, kind, self._integer("<Q"), size)

    def _placed(self, tensor: Tensor, data: int) -> Tensor:
        self._what = f"the data of the tensor {tensor.name!r}"
        if data + tensor.start + tensor.size > len(self._content):
            raise self._cut()
        return Tensor(tensor.name, tensor.shape, tensor.kind, data + tensor.start, tensor.size)

    def _value(self, kind: int) -> Any:
        if kind == STRING:
            return self._string()
        if kind == ARRAY:
            return self._array()
        if kind not in NUMBERS:
            raise self._damaged(f"a value is of an unknown type, {kind}")
        (value,) = self._numbers(kind, 1)
        # 1e-05 is kept as the float32 nearest to it, 9.999999747378752e-06: the shortest number
        # with that float32 is what the checkpoint's own config.json said.
        return float(str(np.float32(value))) if kind == FLOAT32 else value

    def _array(self) -> list[Any]:
        kind, count = self._integer("<I"), self._integer("<Q")
        if kind in NUMBERS:
            return self._numbers(kind, count)
        if kind != STRING:
            raise self._damaged(f"a list holds values of type {kind}")
        return [self._string() for _ in range(self._possible(count, 8))]

    def _numbers(self, kind: int, count: int) -> list[Any]:
        dtype = np.dtype(NUMBERS[kind])
        content = self._take(self._possible(count, dtype.itemsize) * dtype.itemsize)
        return list(np.frombuffer(content, dtype).tolist())

    def _string(self) -> str:
        content = self._take(self._integer("<Q"))
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            raise self._damaged("a text is not UTF-8") from None

    def _integer(self, form: str) -> int:
        (value,) = struct.unpack(form, self._take(struct.calcsize(form)))
        return int(value)

    def _possible(self, count: int, bytes_each: int) -> int:
        """`count`, unless so many elements cannot be in the rest of the file."""
        if count * bytes_each > len(self._content) - self._place:
            raise self._cut()
        return count

    def _take(self, size: int) -> bytes:
        self._possible(size, 1)
        self._place += size
        return self._content[self._place - size : self._place]

    def _cut(self) -> DataError:
        return DataError(
            f"{self._path} is not a whole GGUF file: it ends after {len(self._content):,} bytes, "
            f"within {self._what}. Fetch or copy it again."
        )

    def _damaged(self, why: str) -> DataError:
        return DataError(
            f"{self._path} is a damaged GGUF file: {why}, in {self._what}. Fetch or copy it again."
        )
