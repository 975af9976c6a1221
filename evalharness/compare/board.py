"""All runs on one board: where each stands on every task, and over the tasks together.

Where the samples of all runs are at hand, models are compared sample by sample. Where only results
were kept, the standard errors of the scores stand in, as if each model had samples of its own:
that finds fewer differences, never more certain ones.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

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
    shared_win_draws,
)
from evalharness.statistics.ranking import rank_at_levels
from evalharness.statistics.task_means import (
    TaskMean,
    family_shares,
    sample_shares,
    task_shares,
    weighted_mean,
)

DRAWS = 1000
LEVELS = (0.1, 0.05, 0.01)
"""The levels that readers may ask for besides the one of the board."""

Aggregate = Literal["tasks", "families", "samples", "wins"]
"""Means over tasks, over the means of families, over all samples; rates of won samples over tasks.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands by one aggregate; the mean is in percent, its interval by 1 - alpha."""

    mean: TaskMean
    placing: Placing


@dataclass(frozen=True, slots=True)
class Board:
    """What is known of all runs together, by tests at several levels, of which `alpha` is one.

    rankings_at  by level, of each task whose samples could be compared
    aggregated   the tasks that the means are of: what has a scale and can be compared
    places_at    by aggregate and level, of the runs that have a score on every aggregated task, by
                 label; aggregates that need samples are missing where these are
    paired       whether the places come from samples, or from standard errors alone
    left_out     why a task has no ranking
    """

    alpha: float
    rankings_at: Mapping[float, Mapping[str, Ranking]]
    aggregated: tuple[str, ...]
    places_at: Mapping[tuple[Aggregate, float], Mapping[str, Place]]
    paired: bool
    left_out: tuple[LeftOut, ...]

    @property
    def rankings(self) -> Mapping[str, Ranking]:
        """The rankings of tasks at the board's own level."""
        return self.rankings_at[self.alpha]

    @property
    def places(self) -> Mapping[str, Place]:
        """Where runs stand by the mean over tasks, at the board's own level."""
        return self.places_at.get(("tasks", self.alpha), {})

    @property
    def alphas(self) -> tuple[float, ...]:
        """The levels, from the one that finds most."""
        return tuple(sorted(self.rankings_at, reverse=True))

    @property
    def aggregates(self) -> tuple[Aggregate, ...]:
        """The aggregates by which runs stand somewhere."""
        return tuple(dict.fromkeys(aggregate for aggregate, _ in self.places_at))


@dataclass(frozen=True, slots=True)
class _Ranked:
    """A task whose samples were compared: rankings by level, and by label resamples (DRAWS,)."""

    rankings: dict[float, Ranking]
    draws: dict[str, Values]
    win_draws: dict[str, Values]
    clusters: int


def build_board(
    runs: Sequence[ComparedRun], tasks: Sequence[str], catalogue: Catalogue, *, alpha: float
) -> Board:
    """Rank the runs on `tasks`, all of which they were asked alike, by their primary metrics.

    A metric with an ideal in the middle has no ranking: its tests say what differs, not what is
    better.
    """
    alphas = tuple(dict.fromkeys((alpha, *LEVELS)))
    ranked: dict[str, _Ranked] = {}
    left_out: list[LeftOut] = []
    for task in tasks:
        having = [run for run in runs if task in run.results.tasks]
        if len(having) < 2 or _primary(having[0], task)[1].ideal is not None:
            continue
        found = _rank(task, having, catalogue, alphas)
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
    places: dict[tuple[Aggregate, float], dict[str, Place]] = {}
    if len(complete) >= 2:
        place = _places_by_draws if paired else _places_by_errors
        places = place(complete, scaled, ranked, alphas)
    return Board(
        alpha=alpha,
        rankings_at={
            level: {task: found.rankings[level] for task, found in ranked.items()}
            for level in alphas
        },
        aggregated=scaled,
        places_at=places,
        paired=paired,
        left_out=tuple(left_out),
    )


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
    task: str, runs: Sequence[ComparedRun], catalogue: Catalogue, alphas: Sequence[float]
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
    labels = [run.label for run in runs]
    rankings = {
        alpha: Ranking(
            task=task,
            metric=name,
            metric_result=result,
            n=len(groups),
            standings=dict(zip(labels, standings, strict=True)),
            mismatches=(),
        )
        for alpha, standings in rank_at_levels(
            metric, models, groups, seed=0, alphas=alphas
        ).items()
    }
    drawn = shared_draws(metric, models, groups, seed=0, replicates=DRAWS)
    wins = shared_win_draws(metric, models, groups, seed=0, replicates=DRAWS)
    return _Ranked(
        rankings,
        dict(zip(labels, drawn, strict=True)),
        dict(zip(labels, wins, strict=True)),
        len(np.unique(groups)),
    )


