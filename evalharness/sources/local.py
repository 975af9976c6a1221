"""Rows of a local file, and of none: data that is the user's to give."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalharness.errors import DataError, did_you_mean
from evalharness.records import DataIdentity, Row
from evalharness.sources.rows import read_rows


@dataclass(frozen=True, slots=True)
class LocalFile:
    """The rows of a file: .jsonl, .json, .csv, .tsv, .parquet, .po, .txt or WMT's .xml."""

    path: Path

    def rows(self) -> Iterator[Row]:
        return read_rows(self._content(), self.path.suffix.lower(), str(self.path))

    def identity(self) -> DataIdentity:
        digest = hashlib.sha256(self._content()).hexdigest()
        return DataIdentity(self.path.name, f"sha256:{digest}")

    def place(self) -> str:
        return self.path.name

    def is_here(self) -> bool:
        return self.path.exists()

    def _content(self) -> bytes:
        return read_file(self.path)


def read_file(path: Path) -> bytes:
    """The bytes of a file. Raises DataError, with the nearest name, where it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        folder = path.parent
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        raise DataError(f"there is no file {path}.{did_you_mean(path.name, names)}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from None


@dataclass(frozen=True, slots=True)
class NotGiven:
    """The data of a task that has none of its own; `option` of the command line gives it."""

    option: str

    def rows(self) -> Iterator[Row]:
        raise DataError(f"the data is yours to give: add {self.option}.")

    def identity(self) -> DataIdentity:
        return DataIdentity(self.place(), "none")

    def place(self) -> str:
        return f"yours: {self.option}"

    def is_here(self) -> bool:
        return False
