"""All runs on one board: where each stands on every task, and over the tasks together.

Where the samples of all runs are at hand, models are compared sample by sample. Where only results
were kept, the standard errors of the scores stand in, as if each model had samples of its own:
that finds fewer differences, never more certain ones.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from evalharness.compare.metrics import check_reproduced, installed_metric
from evalharness.compare.records import ComparedRun, LeftOut, Ranking
from evalharness.compare.samples import common_samples, read_samples
from evalharness.discovery import Catalogue
from evalharness.errors import DataError
from evalharness.records import Groups, Metric, Statistics, Values
from evalharness.results import MetricResult
from evalharness.statistics.boards import (
    Placing,
    place_by_draws,
    place_by_errors,
    shared_draws,
)
from evalharness.statistics.ranking import rank_models
from evalharness.statistics.task_means import (
    TaskMean,
    mean_of_families,
    mean_of_samples,
    mean_of_tasks,
)

DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands over all aggregated tasks; means are in percent of each metric's range.

    of_families  every family counts the same; None without samples
    of_samples   every sample counts the same; None without samples
    win_rate     the mean share of samples won against the others; NaN where it is not known
    """

    of_tasks: TaskMean
    of_families: TaskMean | None
    of_samples: TaskMean | None
    win_rate: float
    placing: Placing


@dataclass(frozen=True, slots=True)
class Board:
    """What is known of all runs together.

    rankings    of each task whose samples could be compared
    aggregated  the tasks that the means are of: what has a scale and can be compared
    places      of the runs that have a score on every aggregated task, by label
    paired      whether the places come from samples, or from standard errors alone
    left_out    why a task has no ranking
    """

    rankings: dict[str, Ranking]
    aggregated: tuple[str, ...]
    places: dict[str, Place]
    paired: bool
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class _Ranked:
    """A task whose samples were compared, with its resamples (m, DRAWS) in the order of labels."""

    ranking: Ranking
    draws: dict[str, Values]
    clusters: int


def build_board(
    runs: Sequence[ComparedRun], tasks: Sequence[str], catalogue: Catalogue, *, alpha: float
) -> Board:
    """Rank the runs on `tasks`, all of which they were asked alike, by their primary metrics.

    A metric with an ideal in the middle has no ranking: its tests say what differs, not what is
    better.
    """
    ranked: dict[str, _Ranked] = {}
    left_out: list[LeftOut] = []
    for task in tasks:
        having = [run for run in runs if task in run.results.tasks]
        if len(having) < 2 or _primary(having[0], task)[1].ideal is not None:
            continue
        found = _rank(task, having, catalogue, alpha)
        if isinstance(found, LeftOut):
            left_out.append(found)
        else:
            ranked[task] = found
    scaled = tuple(task for task in tasks if _has_scale(runs, task))
    complete = [run for run in runs if scaled and all(_value(run, t) is not None for t in scaled)]
    paired = bool(scaled) and all(
        task in ranked and all(run.label in ranked[task].draws for run in complete)
        for task in scaled
    )
    if len(complete) < 2:
        places = {}
    elif paired:
        places = _places_by_draws(complete, scaled, ranked, alpha)
    else:
        places = _places_by_errors(complete, scaled, alpha)
    rankings = {task: found.ranking for task, found in ranked.items()}
    return Board(rankings, scaled, places, paired, tuple(left_out))


def _primary(run: ComparedRun, task: str) -> tuple[str, MetricResult]:
    return next(iter(run.results.tasks[task].metrics.items()))


def _value(run: ComparedRun, task: str) -> float | None:
    return _primary(run, task)[1].value if task in run.results.tasks else None


def _has_scale(runs: Sequence[ComparedRun], task: str) -> bool:
    """Can scores be put on a scale from 0 to 100, more being better, and has any run one?"""
    metrics = [_primary(run, task)[1] for run in runs if task in run.results.tasks]
    known = all(one.ideal is None and None not in one.bounds for one in metrics)
    return known and any(one.value is not None for one in metrics)


def _percent(metric: MetricResult, values: Values) -> Values:
    """Values on a scale from 0 to 100, turned so that more is better."""
    low, high = metric.bounds[0] or 0.0, metric.bounds[1] or 0.0
    shares = (values - low) / (high - low)
    return np.asarray(100 * (shares if metric.higher_is_better else 1 - shares))


# --- One task ------------------------------------------------------------------------------------


