"""Every model beside every other on one task: the differences behind the ranks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from evalharness.compare.metrics import installed_metric
from evalharness.compare.records import ComparedRun
from evalharness.compare.samples import common_samples, read_samples
from evalharness.discovery import Catalogue
from evalharness.results import MetricResult
from evalharness.statistics.corrections import holm
from evalharness.statistics.paired import Difference, compare_pair

MOST_MODELS = 8
"""More models have too many pairs to be read one by one, and to be tested in reasonable time."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The first minus the second model; p corrected by Holm over all pairs of the task."""

    first: str
    second: str
    difference: Difference
    corrected: float


@dataclass(frozen=True, slots=True)
class TaskPairs:
    """All pairs of the models that ran a task, by its primary metric."""

    task: str
    metric: str
    metric_result: MetricResult
    level: float
    labels: tuple[str, ...]
    pairs: tuple[Pair, ...]


def compare_pairs(
    runs: Sequence[ComparedRun], tasks: Sequence[str], catalogue: Catalogue, *, alpha: float
) -> tuple[TaskPairs, ...]:
    """All pairs on each of `tasks`, which build_board could rank; none for too many models."""
    if len(runs) > MOST_MODELS:
        return ()
    return tuple(_of_task(task, runs, catalogue, alpha) for task in tasks)


def _of_task(
    task: str, runs: Sequence[ComparedRun], catalogue: Catalogue, alpha: float
) -> TaskPairs:
    having = [run for run in runs if task in run.results.tasks]
    name, result = next(iter(having[0].results.tasks[task].metrics.items()))
    found = list(_differences(task, name, having, catalogue, alpha))
    corrected = holm([difference.p_value for _, _, difference in found])
    pairs = tuple(
        Pair(first, second, difference, float(p_value))
        for (first, second, difference), p_value in zip(found, corrected, strict=True)
    )
    labels = tuple(run.label for run in having)
    return TaskPairs(task, name, result, 1 - alpha, labels, pairs)


def _differences(
    task: str, name: str, runs: Sequence[ComparedRun], catalogue: Catalogue, alpha: float
) -> Iterator[tuple[str, str, Difference]]:
    metric = installed_metric(catalogue, task, name, runs[0])
    samples = {run.label: read_samples(run.origin(task).folder, task, [name]) for run in runs}
    for (first, one), (second, other) in combinations(samples.items(), 2):
        of_first, of_second = common_samples(one, other)
        difference = compare_pair(
            metric,
            one.statistics[name][of_first],
            other.statistics[name][of_second],
            one.groups[of_first],
            seed=0,
            levels=(1 - alpha,),
        )
        yield first, second, difference
