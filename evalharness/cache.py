"""The cache folder: what was fetched or converted, and digests of files that were read before."""

import hashlib
import logging
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalharness.errors import DataError

log = logging.getLogger("evalharness")

# Clocks of file systems are coarse (that of FAT has steps of two seconds): of two writes soon after
# each other the second may leave the times of the first. git calls such a file "racily clean".
RACY_SECONDS = 2.0
_DIGEST = re.compile(b"[0-9a-f]{64}")


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
    """sha256 of a file, remembered by its place and times, so that large files are read once.

    Without a cache that can be written it is read each time, and so is a file that changed within
    the last RACY_SECONDS. Raises DataError when it cannot be read.
    """
    try:
        status = path.stat()
        old_enough = time.time() - status.st_ctime > RACY_SECONDS
        state = _state(path, status)
        memo = cache_folder() / "digests" / hashlib.sha256(os.fsencode(state)).hexdigest()
        if (known := _remembered(memo)) is not None:
            return known
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        changed = _state(path, path.stat()) != state
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from None
    if old_enough and not changed:
        _remember(memo, digest)
    return digest


def folder_digest(folder: Path) -> str:
    """sha256 over the names and the digests of all files below a folder.

    Raises DataError when one of them cannot be read.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file_digest(path)}  {path.relative_to(folder).as_posix()}\n".encode())
    return digest.hexdigest()


def _state(path: Path, status: os.stat_result) -> str:
    """What changes whenever a file does: a change time cannot be set back as others can."""
    numbers = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return "\0".join(map(str, (path.resolve(), *numbers)))


def _remembered(memo: Path) -> str | None:
    """The digest in a file, or None where there is none, or something else."""
    try:
        found = memo.read_bytes()
    except OSError:
        return None
    return found.decode() if _DIGEST.fullmatch(found) else None


def _remember(memo: Path, digest: str) -> None:
    try:
        memo.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=memo.parent) as folder:
            temporary = Path(folder) / "digest"
            temporary.write_text(digest, encoding="ascii")
            publish(temporary, memo)
    except OSError as error:
        log.debug("digests are not kept: %s", error)


def publish(temporary: Path, path: Path) -> None:
    """Move a whole file into its place in the cache, readable for all who share the cache."""
    temporary.chmod(0o644)
    os.replace(temporary, path)


@contextmanager
def writing_to_the_cache() -> Iterator[None]:
    """Turns what a full disk or a folder of somebody else's raises into a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"the cache folder {cache_folder()} cannot be used: {error}. Set EVALHARNESS_CACHE to "
            "a folder that has room and that you may write to."
        ) from None
