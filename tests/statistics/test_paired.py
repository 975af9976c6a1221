"""Tests of differences: as rarely wrong as they say, stronger than unpaired ones, and agreeing."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evalharness.records import Metric
from evalharness.statistics.corrections import holm
from evalharness.statistics.paired import compare_pair, mcnemar, sign_flips, swaps
from evalharness.statistics.summaries import summarize
from tests.statistics.populations import (
    BLEU,
    MEAN,
    POPULATIONS,
    column,
    f1_scores,
    segments,
)

ALPHA, AT_MOST = 0.05, 0.055


def rejected(p_values: list[float]) -> float:
    return float(np.mean(np.array(p_values) <= ALPHA))


# --- False alarms and power ----------------------------------------------------------------------


@pytest.mark.parametrize("number", [30, 200])
def test_sign_flips_find_what_is_not_there_in_at_most_5_5_percent(number: int) -> None:
    generator, groups = np.random.default_rng(number), np.arange(number)
    p_values = []
    for trial in range(2000):
        first, second = f1_scores(generator, number), f1_scores(generator, number)
        p_values.append(sign_flips((first - second)[:, 0], groups, seed=trial, rounds=499))
    assert 0.035 <= rejected(p_values) <= AT_MOST


def test_sign_flips_of_clusters_are_not_fooled_by_many_samples_of_a_cluster() -> None:
    """Flipped one by one, samples of 40 passages find far too much."""
    population, generator = POPULATIONS["binary in clusters"], np.random.default_rng(4)
    groups, alone = population.groups(40), np.arange(200)
    clustered, single = [], []
    for trial in range(1000):
        difference = population.draw(generator, 40) - population.draw(generator, 40)
        clustered.append(sign_flips(difference[:, 0], groups, seed=trial, rounds=499))
        single.append(sign_flips(difference[:, 0], alone, seed=trial, rounds=499))
    assert rejected(clustered) <= AT_MOST
    assert rejected(single) > 0.1


@pytest.mark.parametrize("number", [30, 100, 1000])
def test_mcnemar_finds_what_is_not_there_in_at_most_5_5_percent(number: int) -> None:
    counts = np.random.default_rng(number).multinomial(number, [0.15, 0.15, 0.7], size=4000)
    assert rejected([mcnemar(*pair) for pair in counts[:, :2]]) <= AT_MOST


def test_swaps_of_bleu_find_what_is_not_there_in_at_most_5_5_percent() -> None:
    generator, groups = np.random.default_rng(66), np.arange(40)
    p_values = []
    for trial in range(4000):
        quality = generator.beta(4, 4, 40)
        first, second = segments(generator, 40, quality), segments(generator, 40, quality)
        p_values.append(swaps(BLEU, first, second, groups, seed=trial, rounds=99))
    assert 0.03 <= rejected(p_values) <= AT_MOST


def test_of_many_families_of_true_null_hypotheses_holm_rejects_any_in_at_most_5_5_percent() -> None:
    """Ten tasks, of which none differs: uncorrected, 4 families in 10 have a finding."""
    generator, groups = np.random.default_rng(77), np.arange(20)
    corrected, raw = [], []
    for trial in range(4000):
        differences = generator.normal(size=(10, 20))
        p_values = [
            sign_flips(one, groups, seed=10 * trial + task, rounds=399)
            for task, one in enumerate(differences)
        ]
        corrected.append(float(holm(p_values).min()))
        raw.append(min(p_values))
    assert rejected(corrected) <= AT_MOST
    assert rejected(raw) > 0.3


def test_pairing_finds_more_than_the_unpaired_test() -> None:
    """Both models find the same questions hard; the second is better by four points."""
    generator, groups = np.random.default_rng(8), np.arange(100)
    paired, unpaired = [], []
    for trial in range(500):
        hard = generator.beta(1, 1, 100)
        first = np.clip(hard + generator.normal(0, 0.1, 100), 0, 1)
        second = np.clip(hard + generator.normal(0.04, 0.1, 100), 0, 1)
        paired.append(sign_flips(second - first, groups, seed=trial, rounds=499))
        unpaired.append(float(stats.ttest_ind(first, second).pvalue))
    assert rejected(paired) > 0.6
    assert rejected(unpaired) < 0.2


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
