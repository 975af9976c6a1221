"""Differences agree with scipy, statsmodels and sacrebleu, and say what they are about."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evalharness.records import Metric
from evalharness.statistics.intervals import paired_proportions
from evalharness.statistics.paired import compare_pair, mcnemar, sign_flips
from evalharness.statistics.summaries import summarize
from tests.statistics.populations import (
    BLEU,
    MEAN,
    POPULATIONS,
    column,
    f1_scores,
    segments,
)

# --- Agreement with other tools ------------------------------------------------------------------


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_that_of_statsmodels(gained: int, lost: int) -> None:
    from statsmodels.stats.contingency_tables import mcnemar as theirs

    exact = gained + lost < 25
    if not exact and abs(gained - lost) < 1:
        # Their correction for continuity goes beyond no difference at all.
        assert mcnemar(gained, lost) == 1.0
        return
    expected = theirs([[5, gained], [lost, 5]], exact=exact, correction=True).pvalue
    assert mcnemar(gained, lost) == pytest.approx(expected)


def test_paired_proportions_are_those_of_the_book_on_contingency_tables() -> None:
    """Complete response before and after a therapy (Cavo et al. 2012), of 161 patients: figures
    that the R package contingencytables (Fagerland, Lydersen & Laake 2017, ch. 8) is tested by.
    """
    low, high = paired_proportions(6, 16, 161, 0.95)
    assert (round(low, 4), round(high, 4)) == (-0.1195, -0.0032)
    assert round(mcnemar(6, 16), 6) == 0.052479


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=10))
def test_sign_flips_of_few_samples_are_scipys_exact_test(differences: list[int]) -> None:
    values = np.array(differences, dtype=float)
    expected = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    found = sign_flips(values, np.arange(len(values)), seed=0)
    assert found == pytest.approx(expected.pvalue)


def test_sign_flips_of_many_samples_are_scipys_within_the_error_of_chance() -> None:
    values = np.random.default_rng(9).normal(0.15, 1, 80)
    expected = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=20_000, rng=1
    )
    found = sign_flips(values, np.arange(80), seed=0)
    assert found == pytest.approx(expected.pvalue, abs=0.015)


def test_the_interval_of_a_mean_difference_is_scipys_paired_t() -> None:
    generator = np.random.default_rng(10)
    first, second = f1_scores(generator, 50), f1_scores(generator, 50)
    found = compare_pair(MEAN, first, second, np.arange(50), seed=0, levels=(0.95, 0.8))
    for level in (0.95, 0.8):
        expected = stats.ttest_rel(first[:, 0], second[:, 0]).confidence_interval(level)
        assert found.intervals[level] == pytest.approx(tuple(expected))


def sentences(seed: int, kept: float) -> list[str]:
    """Sentences of made-up words, of which a share is that of the reference."""
    generator, choice = np.random.default_rng(0), np.random.default_rng(seed)
    made = []
    for _ in range(150):
        reference = generator.integers(0, 40, generator.integers(5, 20))
        words = [word if choice.random() < kept else choice.integers(0, 40) for word in reference]
        made.append(" ".join(f"w{word}" for word in words))
    return made


def sacrebleus(kind: str, rounds: int) -> tuple[list[np.ndarray], list[Any]]:
    """Statistics of two systems of 150 segments, and what sacrebleu's paired test says of them."""
    import sacrebleu.metrics
    from sacrebleu.significance import PairedTest

    references, first, second = sentences(1, 1.0), sentences(2, 0.80), sentences(3, 0.78)
    scorer = sacrebleu.metrics.BLEU(references=[references])
    systems = [("first", first), ("second", second)]
    test = PairedTest(systems, {"BLEU": scorer}, None, kind, n_samples=rounds)
    statistics = [
        np.array(scorer._extract_corpus_statistics(texts, None), float) for texts in (first, second)
    ]
    return statistics, test()[1]["BLEU"]


def test_bleu_is_swapped_as_sacrebleu_swaps_it() -> None:
    """Approximate randomisation: p within the error of chance of 10,000 rounds."""
    (first, second), theirs = sacrebleus("ar", 10_000)
    found = compare_pair(BLEU, first, second, np.arange(150), seed=0)
    assert found.values == pytest.approx([one.score for one in theirs])
    assert found.p_value == pytest.approx(theirs[1].p_value, abs=0.02)
    assert 0.01 < found.p_value < 0.9


def test_bleu_is_resampled_as_sacrebleu_resamples_it() -> None:
    """With the very resamples of its paired bootstrap: the same p, mean and interval; with our own,
    an interval of the same width but for chance and for what widens it.
    """
    own, theirs = sacrebleus("bs", 1000)
    groups = np.arange(150)
    drawn = np.random.default_rng(12345).choice(150, size=(1000, 150), replace=True)
    weights = np.stack([np.bincount(some, minlength=150) for some in drawn]).astype(float)
    scores = [BLEU.aggregate(one, weights, groups) for one in own]
    low, high = np.sort(scores[1])[[25, -26]]
    assert scores[1].mean() == pytest.approx(theirs[1].mean)
    assert (high - low) / 2 == pytest.approx(theirs[1].ci)
    distances = np.abs(scores[1] - scores[0])
    observed = abs(theirs[1].score - theirs[0].score)
    further = int((distances - distances.mean() > observed).sum())
    assert (1 + further) / 1001 == pytest.approx(theirs[1].p_value)

    (summary,) = summarize([(BLEU, own[1])], groups, seed=0)
    assert summary.interval is not None
    width = (summary.interval[1] - summary.interval[0]) / 2
    assert width == pytest.approx(theirs[1].ci, rel=0.1)


