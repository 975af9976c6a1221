"""Sources made of other sources: their rows shuffled, numbered, chosen, joined, taken apart."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from evalharness.errors import DataError
from evalharness.records import DataIdentity, Row, Source
from evalharness.sources.wrapping import Wrapping, is_here, place


@dataclass(frozen=True, slots=True)
class Shuffled(Wrapping):
    """The rows of another source in a fixed random order, so that the first N are a fair sample."""

    def rows(self) -> Iterator[Row]:
        def place(row: Row) -> str:
            return hashlib.sha256(row.location.encode()).hexdigest()

        return iter(sorted(self.source.rows(), key=place))


@dataclass(frozen=True, slots=True)
class WithExamples:
    """Rows of a source, each with the first rows of another that have the same value of a field.

    They are in the field "examples" of a row: solved examples on the same subject, for benchmarks
    that prescribe which. Raises DataError for a row with fewer than `number` of them.

    same    the field
    """

    source: Source
    examples: Source
    same: str
    number: int

    def rows(self) -> Iterator[Row]:
        of: dict[str, list[Row]] = defaultdict(list)
        for example in self.examples.rows():
            if len(of[example[self.same]]) < self.number:
                of[example[self.same]].append(example)
        for row in self.source.rows():
            examples = of[row[self.same]]
            if len(examples) < self.number:
                raise DataError(
                    f"{row.location}: {self.number} examples are needed whose {self.same} is "
                    f"{row[self.same]!r}, but {place(self.examples)} has {len(examples)}."
                )
            yield Row({**row, "examples": examples}, row.location, row.number)

    def identity(self) -> DataIdentity:
        """That of both sources."""
        revisions = dict.fromkeys(
            [self.source.identity().revision, self.examples.identity().revision]
        )
        return DataIdentity(self.place(), " + ".join(revisions))

    def place(self) -> str:
        return f"{place(self.source)}, with {self.number} examples from {place(self.examples)}"

    def is_here(self) -> bool:
        return is_here(self.source) and is_here(self.examples)


@dataclass(frozen=True, slots=True)
class Concatenated:
    """The rows of several sources, one after the other, such as configurations of a data set."""

    sources: tuple[Source, ...]

    def rows(self) -> Iterator[Row]:
        for source in self.sources:
            yield from source.rows()

    def identity(self) -> DataIdentity:
        """All names; the revision that they share, or the sha256 of all revisions."""
        found = [source.identity() for source in self.sources]
        revisions = [one.revision for one in found]
        revision = revisions[0]
        if len(set(revisions)) > 1:
            digest = hashlib.sha256("\n".join(revisions).encode()).hexdigest()
            revision = f"sha256:{digest}"
        return DataIdentity(" + ".join(one.name for one in found), revision)

    def is_here(self) -> bool:
        return all(map(is_here, self.sources))


@dataclass(frozen=True, slots=True)
class Numbered(Wrapping):
    """The rows of another source with a field `row_number`, "1" for the first.

    It is the id of rows that have none, in data whose order is fixed.
    """

    def rows(self) -> Iterator[Row]:
        for number, row in enumerate(self.source.rows(), start=1):
            yield Row({**row, "row_number": str(number)}, row.location)


@dataclass(frozen=True, slots=True)
class Selected(Wrapping):
    """The rows of another source in which `field` is `value`; the identity says so."""

    field: str
    value: object

    def rows(self) -> Iterator[Row]:
        return (row for row in self.source.rows() if row[self.field] == self.value)

    def identity(self) -> DataIdentity:
        whole = self.source.identity()
        return replace(whole, name=f"{whole.name} where {self.field} is {self.value}")


@dataclass(frozen=True, slots=True)
class Joined:
    """Two data sets side by side: rows of `source` and `target`, which are equal in `key`.

    Rows come in the order of the first one. A key that only one of them has, or that one has twice,
    is a DataError.
    """

    source: Source
    target: Source
    key: str

    def rows(self) -> Iterator[Row]:
        targets: dict[object, Row] = {}
        for row in self.target.rows():
            if targets.setdefault(row[self.key], row) is not row:
                raise DataError(f"{row.location}: the {self.key} {row[self.key]!r} comes twice.")
        for row in self.source.rows():
            found = targets.pop(row[self.key], None)
            if found is None:
                raise DataError(
                    f"{row.location}: there is no row of the {self.key} {row[self.key]!r} in "
                    f"{self.target.identity().name}, or it was joined before."
                )
            yield Row({"source": dict(row), "target": dict(found)}, row.location)
        for key, row in targets.items():
            raise DataError(
                f"{row.location}: there is no row of the {self.key} {key!r} in "
                f"{self.source.identity().name}."
            )

    def identity(self) -> DataIdentity:
        both = (self.source.identity(), self.target.identity())
        revisions = dict.fromkeys(one.revision for one in both)
        return DataIdentity(" + ".join(one.name for one in both), " + ".join(revisions))

    def place(self) -> str:
        return f"{place(self.source)} + {place(self.target)}"

    def is_here(self) -> bool:
        return is_here(self.source) and is_here(self.target)


@dataclass(frozen=True, slots=True)
class Questions(Wrapping):
    """The questions of articles, as SQuAD and XQuAD publish them, a row each as on the hub.

    An article has `paragraphs`, each with its `context` and its questions (`qas`). Rows of another
    source that are questions already stay as they are. Raises DataError, with the place in the
    article, for a field that is missing or is not what it should be.
    """

    def rows(self) -> Iterator[Row]:
        number = 0
        for row in self.source.rows():
            for question in _questions(row) if "paragraphs" in row else (row,):
                number += 1
                yield Row(question, question.location, number)


@dataclass(frozen=True, slots=True)
class Lines(Wrapping):
    """The lines of another source's texts, a row each with a line as `text`, without blank ones.

    Rows without a `text`, and those of a single line, stay as they are.
    """

    def rows(self) -> Iterator[Row]:
        for row in self.source.rows():
            if "text" not in row:
                yield row
                continue
            for number, line in enumerate(row["text"].split("\n"), start=1):
                if line.strip():
                    yield Row({**row, "text": line}, f"{row.location}, line {number}", number)


def _questions(article: Row) -> Iterator[Row]:
    title = {"title": article["title"]} if "title" in article else {}
    for paragraph in _inner_rows(article, "paragraphs", "paragraph"):
        for question in _inner_rows(paragraph, "qas", "question"):
            answers = list(_inner_rows(question, "answers", "answer"))
            fields = {
                "id": question["id"],
                **title,
                "context": paragraph["context"],
                "question": question["question"],
                "answers": {
                    name: [answer[name] for answer in answers] for name in ("text", "answer_start")
                },
            }
            yield Row(fields, question.location)


def _inner_rows(row: Row, field: str, name: str) -> Iterator[Row]:
    """The objects of a list in a field, each as a row that knows its place."""
    inner = row[field]
    if not isinstance(inner, list):
        raise DataError(f"{row.location}: {field}: expected a list, found {inner!r:.40}.")
    for number, fields in enumerate(inner, start=1):
        location = f"{row.location}, {name} {number}"
        if not isinstance(fields, Mapping):
            raise DataError(f"{location}: expected an object, found {fields!r:.40}.")
        yield Row(fields, location)


def with_source(data: Source, source: Source) -> Source:
    """What `data` makes of its source, made of another one: its numbers, its choice, its order."""
    if isinstance(data, Wrapping):
        return replace(data, source=with_source(data.source, source))
    return source


def innermost(data: Source) -> Source:
    """The source that `with_source` takes the place of."""
    if isinstance(data, Wrapping):
        return innermost(data.source)
    return data
