"""Win rates as means over samples, with the uncertainty of means; ranks at several levels."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evalharness.metrics.aggregation import mean
from evalharness.records import Metric
from evalharness.statistics.boards import place_by_draws, shared_win_draws
from evalharness.statistics.ranking import (
    rank_at_levels,
    rank_models,
    win_matrix,
    win_rates,
    win_shares,
)

SCORES = st.tuples(st.integers(2, 6), st.integers(1, 30)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.5, 1.0, np.nan]))
)


def metric(*, higher: bool = True) -> Metric:
    return Metric("m", lambda _s, _r: (0.0,), mean(), higher_is_better=higher)


@given(SCORES)
def test_the_mean_share_of_wins_is_the_win_rate(scores: Any) -> None:
    """Ties and undefined scores are half a win for both, in either way of counting."""
    assert win_shares(scores).mean(axis=1) == pytest.approx(win_rates(win_matrix(scores)))


@given(SCORES)
def test_what_one_model_wins_another_loses(scores: Any) -> None:
    assert win_shares(scores).mean() == pytest.approx(0.5)


@pytest.mark.parametrize("higher", [True, False])
def test_draws_of_win_rates_lie_around_the_rate_and_follow_the_direction(higher: bool) -> None:
    generator = np.random.default_rng(0)
    models = [(generator.random((400, 1)) < p).astype(float) for p in (0.8, 0.5, 0.4)]
    groups = np.arange(400)
    drawn = shared_win_draws(metric(higher=higher), models, groups, seed=0, replicates=2000)
    standings = rank_models(metric(higher=higher), models, groups, seed=0, alpha=0.05)
    for one, standing in zip(drawn, standings, strict=True):
        assert one.mean() == pytest.approx(standing.win_rate, abs=0.003)
        assert 0.005 < one.std() < 0.05


def test_a_stricter_level_never_tells_more_models_apart() -> None:
    generator = np.random.default_rng(1)
    models = [(generator.random((300, 1)) < p).astype(float) for p in (0.8, 0.7, 0.6, 0.5)]
    found = rank_at_levels(metric(), models, np.arange(300), seed=0, alphas=(0.1, 0.05, 0.01))
    for loose, strict in ((0.1, 0.05), (0.05, 0.01)):
        for one, other in zip(found[loose], found[strict], strict=True):
            assert other.ranks[0] <= one.ranks[0] <= one.ranks[1] <= other.ranks[1]
    assert found[0.05] == rank_models(metric(), models, np.arange(300), seed=0, alpha=0.05)


def test_undefined_draws_leave_all_ranks_open() -> None:
    placed = place_by_draws(
        np.array([1.0, 2.0]), np.full((2, 50), np.nan), clusters=50, alphas=[0.05]
    )
    assert [placing.ranks for placing in placed[0.05]] == [(1, 2), (1, 2)]
