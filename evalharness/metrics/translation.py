"""Translation metrics by sacrebleu: its statistics of segments, scored for many resamples at once.

Sources: Papineni et al. 2002 and Post 2018 (BLEU), Popović 2015 and 2017 (chrF, chrF++), Snover et
al. 2006 (TER). The text is scored raw; each score carries sacrebleu's own signature.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from evalharness.metrics.aggregation import divide, ratio_of_sums
from evalharness.metrics.responses import Measure, sum_over_draws
from evalharness.records import Groups, Metric, Sample, Statistics, Values, Weights

# Languages whose words are not separated by spaces, and Korean, need a tokenizer of their own.
TOKENIZERS = {"zh": "zh", "ja": "ja-mecab", "ko": "ko-mecab"}
# What sacrebleu adds to the name of a tokenizer that depends on a dictionary.
_TOKENIZER_VERSIONS = {"ja-mecab": "-0.996-IPA"}
_BLEU_ORDERS = 4
_CHRF_BETA = 2

Extract = Callable[[str, Sequence[str]], Sequence[float]]


def bleu(language: str, references: int = 1) -> Metric:
    """BLEU with the tokenizer of the target `language` (ISO 639-1); sacrebleu's defaults.

    references: how many each segment has; it is part of the signature.
    """
    tokenizer = TOKENIZERS.get(language.partition("-")[0].partition("_")[0], "13a")
    named = tokenizer + _TOKENIZER_VERSIONS.get(tokenizer, "")
    return Metric(
        "bleu",
        _measure(lambda: _bleu_scorer(tokenizer)),
        _aggregate_bleu,
        bounds=(0.0, 100.0),
        signature=_signature(f"nrefs:{references}|case:mixed|eff:no|tok:{named}|smooth:exp"),
    )


def chrf(word_order: int = 0, references: int = 1) -> Metric:
    """chrF, or chrF++ with word_order=2."""
    return Metric(
        "chrf" + "+" * word_order,
        _measure(lambda: _chrf_scorer(word_order)),
        _aggregate_chrf,
        bounds=(0.0, 100.0),
        signature=_signature(
            f"nrefs:{references}|case:mixed|eff:yes|nc:6|nw:{word_order}|space:no"
        ),
    )


def ter(references: int = 1) -> Metric:
    """Translation edit rate: lower is better, and it may be above 100."""
    return Metric(
        "ter",
        _measure(_ter_scorer),
        _aggregate_ter,
        bounds=(0.0, float("inf")),
        higher_is_better=False,
        signature=_signature(f"nrefs:{references}|case:lc|tok:tercom|norm:no|punct:yes|asian:no"),
    )


def _signature(settings: str) -> str:
    return f"{settings}|version:{version('sacrebleu')}"


@cache
def _bleu_scorer(tokenizer: str) -> Any:
    from sacrebleu.metrics import BLEU

    return BLEU(tokenize=tokenizer)


@cache
def _chrf_scorer(word_order: int) -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF(word_order=word_order)


@cache
def _ter_scorer() -> Any:
    from sacrebleu.metrics import TER

    return TER()


def _measure(scorer: Callable[[], Any]) -> Measure:
    """Sacrebleu's statistics of one segment. The scorer is made when first needed."""

    def measure(sample: Sample, text: str) -> Sequence[float]:
        references = [[reference] for reference in sample.references]
        # The method below corpus_score; it has no public name.
        (statistics,) = scorer()._extract_corpus_statistics([text], references)
        return [float(number) for number in statistics]

    return sum_over_draws(measure)


def _aggregate_bleu(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
    """BLEU of (hypothesis length, reference length, matches of order 1..4, totals of order 1..4).

    As sacrebleu computes it: 0 without any match, or when an order has no n-grams at all; the k-th
    order without a match counts 1 / (2^k * total) (`exp` smoothing).
    """
    sums = weights @ statistics  # (b, 10)
    length, reference_length = sums[:, 0], sums[:, 1]
    matches, totals = sums[:, 2 : 2 + _BLEU_ORDERS], sums[:, 2 + _BLEU_ORDERS :]
    unmatched = (matches == 0) & (totals > 0)
    smoothed = np.where(unmatched, 0.5 ** np.cumsum(unmatched, axis=1), matches)
    precisions = np.nan_to_num(divide(smoothed, totals))  # (b, 4)
    defined = (matches.sum(axis=1) > 0) & (totals > 0).all(axis=1)
    with np.errstate(divide="ignore"):
        geometric = np.exp(np.log(precisions).mean(axis=1))
    short = np.minimum(1.0 - divide(reference_length, length), 0.0)
    penalty = np.exp(np.nan_to_num(short, nan=-np.inf))
    return np.where(defined, 100.0 * penalty * geometric, 0.0)


def _aggregate_chrf(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
    """F-score of precision and recall averaged over the orders that both sides have.

    statistics: for each order, n-grams of the hypothesis, of the reference, and matches.
    """
    sums = (weights @ statistics).reshape(len(weights), -1, 3)
    hypothesis, reference, matches = sums[..., 0], sums[..., 1], sums[..., 2]
    both = (hypothesis > 0) & (reference > 0)
    orders = both.sum(axis=1)
    precision = np.nan_to_num(divide(np.where(both, divide(matches, hypothesis), 0).sum(1), orders))
    recall = np.nan_to_num(divide(np.where(both, divide(matches, reference), 0).sum(1), orders))
    factor = _CHRF_BETA**2
    score = divide((1 + factor) * precision * recall, factor * precision + recall)
    return 100.0 * np.nan_to_num(score)


def _aggregate_ter(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
    """Edits divided by the mean reference length; 100 for words where the references are empty."""
    sums = weights @ statistics
    edits, length = sums[:, 0], sums[:, 1]
    return 100.0 * np.where(length > 0, np.nan_to_num(divide(edits, length)), edits > 0)


# Placeholders of Python and Django, and mark-up: %s, %(name)s, %%, {name}, <a>, </a>.
_PLACEHOLDER = re.compile(
    r"%\([A-Za-z_]\w*\)[#0\- +]*\d*(?:\.\d+)?[diouxXeEfFgGcrsa]"
    r"|%[#0\-+]*\d*(?:\.\d+)?[diouxXeEfFgGcrsa](?![A-Za-z])"
    r"|%%|\{[A-Za-z_]?[\w.\[\]]*(?:![rsa])?(?::[^{}]*)?\}|</?[A-Za-z][^<>]*>"
)


def placeholders(message: str) -> Counter[str]:
    """The placeholders of a message, and how often each stands in it."""
    return Counter(_PLACEHOLDER.findall(message))


def _measure_placeholders(sample: Sample, text: str) -> Sequence[float]:
    wanted = placeholders(sample.source)
    kept = wanted & placeholders(text)
    return float(kept.total()), float(wanted.total())


PLACEHOLDERS_KEPT = Metric(
    "placeholders_kept",
    sum_over_draws(_measure_placeholders),
    ratio_of_sums(),
    signature="share of the source's placeholders that stand unchanged in the output",
)
