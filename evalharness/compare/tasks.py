"""One task of all runs: aligned by sample id, checked for being the same, and compared."""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from evalharness.compare.matching import metric_mismatches, reads_prompts, task_mismatches
from evalharness.compare.memory import Memory
from evalharness.compare.metrics import check_reproduced, installed_metric
from evalharness.compare.records import (
    ComparedRun,
    LeftOut,
    Ranking,
    Row,
    Settings,
    TaskFindings,
)
from evalharness.compare.samples import (
    Places,
    StoredSamples,
    common_samples,
    differently_asked,
)
from evalharness.discovery import Catalogue
from evalharness.errors import DataError
from evalharness.records import Metric
from evalharness.statistics.intervals import normal_quantile
from evalharness.statistics.paired import Difference, compare_pair
from evalharness.statistics.power import samples_needed, smallest_detectable_effect
from evalharness.statistics.ranking import rank_models

_RANKED = 3


@dataclass(frozen=True, slots=True)
class _Task:
    """What is compared of one task: the baseline's samples, and metrics by name."""

    name: str
    baseline: ComparedRun
    samples: StoredSamples
    metrics: Mapping[str, Metric]
    settings: Settings
    memory: Memory

    @property
    def seed(self) -> int:
        """Tasks are resampled independently of each other, models of one task alike."""
        return zlib.crc32(f"{self.settings.seed} {self.name}".encode())


@dataclass(frozen=True, slots=True)
class _Partner:
    """A run beside the baseline; `places` of the common samples in the baseline and in the run."""

    run: ComparedRun
    samples: StoredSamples
    places: tuple[Places, Places]
    mismatches: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenedTask:
    """A task with the runs that can be compared by each metric, and what cannot be compared."""

    able: tuple[tuple[_Task, Metric, tuple[_Partner, ...]], ...]
    left_out: tuple[LeftOut, ...]


def compare_task(
    name: str,
    metrics: Sequence[str],
    runs: Sequence[ComparedRun],
    catalogue: Catalogue,
    settings: Settings,
) -> TaskFindings:
    """Compare one task of all runs with the first of them, and rank them."""
    opened = open_task(name, metrics, runs, catalogue, settings, Memory())
    rankings = [one for able in opened.able for one in _rankings(*able)]
    return TaskFindings(rows_of(opened), tuple(rankings), opened.left_out)


def rows_of(opened: OpenedTask) -> tuple[Row, ...]:
    """Each run beside the baseline, by each metric."""
    return tuple(
        _row(task, metric, partner)
        for task, metric, partners in opened.able
        for partner in partners
    )


def open_task(
    name: str,
    metrics: Sequence[str],
    runs: Sequence[ComparedRun],
    catalogue: Catalogue,
    settings: Settings,
    memory: Memory,
) -> OpenedTask:
    """Align the samples of all runs with those of the first, and check that they are the same."""
    baseline, *others = runs
    found, left_out = _metrics(name, metrics, baseline, catalogue)
    if not found:
        return OpenedTask((), tuple(left_out))
    try:
        samples = memory.samples(baseline, name, list(found))
        for metric in found.values():
            stored = baseline.results.tasks[name].metrics[metric.name]
            check_reproduced(metric, stored, samples)
    except DataError as error:
        return OpenedTask((), (*left_out, LeftOut(name, "", baseline.label, str(error))))
    task = _Task(name, baseline, samples, found, settings, memory)
    partners: list[_Partner] = []
    for run in others:
        partner = _partner(task, run)
        if isinstance(partner, LeftOut):
            left_out.append(partner)
        else:
            partners.append(partner)
    able = []
    for metric in found.values():
        fit = []
        for partner in partners:
            reason = _unfit(task, metric, partner)
            if reason is not None:
                left_out.append(LeftOut(name, metric.name, partner.run.label, reason))
            else:
                fit.append(partner)
        able.append((task, metric, tuple(fit)))
    return OpenedTask(tuple(able), tuple(left_out))


def _metrics(
    task: str, names: Sequence[str], baseline: ComparedRun, catalogue: Catalogue
) -> tuple[dict[str, Metric], list[LeftOut]]:
    found, left_out = {}, []
    for name in names:
        try:
            found[name] = installed_metric(catalogue, task, name, baseline)
        except DataError as error:
            left_out.append(LeftOut(task, name, baseline.label, str(error)))
    return found, left_out


def _partner(task: _Task, run: ComparedRun) -> _Partner | LeftOut:
    """The run's samples beside those of the baseline, or why they are not compared."""

    def refused(reason: str) -> LeftOut:
        return LeftOut(task.name, "", run.label, reason)

    if task.name not in run.results.tasks:
        return refused(run.record.skipped.get(task.name, "the run was not asked it"))
    differing = list(task_mismatches(task.name, task.baseline, run))
    names = [name for name in task.metrics if name in run.results.tasks[task.name].metrics]
    try:
        samples = task.memory.samples(run, task.name, names)
    except DataError as error:
        return refused(str(error))
    places = common_samples(task.samples, samples)
    if not len(places[0]):
        return refused("no sample that was answered has the same id in both runs")
    if (prompts := _prompts(task, run, samples, places)) is not None:
        differing.append(prompts)
    if differing and not task.settings.allow_mismatch:
        return refused(f"{'; '.join(differing)} (--allow-mismatch compares them all the same)")
    notes = _notes(task.samples, samples, len(places[0]))
    return _Partner(run, samples, places, tuple(differing), notes)


