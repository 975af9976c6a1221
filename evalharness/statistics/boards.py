"""Means over several tasks for many models: which of them can be told apart, and their ranks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalharness.records import Groups, Metric, Statistics, Values
from evalharness.statistics.clusters import blocks_of, cluster_codes, cluster_sums
from evalharness.statistics.intervals import Interval, t_interval
from evalharness.statistics.ranking import (
    pairwise_p_values,
    rank_intervals,
    scores_of_models,
    significantly_better,
    tie_groups,
    win_shares,
)
from evalharness.statistics.resampling import bootstrap_distributions, bootstrap_weights
from evalharness.statistics.samplewise import mean_scores

# Means are resampled by at most so many blocks of clusters, at a cost that does not grow with them.
_BLOCKS = 2000


@dataclass(frozen=True, slots=True)
class Placing:
    """The best and the worst rank, from 1, that the tests leave open; tie groups from 0."""

    ranks: tuple[int, int]
    tie_group: int


def shared_draws(
    metric: Metric, models: Sequence[Statistics], groups: Groups, *, seed: int, replicates: int
) -> list[Values]:
    """Scores (replicates,) of each model on the same resamples of whole clusters.

    models: statistics (n, d) of the same samples in the same order
    """
    together = mean_scores(metric, np.concatenate(models), np.tile(groups, len(models)))
    if together is None:
        measured = [(metric, statistics) for statistics in models]
        return bootstrap_distributions(measured, groups, seed=seed, replicates=replicates)
    scores = together.reshape(len(models), -1)
    return _draws_of_means(scores, groups, seed, replicates)


def shared_win_draws(
    metric: Metric, models: Sequence[Statistics], groups: Groups, *, seed: int, replicates: int
) -> list[Values]:
    """Win rates (replicates,) of each model on the same resamples of whole clusters.

    Of scores of samples, of which the better one wins, as in the `win_rate` of a Standing.
    """
    scores, _ = scores_of_models(metric, models, groups)
    shares = win_shares(scores if metric.higher_is_better else -scores)
    return _draws_of_means(shares, groups, seed, replicates)


def _draws_of_means(
    scores: NDArray[np.float64], groups: Groups, seed: int, replicates: int
) -> list[Values]:
    """Means (replicates,) of the rows of scores (m, n) over resampled blocks of clusters."""
    codes, blocks = blocks_of(*cluster_codes(groups), _BLOCKS)
    columns = np.vstack([scores, np.ones(scores.shape[1])]).T
    sums = cluster_sums(columns, codes, blocks)
    weights = bootstrap_weights(np.arange(blocks), seed=seed, replicates=replicates)
    drawn = np.concatenate([some @ sums for some in weights])
    return list((drawn[:, :-1] / drawn[:, -1:]).T)


def place_by_draws(
    values: Values, draws: Values, *, clusters: int, alphas: Sequence[float]
) -> dict[float, list[Placing]]:
    """Placings of values (m,), more being better, by resamples (m, b) that the models share.

    clusters: of the task that has the fewest; alphas: the levels of the tests
    """
    defined = draws[:, ~np.isnan(draws).any(axis=0)]
    errors = np.full((len(values), len(values)), np.nan)
    if defined.shape[1] >= 2:
        errors = np.stack([(defined - one).std(axis=1, ddof=1) for one in defined])
    return _placings(values, errors, clusters, alphas)


def place_by_errors(
    values: Values, errors: Values, *, clusters: int, alphas: Sequence[float]
) -> dict[float, list[tuple[Placing, Interval | None]]]:
    """Placings of values (m,) by their standard errors (m,), as if of independent samples.

    The intervals of the values have the level 1 - alpha; None for an error that is NaN.
    """
    of_differences = np.sqrt(errors[:, None] ** 2 + errors[None, :] ** 2)
    return {
        alpha: [
            (placing, _interval(float(value), float(error), clusters, 1 - alpha))
            for placing, value, error in zip(placings, values, errors, strict=True)
        ]
        for alpha, placings in _placings(values, of_differences, clusters, alphas).items()
    }


def _interval(value: float, error: float, clusters: int, level: float) -> Interval | None:
    if np.isnan(error) or clusters < 2:
        return None
    return t_interval(value, error, clusters - 1, level)


def _placings(
    values: Values, errors: NDArray[np.float64], clusters: int, alphas: Sequence[float]
) -> dict[float, list[Placing]]:
    degrees = np.full(errors.shape, clusters - 1.0)
    p_values = pairwise_p_values(values, errors, degrees, clusters=clusters)
    found = {}
    for alpha in alphas:
        better = significantly_better(values, p_values, alpha)
        ranks, groups = rank_intervals(better), tie_groups(values, better)
        found[alpha] = [Placing(*one) for one in zip(ranks, groups, strict=True)]
    return found
