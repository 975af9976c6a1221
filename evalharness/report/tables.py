"""A table of texts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlainTable:
    """A table of texts; the first of each row is its label."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
