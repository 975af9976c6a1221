"""Rows of files: what cannot be read is named with file, row and field; nothing is dropped."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from evalharness.errors import DataError
from evalharness.records import Row


def read_rows(content: bytes, suffix: str, where: str) -> Iterator[Row]:
    """The rows of a file's content, by its suffix; `where` names the file in messages.

    Raises DataError for an unknown suffix, a row that cannot be read, and a file without rows.
    """
    if suffix not in READERS:
        raise DataError(
            f"{where}: unknown kind of file {suffix!r}; known are {', '.join(READERS)}."
        )
    number = 0
    for number, (place, fields) in enumerate(READERS[suffix](content, where), start=1):
        yield Row(fields, f"{where}, {place}", number)
    # A catalogue of messages may have none that is translated; others of its kind stand beside it.
    if number == 0 and suffix != ".po":
        raise DataError(f"{where} has no rows.")


_Read = Iterator[tuple[str, Mapping[str, Any]]]


def _text(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{where}, line {line}: not valid UTF-8 ({error.reason}).") from None


def text_lines(content: bytes, where: str) -> list[str]:
    """The lines of a plain text. Only a line feed ends one, as sacrebleu and others count them."""
    lines = _text(content, where).split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _plain_text(content: bytes, where: str) -> _Read:
    """The whole text is one row."""
    yield "row 1", {"text": _text(content, where)}


def _jsonl(content: bytes, where: str) -> _Read:
    number = 0
    for line_number, line in enumerate(_text(content, where).split("\n"), start=1):
        if line.strip():
            number += 1
            place = f"row {number}" + (f" (line {line_number})" if number != line_number else "")
            yield place, _object(line, f"{where}, {place}")


def _object(text: str, where: str) -> dict[str, Any]:
    value = _parse(text, where)
    if not isinstance(value, dict):
        raise DataError(f"{where}: expected a JSON object, found {type(value).__name__}.")
    return value


def _parse(text: str, where: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            names = [name for name, _ in pairs]
            doubled = next(name for name in names if names.count(name) > 1)
            raise DataError(f"{where}: the field {doubled!r} is given twice.")
        return fields

    try:
        return json.loads(text, object_pairs_hook=unique)
    # Python converts whole numbers of up to 4300 digits only, and says so by a plain ValueError.
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not valid JSON: {error}.") from None


def _json(content: bytes, where: str) -> _Read:
    """A list of objects, or one object in which exactly one value is a list."""
    value = _parse(_text(content, where), where)
    if isinstance(value, dict):
        lists = [inner for inner in value.values() if isinstance(inner, list)]
        value = lists[0] if len(lists) == 1 else value
    if not isinstance(value, list):
        raise DataError(f"{where}: expected a list of objects, or an object with one list in it.")
    for number, fields in enumerate(value, start=1):
        if not isinstance(fields, dict):
            raise DataError(f"{where}, row {number}: expected an object, found {fields!r:.40}.")
        yield f"row {number}", fields


def _separated(delimiter: str) -> Callable[[bytes, str], _Read]:
    def read(content: bytes, where: str) -> _Read:
        lines = csv.reader(
            io.StringIO(_text(content, where), newline=""), delimiter=delimiter, strict=True
        )
        try:
            header = next(lines, [])
            if len(set(header)) < len(header):
                raise DataError(f"{where}: two columns of one name in the header.")
            for number, values in enumerate((line for line in lines if line), start=1):
                place = f"row {number} (line {lines.line_num})"
                if len(values) != len(header):
                    raise DataError(
                        f"{where}, {place}: {len(values)} columns, but the header has "
                        f"{len(header)}."
                    )
                yield place, dict(zip(header, values, strict=True))
        except csv.Error as error:
            raise DataError(f"{where}, line {lines.line_num}: {error}.") from None

    return read


def _parquet(content: bytes, where: str) -> _Read:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(pyarrow.BufferReader(content))
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{where}: not a valid parquet file: {error}.") from None
    for number, fields in enumerate(table.to_pylist(), start=1):
        yield f"row {number}", fields


def _po(content: bytes, where: str) -> _Read:
    """Messages that are translated, not fuzzy, not obsolete, and have no plural forms."""
    import polib

    try:
        catalogue = polib.pofile(_text(content, where))
    except (OSError, ValueError) as error:
        raise DataError(f"{where}: not a valid catalogue of messages: {error}.") from None
    for entry in catalogue.translated_entries():
        if not entry.msgid_plural:
            fields = {
                "msgid": entry.msgid,
                "msgstr": entry.msgstr,
                "msgctxt": entry.msgctxt or "",
                "file": where,
            }
            yield f"line {entry.linenum}", fields


READERS: Mapping[str, Callable[[bytes, str], _Read]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".parquet": _parquet,
    ".po": _po,
    ".txt": _plain_text,
}