def _rank(
    task: str, runs: Sequence[ComparedRun], catalogue: Catalogue, alpha: float
) -> _Ranked | LeftOut:
    first = runs[0]
    name, result = _primary(first, task)
    try:
        metric = installed_metric(catalogue, task, name, first)
        models, groups = _aligned(task, metric, runs)
    except DataError as error:
        return LeftOut(task, name, first.label, str(error))
    if not len(groups):
        return LeftOut(task, name, first.label, "no sample was answered by all models")
    standings = rank_models(metric, models, groups, seed=0, alpha=alpha)
    drawn = shared_draws(metric, models, groups, seed=0, replicates=DRAWS)
    labels = [run.label for run in runs]
    ranking = Ranking(
        task=task,
        metric=name,
        metric_result=result,
        n=len(groups),
        standings=dict(zip(labels, standings, strict=True)),
        mismatches=(),
    )
    return _Ranked(ranking, dict(zip(labels, drawn, strict=True)), len(np.unique(groups)))


def _aligned(
    task: str, metric: Metric, runs: Sequence[ComparedRun]
) -> tuple[list[Statistics], Groups]:
    """The statistics of the samples that none of the runs failed, and their groups."""
    stored = []
    for run in runs:
        samples = read_samples(run.folder, task, [metric.name])
        check_reproduced(metric, run.results.tasks[task].metrics[metric.name], samples)
        stored.append(samples)
    first, *others = stored
    places = [common_samples(first, other) for other in others]
    everywhere = np.arange(len(first.ids))
    common = reduce(np.intersect1d, [of_first for of_first, _ in places], everywhere)
    models = [first.statistics[metric.name][common]]
    for other, (of_first, of_other) in zip(others, places, strict=True):
        models.append(other.statistics[metric.name][of_other[np.searchsorted(of_first, common)]])
    return models, first.groups[common]


# --- All tasks -----------------------------------------------------------------------------------


def _places_by_draws(
    runs: Sequence[ComparedRun], tasks: Sequence[str], ranked: dict[str, _Ranked], alpha: float
) -> dict[str, Place]:
    families = [runs[0].results.tasks[task].family for task in tasks]
    sizes = [ranked[task].ranking.n for task in tasks]
    means, by_family, by_sample, drawn = [], [], [], []
    for run in runs:
        metrics = [_primary(run, task)[1] for task in tasks]
        values = list(_scaled_values(run, tasks))
        draws = [
            _percent(metric, ranked[task].draws[run.label])
            for metric, task in zip(metrics, tasks, strict=True)
        ]
        means.append(mean_of_tasks(values, draws, 1 - alpha))
        by_family.append(mean_of_families(values, draws, families, 1 - alpha))
        by_sample.append(mean_of_samples(values, draws, sizes, 1 - alpha))
        drawn.append(np.mean(draws, axis=0))
    placings = place_by_draws(
        np.array([mean.value for mean in means]),
        np.stack(drawn),
        clusters=min(ranked[task].clusters for task in tasks),
        alpha=alpha,
    )
    rates = [
        float(np.mean([ranked[task].ranking.standings[run.label].win_rate for task in tasks]))
        for run in runs
    ]
    return {
        run.label: Place(mean, family, sample, rate, placing)
        for run, mean, family, sample, rate, placing in zip(
            runs, means, by_family, by_sample, rates, placings, strict=True
        )
    }


def _places_by_errors(
    runs: Sequence[ComparedRun], tasks: Sequence[str], alpha: float
) -> dict[str, Place]:
    values = np.array([np.mean(list(_scaled_values(run, tasks))) for run in runs])
    errors = np.array([_error_of_mean(run, tasks) for run in runs])
    samples = min(run.results.tasks[task].n for run in runs for task in tasks)
    places = place_by_errors(values, errors, clusters=samples, alpha=alpha)
    return {
        run.label: Place(
            TaskMean(float(value), interval, len(tasks)), None, None, math.nan, placing
        )
        for run, value, (placing, interval) in zip(runs, values, places, strict=True)
    }


def _scaled_values(run: ComparedRun, tasks: Sequence[str]) -> Iterator[float]:
    for task in tasks:
        metric = _primary(run, task)[1]
        yield float(_percent(metric, np.array([metric.value]))[0])


def _error_of_mean(run: ComparedRun, tasks: Sequence[str]) -> float:
    """NaN where a score has no standard error."""
    squares = []
    for task in tasks:
        metric = _primary(run, task)[1]
        width = (metric.bounds[1] or 0.0) - (metric.bounds[0] or 0.0)
        error = math.nan if metric.stderr is None else metric.stderr
        squares.append((100 * error / width) ** 2)
    return math.sqrt(sum(squares)) / len(tasks)
