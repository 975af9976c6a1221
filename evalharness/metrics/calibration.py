"""Calibration of multiple choice: is a model as often right as it is sure?

The confidence of an answer is its share of the probability of all options, by the log-likelihoods
that `acc` compares. Sources: Brier 1950 (the multi-class score, 0 to 2, as lm-evaluation-harness
has it; the binary one is half of it for two options); Guo et al. 2017 (expected calibration error,
ten bins of equal width, each without its lower end but for the first).
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
