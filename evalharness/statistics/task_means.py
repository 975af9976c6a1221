"""Scores over several tasks: means in which every task, family or sample counts the same.

Tasks are what is compared and are not drawn again: an interval says how far other samples of these
tasks would change the mean, and nothing of other tasks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.records import Values
from evalharness.statistics.intervals import Interval, percentile


@dataclass(frozen=True, slots=True)
class TaskMean:
    """The mean of several tasks, with its interval from resamples within each of them."""

    value: float
    interval: Interval | None
    tasks: int


def mean_of_tasks(
    values: Sequence[float], distributions: Sequence[Values], level: float
) -> TaskMean:
    """Every task counts the same. NaN without any, or with one that is undefined.

    distributions: the resamples (replicates,) of each task, drawn independently, as many for each
    """
    return _mean(values, distributions, [1] * len(values), level)


def mean_of_families(
    values: Sequence[float], distributions: Sequence[Values], families: Sequence[str], level: float
) -> TaskMean:
    """Every family counts the same, however many tasks it has: the mean of its tasks' means."""
    return _mean(values, distributions, [1 / families.count(one) for one in families], level)


def mean_of_samples(
    values: Sequence[float], distributions: Sequence[Values], sizes: Sequence[int], level: float
) -> TaskMean:
    """Every sample counts the same, so that large tasks decide: weights are `sizes`, of the tasks.

    So do groups of lm-evaluation-harness with `weight_by_size`, which is their default.
    """
    return _mean(values, distributions, sizes, level)


def _mean(
    values: Sequence[float], distributions: Sequence[Values], weights: Sequence[float], level: float
) -> TaskMean:
    if not values:
        return TaskMean(math.nan, None, 0)
    shares = np.array(weights) / sum(weights)
    drawn = shares @ np.asarray(distributions)
    drawn = drawn[~np.isnan(drawn)]
    interval = percentile(drawn, level) if len(drawn) > 1 else None
    return TaskMean(float(shares @ np.asarray(values)), interval, len(values))
