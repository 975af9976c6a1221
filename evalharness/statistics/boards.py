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
    significantly_better,
    tie_groups,
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
    codes, blocks = blocks_of(*cluster_codes(groups), _BLOCKS)
    columns = np.vstack([scores, np.ones(scores.shape[1])]).T
    sums = cluster_sums(columns, codes, blocks)
    weights = bootstrap_weights(np.arange(blocks), seed=seed, replicates=replicates)
    drawn = np.concatenate([some @ sums for some in weights])
    return list((drawn[:, :-1] / drawn[:, -1:]).T)


def place_by_draws(values: Values, draws: Values, *, clusters: int, alpha: float) -> list[Placing]:
    """Placings of values (m,), more being better, by resamples (m, b) that the models share.

    clusters: of the task that has the fewest
    """
    defined = draws[:, ~np.isnan(draws).any(axis=0)]
    if defined.shape[1] < 2:
        return _placings(values, np.full((len(values), len(values)), np.nan), clusters, alpha)
    errors = np.stack([(defined - one).std(axis=1, ddof=1) for one in defined])
    return _placings(values, errors, clusters, alpha)


def place_by_errors(
    values: Values, errors: Values, *, clusters: int, alpha: float
) -> list[tuple[Placing, Interval | None]]:
    """Placings of values (m,) by their standard errors (m,), as if of independent samples.

    The intervals of the values have the level 1 - alpha; None for an error that is NaN.
    """
    of_differences = np.sqrt(errors[:, None] ** 2 + errors[None, :] ** 2)
    placings = _placings(values, of_differences, clusters, alpha)
    return [
        (placing, _interval(float(value), float(error), clusters, 1 - alpha))
        for placing, value, error in zip(placings, values, errors, strict=True)
    ]


def _interval(value: float, error: float, clusters: int, level: float) -> Interval | None:
    if np.isnan(error) or clusters < 2:
        return None
    return t_interval(value, error, clusters - 1, level)


def _placings(
    values: Values, errors: NDArray[np.float64], clusters: int, alpha: float
) -> list[Placing]:
    degrees = np.full(errors.shape, clusters - 1.0)
    better = significantly_better(values, pairwise_p_values(values, errors, degrees), alpha)
    ranks, groups = rank_intervals(better), tie_groups(values, better)
    return [Placing(rank, group) for rank, group in zip(ranks, groups, strict=True)]
