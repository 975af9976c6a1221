"""Every model beside every other: which of them are, and their differences on each task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalharness.compare.records import Comparison, Row
from evalharness.results import MetricResult
from evalharness.statistics.corrections import holm
from evalharness.statistics.paired import Difference

MOST_MODELS = 12
MOST_PAIRS = 1000
"""More pairs, over all tasks, take long to be tested, and are more than anyone reads."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The first minus the second model; p corrected by Holm over all pairs of the task."""

    first: str
    second: str
    difference: Difference
    corrected: float


@dataclass(frozen=True, slots=True)
class TaskPairs:
    """All pairs of models that could be compared on a task, by its primary metric."""

    task: str
    metric: str
    metric_result: MetricResult
    alpha: float
    pairs: tuple[Pair, ...]


def compared_models(models: int, tasks: int) -> int:
    """How many of so many models have all their pairs compared on so many tasks.

    At most MOST_MODELS, and as many as make at most MOST_PAIRS pairs over all tasks.
    """
    number = min(models, MOST_MODELS)
    while number > 1 and number * (number - 1) // 2 * tasks > MOST_PAIRS:
        number -= 1
    return number


def pairs_of_tasks(comparisons: Sequence[Comparison]) -> Iterator[TaskPairs]:
    """The pairs of each task, from comparisons with each of the models as the baseline."""
    order = {one.baseline: place for place, one in enumerate(comparisons)}
    rows: dict[str, dict[tuple[str, str], Row]] = {}
    for comparison in comparisons:
        for row in comparison.rows:
            if order[row.run] < order[comparison.baseline]:
                pair = row.run, comparison.baseline
                rows.setdefault(row.task, {}).setdefault(pair, row)
    for task, found in rows.items():
        corrected = holm([row.difference.p_value for row in found.values()])
        first = next(iter(found.values()))
        yield TaskPairs(
            task=task,
            metric=first.metric,
            metric_result=first.metric_result,
            alpha=comparisons[0].alpha,
            pairs=tuple(
                Pair(*pair, row.difference, float(p_value))
                for (pair, row), p_value in zip(found.items(), corrected, strict=True)
            ),
        )
