"""Sources of plain text: parallel files line by line, and folders of texts or of catalogues."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalharness.cache import folder_digest
from evalharness.errors import DataError
from evalharness.records import DataIdentity, Row
from evalharness.sources.local import read_file
from evalharness.sources.rows import read_rows, sgm_segments, text_lines

TEXTS = (".txt", ".po")
"""Files that `datasets` reads otherwise than LocalFile does, or not at all."""


@dataclass(frozen=True, slots=True)
class ParallelFiles:
    """Line by line, a source text and its references: rows of `id`, `src` and a list `refs`.

    Plain text, or .sgm as WMT had it until 2020. The id is the number of the line or segment. A
    reference that is empty, and files of different lengths, are a DataError; a source may be empty,
    as it is in some official test sets.
    """

    source: Path
    references: tuple[Path, ...]

    def rows(self) -> Iterator[Row]:
        paths = (self.source, *self.references)
        files = [_lines(path) for path in paths]
        for path, lines in zip(paths[1:], files[1:], strict=True):
            if len(lines) != len(files[0]):
                raise DataError(
                    f"{path} has {len(lines)} lines, but {self.source} has {len(files[0])}."
                )
        if not files[0]:
            raise DataError(f"{self.source} has no rows.")
        for number, (text, *references) in enumerate(zip(*files, strict=True), start=1):
            for path, reference in zip(self.references, references, strict=True):
                if not reference.strip():
                    raise DataError(f"{path}, line {number}: the reference is empty.")
            fields = {"id": str(number), "src": text, "refs": references}
            yield Row(fields, f"{self.source}, line {number}", number)

    def identity(self) -> DataIdentity:
        paths = (self.source, *self.references)
        digests = "\n".join(hashlib.sha256(read_file(path)).hexdigest() for path in paths)
        digest = hashlib.sha256(digests.encode()).hexdigest()
        return DataIdentity(self.place(), f"sha256:{digest}")

    def place(self) -> str:
        return " + ".join(path.name for path in (self.source, *self.references))

    def is_here(self) -> bool:
        return all(path.exists() for path in (self.source, *self.references))


def _lines(path: Path) -> list[str]:
    read = sgm_segments if path.suffix.lower() in (".sgm", ".sgml") else text_lines
    return read(read_file(path), str(path))


def is_folder_of_texts(folder: Path) -> bool:
    """Are there files of TEXTS below a folder, and no others?"""
    files = _files_below(folder)
    return bool(files) and all(path.suffix.lower() in TEXTS for path in files)


@dataclass(frozen=True, slots=True)
class TextFolder:
    """The rows of all files of TEXTS below a folder, sorted by name, each read as a LocalFile."""

    folder: Path

    def rows(self) -> Iterator[Row]:
        for path in _files_below(self.folder):
            name = path.relative_to(self.folder).as_posix()
            for row in read_rows(read_file(path), path.suffix.lower(), name):
                place = row.location.removeprefix(f"{name}, ")
                yield Row(row, f"{self.folder.name}, {name}: {place}", row.number)

    def identity(self) -> DataIdentity:
        return DataIdentity(self.place(), f"sha256:{folder_digest(self.folder)}")

    def place(self) -> str:
        return self.folder.name

    def is_here(self) -> bool:
        return self.folder.is_dir()


def _files_below(folder: Path) -> list[Path]:
    """Sorted by name, without hidden ones, which file managers leave."""
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")
    )
