"""Ranks say what is not known; strengths agree with a generalised linear model."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.records import Metric
from evalharness.statistics.ranking import (
    bradley_terry,
    rank_intervals,
    rank_models,
    significantly_better,
    tie_groups,
    win_matrix,
    win_rates,
)
from tests.statistics.populations import BLEU, MEAN, RATIO, column, segments


def test_ranks_and_groups_of_models_that_overlap_in_a_chain() -> None:
    """The first is better than the third only: the second may be either's neighbour."""
    values = np.array([3.0, 2.0, 1.0])
    p_values = np.array([[np.nan, 0.3, 0.01], [0.3, np.nan, 0.2], [0.01, 0.2, np.nan]])
    better = significantly_better(values, p_values, 0.05)
    assert rank_intervals(better) == [(1, 2), (1, 3), (2, 3)]
    assert tie_groups(values, better) == [0, 0, 1]


def test_models_that_do_not_differ_may_have_any_rank_and_clear_ones_have_one() -> None:
    generator, groups = np.random.default_rng(0), np.arange(400)
    easy = generator.random(400)
    models = [column(easy < share) for share in (0.3, 0.6, 0.6, 0.9)]
    models[2] = models[2].copy()
    standings = rank_models(MEAN, models, groups, seed=0, alpha=0.05)
    assert [one.ranks for one in standings] == [(4, 4), (2, 3), (2, 3), (1, 1)]
    assert [one.tie_group for one in standings] == [2, 1, 1, 0]
    assert standings[3].win_rate > standings[1].win_rate == standings[2].win_rate


def test_two_samples_that_agree_are_no_proof() -> None:
    """Differences that are all equal have no standard error, and were taken for certain; the sign
    test finds p = .5 for two of them and less than .05 for six.
    """

    def ranks(metric: Metric, samples: int) -> list[tuple[int, int]]:
        models = [np.full((samples, 2), 0.9), np.full((samples, 2), 0.2)]
        models[1][:, 1] = 1.0
        standings = rank_models(metric, models, np.arange(samples), seed=0, alpha=0.05)
        return [one.ranks for one in standings]

    for metric in (MEAN, RATIO):
        assert ranks(metric, 2) == ranks(metric, 5) == [(1, 2), (1, 2)]
        assert ranks(metric, 6) == [(1, 1), (2, 2)]


def test_a_metric_of_the_corpus_is_ranked_through_its_resamples() -> None:
    generator, groups = np.random.default_rng(2), np.arange(200)
    quality = generator.beta(4, 4, 200)
    models = [segments(generator, 200, quality**power) for power in (1.5, 0.5, 1.4)]
    standings = rank_models(BLEU, models, groups, seed=0, alpha=0.05)
    assert standings[1].ranks == (1, 1)
    assert standings[1].strength == max(one.strength for one in standings)


@given(st.integers(0, 10_000))
def test_bradley_terry_is_the_binomial_model_of_statsmodels(seed: int) -> None:
    import statsmodels.api

    wins = np.random.default_rng(seed).integers(1, 20, size=(4, 4)).astype(float)
    np.fill_diagonal(wins, 0)
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    design = np.zeros((len(pairs), 4))
    for row, (i, j) in enumerate(pairs):
        design[row, i], design[row, j] = 1, -1
    counts = np.array([[wins[i, j], wins[j, i]] for i, j in pairs])
    fitted = statsmodels.api.GLM(
        counts, design[:, 1:], family=statsmodels.api.families.Binomial()
    ).fit()
    expected = np.array([0.0, *fitted.params])
    assert bradley_terry(wins) == pytest.approx(expected - expected.mean(), abs=1e-6)


def test_a_model_that_wins_always_has_no_finite_strength() -> None:
    assert np.isnan(bradley_terry(np.array([[0.0, 5.0], [0.0, 0.0]]))).all()
    assert np.isnan(win_rates(np.zeros((1, 1)))).all()


def test_ties_are_half_a_win_for_both() -> None:
    wins = win_matrix(np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]))
    assert wins.tolist() == [[0.0, 2.0], [1.0, 0.0]]
    assert win_rates(wins) == pytest.approx([2 / 3, 1 / 3])
