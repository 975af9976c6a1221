"""The metric that made a stored score, found again among the installed tasks."""

import math
from collections.abc import Mapping
from dataclasses import replace

from evalharness.compare.records import ComparedRun
from evalharness.compare.samples import StoredSamples
from evalharness.discovery import Catalogue
from evalharness.errors import DataError, UsageError, did_you_mean
from evalharness.metrics.multiple_choice import LETTER_ACCURACY
from evalharness.records import Groups, Metric, Statistics, Values, Weights
from evalharness.results import MetricResult
from evalharness.statistics.resampling import score
from evalharness.validation import plugin_code

# What different orders of summation explain.
_ROUNDING = 1e-6


def installed_metric(catalogue: Catalogue, task: str, metric: str, run: ComparedRun) -> Metric:
    """The metric of that name; whatever its `aggregate` raises is a DataError.

    Stored statistics mean nothing without the function that turns them into a score. Raises
    DataError when the task is not installed, or in another version, or without this metric.
    """
    try:
        found = catalogue.find(task)
    except UsageError as error:
        raise DataError(
            f"{error} Only its metrics can compare the samples: name the folder of its plugin "
            "with --tasks-dir."
        ) from None
    version = run.record.tasks[task].version
    if found.task.version != version:
        raise DataError(
            f"the runs have version {version} of the task, but version {found.task.version} is "
            f"installed ({found.path}), whose metrics may be others; run the task again."
        )
    asked = run.record.tasks[task].method
    letters = asked is not None and asked.name == "letter"
    measured = (LETTER_ACCURACY,) if letters else found.task.metrics
    metrics: Mapping[str, Metric] = {one.name: one for one in measured}
    if metric not in metrics:
        raise DataError(
            f"the installed task ({found.path}) has no metric {metric!r}."
            f"{did_you_mean(metric, metrics)}"
        )
    return _guarded(task, metrics[metric])


def _guarded(task: str, metric: Metric) -> Metric:
    where = f"task {task!r}: the metric {metric.name!r} cannot be aggregated"

    def aggregate(statistics: Statistics, weights: Weights, groups: Groups) -> Values:
        with plugin_code(where):
            return metric.aggregate(statistics, weights, groups)

    return replace(metric, aggregate=aggregate)


def check_reproduced(metric: Metric, stored: MetricResult, samples: StoredSamples) -> None:
    """Raises DataError unless the metric gives the score that the run has stored."""
    statistics = samples.statistics[metric.name]
    value = score(metric, statistics, samples.groups) if len(statistics) else math.nan
    expected = math.nan if stored.value is None else stored.value
    if math.isnan(value) and math.isnan(expected):
        return
    if not math.isclose(value, expected, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
        raise DataError(
            f"the installed metric {metric.name!r} gives {value:g} where the run says "
            f"{expected:g}: it has changed without a new version of the task; run the task again."
        )
