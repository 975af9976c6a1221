"""Stored log-probabilities of single tokens: how surprising each was, packed for a page.

Surprisal is the negative logarithm to base 2 of a probability, in bits (Shannon 1948).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalharness.errors import DataError
from evalharness.report.text import redactions

STEPS = (1, 2, 4, 6, 9, 13)
"""Bits at which a token takes the next colour: seven colours in all."""
ALTERNATIVES = 5
_LONGEST_TOKEN = 40
_TAKEN_OUT = "[redacted]"


@dataclass(frozen=True, slots=True)
class TokenRoom:
    """How many tokens a page has room for: of one output, and in all (None for any number)."""

    in_output: int
    in_all: int | None


Tokens = Sequence[Mapping[str, Any]]
"""Tokens as a row of samples/TASK.parquet holds them: the fields of records.TokenScore."""


def read_tokens(row: Mapping[str, Any]) -> list[Tokens]:
    """The tokens of each request of a row; empty where they are not stored.

    Raises DataError for what is not a list for each request.
    """
    text = row.get("tokens")
    # Most runs store none, and a large one has a hundred thousand rows that say so.
    if text is None or text == "null":
        return []
    try:
        found = json.loads(text)
    except ValueError as error:
        raise DataError(f"the stored tokens of a sample cannot be read: {error}.") from None
    requests = len(row["responses"])
    if not isinstance(found, list) or len(found) != requests:
        raise DataError(
            f"the stored tokens of a sample are no list for each of {requests} requests."
        )
    return found


def surprisal(log_probability: float) -> float:
    """Of a natural logarithm, in bits."""
    return -log_probability / math.log(2)


def mean_surprisal(requests: Sequence[Tokens]) -> float:
    """Bits per token over all tokens of some requests; NaN where there is none."""
    bits = [surprisal(token["log_probability"]) for tokens in requests for token in tokens]
    return sum(bits) / len(bits) if bits else math.nan


def pack_tokens(tokens: Tokens, most: int) -> list[Any] | int:
    """The first `most` tokens as a page reads them; 0 for none.

    A list of texts, one of surprisals in bits, one of the alternatives of each (text, surprisal,
    text, surprisal ...), how many tokens there are, and their mean surprisal. A surprisal is
    None where it has no end.
    """
    if not tokens:
        return 0
    shown = tokens[:most]
    hidden = _hidden(shown)
    return [
        [_TAKEN_OUT if place in hidden else _cut(one["text"]) for place, one in enumerate(shown)],
        [bits(one["log_probability"]) for one in shown],
        [
            []
            if place in hidden
            else [
                part
                for text, value in one["alternatives"][:ALTERNATIVES]
                for part in (_cut(text), bits(value))
            ]
            for place, one in enumerate(shown)
        ],
        len(tokens),
        rounded(mean_surprisal([tokens]), 6),
    ]


def bits(log_probability: float) -> float | None:
    """A surprisal as it is packed."""
    return rounded(surprisal(log_probability))


def rounded(value: float, decimals: int = 3) -> float | None:
    """None for what JSON has no number for."""
    return round(value, decimals) + 0.0 if math.isfinite(value) else None


def _hidden(tokens: Tokens) -> set[int]:
    """Places of tokens that are part of a key or a home folder, which no token shows alone."""
    text = "".join(one["text"] for one in tokens)
    spans = redactions(text)
    if not spans:
        return set()
    found = set()
    start = 0
    for place, one in enumerate(tokens):
        end = start + len(one["text"])
        if any(start < last and first < end for first, last in spans):
            found.add(place)
        start = end
    return found


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TOKEN else f"{text[: _LONGEST_TOKEN - 1]}…"
