"""Scores over several tasks: the mean of all, and the mean of the means of families.

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
    if not values:
        return TaskMean(math.nan, None, 0)
    even = np.full(len(values), 1 / len(values))
    return weighted_mean(even, values, distributions, level)


def mean_of_families(
    values: Sequence[float], distributions: Sequence[Values], families: Sequence[str], level: float
) -> TaskMean:
    """Every family counts the same, however many tasks it has: the mean of its tasks' means."""
    if not values:
        return TaskMean(math.nan, None, 0)
    return weighted_mean(family_shares(families), values, distributions, level)


def family_shares(families: Sequence[str]) -> Values:
    """The weight (tasks,) of each task where every family counts the same."""
    sizes = {family: families.count(family) for family in families}
    return np.array([1 / (sizes[family] * len(sizes)) for family in families])


def weighted_mean(
    shares: Values, values: Sequence[float], distributions: Sequence[Values], level: float
) -> TaskMean:
    """The mean of tasks by their weights (tasks,), which add up to 1."""
    drawn = shares @ np.asarray(distributions)
    drawn = drawn[~np.isnan(drawn)]
    interval = percentile(drawn, level) if len(drawn) > 1 else None
    return TaskMean(float(shares @ np.asarray(values)), interval, len(values))
