"""From tokens as an engine scores them to tokens as people read them."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic

from evalharness.backends.answers import PartT, Work, not_finite
from evalharness.backends.encoding import TextTokenizer
from evalharness.backends.pieces import pieces_in
from evalharness.engine.token_scores import QueryTokens, Scored
from evalharness.engine.trie import Query
from evalharness.records import Failure, TokenScore, TokenScores

# float32 knows a log-probability of -10 to the sixth digit behind the point.
_DIGITS = 6
# Tokens before those that are scored, so that these are decoded as what stands inside a text.
_BEFORE = 8


class TokenTotals(Generic[PartT]):
    """The parts of all requests whose tokens are asked for, and the tokens of each as they come.

    As answers.Totals, with tokens in place of sums.
    """

    def __init__(
        self,
        work: Iterable[tuple[int, Work[PartT] | Failure]],
        tokenizer: TextTokenizer,
        dtype: str,
        given: Callable[[PartT], Sequence[int]],
    ) -> None:
        """work: for the index of each request. dtype: what the advice of a failure names.

        given: the tokens of the text that the targets of a part go on, before the first of them
        """
        self._dtype = dtype
        self._given = given
        self._texts = _Texts(tokenizer)
        self._answered: list[tuple[int, TokenScores | Failure]] = []
        self._asked: list[tuple[PartT, _Total[PartT], int]] = []
        for index, asked in work:
            if isinstance(asked, Failure):
                self._answered.append((index, asked))
                continue
            total = _Total(index, asked.parts)
            self._asked.extend((part, total, place) for place, part in enumerate(asked.parts))
            if not asked.parts:
                self._answered.append((index, TokenScores(())))

    @property
    def queries(self) -> list[PartT]:
        """What is to be scored."""
        return [part for part, *_ in self._asked]

    def answered(self) -> Iterator[tuple[int, TokenScores | Failure]]:
        """What needs no model."""
        yield from self._answered

    def add(self, found: QueryTokens) -> Iterator[tuple[int, TokenScores | Failure]]:
        """Take the targets of one of `queries`; yields its request if it was the last of it."""
        _, total, place = self._asked[found.query]
        total.found[place] = found.targets
        if len(total.found) == len(total.parts):
            yield total.index, self._scores(total)
            # Alternatives of a whole run would fill the memory.
            total.found.clear()

    def _scores(self, total: "_Total[PartT]") -> TokenScores | Failure:
        scored = [one for place in range(len(total.parts)) for one in total.found[place]]
        if not all(math.isfinite(value) for value, _ in scored):
            return not_finite(self._dtype)
        targets = [token for part in total.parts for token in part.targets]
        return self._texts.scores(self._given(total.parts[0])[-_BEFORE:], targets, scored)


def given_before(query: Query) -> Sequence[int]:
    """The tokens before the targets, where these follow them in one text."""
    return query.tokens[: len(query.tokens) - len(query.targets) + 1]


@dataclass(slots=True)
class _Total(Generic[PartT]):
    """The targets of all parts of the request at `index`, by the place of the part."""

    index: int
    parts: Sequence[PartT]
    found: dict[int, tuple[Scored, ...]] = field(default_factory=dict)


class _Texts:
    """Tokens as text; each alternative is decoded once, by itself, inside a text."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        # A decoder may strip the space that a text begins with: alternatives are put behind a
        # letter, for which special tokens do not count.
        letter = [token for token in tokenizer.encode(["a"])[0] if tokenizer.decode([token])]
        self._inside = letter[-1:]
        self._before = tokenizer.decode(self._inside)
        self._largest = tokenizer.largest_token
        self._known: dict[int, str] = {}

    def scores(
        self, given: Sequence[int], targets: Sequence[int], scored: Sequence[Scored]
    ) -> TokenScores:
        """given: the tokens right before the targets, which are not shown"""
        texts = self._texts_of(given, targets)
        return TokenScores(
            tuple(
                TokenScore(
                    text,
                    round(value, _DIGITS),
                    tuple((self._alone(token), round(one, _DIGITS)) for token, one in likeliest),
                )
                for text, (value, likeliest) in zip(texts, scored, strict=True)
            )
        )

    def _texts_of(self, given: Sequence[int], targets: Sequence[int]) -> list[str]:
        """Of tokens that are one character together, the first has its text."""
        texts: list[str] = []
        for piece in pieces_in(self._tokenizer, [*given, *targets]):
            texts += [piece.text, *[""] * (piece.tokens - 1)]
        return texts[len(given) :]

    def _alone(self, token: int) -> str:
        if token > self._largest:  # a model may have more embeddings than there are tokens
            return f"<{token}>"
        if token not in self._known:
            text = self._tokenizer.decode([*self._inside, token])
            new = text[len(self._before) :] if text.startswith(self._before) else ""
            self._known[token] = new or self._tokenizer.text_of([token])
        return self._known[token]
