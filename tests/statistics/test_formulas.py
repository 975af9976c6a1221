"""Small formulas agree with scipy and statsmodels."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evalharness.records import Metric
from evalharness.statistics.clusters import degrees_of_freedom, standard_error
from evalharness.statistics.corrections import benjamini_hochberg, holm
from evalharness.statistics.intervals import (
    bca,
    clustered_wilson,
    percentile,
    t_interval,
    widened_level,
    wilson,
)
from evalharness.statistics.power import samples_needed, smallest_detectable_effect
from evalharness.statistics.samplewise import mean_scores, sample_scores
from evalharness.statistics.task_means import (
    mean_of_families,
    mean_of_samples,
    mean_of_tasks,
)
from tests.statistics.populations import BLEU, MEAN, POPULATIONS, f1_scores, segments


@given(st.integers(1, 500), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_is_that_of_statsmodels(n: int, share: float, level: float) -> None:
    from statsmodels.stats.proportion import proportion_confint

    right = round(share * n)
    expected = proportion_confint(right, n, alpha=1 - level, method="wilson")
    assert wilson(right / n, n, level) == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 10_000), st.integers(2, 12))
def test_the_clustered_standard_error_is_that_of_statsmodels(seed: int, clusters: int) -> None:
    import statsmodels.api

    generator = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(clusters), generator.integers(0, clusters, 20)])
    values = generator.random(len(groups)) + groups
    fitted = statsmodels.api.OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": groups}
    )
    assert standard_error(values, groups) == pytest.approx(fitted.bse[0])
    plain = standard_error(values, groups, corrected=False)
    assert plain == pytest.approx(fitted.bse[0] * np.sqrt((clusters - 1) / clusters))


def test_the_standard_error_of_single_samples_is_the_usual_one_and_of_one_cluster_none() -> None:
    values = np.random.default_rng(0).random(30)
    assert standard_error(values, np.arange(30)) == pytest.approx(stats.sem(values))
    assert np.isnan(standard_error(values, np.zeros(30, dtype=np.int64)))


def test_the_t_interval_is_scipys() -> None:
    values = np.random.default_rng(1).random(12)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    found = t_interval(float(values.mean()), float(stats.sem(values)), 11, 0.9)
    assert found == pytest.approx(tuple(expected))


@pytest.mark.parametrize("method", ["BCa", "percentile"])
def test_bootstrap_intervals_are_scipys_on_the_same_resamples(method: str) -> None:
    values = np.random.default_rng(2).lognormal(size=40)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=3000, method=method, rng=3)
    draws = theirs.bootstrap_distribution
    left_out = np.array([np.delete(values, place).mean() for place in range(40)])
    found = percentile(draws, 0.95)
    if method == "BCa":
        found = bca(float(values.mean()), draws, left_out, 0.95)
    assert found == pytest.approx(tuple(theirs.confidence_interval))


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40))
def test_degrees_of_freedom_are_between_one_and_one_less_than_the_clusters(
    values: list[float],
) -> None:
    found = degrees_of_freedom(np.array(values))
    assert 1 <= found <= len(values) - 1
    assert degrees_of_freedom(np.array([*values, np.nan])) == found
    shifted = degrees_of_freedom(2.5 - 3 * np.array(values))
    assert shifted == pytest.approx(found, rel=1e-3) or np.ptp(values) < 1e-6


def test_degrees_of_freedom_are_those_that_the_variance_shows() -> None:
    """The variance of s^2 is 2 sigma^4 / degrees: of 40 values, exponential ones leave 9.8 of 39
    (their kurtosis is 9), and normal ones all.
    """
    generator = np.random.default_rng(0)
    for drawn, kurtosis in ((generator.normal(size=(20_000, 40)), 3.0),
                            (generator.exponential(size=(20_000, 40)), 9.0)):  # fmt: skip
        expected = 2 * 40 / (kurtosis - 37 / 39)
        shown = 2 / drawn.var(axis=1, ddof=1).var()
        assert shown == pytest.approx(expected, rel=0.1)
    many = degrees_of_freedom(np.random.default_rng(0).exponential(size=1_000_000))
    assert many == pytest.approx(2 * 1e6 / 8, rel=0.1)


@given(st.integers(3, 500))
def test_widened_percentiles_of_normal_resamples_are_the_t_interval(n: int) -> None:
    """What Hesterberg (2015) widens them for: resamples of a mean vary too little."""
    spread = np.sqrt((n - 1) / n)
    tail = (1 - widened_level(0.95, n, n - 1)) / 2
    low, high = stats.norm.ppf([tail, 1 - tail], scale=spread)
    assert (low, high) == pytest.approx(t_interval(0.0, 1.0, n - 1, 0.95), rel=1e-6)


@given(st.integers(2, 40), st.integers(2, 10), st.floats(0.01, 0.99))
def test_clusters_never_narrow_wilsons_interval(clusters: int, size: int, share: float) -> None:
    n = clusters * size
    independent = np.sqrt(share * (1 - share) / n)
    low, high = wilson(share, n, 0.95)
    for design in (0.5, 1.0, 2.0):
        found = clustered_wilson(share, design * independent, n, clusters, clusters - 1, 0.95)
        assert found[0] <= low + 1e-12
        assert found[1] >= high - 1e-12


P_VALUES = st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), min_size=1, max_size=12)


@settings(max_examples=50)
@given(P_VALUES)
def test_corrections_are_those_of_statsmodels_and_undefined_tests_are_not_counted(
    p_values: list[float],
) -> None:
    from statsmodels.stats.multitest import multipletests

    given_values = np.array(p_values)
    defined = ~np.isnan(given_values)
    for ours, name in ((holm, "holm"), (benjamini_hochberg, "fdr_bh")):
        found = ours(p_values)
        assert np.isnan(found[~defined]).all()
        if defined.any():
            expected = multipletests(given_values[defined], method=name)[1]
            assert found[defined] == pytest.approx(expected)


@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_the_smallest_detectable_effect_has_the_power_that_statsmodels_says(power: float) -> None:
    from statsmodels.stats.power import NormalIndPower

    effect = smallest_detectable_effect(1 / np.sqrt(80), power=power)
    found = NormalIndPower().power(effect, nobs1=80, alpha=0.05, ratio=0)
    assert found == pytest.approx(power, abs=1e-4)


@pytest.mark.parametrize("effect", [0.02, 0.1])
def test_as_many_samples_are_needed_as_statsmodels_says(effect: float) -> None:
    """Of differences with a standard deviation of .5, of which 80 have been seen."""
    from statsmodels.stats.power import NormalIndPower

    expected = NormalIndPower().solve_power(effect / 0.5, alpha=0.05, power=0.8, ratio=0)
    found = samples_needed(0.5 / np.sqrt(80), 80, effect)
    assert found == pytest.approx(expected, rel=2e-3, abs=1)


def test_as_many_samples_as_are_needed_make_the_effect_detectable() -> None:
    needed = samples_needed(0.05, 100, 0.06)
    assert smallest_detectable_effect(0.05 * (100 / needed) ** 0.5) <= 0.06
    assert smallest_detectable_effect(0.05 * (100 / (needed - 1)) ** 0.5) > 0.06
    with pytest.raises(ValueError, match="difference of 0"):
        samples_needed(0.05, 100, 0.0)


def test_a_metric_is_a_mean_if_it_behaves_as_one() -> None:
    generator, groups = np.random.default_rng(3), np.arange(40)
    scores = mean_scores(MEAN, f1_scores(generator, 40), groups)
    assert scores == pytest.approx(f1_scores(np.random.default_rng(3), 40)[:, 0])
    assert mean_scores(MEAN, np.zeros((40, 1)), groups) == pytest.approx(np.zeros(40))
    for name in ("BLEU", "chrF", "ratio of sums", "ICAT"):
        population = POPULATIONS[name]
        statistics = population.draw(generator, 40)
        assert mean_scores(population.metric, statistics, population.groups(40)) is None


def test_metrics_are_probed_with_whole_numbers_of_samples() -> None:
    """One that repeats its samples, as those of evaluate's modules do, got none of them."""

    def aggregate(statistics: Any, weights: Any, _groups: Any) -> Any:
        repeated = [np.repeat(statistics[:, 0], row.astype(int)) for row in weights]
        assert all(len(one) for one in repeated)
        return np.array([np.median(one) for one in repeated])

    median = Metric("median", MEAN.measure, aggregate)
    for number in range(1, 8):
        statistics = f1_scores(np.random.default_rng(number), number)
        found = mean_scores(median, statistics, np.arange(number))
        assert number < 3 or found is None