def _aligned(
    task: str, metric: Metric, runs: Sequence[ComparedRun]
) -> tuple[list[Statistics], Groups]:
    """The statistics of the samples that none of the runs failed, and their groups."""
    stored = []
    for run in runs:
        samples = read_samples(run.origin(task).folder, task, [metric.name])
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


_Places = dict[tuple[Aggregate, float], dict[str, Place]]


def _places_by_draws(
    runs: Sequence[ComparedRun],
    tasks: Sequence[str],
    ranked: Mapping[str, _Ranked],
    alphas: Sequence[float],
) -> _Places:
    families = [runs[0].results.tasks[task].family for task in tasks]
    scores = [list(_scaled_values(run, tasks)) for run in runs]
    draws = [
        [_percent(_primary(run, task)[1], ranked[task].draws[run.label]) for task in tasks]
        for run in runs
    ]
    rates = [[100 * _win_rate(run, ranked[task]) for task in tasks] for run in runs]
    win_draws = [[100 * ranked[task].win_draws[run.label] for task in tasks] for run in runs]
    even, sizes = task_shares(len(tasks)), [_ranking(ranked[task]).n for task in tasks]
    aggregates: dict[Aggregate, tuple[Values, list[list[float]], list[list[Values]]]] = {
        "tasks": (even, scores, draws),
        "families": (family_shares(families), scores, draws),
        "samples": (sample_shares(sizes), scores, draws),
    }
    if np.isfinite(rates).all():
        aggregates["wins"] = (even, rates, win_draws)
    clusters = min(ranked[task].clusters for task in tasks)
    found: _Places = {}
    for aggregate, (shares, values, drawn) in aggregates.items():
        means = np.array([shares @ np.asarray(one) for one in values])
        resampled = np.stack([shares @ np.asarray(one) for one in drawn])
        placed = place_by_draws(means, resampled, clusters=clusters, alphas=alphas)
        for alpha, placings in placed.items():
            found[aggregate, alpha] = {
                run.label: Place(weighted_mean(shares, own, of_run, 1 - alpha), placing)
                for run, own, of_run, placing in zip(runs, values, drawn, placings, strict=True)
            }
    return found


def _ranking(ranked: _Ranked) -> Ranking:
    """That of any level: they differ in ranks only."""
    return next(iter(ranked.rankings.values()))


def _win_rate(run: ComparedRun, ranked: _Ranked) -> float:
    return _ranking(ranked).standings[run.label].win_rate


def _places_by_errors(
    runs: Sequence[ComparedRun],
    tasks: Sequence[str],
    _ranked: Mapping[str, _Ranked],
    alphas: Sequence[float],
) -> _Places:
    values = np.array([np.mean(list(_scaled_values(run, tasks))) for run in runs])
    errors = np.array([_error_of_mean(run, tasks) for run in runs])
    samples = min(run.results.tasks[task].n for run in runs for task in tasks)
    placed = place_by_errors(values, errors, clusters=samples, alphas=alphas)
    return {
        ("tasks", alpha): {
            run.label: Place(TaskMean(float(value), interval, len(tasks)), placing)
            for run, value, (placing, interval) in zip(runs, values, places, strict=True)
        }
        for alpha, places in placed.items()
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
