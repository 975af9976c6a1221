"""Intervals agree with scipy, respect groups, and never claim certainty."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from evalharness.metrics.aggregation import mean, ratio_of_sums
from evalharness.records import Groups, Metric, Statistics, Values, Weights
from evalharness.statistics.resampling import bootstrap_distributions, bootstrap_weights
from evalharness.statistics.summaries import Summary, summarize

MEAN = Metric("mean", lambda _sample, _responses: (0.0,), mean(), bounds=(0.0, 1.0))
RATIO = Metric("ratio", lambda _sample, _responses: (0.0, 0.0), ratio_of_sums())


def column(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=float)[:, None]


def summary_of(
    metric: Metric, statistics: np.ndarray, groups: np.ndarray, *, seed: int, replicates: int = 1000
) -> Summary:
    (summary,) = summarize([(metric, statistics)], groups, seed=seed, replicates=replicates)
    return summary


def test_interval_of_a_mean_agrees_with_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(0).beta(2, 5, 200)
    ours = summary_of(MEAN, column(values), np.arange(200), seed=1, replicates=20_000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    )
    assert ours.interval == pytest.approx(tuple(theirs.confidence_interval), abs=1e-3)
    assert ours.stderr == pytest.approx(theirs.standard_error, rel=0.03)
    assert ours.value == pytest.approx(values.mean())


def test_95_percent_intervals_of_a_mean_hold_the_truth_about_95_times_in_100() -> None:
    generator = np.random.default_rng(3)
    held = 0
    for trial in range(400):
        values = generator.random(100) < 0.3
        interval = summary_of(MEAN, column(values), np.arange(100), seed=trial).interval
        assert interval is not None
        held += interval[0] <= 0.3 <= interval[1]
    assert 0.92 <= held / 400 <= 0.975


def test_samples_of_one_group_are_not_counted_as_independent() -> None:
    values = np.repeat(np.random.default_rng(4).random(20), 10)
    groups = np.repeat(np.arange(20), 10)
    grouped = summary_of(MEAN, column(values), groups, seed=0)
    alone = summary_of(MEAN, column(values), np.arange(200), seed=0)
    assert grouped.stderr is not None
    assert alone.stderr is not None
    assert grouped.stderr == pytest.approx(alone.stderr * np.sqrt(10), rel=0.15)


def test_groups_are_drawn_whole_and_as_many_as_there_are() -> None:
    groups = np.array([7, 7, 3, 9, 9, 9])
    weights = np.concatenate(list(bootstrap_weights(groups, seed=0, replicates=50)))
    assert weights.shape == (50, 6)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_a_seed_gives_the_same_distribution_and_another_seed_another() -> None:
    values, groups = column(np.random.default_rng(5).random(50)), np.arange(50)
    first, again, other = (
        bootstrap_distributions([(MEAN, values)], groups, seed=seed, replicates=100)[0]
        for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("right", [0, 10])
def test_ten_of_ten_is_not_certainty(right: int) -> None:
    """All resamples are equal then; the interval is Wilson's, as statsmodels and R give it."""
    values = column(np.ones(10) if right else np.zeros(10))
    summary = summary_of(MEAN, values, np.arange(10), seed=0)
    exact = stats.binomtest(right, 10).proportion_ci(method="wilson")
    assert summary.interval == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize("value", [0.1, 0.3, 0.7, 0.9, 1.0])
@pytest.mark.parametrize("samples", [7, 30, 99])
def test_equal_scores_of_all_samples_are_not_certainty_whatever_rounding_makes_of_them(
    value: float, samples: int
) -> None:
    """The mean of thirty times .9 is not quite .9: intervals had a width of 1e-16, and a percentage
    whose mean is rounded so ended with a division by zero.
    """
    for groups in (np.arange(samples), np.arange(samples) // 3):
        for factor in (1.0, 100.0, 100 / 3):
            metric = scaled(factor)
            equal = column(np.full(samples, value))
            interval = summary_of(metric, equal, groups, seed=0).interval
            assert interval is not None
            low, high = interval
            assert low <= factor * value * (1 + 1e-15)
            assert factor * value * (1 - 1e-15) <= high
            assert high - low > factor / samples


def scaled(factor: float) -> Metric:
    """A mean in other units."""

    def aggregate(statistics: Statistics, weights: Weights, groups: Groups) -> Values:
        return factor * MEAN.aggregate(statistics, weights, groups)

    return replace(MEAN, aggregate=aggregate, bounds=(0.0, factor))


def test_one_sample_or_one_group_has_no_interval() -> None:
    assert summary_of(MEAN, column(np.ones(1)), np.arange(1), seed=0).interval is None
    one_group = summary_of(MEAN, column(np.array([0.0, 1.0])), np.zeros(2, dtype=int), seed=0)
    assert (one_group.value, one_group.interval) == (0.5, None)


def test_an_undefined_score_is_none_and_not_zero() -> None:
    summary = summary_of(RATIO, np.zeros((5, 2)), np.arange(5), seed=0)
    assert (summary.value, summary.interval, summary.stderr) == (None, None, None)


def test_resamples_in_which_a_ratio_is_undefined_are_left_out() -> None:
    statistics = np.zeros((4, 2))
    statistics[0] = (1, 2)
    summary = summary_of(RATIO, statistics, np.arange(4), seed=0)
    assert summary.value == 0.5
    assert summary.interval is not None
    assert not any(np.isnan(summary.interval))


def test_metrics_that_are_summarized_together_are_so_as_alone_and_are_paired() -> None:
    """One metric that is undefined does not keep the others from an interval."""
    generator, groups = np.random.default_rng(6), np.arange(40) % 13
    values, none = column(generator.random(40)), np.zeros((40, 2))
    measured = [(MEAN, values), (RATIO, none), (MEAN, 1 - values)]
    together = summarize(measured, groups, seed=7)
    assert together == [summary_of(*one, groups, seed=7) for one in measured]
    assert together[1].value is None
    first, _, opposite = bootstrap_distributions(measured, groups, seed=7, replicates=100)
    assert first + opposite == pytest.approx(np.ones(100))