def test_the_score_of_a_sample_alone_is_that_of_a_corpus_of_one() -> None:
    statistics = segments(np.random.default_rng(4), 300)
    found = sample_scores(BLEU, statistics, np.arange(300))
    for place in (0, 127, 128, 299):
        one = statistics[place : place + 1]
        assert found[place] == BLEU.aggregate(one, np.ones((1, 1)), np.zeros(1, dtype=np.int64))[0]


def test_means_over_tasks_weigh_tasks_families_or_samples_alike() -> None:
    draws = [np.array([0.0, 1.0]), np.array([1.0, 2.0]), np.array([5.0, 6.0])]
    tasks = mean_of_tasks([0.5, 1.5, 5.5], draws, 0.95)
    families = mean_of_families([0.5, 1.5, 5.5], draws, ["a", "a", "b"], 0.95)
    assert tasks.value == pytest.approx(2.5)
    assert families.value == pytest.approx(3.25)
    assert families.interval == pytest.approx((2.775, 3.725))
    samples = mean_of_samples([0.5, 1.5, 5.5], draws, [1, 1, 8], 0.95)
    assert samples.value == pytest.approx((0.5 + 1.5 + 8 * 5.5) / 10)
    assert samples.interval == pytest.approx((4.125, 5.075))
    assert np.isnan(mean_of_tasks([], [], 0.95).value)


def test_a_mean_of_tasks_that_are_all_right_is_not_said_to_be_certain() -> None:
    """Resamples of right answers only are all equal, and an interval from 1 to 1 would be a lie."""
    found = mean_of_tasks([1.0, 1.0], [np.ones(50), np.ones(50)], 0.95)
    assert (found.value, found.interval) == (1.0, None)


@given(st.integers(0, 10_000), st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_the_mean_of_samples_is_that_of_all_samples_put_together(
    seed: int, sizes: list[int]
) -> None:
    """As lm-evaluation-harness weighs the tasks of a group by their size."""
    generator = np.random.default_rng(seed)
    scores = [generator.random(size) for size in sizes]
    found = mean_of_samples([one.mean() for one in scores], [one[:1] for one in scores], sizes, 0.9)
    assert found.value == pytest.approx(np.concatenate(scores).mean())
    assert found.tasks == len(sizes)
