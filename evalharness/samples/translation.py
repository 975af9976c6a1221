"""Builders for samples of translation: all such tasks ask in the same words."""

from collections.abc import Mapping, Sequence

from evalharness.languages import language_name
from evalharness.records import Row, Sample
from evalharness.samples.builders import generation


def translation(
    *,
    id: str,
    languages: tuple[str, str],
    source: str,
    references: Sequence[str],
    max_tokens: int = 256,
    group: str | None = None,
    slices: Mapping[str, str] | None = None,
) -> Sample:
    """A segment to be translated from the first into the second of `languages` (their codes).

    The prompt is "English phrase: ...", an empty line, "French phrase:"; the answer is one line.
    Raises ValueError for an empty reference and none at all, UsageError for an unknown code.
    """
    for number, reference in enumerate(references, start=1):
        if not isinstance(reference, str) or not reference.strip():
            raise ValueError(f"reference {number} is empty")
    asked, wanted = map(language_name, languages)
    return generation(
        id=id,
        prompt=f"{asked} phrase: {source}\n\n{wanted} phrase:",
        references=references,
        max_tokens=max_tokens,
        stop=("\n",),
        source=source,
        group=group,
        slices=slices,
    )


def translation_of_row(row: Row, languages: tuple[str, str], max_tokens: int = 256) -> Sample:
    """A row of a test set in local files: `id`, `src`, and `refs` (a list) or one `ref`.

    A field `doc_id` groups the segments of a document.
    """
    return translation(
        id=str(row["id"]),
        languages=languages,
        source=row["src"],
        references=[row["ref"]] if "ref" in row and "refs" not in row else row["refs"],
        max_tokens=max_tokens,
        group=str(row["doc_id"]) if "doc_id" in row else None,
    )


def translation_of_pair(row: Row, languages: tuple[str, str], max_tokens: int = 256) -> Sample:
    """A row of `translation`, a text for each language, and the `row_number` of combined.Numbered.

    Rows of local files are read too (see translation_of_row).
    """
    if "refs" in row:
        return translation_of_row(row, languages, max_tokens)
    texts = Row(row["translation"], row.location)
    return translation(
        id=row["row_number"],
        languages=languages,
        source=texts[languages[0]],
        references=[texts[languages[1]]],
        max_tokens=max_tokens,
    )