def _prompts(
    task: _Task, run: ComparedRun, samples: StoredSamples, places: tuple[Places, Places]
) -> str | None:
    """How many of the common samples were asked otherwise, in words."""
    runs = run, task.baseline
    hashes = [one.record.tasks[task.name].prompt_hash for one in runs]
    if hashes[0] == hashes[1] or not all(map(reads_prompts, runs)):
        return None
    changed = differently_asked(task.samples, samples, places)
    if changed is None:
        return "prompts: the runs asked different things, and one of them does not say in which"
    if not changed:
        return None
    common = len(places[0])
    return f"prompts: {changed} of {common} common samples were asked or are scored otherwise"


def _notes(baseline: StoredSamples, own: StoredSamples, common: int) -> tuple[str, ...]:
    notes = []
    totals = [len(one.ids) + one.failed for one in (baseline, own)]
    if own.failed or baseline.failed:
        notes.append(
            f"samples that failed have no part: {own.failed}, in the baseline {baseline.failed}"
        )
    if common < max(len(baseline.ids), len(own.ids)):
        notes.append(f"{common} samples in common, of {totals[1]} and the baseline's {totals[0]}")
    return tuple(notes)


def _unfit(task: _Task, metric: Metric, partner: _Partner) -> str | None:
    """Why this metric of the run cannot be compared, or None."""
    stored = partner.run.results.tasks[task.name].metrics.get(metric.name)
    if stored is None:
        return "the run has no such metric"
    own = partner.samples.statistics[metric.name]
    try:
        if task.samples.statistics[metric.name].shape[1] != own.shape[1]:
            return "the runs have other statistics of it, so that its metric must have changed"
        check_reproduced(metric, stored, partner.samples)
    except DataError as error:
        return str(error)
    differing = tuple(metric_mismatches(task.name, metric.name, task.baseline, partner.run))
    if differing and not task.settings.allow_mismatch:
        return f"{'; '.join(differing)} (--allow-mismatch compares them all the same)"
    return None


def _row(task: _Task, metric: Metric, partner: _Partner) -> Row:
    settings = task.settings
    of_baseline, of_run = partner.places

    def compute() -> Difference:
        return compare_pair(
            metric,
            partner.samples.statistics[metric.name][of_run],
            task.samples.statistics[metric.name][of_baseline],
            task.samples.groups[of_baseline],
            seed=task.seed,
            levels=(1 - settings.alpha, *settings.levels),
        )

    difference = task.memory.difference(
        metric.name, partner.run.label, task.baseline.label, compute
    )
    results = task.baseline.results.tasks[task.name]
    return Row(
        task=task.name,
        family=results.family,
        metric=metric.name,
        metric_result=results.metrics[metric.name],
        run=partner.run.label,
        run_id=partner.run.origin(task.name).results.run_id,
        difference=difference,
        corrected=difference.p_value,
        detectable=smallest_detectable_effect(
            planning_error(difference, settings.alpha), alpha=settings.alpha
        ),
        needed=needed_samples(difference, settings.effect, settings.alpha),
        mismatches=_all_mismatches(task, metric, partner),
        notes=partner.notes,
    )


def needed_samples(difference: Difference, effect: float | None, alpha: float) -> int | None:
    """How many would show an effect, or the observed difference where there is none given.

    None for no difference, and where samples say nothing of how much more would vary.
    """
    wanted = difference.difference if effect is None else effect
    error = planning_error(difference, alpha)
    if not wanted or not error > 0:
        return None
    return samples_needed(error, difference.n, wanted, alpha=alpha)


def planning_error(difference: Difference, alpha: float) -> float:
    """The standard error that says what more samples would show; NaN where nothing does.

    Where all samples differ alike, or none does, there is none to be seen, and one of 0 would say
    that any difference however small can be found: it is then what the interval, which has a width
    also there, leaves open.
    """
    ends = difference.intervals.get(1 - alpha)
    if difference.stderr > 0 or ends is None:
        return difference.stderr or math.nan
    half = (ends[1] - ends[0]) / 2
    return half / normal_quantile(1 - alpha) or math.nan


def _all_mismatches(task: _Task, metric: Metric, partner: _Partner) -> tuple[str, ...]:
    of_metric = metric_mismatches(task.name, metric.name, task.baseline, partner.run)
    return (*partner.mismatches, *of_metric)


def _rankings(task: _Task, metric: Metric, partners: Sequence[_Partner]) -> list[Ranking]:
    """All runs in order, where there are enough and the metric says what is better."""
    if len(partners) + 1 < _RANKED or metric.ideal is not None:
        return []
    common = reduce(np.intersect1d, [partner.places[0] for partner in partners])
    if not len(common):
        return []
    models = [task.samples.statistics[metric.name][common]]
    for partner in partners:
        of_baseline, of_run = partner.places
        places = of_run[np.searchsorted(of_baseline, common)]
        models.append(partner.samples.statistics[metric.name][places])
    standings = rank_models(
        metric, models, task.samples.groups[common], seed=task.seed, alpha=task.settings.alpha
    )
    labels = [task.baseline.label, *(partner.run.label for partner in partners)]
    mismatches = {
        f"{partner.run.label}: {text}": None
        for partner in partners
        for text in _all_mismatches(task, metric, partner)
    }
    return [
        Ranking(
            task=task.name,
            metric=metric.name,
            metric_result=task.baseline.results.tasks[task.name].metrics[metric.name],
            n=len(common),
            standings=dict(zip(labels, standings, strict=True)),
            mismatches=tuple(mismatches),
        )
    ]