# --- What is said of two models ------------------------------------------------------------------


def test_equal_models_do_not_differ_but_that_is_not_certain() -> None:
    """An interval without width would let every gate pass or fail for sure."""
    generator = np.random.default_rng(11)
    for metric, one in ((MEAN, f1_scores(generator, 30)), (BLEU, segments(generator, 30)),
                        (MEAN, column(generator.random(30) < 0.5))):  # fmt: skip
        found = compare_pair(metric, one, one, np.arange(30), seed=0)
        low, high = found.intervals[0.95]
        assert (found.difference, found.samples, found.p_value) == (0.0, (0, 30, 0), 1.0)
        assert low < 0 < high


def test_wins_are_counted_by_sample_also_for_a_metric_of_the_corpus() -> None:
    better, worse = segments(np.random.default_rng(1), 20), segments(np.random.default_rng(1), 20)
    better[:5, 2:6] = better[:5, 6:]  # all n-grams of five segments match
    found = compare_pair(BLEU, better, worse, np.arange(20), seed=0)
    assert found.samples == (5, 15, 0)


def test_where_single_samples_say_nothing_none_are_counted() -> None:
    """ICAT of one triple is 0 for every model."""
    population = POPULATIONS["ICAT"]
    first, second = (population.draw(np.random.default_rng(seed), 30) for seed in (1, 2))
    found = compare_pair(population.metric, first, second, population.groups(30), seed=0)
    assert found.difference != 0
    assert found.samples is None


def test_a_metric_that_compares_samples_whatever_their_weights_is_not_swapped() -> None:
    """Its samples of both models would be compared with each other."""

    def spread(statistics: Any, weights: Any, _groups: Any) -> Any:
        return np.full(len(weights), np.ptp(statistics)) + 0 * weights.sum(axis=1)

    metric = Metric("spread", MEAN.measure, spread, bounds=(0.0, 10.0))
    first, second = (column(np.random.default_rng(2).random(30) * scale) for scale in (1, 2))
    found = compare_pair(metric, first, second, np.arange(30), seed=0)
    assert found.test == "t, by the paired bootstrap"
    pair = [segments(np.random.default_rng(seed), 30) for seed in (1, 2)]
    found = compare_pair(BLEU, pair[0], pair[1], np.arange(30), seed=0)
    assert found.test == "approximate randomisation"


@given(st.integers(0, 1000))
def test_to_exchange_the_models_turns_the_difference_round(seed: int) -> None:
    generator = np.random.default_rng(seed)
    first, second = f1_scores(generator, 12), f1_scores(generator, 12)
    there, back = (
        compare_pair(MEAN, *pair, np.arange(12), seed=0)
        for pair in ((first, second), (second, first))
    )
    assert there.difference == pytest.approx(-(back.difference or 0.0))
    assert there.p_value == back.p_value
    low, high = there.intervals[0.95]
    assert back.intervals[0.95] == pytest.approx((-high, -low))
    assert there.samples == (back.samples or ())[::-1]


def test_one_cluster_or_an_undefined_score_cannot_be_tested() -> None:
    one = column(np.array([0.0, 1.0, 1.0]))
    found = compare_pair(MEAN, one, 1 - one, np.zeros(3, dtype=np.int64), seed=0)
    assert found.intervals == {}
    assert np.isnan(found.p_value)
    population = POPULATIONS["ratio of sums"]
    nothing = np.zeros((3, 2))
    found = compare_pair(population.metric, nothing, nothing, np.arange(3), seed=0)
    assert (found.difference, found.intervals) == (None, {})


def test_percent_and_shares_are_compared_alike() -> None:
    """A factor of 100 changes the units and nothing else, McNemar's test included."""
    from evalharness.metrics.aggregation import mean

    percent = Metric("percent", MEAN.measure, mean(scale=100.0), bounds=(0.0, 100.0))
    generator = np.random.default_rng(12)
    first, second = (column(generator.random(60) < share) for share in (0.4, 0.6))
    shares, percents = (
        compare_pair(metric, first, second, np.arange(60), seed=0) for metric in (MEAN, percent)
    )
    assert percents.difference == pytest.approx(100 * (shares.difference or 0.0))
    assert percents.intervals[0.95] == pytest.approx(
        tuple(100 * end for end in shares.intervals[0.95])
    )
    assert (percents.test, percents.p_value) == (shares.test, shares.p_value)
    assert shares.test.startswith("McNemar")


@pytest.mark.parametrize("name", ["means", "corpora"])
def test_a_run_beside_itself_is_as_sure_as_one_of_rights_and_wrongs(name: str) -> None:
    """A thousand equal answers left a difference of 6 points of BLEU open, and of an F1 too: no
    gate of non-inferiority let the very same run pass.
    """
    generator, groups = np.random.default_rng(0), np.arange(1000)
    metric, statistics = {
        "means": (MEAN, f1_scores(generator, 1000)),
        "corpora": (BLEU, segments(generator, 1000, generator.beta(4, 4, 1000))),
    }[name]
    found = compare_pair(metric, statistics, statistics, groups, seed=0)
    low, high = found.intervals[0.95]
    assert -low == high < 0.004 * metric.bounds[1]
    assert (found.difference, found.p_value, found.samples) == (0.0, 1.0, (0, 1000, 0))
