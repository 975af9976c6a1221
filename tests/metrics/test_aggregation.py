"""Every metric is a function of weighted sums: what holds for weights holds for resamples."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.metrics.aggregation import divide, group_means, mean, ratio_of_sums
from evalharness.metrics.bias import ICAT, LMS, PAIR_PREFERENCE, SS
from evalharness.metrics.multiple_choice import ACCURACY
from evalharness.metrics.perplexity import BITS_PER_BYTE, WORD_PERPLEXITY
from evalharness.metrics.placeholders import PLACEHOLDERS_KEPT
from evalharness.metrics.question_answering import TOKEN_F1
from evalharness.metrics.rouge import ROUGE_1
from evalharness.metrics.translation import bleu, chrf, ter
from evalharness.records import Metric

# A metric, and how many statistics a sample of it has.
METRICS = [
    (ACCURACY, 1),
    (TOKEN_F1, 1),
    (ROUGE_1, 1),
    (PAIR_PREFERENCE, 1),
    (PLACEHOLDERS_KEPT, 2),
    (bleu("de"), 10),
    (chrf(2), 24),
    (ter(), 2),
    (WORD_PERPLEXITY, 2),
    (BITS_PER_BYTE, 2),
    (LMS, 3),
    (SS, 3),
    (ICAT, 3),
]
names = pytest.mark.parametrize(
    ("metric", "width"), METRICS, ids=lambda one: getattr(one, "name", "")
)


def corpus_of(width: int, rows: Sequence[int]) -> np.ndarray:
    """Plausible counts, from seeds: small whole numbers."""
    return np.array([np.random.default_rng(row).integers(0, 9, width) for row in rows], dtype=float)


ROWS = st.lists(st.integers(0, 1000), min_size=1, max_size=12)


def value(metric: Metric, statistics: np.ndarray, weights: np.ndarray, groups: np.ndarray) -> float:
    return float(metric.aggregate(statistics, weights[None, :].astype(float), groups)[0])


@names
@given(rows=ROWS, counts=st.lists(st.integers(0, 3), min_size=12, max_size=12))
def test_weights_as_counts_score_as_the_repeated_samples(
    metric: Metric, width: int, rows: list[int], counts: list[int]
) -> None:
    statistics = corpus_of(width, rows)
    weights = np.array(counts[: len(rows)])
    weights[0] += 1
    groups = np.arange(len(rows)) if width != 3 else np.zeros(len(rows), dtype=int)
    repeated = np.repeat(np.arange(len(rows)), weights)
    expected = value(metric, statistics[repeated], np.ones(len(repeated)), groups[repeated] * 0)
    if width == 3:
        assert value(metric, statistics, weights, groups) == pytest.approx(expected, nan_ok=True)
    else:
        assert value(metric, statistics, weights, groups) == pytest.approx(expected, nan_ok=True)


@names
@given(rows=ROWS)
def test_order_and_doubling_change_nothing(metric: Metric, width: int, rows: list[int]) -> None:
    statistics, groups = corpus_of(width, rows), np.array([row % 3 for row in rows])
    ones = np.ones(len(rows))
    plain = value(metric, statistics, ones, groups)
    assert value(metric, statistics[::-1], ones, groups[::-1]) == pytest.approx(plain, nan_ok=True)
    doubled = value(metric, statistics, 2 * ones, groups)
    # BLEU's smoothing adds a constant to the counts, and so depends on how many there are.
    if metric.name != "bleu":
        assert doubled == pytest.approx(plain, nan_ok=True)


def test_group_means_weigh_every_group_the_same() -> None:
    statistics = np.array([[1.0], [0.0], [0.0], [0.0], [1.0]])
    groups = np.array([0, 1, 1, 1, 1])
    assert group_means(statistics, np.ones((1, 5)), groups) == pytest.approx((1 + 0.25) / 2)


def test_a_group_that_is_drawn_twice_counts_twice() -> None:
    statistics = np.array([[1.0], [0.0], [1.0]])
    groups = np.array([0, 1, 1])
    weights = np.array([[2.0, 1.0, 1.0]])
    assert group_means(statistics, weights, groups) == pytest.approx((1 + 1 + 0.5) / 3)


def test_undefined_is_nan_without_a_warning() -> None:
    zeros, none = np.zeros((2, 2)), np.zeros(2, dtype=int)
    assert np.isnan(ratio_of_sums()(zeros, np.ones((1, 2)), none)).all()
    assert np.isnan(mean()(zeros, np.zeros((1, 2)), none)).all()
    assert np.isnan(divide(np.ones(1), np.zeros(1))).all()
