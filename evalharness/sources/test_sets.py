"""Test sets that sacrebleu knows, fetched by it and kept in its folder."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalharness.errors import DataError
from evalharness.languages import macrolanguage
from evalharness.records import DataIdentity, Row
from evalharness.sources.text_files import ParallelFiles
from evalharness.sources.wrapping import UnreachableError


@dataclass(frozen=True, slots=True)
class SacrebleuTestSet:
    """A direction of a test set by its names in sacrebleu, with the references that it scores by.

    Rows are those of ParallelFiles, with the `doc_id` of each segment where sacrebleu tells it.
    The text files are made and kept by sacrebleu in the folder SACREBLEU, else ~/.sacrebleu.

    test_set   such as wmt22
    direction  such as en-de
    """

    test_set: str
    direction: str

    def rows(self) -> Iterator[Row]:
        source, references, documents = self._files()
        names = documents.read_text(encoding="utf-8").split("\n") if documents else []
        for row in ParallelFiles(source, references).rows():
            document = {"doc_id": names[row.number - 1]} if names else {}
            yield Row({**row, **document}, row.location, row.number)

    def identity(self) -> DataIdentity:
        """With the sha256 of source and references, in this order."""
        source, references, documents = self._files()
        revision = ParallelFiles(source, references).identity().revision
        if documents:
            both = f"{revision} {hashlib.sha256(documents.read_bytes()).hexdigest()}"
            revision = f"sha256:{hashlib.sha256(both.encode()).hexdigest()}"
        return DataIdentity(self.place(), revision)

    def place(self) -> str:
        return f"sacrebleu -t {self.test_set} -l {self.direction}"

    def is_here(self) -> bool:
        from sacrebleu.utils import SACREBLEU_DIR

        name = f"{self.test_set.replace('/', '_')}.{self.direction}.src"
        return Path(SACREBLEU_DIR, self.test_set, name).is_file()

    def _files(self) -> tuple[Path, tuple[Path, ...], Path | None]:
        """Source, references, and names of documents. Raises UnreachableError."""
        from sacrebleu.dataset import DATASETS

        test_set: Any = DATASETS[self.test_set]
        try:
            every = dict(
                zip(
                    test_set.fieldnames(self.direction),
                    test_set.get_files(self.direction),
                    strict=True,
                )
            )
            references = test_set.get_reference_files(self.direction)
        except (Exception, SystemExit) as error:  # it ends the program where a checksum is another
            raise UnreachableError(
                f"sacrebleu cannot fetch {self.test_set}, {self.direction} "
                f"({type(error).__name__}: {error}).",
                "give its files with --data {task}=src=FILE,ref=FILE, or WMT's own with "
                "--data {task}=FILE.xml",
                f"run `{self.place()} --echo src` where there is a network, and copy its folder "
                "(~/.sacrebleu, or what SACREBLEU names)",
            ) from None
        documents = Path(every["docid"]) if "docid" in every else None
        return Path(every["src"]), tuple(map(Path, references)), documents


def scored_references(row: Row, test_set: str, direction: str) -> Row:
    """A row of WMT's XML with the references alone that sacrebleu scores a direction by.

    Raises DataError for a file of other languages, and for one that lacks such a reference.
    """
    from sacrebleu.dataset import DATASETS

    languages = direction.split("-")
    for field, code in zip(("src_lang", "tgt_lang"), languages, strict=True):
        if row[field] and macrolanguage(row[field]) != macrolanguage(code):
            raise DataError(
                f"{row.location}: the file is from {row['src_lang']} into {row['tgt_lang']}, not "
                f"{direction}."
            )
    known: Any = DATASETS[test_set]
    pair = known.langpairs[direction]
    default = known.kwargs.get("refs", row["translators"])
    wanted = pair.get("refs", default) if isinstance(pair, dict) else default
    given = dict(zip(row["translators"], row["refs"], strict=True))
    missing = [name for name in wanted if name not in given]
    if missing:
        raise DataError(
            f"{row.location}: there is no reference by the translator {missing[0]!r}, which "
            f"{test_set} is scored by; the file has {', '.join(map(repr, given))}."
        )
    return Row({**row, "refs": [given[name] for name in wanted]}, row.location, row.number)
