"""Calibration of multiple choice: is a model as often right as it is sure?

The confidence of an answer is its share of the probability of all options, by the log-likelihoods
that `acc` compares. Sources: Brier 1950 (the multi-class score, 0 to 2, as lm-evaluation-harness
has it; the binary one is half of it for two options); Guo et al. 2017 (expected and maximum
calibration error, ten bins of equal width, each without its lower end but for the first). HELM's
calibration error has bins of equal numbers of answers, and its selective accuracies look at the
answers of which a model is surest (the package uncertainty-calibration).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from evalharness.metrics.aggregation import divide, mean
from evalharness.metrics.responses import log_likelihoods
from evalharness.records import Groups, Metric, Response, Sample, Statistics, Values, Weights

BINS = 10


def _shares(sample: Sample, responses: Sequence[Response]) -> Values:
    """The probability of each option among all of them."""
    options = log_likelihoods(responses[: len(sample.choices)])
    scores = np.array([response.log_probability for response in options])
    shares = np.exp(scores - scores.max())
    return np.asarray(shares / shares.sum())


def _brier(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
    """Of several right options each has the same share of the truth."""
    truth = np.zeros(len(sample.choices))
    truth[list(sample.gold)] = 1 / len(sample.gold)
    return (float(((_shares(sample, responses) - truth) ** 2).sum()),)


def _confidence(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
    """How sure the model is of the option it takes, and whether that is right."""
    shares = _shares(sample, responses)
    chosen = int(shares.argmax())
    return float(shares[chosen]), float(chosen in sample.gold)


def _bins(confidence: Values) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


def _expected_calibration_error(
    statistics: Statistics, weights: Weights, _groups: Groups
) -> Values:
    """The mean over samples of |accuracy - confidence| of their bins."""
    confidence, correct = statistics[:, 0], statistics[:, 1]
    member = np.eye(BINS)[_bins(confidence)]
    # The sums of both in a bin differ by its size times the difference of its means.
    gaps = np.abs(weights @ (member * (correct - confidence)[:, None]))
    return divide(gaps.sum(axis=1), weights.sum(axis=1))


BRIER = Metric(
    "brier",
    measure=_brier,
    aggregate=mean(),
    bounds=(0.0, 2.0),
    higher_is_better=False,
    signature="multi-class, softmax over options",
)
ECE = Metric(
    "ece",
    measure=_confidence,
    aggregate=_expected_calibration_error,
    higher_is_better=False,
    signature=f"softmax over options, {BINS} bins of equal width",
)


# --- Further figures of the same confidences ------------------------------------------------------


def _square_of_the_answer(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
    confidence, right = _confidence(sample, responses)
    return ((confidence - right) ** 2,)


def _maximum_calibration_error(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
    """The largest |accuracy - confidence| of a bin."""
    confidence, correct = statistics[:, 0], statistics[:, 1]
    member = np.eye(BINS)[_bins(confidence)]
    gaps = np.abs(divide(weights @ (member * (correct - confidence)[:, None]), weights @ member))
    return np.where(np.isnan(gaps).all(axis=1), np.nan, np.nan_to_num(gaps).max(axis=1))


def _error_of_equal_bins(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
    """The mean over samples of |accuracy - confidence| of ten bins of about equal numbers.

    Where bins end is decided by all samples alike, also for resamples of them. Equal confidences
    stay together.
    """
    confidence, correct = statistics[:, 0], statistics[:, 1]
    parts = np.array_split(np.sort(confidence), min(BINS, len(confidence)))
    ends = np.unique([(one[-1] + after[0]) / 2 for one, after in pairwise(parts)])
    member = np.eye(len(ends) + 1)[np.searchsorted(ends, confidence)]
    gaps = np.abs(weights @ (member * (correct - confidence)[:, None]))
    return divide(gaps.sum(axis=1), weights.sum(axis=1))


def _surest_first(statistics: Statistics, weights: Weights) -> tuple[Weights, Values]:
    """Weights (b, n) in the order of falling confidence; accuracy (b, n) of each answer and those
    before it.
    """
    order = np.argsort(-statistics[:, 0], kind="stable")
    ordered = weights[:, order]
    right = np.cumsum(ordered * statistics[order, 1], axis=1)
    return ordered, divide(right, np.cumsum(ordered, axis=1))


def _coverage_accuracy_area(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
    """The mean accuracy of the surest answers, over all numbers of them."""
    ordered, accuracies = _surest_first(statistics, weights)
    return divide((ordered * np.nan_to_num(accuracies)).sum(axis=1), ordered.sum(axis=1))


def _accuracy_of_the_surest(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
    """The accuracy of the first answers that are more than a tenth of all."""
    ordered, accuracies = _surest_first(statistics, weights)
    enough = np.cumsum(ordered, axis=1) > 0.1 * ordered.sum(axis=1, keepdims=True)
    found = accuracies[np.arange(len(accuracies)), enough.argmax(axis=1)]
    return np.where(enough.any(axis=1), found, np.nan)


BRIER_OF_THE_ANSWER = Metric(
    "brier_answer",
    measure=_square_of_the_answer,
    aggregate=mean(),
    higher_is_better=False,
    signature="binary, softmax over options: right or wrong, and how sure",
)
MAXIMUM_CALIBRATION_ERROR = Metric(
    "mce",
    measure=_confidence,
    aggregate=_maximum_calibration_error,
    higher_is_better=False,
    signature=f"softmax over options, {BINS} bins of equal width",
)
ECE_OF_EQUAL_BINS = Metric(
    "ece_equal_mass",
    measure=_confidence,
    aggregate=_error_of_equal_bins,
    higher_is_better=False,
    signature=f"softmax over options, {BINS} bins of equal numbers",
)
SELECTIVE_AREA = Metric(
    "selective_area",
    measure=_confidence,
    aggregate=_coverage_accuracy_area,
    signature="softmax over options, area under coverage and accuracy",
)
SELECTIVE_ACCURACY = Metric(
    "selective_acc_10",
    measure=_confidence,
    aggregate=_accuracy_of_the_surest,
    signature="softmax over options, accuracy of the tenth of which it is surest",
)


# --- For a diagram --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bin:
    """The samples whose confidence is above `low`, and at most `high`."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def reliability(statistics: Statistics) -> list[Bin]:
    """What a reliability diagram shows, by the statistics (n, 2) of `ece`, without empty bins."""
    confidence, correct = statistics[:, 0], statistics[:, 1]
    places = _bins(confidence)
    return [
        Bin(
            low=place / BINS,
            high=(place + 1) / BINS,
            n=int((places == place).sum()),
            confidence=float(confidence[places == place].mean()),
            accuracy=float(correct[places == place].mean()),
        )
        for place in sorted(set(places.tolist()))
    ]
