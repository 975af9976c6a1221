"""Several sources are read as one, and a row says which fields it has."""

from pathlib import Path

import pytest

from evalharness.errors import DataError
from evalharness.records import Row
from evalharness.sources import Concatenated, HubDataset, LocalFile
from tests.plugins import write_rows


def files(folder: Path, *texts: str) -> tuple[LocalFile, ...]:
    for text in texts:
        write_rows(folder / f"{text}.jsonl", [{"text": text}])
    return tuple(LocalFile(folder / f"{text}.jsonl") for text in texts)


def test_rows_come_source_by_source_and_know_their_file(tmp_path: Path) -> None:
    rows = list(Concatenated(files(tmp_path, "b", "a")).rows())
    assert [row["text"] for row in rows] == ["b", "a"]
    assert rows[1].location.endswith("a.jsonl, row 1")


def test_the_identity_names_all_sources_and_depends_on_each(tmp_path: Path) -> None:
    one, two, three = files(tmp_path, "one", "two", "three")
    found = Concatenated((one, two)).identity()
    assert found.name == "one.jsonl + two.jsonl"
    assert found.revision != Concatenated((one, three)).identity().revision
    assert Concatenated((one, one)).identity().revision == one.identity().revision


def test_it_is_here_only_when_every_source_is(tmp_path: Path) -> None:
    (here,) = files(tmp_path, "here")
    assert Concatenated((here,)).is_here()
    assert not Concatenated((here, HubDataset("nobody/nothing-of-this-name"))).is_here()


def test_a_row_says_whether_it_has_a_field() -> None:
    """`in` was a DataError for a field that is not there."""
    row = Row({"id": 1}, "file, row 1")
    assert "id" in row
    assert "text" not in row
    with pytest.raises(DataError, match="no field 'text'"):
        row["text"]
