"""Rows of files: what cannot be read is named with file, row and field; nothing is dropped."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

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
    if b"\0" in content[:4]:
        raise DataError(f"{where}: this is UTF-16 or UTF-32, or no text; save it as UTF-8.")
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


_SEGMENT = re.compile(r"<seg\b[^>]*>(.*)</seg>", re.IGNORECASE)


def sgm_segments(content: bytes, where: str) -> list[str]:
    """The segments of a test set in the SGML of WMT until 2020, one a line, as sacrebleu has them.

    Entities stay as they are written. Raises DataError for a segment that does not begin and end on
    a line of its own, and where there is none.
    """
    segments = []
    for number, line in enumerate(text_lines(content, where), start=1):
        found = _SEGMENT.match(line)
        if found is None and "<seg" in line.lower():
            raise DataError(f"{where}, line {number}: a <seg> should begin and end a line.")
        if found is not None:
            segments.append(_clean(found[1]))
    if not segments:
        raise DataError(f"{where} has no <seg>.")
    return segments


def _clean(text: str) -> str:
    """Single spaces, none at the ends, as sacrebleu's own reading of WMT's files leaves them."""
    return " ".join(text.split())


def _wmt_xml(content: bytes, where: str) -> _Read:
    """Segments of a test set of WMT since 2021: source and references, in the order of the file.

    A row has `id` (its number), `src`, `refs`, `translators` of the references, `doc_id`, `domain`
    where the document has one, `src_lang` and `tgt_lang`. As in sacrebleu, documents of test suites
    are left out, and segments that nobody has translated.
    """
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise DataError(f"{where}: not valid XML: {error}.") from None
    number = 0
    for document in root.iter("doc"):
        sources = list(document.iter("src"))
        if "testsuite" in document.attrib or not sources:
            continue
        references = [(one, _segments_by_id(one, where)) for one in document.iter("ref")]
        for id, text in sorted(_segments_by_id(sources[0], where).items()):
            texts = [segments.get(id, "") for _, segments in references]
            if not any(texts):
                continue
            number += 1
            name = document.get("id", "")
            fields = {
                "id": str(number),
                "src": text,
                "refs": texts,
                "translators": [one.get("translator", "") for one, _ in references],
                "doc_id": name,
                "src_lang": sources[0].get("lang", ""),
                "tgt_lang": references[0][0].get("lang", ""),
            }
            domain = {"domain": document.attrib["domain"]} if "domain" in document.attrib else {}
            yield f"row {number} (document {name!r}, segment {id})", {**fields, **domain}


def _segments_by_id(side: ElementTree.Element, where: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for segment in side.iter("seg"):
        id = segment.get("id", "")
        if not id.isdecimal() or int(id) in found:
            raise DataError(
                f"{where}: a <seg> should have a number of its own in its document, not {id!r}."
            )
        found[int(id)] = _clean("".join(segment.itertext()))
    return found


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
    ".xml": _wmt_xml,
}
