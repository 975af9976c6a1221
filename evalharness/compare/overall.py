"""The mean difference of each run from the baseline over several tasks."""

from collections.abc import Sequence

from evalharness.compare.records import Overall, Row
from evalharness.statistics.task_means import (
    mean_of_families,
    mean_of_samples,
    mean_of_tasks,
)


def overall(rows: Sequence[Row], runs: Sequence[str], level: float) -> tuple[Overall, ...]:
    """One mean for each run that has at least two tasks which can be put on one scale.

    Only the first metric of each task counts, so that a task with many does not count more.
    """
    means = []
    for run in runs:
        first: dict[str, Row] = {}
        for row in rows:
            if row.run == run and _has_scale(row):
                first.setdefault(row.task, row)
        if len(first) > 1:
            means.append(_mean(run, list(first.values()), level))
    return tuple(means)


def _has_scale(row: Row) -> bool:
    known = row.metric_result.ideal is None and None not in row.metric_result.bounds
    return known and row.difference.difference is not None and len(row.difference.draws) > 0


def _factor(row: Row) -> float:
    """What turns a difference into a share of the metric's range, more being better."""
    low, high = row.metric_result.bounds
    width = (high or 0.0) - (low or 0.0)
    return (1 if row.metric_result.higher_is_better else -1) / width


def _mean(run: str, rows: Sequence[Row], level: float) -> Overall:
    values = [_factor(row) * (row.difference.difference or 0.0) for row in rows]
    fewest = min(len(row.difference.draws) for row in rows)
    draws = [_factor(row) * row.difference.draws[:fewest] for row in rows]
    families = [row.family for row in rows]
    marks = {f"{row.task}: {text}": None for row in rows for text in row.mismatches}
    return Overall(
        run=run,
        tasks=tuple(row.task for row in rows),
        of_tasks=mean_of_tasks(values, draws, level),
        of_families=mean_of_families(values, draws, families, level),
        of_samples=mean_of_samples(values, draws, [row.difference.n for row in rows], level),
        mismatches=tuple(marks),
    )
