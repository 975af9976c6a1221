"""Paired tests raise a false alarm at most 5.5 times in 100, and find more than unpaired ones.

Every simulation has the generator default_rng(0), and none was chosen for its result. Of 20,000
trials, a test that is wrong 5 times in 100 is found above 5.5 less than once in 1,500 tests. Rounds
are so few that the tests are quick, and so many that p = .05 can be reached exactly: were it not,
a test that raises too many alarms could pass for a good one.
"""

import numpy as np
import pytest
from scipy import stats

from evalharness.statistics.corrections import holm
from evalharness.statistics.paired import mcnemar, sign_flips, swaps
from evalharness.statistics.ranking import rank_models
from tests.statistics.populations import (
    BLEU,
    MEAN,
    POPULATIONS,
    column,
    f1_scores,
    ones,
    segments,
    unequal,
)

ALPHA, AT_MOST = 0.05, 0.055
TRIALS = 20_000


def rejected(p_values: list[float]) -> float:
    return float(np.mean(np.array(p_values) <= ALPHA))


@pytest.mark.parametrize("number", [30, 100])
def test_sign_flips_find_what_is_not_there_in_at_most_5_5_percent(number: int) -> None:
    generator, groups = np.random.default_rng(0), np.arange(number)
    p_values = []
    for trial in range(TRIALS):
        first, second = f1_scores(generator, number), f1_scores(generator, number)
        p_values.append(sign_flips((first - second)[:, 0], groups, seed=trial, rounds=99))
    assert 0.045 <= rejected(p_values) <= AT_MOST, rejected(p_values)


@pytest.mark.parametrize("name", ["binary in clusters", "binary in unequal clusters"])
def test_sign_flips_of_clusters_are_not_fooled_by_many_samples_of_a_cluster(name: str) -> None:
    """Flipped one by one, samples of 40 passages find far too much."""
    population, generator = POPULATIONS[name], np.random.default_rng(0)
    groups = population.groups(40)
    clustered, single = [], []
    for trial in range(TRIALS):
        difference = population.draw(generator, 40) - population.draw(generator, 40)
        clustered.append(sign_flips(difference[:, 0], groups, seed=trial, rounds=99))
        if trial < 1000:
            alone = np.arange(len(groups))
            single.append(sign_flips(difference[:, 0], alone, seed=trial, rounds=99))
    assert rejected(clustered) <= AT_MOST, rejected(clustered)
    assert rejected(single) > 0.1, rejected(single)


@pytest.mark.parametrize("number", [30, 100, 1000])
@pytest.mark.parametrize("discordant", [0.02, 0.1, 0.3, 0.6])
def test_mcnemar_finds_what_is_not_there_in_at_most_5_5_percent(
    number: int, discordant: float
) -> None:
    """Exactly, over all results of models that differ on such a share of the samples by chance.
    The correction for continuity keeps it below 5: it errs on the safe side.
    """
    found = 0.0
    for differing in range(number + 1):
        chance = stats.binom.pmf(differing, number, discordant)
        if chance > 1e-9:
            ups = np.arange(differing + 1)
            alarms = [mcnemar(int(up), int(differing - up)) <= ALPHA for up in ups]
            found += chance * stats.binom.pmf(ups, differing, 0.5)[alarms].sum()
    assert found <= AT_MOST, found


def test_swaps_of_bleu_find_what_is_not_there_in_at_most_5_5_percent() -> None:
    generator, groups = np.random.default_rng(0), np.arange(40)
    p_values = []
    for trial in range(TRIALS):
        quality = generator.beta(4, 4, 40)
        first, second = segments(generator, 40, quality), segments(generator, 40, quality)
        p_values.append(swaps(BLEU, first, second, groups, seed=trial, rounds=19))
    assert 0.045 <= rejected(p_values) <= AT_MOST, rejected(p_values)


def test_of_many_families_of_true_null_hypotheses_holm_rejects_any_in_at_most_5_5_percent() -> None:
    """Five tasks, of which none differs: uncorrected, 2 families in 10 have a finding."""
    generator, groups = np.random.default_rng(0), np.arange(20)
    corrected, raw = [], []
    for trial in range(TRIALS):
        differences = generator.normal(size=(5, 20))
        p_values = [
            sign_flips(one, groups, seed=5 * trial + task, rounds=99)
            for task, one in enumerate(differences)
        ]
        corrected.append(float(holm(p_values).min()))
        raw.append(min(p_values))
    assert rejected(corrected) <= AT_MOST, rejected(corrected)
    assert rejected(raw) > 0.2, rejected(raw)


@pytest.mark.parametrize("sizes", ["equal", "unequal"])
def test_equal_models_are_rarely_told_apart(sizes: str) -> None:
    """Of four models that are alike, some are told apart on at most 5.5 % of boards: also where few
    passages have most questions, by which 7 % were, before tests counted fewer degrees of freedom.
    """
    generator = np.random.default_rng(0)
    questions = ones(60) if sizes == "equal" else unequal(60)
    groups = np.repeat(np.arange(60), questions)
    wrong = []
    for _ in range(TRIALS // 4):
        models = [
            column(np.repeat(generator.random(60), questions) + generator.random(len(groups)))
            for _ in range(4)
        ]
        standings = rank_models(MEAN, models, groups, seed=0, alpha=ALPHA)
        wrong.append(any(one.ranks != (1, 4) for one in standings))
    assert np.mean(wrong) <= AT_MOST, np.mean(wrong)


def test_pairing_finds_more_than_the_unpaired_test() -> None:
    """Both models find the same questions hard; the second is better by four points."""
    generator, groups = np.random.default_rng(0), np.arange(100)
    paired, unpaired = [], []
    for trial in range(1000):
        hard = generator.beta(1, 1, 100)
        first = np.clip(hard + generator.normal(0, 0.1, 100), 0, 1)
        second = np.clip(hard + generator.normal(0.04, 0.1, 100), 0, 1)
        paired.append(sign_flips(second - first, groups, seed=trial, rounds=199))
        unpaired.append(float(stats.ttest_ind(first, second).pvalue))
    assert rejected(paired) > 0.6, rejected(paired)
    assert rejected(unpaired) < 0.2, rejected(unpaired)
