"""SQuAD 2.0's scores, where some questions have no answer.

Source: Rajpurkar et al. 2018, evaluate-v2.0.py. A sample asks for the answer and then for the
log-probability of the words that say that there is none; its references are (), or ("",), for a
question without an answer. Every score is times 100.

With the answer "" a model says that there is none. A prompt cannot ask for that: a text whose
normal form is that of `NO_ANSWER` counts as "".
"""

import math
from collections.abc import Sequence

import numpy as np

from evalharness.metrics.aggregation import Aggregate, divide
from evalharness.metrics.question_answering import exact_match, multiset_f1, normalize_answer
from evalharness.metrics.responses import log_likelihoods, texts
from evalharness.records import Groups, Metric, Response, Sample, Statistics, Values, Weights

NO_ANSWER = "unanswerable"

# The columns of the statistics.
_EXACT, _F1, _ANSWERABLE, _WRITTEN, _PROBABILITY = range(5)


def golden(references: Sequence[str]) -> tuple[str, ...]:
    """The accepted answers with something left in their normal form; ("",) if there is none."""
    return tuple(text for text in references if normalize_answer(text)) or ("",)


def squad_v2_f1(prediction: str, references: Sequence[str]) -> float:
    """The best token F1; of two answers one of which has no tokens, 1 if the other has none too."""
    found = normalize_answer(prediction).split()
    return max(_f1(found, normalize_answer(reference).split()) for reference in references)


def _f1(found: Sequence[str], expected: Sequence[str]) -> float:
    if not found or not expected:
        return float(not found and not expected)
    return multiset_f1(found, expected)


def _measure(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
    """Exact, F1, is there an answer, was one written, the probability that there is none."""
    *written, last = responses
    (text,) = texts(written)
    (no_answer,) = log_likelihoods([last])
    answer = "" if normalize_answer(text) == NO_ANSWER else text
    accepted = golden(sample.references)
    return (
        exact_match(answer, accepted),
        squad_v2_f1(answer, accepted),
        float(any(sample.references)),
        float(bool(answer)),
        math.exp(no_answer.log_probability),
    )


# --- Scores of the texts as they are -------------------------------------------------------------


def _overall(column: int) -> Aggregate:
    def aggregate(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
        return 100.0 * divide(weights @ statistics[:, column], weights.sum(axis=1))

    return aggregate


def _among(column: int, answerable: float) -> Aggregate:
    """The mean over the questions that have an answer (1.0), or over those that have none (0.0)."""

    def aggregate(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
        some = weights * (statistics[:, _ANSWERABLE] == answerable)
        return 100.0 * divide(some @ statistics[:, column], some.sum(axis=1))

    return aggregate


# --- Scores with the best threshold --------------------------------------------------------------


def _by_threshold(
    column: int, statistics: Statistics, weights: Weights
) -> tuple[Values, Statistics]:
    """Sums of scores (b, n + 1) when no more than the i surest questions are answered.

    With them, the probabilities (n + 1,) of no answer up to which questions then are answered.
    """
    order = np.argsort(statistics[:, _PROBABILITY], kind="stable")
    ordered, some = statistics[order], weights[:, order]
    answerable = ordered[:, _ANSWERABLE] == 1.0
    gained = np.where(answerable, ordered[:, column], -ordered[:, _WRITTEN])
    none_answered = some @ (1.0 - ordered[:, _ANSWERABLE])
    sums = np.cumsum(np.column_stack([none_answered, some * gained]), axis=1)
    return sums, np.concatenate([[0.0], ordered[:, _PROBABILITY]])


def _best(column: int) -> Aggregate:
    def aggregate(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
        sums, _ = _by_threshold(column, statistics, weights)
        return 100.0 * divide(sums.max(axis=1), weights.sum(axis=1))

    return aggregate


def _best_threshold(column: int) -> Aggregate:
    """The first of equally good ones, as the script finds it; NaN without any sample."""

    def aggregate(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
        sums, thresholds = _by_threshold(column, statistics, weights)
        return np.where(weights.sum(axis=1) > 0, thresholds[sums.argmax(axis=1)], np.nan)

    return aggregate


# --- Metrics -------------------------------------------------------------------------------------


def _metric(name: str, aggregate: Aggregate, what: str) -> Metric:
    return Metric(
        name,
        _measure,
        aggregate,
        bounds=(0.0, 100.0),
        signature=f'SQuAD 2.0: {what}, x 100; "{NO_ANSWER}" counts as no answer',
    )


def _threshold(name: str, column: int, of: str) -> Metric:
    return Metric(
        name,
        _measure,
        _best_threshold(column),
        signature=f"SQuAD 2.0: the probability of no answer that gives {of}; neither high nor low "
        "is better",
    )


EXACT = _metric("exact", _overall(_EXACT), "exact match")
F1 = _metric("f1", _overall(_F1), "token F1")
HAS_ANSWER_EXACT = _metric("HasAns_exact", _among(_EXACT, 1.0), "exact match, with an answer")
HAS_ANSWER_F1 = _metric("HasAns_f1", _among(_F1, 1.0), "token F1, with an answer")
NO_ANSWER_EXACT = _metric("NoAns_exact", _among(_EXACT, 0.0), "exact match, without an answer")
NO_ANSWER_F1 = _metric("NoAns_f1", _among(_F1, 0.0), "token F1, without an answer")
BEST_EXACT = _metric("best_exact", _best(_EXACT), "exact match at the best threshold")
BEST_F1 = _metric("best_f1", _best(_F1), "token F1 at the best threshold")
BEST_EXACT_THRESHOLD = _threshold("best_exact_thresh", _EXACT, "best_exact")
BEST_F1_THRESHOLD = _threshold("best_f1_thresh", _F1, "best_f1")

SQUAD_V2: tuple[Metric, ...] = (
    F1,
    EXACT,
    HAS_ANSWER_F1,
    HAS_ANSWER_EXACT,
    NO_ANSWER_F1,
    NO_ANSWER_EXACT,
    BEST_F1,
    BEST_EXACT,
    BEST_F1_THRESHOLD,
    BEST_EXACT_THRESHOLD,
)
"""All that the official script prints, the primary one first."""
