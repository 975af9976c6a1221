"""The cache folder, and digests that are remembered there."""

import hashlib
import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness import cache as cache_module
from evalharness.cache import RACY_SECONDS, cache_folder, file_digest
from evalharness.errors import DataError


def test_the_cache_is_where_the_environment_says_and_is_made(cache: Path) -> None:
    assert not cache.exists()
    assert cache_folder() == cache
    assert cache.is_dir()


def test_a_digest_is_remembered_until_the_file_changes(tmp_path: Path, cache: Path) -> None:
    """A file overwritten in place, with its old size and modification time, is another file."""
    path = tmp_path / "file"
    path.write_bytes(b"one")
    time.sleep(RACY_SECONDS + 0.1)  # a change time cannot be set
    assert file_digest(path) == hashlib.sha256(b"one").hexdigest()
    (memo,) = (cache / "digests").iterdir()
    memo.write_text("0" * 64)  # shows that the file is not read again
    assert file_digest(path) == "0" * 64
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_bytes(b"two")
    os.utime(path, ns=times)
    assert file_digest(path) == hashlib.sha256(b"two").hexdigest()
    path.rename(tmp_path / "renamed")
    assert file_digest(tmp_path / "renamed") == hashlib.sha256(b"two").hexdigest()


@given(contents=st.lists(st.binary(min_size=3, max_size=3), min_size=2, max_size=6))
def test_a_file_overwritten_in_place_has_its_own_digest_each_time(contents: list[bytes]) -> None:
    """Writes within one tick of the clock leave size and times as they were."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVALHARNESS_CACHE", f"{folder}/cache")
        path = Path(folder) / "file"
        path.touch()
        times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
        for content in contents:
            path.write_bytes(content)
            os.utime(path, ns=times)
            assert file_digest(path) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"0" * 63, b"../" * 22])
def test_a_digest_that_was_damaged_in_the_cache_is_computed_again(
    tmp_path: Path, cache: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty one, as a full disk leaves it, became part of fingerprints."""
    monkeypatch.setattr(cache_module, "RACY_SECONDS", -1.0)
    path = tmp_path / "file"
    path.write_bytes(b"one")
    digest = file_digest(path)
    (memo,) = (cache / "digests").iterdir()
    memo.write_bytes(content)
    assert file_digest(path) == digest
    assert memo.read_text() == digest


def test_a_file_is_read_each_time_where_digests_cannot_be_kept(tmp_path: Path, cache: Path) -> None:
    """A cache of somebody else's ended the run with a traceback."""
    cache.mkdir()
    (cache / "digests").write_text("a file where the folder should be")
    path = tmp_path / "file"
    path.write_bytes(b"one")
    assert file_digest(path) == hashlib.sha256(b"one").hexdigest()


@pytest.mark.usefixtures("cache")
def test_a_file_without_a_digest_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing cannot be read"):
        file_digest(tmp_path / "nothing")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"folder cannot be read"):
        file_digest(tmp_path / "folder")
