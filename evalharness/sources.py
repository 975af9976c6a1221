"""Where rows come from: a hub id, a local file, a file in a package-index wheel."""

import hashlib
import os
import re
import zipfile
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path, PurePosixPath

from evalharness.cache import folder_digest
from evalharness.errors import DataError, did_you_mean
from evalharness.records import DataIdentity, Placed, Row, Source
from evalharness.rows import read_rows
from evalharness.wheels import Wheel, check_member, fetch_wheel, members

COMMIT = re.compile("[0-9a-f]{40}")
MIRRORS = "EVALHARNESS_DATA"
FIRST_CONTACT_SECONDS = 10.0


class UnreachableError(DataError):
    """Data lies elsewhere and cannot be fetched.

    ways    what can be done, besides taking the data from elsewhere; {task} is the task's name
    """

    def __init__(self, message: str, *ways: str) -> None:
        super().__init__(message)
        self.ways = ways


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


@dataclass(frozen=True, slots=True)
class WheelFile:
    """The rows of a file inside a wheel; of several, sorted by name, if `member` is a glob.

    In a glob, * matches within one folder's name and ** any number of folders, none included.
    """

    wheel: Wheel
    member: str

    def rows(self) -> Iterator[Row]:
        with zipfile.ZipFile(fetch_wheel(self.wheel)) as archive:
            for name in self._members(archive):
                where = f"{name} in the wheel {self.wheel.name}=={self.wheel.version}"
                yield from read_rows(archive.read(name), PurePosixPath(name).suffix, where)

    def identity(self) -> DataIdentity:
        return DataIdentity(self.place(), f"sha256:{self.wheel.sha256}")

    def place(self) -> str:
        return f"{self.wheel.name}=={self.wheel.version}: {self.member}"

    def is_here(self) -> bool:
        return self.wheel.path.exists()

    def _members(self, archive: zipfile.ZipFile) -> list[str]:
        names = members(archive)
        # A file's own name comes first: the brackets in "part[1].csv" are no pattern.
        if self.member in names:
            return [self.member]
        pattern = self.member.split("/")
        found = [name for name in names if _matches(name.split("/"), pattern)]
        if not found:
            check_member(archive, self.wheel, self.member)
        return found


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Glob match of a path, both split at "/": ** is any number of folders, * stays in one."""
    if not pattern:
        return not parts
    if pattern == ["**"]:
        return bool(parts)
    if pattern[0] == "**":
        return any(_matches(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


@dataclass(frozen=True, slots=True)
class Wrapping(ABC):
    """A source made of another one, which lies where that one does and changes with it."""

    source: Source

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """What is made of the rows of `source`."""

    def identity(self) -> DataIdentity:
        return self.source.identity()

    def place(self) -> str:
        return place(self.source)

    def is_here(self) -> bool:
        return is_here(self.source)


@dataclass(frozen=True, slots=True)
class Shuffled(Wrapping):
    """The rows of another source in a fixed random order, so that the first N are a fair sample."""

    def rows(self) -> Iterator[Row]:
        def place(row: Row) -> str:
            return hashlib.sha256(row.location.encode()).hexdigest()

        return iter(sorted(self.source.rows(), key=place))


@dataclass(frozen=True, slots=True)
class WithExamples:
    """Rows of a source, each with the first rows of another that have the same value of a field.

    They are in the field "examples" of a row: solved examples on the same subject, for benchmarks
    that prescribe which. Raises DataError for a row with fewer than `number` of them.

    same    the field
    """

    source: Source
    examples: Source
    same: str
    number: int

    def rows(self) -> Iterator[Row]:
        of: dict[str, list[Row]] = defaultdict(list)
        for example in self.examples.rows():
            if len(of[example[self.same]]) < self.number:
                of[example[self.same]].append(example)
        for row in self.source.rows():
            examples = of[row[self.same]]
            if len(examples) < self.number:
                raise DataError(
                    f"{row.location}: {self.number} examples are needed whose {self.same} is "
                    f"{row[self.same]!r}, but {place(self.examples)} has {len(examples)}."
                )
            yield Row({**row, "examples": examples}, row.location, row.number)

    def identity(self) -> DataIdentity:
        """That of both sources."""
        revisions = dict.fromkeys(
            [self.source.identity().revision, self.examples.identity().revision]
        )
        return DataIdentity(self.place(), " + ".join(revisions))

    def place(self) -> str:
        return f"{place(self.source)}, with {self.number} examples from {place(self.examples)}"

    def is_here(self) -> bool:
        return is_here(self.source) and is_here(self.examples)


@dataclass(frozen=True, slots=True)
class Concatenated:
    """The rows of several sources, one after the other, such as configurations of a data set."""

    sources: tuple[Source, ...]

    def rows(self) -> Iterator[Row]:
        for source in self.sources:
            yield from source.rows()

    def identity(self) -> DataIdentity:
        """All names; the revision that they share, or the sha256 of all revisions."""
        found = [source.identity() for source in self.sources]
        revisions = [one.revision for one in found]
        revision = revisions[0]
        if len(set(revisions)) > 1:
            digest = hashlib.sha256("\n".join(revisions).encode()).hexdigest()
            revision = f"sha256:{digest}"
        return DataIdentity(" + ".join(one.name for one in found), revision)

    def is_here(self) -> bool:
        return all(map(is_here, self.sources))


@dataclass(frozen=True, slots=True)
class HubDataset:
    """The rows of a split of a data set on the hub (or in a local folder), through `datasets`.

    path      OWNER/NAME, or a folder
    name      the configuration (subset)
    revision  a commit, tag or branch; None is the newest, whose commit is recorded
    folder    read only the files below this folder of the data set; so are the configurations of a
              parquet conversion (revision="refs/convert/parquet") told apart

    A folder OWNER/NAME below the one that the environment variable EVALHARNESS_DATA names takes the
    place of the hub's. A configuration is a folder in it, or is described in its README.md, as on
    the hub; where neither is there, the whole folder is the data set.
    """

    path: str
    name: str | None = None
    split: str = "test"
    revision: str | None = None
    folder: str | None = None

    def rows(self) -> Iterator[Row]:
        import datasets

        with self._loading():
            rows = datasets.load_dataset(split=self.split, **self._arguments())
        for number, fields in enumerate(rows, start=1):
            yield Row(fields, f"{self.place()}, row {number}", number)

    def identity(self) -> DataIdentity:
        """The commit, also where `revision` names a branch; of a folder, the sha256 of its files.

        Where `datasets` tells no commit: the revision that was given, else its own fingerprint.
        """
        place = Path(self._location())
        if place.is_dir():
            return DataIdentity(self.place(), f"sha256:{folder_digest(place)}")
        if self.revision and COMMIT.fullmatch(self.revision):
            return DataIdentity(self.place(), self.revision)
        import datasets

        with self._loading():
            builder = datasets.load_dataset_builder(**self._arguments())
        found = str(builder.hash)
        if not COMMIT.fullmatch(found):
            found = self.revision or f"datasets:{found}"
        return DataIdentity(self.place(), found)

    def is_here(self) -> bool:
        """In a folder, or fetched before: then `datasets` has a copy that it may read again."""
        import datasets

        copy = Path(datasets.config.HF_DATASETS_CACHE) / self.path.replace("/", "___")
        return Path(self._location()).is_dir() or copy.is_dir()

    def _arguments(self) -> dict[str, str | None]:
        """What `datasets` is asked for."""
        mirror = self._mirror()
        if mirror is None:
            return {
                "path": self.path,
                "name": self.name,
                "revision": self.revision,
                "data_dir": self.folder,
            }
        inside = next(
            (part for part in (self.folder, self.name) if part and (mirror / part).is_dir()), None
        )
        described = inside is None and (mirror / "README.md").is_file()
        return {
            "path": str(mirror),
            "name": self.name if described else None,
            "data_dir": inside,
        }

    def _mirror(self) -> Path | None:
        folder = Path(os.environ.get(MIRRORS, ""), self.path)
        return folder if os.environ.get(MIRRORS) and folder.is_dir() else None

    def _location(self) -> Path | str:
        return self._mirror() or self.path

    def place(self) -> str:
        parts = (self.path, self.name, self.folder, self.split)
        shown = "/".join(part for part in parts if part)
        return f"{shown} (mirror in {self._mirror()})" if self._mirror() else shown

    @contextmanager
    def _loading(self) -> Iterator[None]:
        try:
            if not self.is_here():
                _greet_hub()
            yield
        except Exception as error:  # the network and the hub fail in many ways
            if self._mirror() is None and Path(self.path).is_dir():
                raise DataError(
                    f"the folder {self.path} cannot be read as a data set ({_reason(error)}). Give "
                    f"one file of it, or name files after the split, such as {self.split}.jsonl."
                ) from None
            raise UnreachableError(
                f"the data set {self.place()} cannot be loaded ({_reason(error)}).",
                "give a file or a folder with the same columns with --data {task}=PATH",
                f"put a copy below the folder that {MIRRORS} names",
                "run it once with a network: datasets keeps a copy",
            ) from None


def _reason(error: BaseException) -> str:
    """Type and message of an error and of its cause, on one line."""
    reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return f"{reason.rstrip('.')}: {_reason(error.__cause__)}" if error.__cause__ else reason


@cache
def _greet_hub() -> None:
    """Raises an error of the network where nothing answers; `datasets` tries for half a minute.

    What is answered does not matter: a data set may be there where the front page is not.
    """
    from huggingface_hub import constants, get_session

    if not constants.is_offline_mode():
        get_session().head(constants.ENDPOINT, timeout=FIRST_CONTACT_SECONDS)


def place(source: Source) -> str:
    """Where the data of any source lies, for people. No network is used."""
    return source.place() if isinstance(source, Placed) else type(source).__name__


def is_here(source: Source) -> bool:
    """Can the rows be read without a network? A source that says nothing of it has them."""
    return not isinstance(source, Placed) or source.is_here()
