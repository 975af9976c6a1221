"""Scores over several tasks: means in which every task, family or sample counts the same.

Tasks are what is compared and are not drawn again: an interval says how far other samples of these
tasks would change the mean, and nothing of other tasks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.records import Values
from evalharness.statistics.intervals import Interval, has_width, percentile


@dataclass(frozen=True, slots=True)
class TaskMean:
    """The mean of several tasks, with its interval from resamples within each of them.

    Without one where all resamples are equal (every answer right, say): they then say nothing of
    what is uncertain, least of all that nothing is.
    """

    value: float
    interval: Interval | None
    tasks: int


def mean_of_tasks(
    values: Sequence[float], distributions: Sequence[Values], level: float
) -> TaskMean:
    """Every task counts the same. NaN without any, or with one that is undefined.

    distributions: the resamples (replicates,) of each task, drawn independently, as many for each
    """
    return weighted_mean(task_shares(len(values)), values, distributions, level)


def mean_of_families(
    values: Sequence[float], distributions: Sequence[Values], families: Sequence[str], level: float
) -> TaskMean:
    """Every family counts the same, however many tasks it has: the mean of its tasks' means."""
    return weighted_mean(family_shares(families), values, distributions, level)


def mean_of_samples(
    values: Sequence[float], distributions: Sequence[Values], sizes: Sequence[int], level: float
) -> TaskMean:
    """Every sample counts the same, so that large tasks decide: weights are `sizes`, of the tasks.

    So do groups of lm-evaluation-harness with `weight_by_size`, which is their default.
    """
    return weighted_mean(sample_shares(sizes), values, distributions, level)


def task_shares(tasks: int) -> Values:
    """The weight (tasks,) of each task where every task counts the same."""
    return np.full(tasks, 1 / max(tasks, 1))


def family_shares(families: Sequence[str]) -> Values:
    """The weight (tasks,) of each task where every family counts the same."""
    sizes = {family: families.count(family) for family in families}
    return np.array([1 / (sizes[family] * len(sizes)) for family in families])


def sample_shares(sizes: Sequence[int]) -> Values:
    """The weight (tasks,) of each task where every sample counts the same."""
    return np.array(sizes) / max(sum(sizes), 1)


def weighted_mean(
    shares: Values, values: Sequence[float], distributions: Sequence[Values], level: float
) -> TaskMean:
    """The mean of tasks by their weights (tasks,), which add up to 1; NaN without any task."""
    if not values:
        return TaskMean(math.nan, None, 0)
    drawn = shares @ np.asarray(distributions)
    drawn = drawn[~np.isnan(drawn)]
    interval = percentile(drawn, level) if len(drawn) > 1 else None
    if interval is not None and not has_width(interval):
        interval = None
    return TaskMean(float(shares @ np.asarray(values)), interval, len(values))
