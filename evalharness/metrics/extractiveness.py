"""What a summary is like, without a reference: how much it copies, repeats, and how long it is.

Sources: Grusky et al. 2018 (Newsroom) and its script for coverage, density and compression; See et
al. 2017 for novel n-grams. Tokens are words and single punctuation marks in lower case; the
published figures were made with spaCy's, from which these differ a little. The article is the
source of a sample (`Sample.source`); from an article without text nothing is copied. All are means
over documents; they describe a summary and do not say whether it is good.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from evalharness.metrics.aggregation import mean, ratio_of_sums
from evalharness.metrics.responses import mean_over_draws, sum_over_draws, texts
from evalharness.records import GenerationResponse, Metric, Response, Sample

_TOKEN = re.compile(r"\w+|[^\w\s]")
_INFINITE = float("inf")
_SAID = "tokens \\w+|[^\\w\\s] in lower case, mean over documents"


def tokens(text: str) -> list[str]:
    """Words and single punctuation marks, in lower case."""
    return _TOKEN.findall(text.lower())


def fragments(summary: Sequence[str], article: Sequence[str]) -> list[int]:
    """Lengths of the extractive fragments of a summary, both given as tokens.

    From left to right, the longest run of the summary that the article has, too. As in Newsroom's
    script the article is searched from the end of one match on, so that a longer match which
    overlaps a shorter one is missed; of equal ones the first counts.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for place, token in enumerate(article):
        places[token].append(place)
    found = []
    start = 0
    while start < len(summary):
        length = max(_matches(summary, start, article, places), default=0)
        if length:
            found.append(length)
        start += max(length, 1)
    return found


def _matches(
    summary: Sequence[str], start: int, article: Sequence[str], places: dict[str, list[int]]
) -> Iterator[int]:
    """Lengths of matches of the summary from `start` on, none overlapping in the article."""
    free = 0
    for place in places.get(summary[start], ()):
        if place < free:
            continue
        length = 1
        while (
            start + length < len(summary)
            and place + length < len(article)
            and summary[start + length] == article[place + length]
        ):
            length += 1
        free = place + length
        yield length


def coverage(summary: str, article: str) -> float:
    """Share of the summary's tokens that lie in extractive fragments, 0..1; 0 without tokens."""
    words = tokens(summary)
    return sum(fragments(words, tokens(article))) / len(words) if words else 0.0


def density(summary: str, article: str) -> float:
    """Mean over the summary's tokens of the length of their fragment; 0 without tokens."""
    words = tokens(summary)
    lengths = fragments(words, tokens(article))
    return sum(length**2 for length in lengths) / len(words) if words else 0.0


def compression(summary: str, article: str) -> float:
    """Tokens of the article for each one of the summary; 0 where the summary has none."""
    words = tokens(summary)
    return len(tokens(article)) / len(words) if words else 0.0


def ngrams(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """All runs of `size` tokens, in order."""
    return list(zip(*(words[start:] for start in range(size)), strict=False))


def _of_text(name: str, function: Callable[[str, str], float], highest: float, what: str) -> Metric:
    def measure(sample: Sample, text: str) -> Sequence[float]:
        return (function(text, sample.source),)

    return Metric(
        name, mean_over_draws(measure), mean(), bounds=(0.0, highest), signature=f"{what}; {_SAID}"
    )


COVERAGE = _of_text("coverage", coverage, 1.0, "share of tokens in extractive fragments")
DENSITY = _of_text(
    "density", density, _INFINITE, "squared lengths of extractive fragments / length"
)
COMPRESSION = _of_text("compression", compression, _INFINITE, "length of the article / length")


def novel_ngrams(size: int) -> Metric:
    """Share of a summary's different n-grams that its article does not have.

    Summaries of fewer than `size` tokens have none and do not count.
    """

    def measure(sample: Sample, text: str) -> Sequence[float]:
        found = set(ngrams(tokens(text), size))
        novel = found - set(ngrams(tokens(sample.source), size))
        return (len(novel) / len(found), 1.0) if found else (0.0, 0.0)

    return Metric(
        f"novel_{size}grams",
        sum_over_draws(measure),
        ratio_of_sums(),
        signature=f"share of different {size}-grams that the article lacks; {_SAID}",
    )


def repeated_ngrams(size: int) -> Metric:
    """Share of a summary's different n-grams that stand in it more than once.

    Summaries of fewer than `size` tokens have none and do not count.
    """

    def measure(_sample: Sample, text: str) -> Sequence[float]:
        counts = Counter(ngrams(tokens(text), size))
        repeated = sum(count > 1 for count in counts.values())
        return (repeated / len(counts), 1.0) if counts else (0.0, 0.0)

    return Metric(
        f"repeated_{size}grams",
        sum_over_draws(measure),
        ratio_of_sums(),
        higher_is_better=False,
        signature=f"share of different {size}-grams that stand more than once; {_SAID}",
    )


def _share(name: str, holds: Callable[[GenerationResponse], bool], what: str) -> Metric:
    """The share of all draws of which something holds."""

    def measure(_sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        number = len(texts(responses))
        held = sum(isinstance(one, GenerationResponse) and holds(one) for one in responses)
        return (held / number,)

    return Metric(name, measure, mean(), higher_is_better=False, signature=what)


WORDS = Metric(
    "words",
    mean_over_draws(lambda _sample, text: (float(len(text.split())),)),
    mean(),
    bounds=(0.0, _INFINITE),
    signature="words between white space, mean over documents",
)
EMPTY = _share("empty", lambda one: not one.text.strip(), "share of outputs without text")
CUT_OFF = _share(
    "cut_off",
    lambda one: one.finish == "length",
    "share of outputs that ended at the limit of tokens",
)

SUMMARY_STATISTICS = (
    COVERAGE,
    DENSITY,
    COMPRESSION,
    novel_ngrams(1),
    novel_ngrams(2),
    repeated_ngrams(3),
    WORDS,
    EMPTY,
    CUT_OFF,
)
"""Those that tasks of summarization report beside their scores."""
