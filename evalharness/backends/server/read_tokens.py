"""What every way to have a text read ends in: its tokens, each with its place and likelihood."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class ReadToken:
    """A token of a text that a server read: it begins at `start`, in letters, in the server's text.

    `log_probability` is None for the first token, before which there is nothing; `likeliest` are
    tokens at its place with theirs, the likeliest first.
    """

    text: str
    start: int
    log_probability: float | None
    greedy: bool
    likeliest: tuple[tuple[str, float], ...] = ()


class MisreadError(ValueError):
    """An answer does not say what was asked: the text cannot be found in its tokens."""


def texts_of(tokens: Sequence[ReadToken], text: str) -> tuple[str, ...]:
    """The part of the text that each token stands for, to its end, as records.TokenScore says.

    Servers spell parts of characters in many ways; the place of a token tells its text.
    """
    starts = [token.start for token in tokens]
    end_of = dict(pairwise(sorted({*starts, len(text)})))
    # The first token of each place takes its text out.
    return tuple(text[start : end_of.pop(start)] if start in end_of else "" for start in starts)


def continuation_tokens(tokens: Sequence[ReadToken], text: str, border: int) -> Sequence[ReadToken]:
    """The tokens of `text` from the letter `border` on.

    Raises MisreadError if none begins there, or if the text does not go on there as it says.
    """
    own = [token for token in tokens if border <= token.start < len(text)]
    if not own:
        raise MisreadError("the continuation has no tokens of its own")
    first = own[0]
    # A part of a letter is spelled in many ways; there the place is trusted.
    whole = first.text.isprintable() and _NO_LETTER not in first.text
    if first.start != border or (whole and not _goes_on(text, border, first.text)):
        raise MisreadError("a token lies across the border of prompt and continuation")
    return own


_NO_LETTER = "\N{REPLACEMENT CHARACTER}"


def _goes_on(text: str, place: int, token: str) -> bool:
    return text.startswith(token, place) or token.startswith("bytes:")
