"""Rows come back as they were written; what cannot be read is named with file and row."""

import csv
import io
import json
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.errors import DataError
from evalharness.sources.rows import read_rows

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), min_size=1, max_size=8)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=20)


def read(content: bytes | str, suffix: str) -> list[dict[str, Any]]:
    data = content.encode() if isinstance(content, str) else content
    return [dict(row) for row in read_rows(data, suffix, "file")]


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, str]]:
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    return draw(
        st.lists(st.fixed_dictionaries(dict.fromkeys(names, TEXTS)), min_size=1, max_size=5)
    )


@given(tables())
def test_jsonl_json_and_parquet_round_trip(rows: list[dict[str, str]]) -> None:
    assert read("".join(f"{json.dumps(row)}\n" for row in rows), ".jsonl") == rows
    assert read(json.dumps(rows, ensure_ascii=False), ".json") == rows
    assert read(json.dumps({"version": 1, "data": rows}), ".json") == rows
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
    assert read(buffer.getvalue(), ".parquet") == rows


@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t")])
@given(rows=tables())
def test_csv_round_trips_with_quotes_and_line_breaks_inside(
    suffix: str, delimiter: str, rows: list[dict[str, str]]
) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    # A byte order mark at the very start is how spreadsheets mark UTF-8, not a part of a name.
    if not text.getvalue().startswith('"\ufeff'):
        assert read(text.getvalue(), suffix) == rows


@given(rows=tables())
def test_rows_are_counted_from_1_whatever_lines_they_take(rows: list[dict[str, str]]) -> None:
    """Their numbers are the ids of data sets that have none, blank lines or not."""
    content = "\n".join(f"{json.dumps(row)}\n" for row in rows).encode()
    counted = [row.number for row in read_rows(content, ".jsonl", "file")]
    assert counted == list(range(1, len(rows) + 1))


def test_a_byte_order_mark_is_not_a_part_of_the_first_column() -> None:
    assert read(b"\xef\xbb\xbfid,text\n1,a\n", ".csv") == [{"id": "1", "text": "a"}]


def test_only_translated_current_singular_messages_of_a_catalogue_are_rows() -> None:
    catalogue = """
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\n"

msgctxt "menu"
msgid "Open"
msgstr "Öffnen"

#, fuzzy
msgid "Close"
msgstr "Schließen"

msgid "Empty"
msgstr ""

msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d Dateien"

#~ msgid "Old"
#~ msgstr "Alt"
"""
    (row,) = read(catalogue, ".po")
    assert (row["msgid"], row["msgstr"], row["msgctxt"]) == ("Open", "Öffnen", "menu")


@pytest.mark.parametrize(
    ("content", "suffix", "message"),
    [
        ('{"a": 1}\n{"a": \n', ".jsonl", "file, row 2: not valid JSON"),
        ('{"a": 1}\n\n[1]\n', ".jsonl", r"file, row 2 \(line 3\): expected a JSON object"),
        ('{"a": 1, "a": 2}\n', ".jsonl", "file, row 1: the field 'a' is given twice"),
        ("", ".jsonl", "file has no rows"),
        ("[]", ".json", "file has no rows"),
        ('{"a": 1}', ".json", "expected a list of objects"),
        ("[1]", ".json", "file, row 1: expected an object"),
        ("a,b\n1,2\n3\n", ".csv", r"file, row 2 \(line 3\): 1 columns, but the header has 2"),
        ("a,b\n1,2,3\n", ".csv", "3 columns"),
        ('{"a": 1' + "0" * 5000 + "}", ".jsonl", "file, row 1: not valid JSON"),
        ("a,a\n1,2\n", ".csv", "two columns of one name"),
        ('a\n"open\n', ".csv", "file, line"),
        (b"\xff\xfe", ".csv", "file, line 1: not valid UTF-8"),
        ('{"a": 1}'.encode("utf-16"), ".jsonl", "file: this is UTF-16 or UTF-32, or no text"),
        ('{"a": 1}'.encode("utf-16-be"), ".jsonl", "file: this is UTF-16 .*save it as UTF-8"),
        ("a,b".encode("utf-32"), ".csv", "file: this is UTF-16 or UTF-32"),
        (b"ok\n\xff", ".jsonl", "file, line 2: not valid UTF-8"),
        (b"PAR1", ".parquet", "not a valid parquet file"),
        ("a", ".xlsx", "unknown kind of file '.xlsx'; known are .jsonl"),
    ],
)
def test_what_cannot_be_read_is_named_with_file_and_row(
    content: bytes | str, suffix: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(content, suffix)


def test_a_field_that_is_not_there_is_named_with_the_nearest_one() -> None:
    (row,) = read_rows(b'{"question": "?"}', ".jsonl", "file")
    with pytest.raises(DataError, match=r"row 1: no field 'qestion'.*Did you mean 'question'"):
        row["qestion"]


def test_whether_a_row_has_a_field_can_be_asked() -> None:
    """Guards against the error above in the place of False: no field could be optional."""
    (row,) = read_rows(b'{"question": "?"}', ".jsonl", "file")
    assert "question" in row
    assert "id" not in row
