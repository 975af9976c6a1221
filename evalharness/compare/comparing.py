"""compare_runs(): from finished runs to differences that can be trusted. Reads top-down."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from evalharness.compare.memory import Memory
from evalharness.compare.overall import overall
from evalharness.compare.records import (
    Caution,
    ComparedRun,
    Comparison,
    LeftOut,
    Row,
    Settings,
    TaskFindings,
)
from evalharness.compare.tasks import compare_task, needed_samples, open_task, rows_of
from evalharness.discovery import Catalogue
from evalharness.errors import UsageError, did_you_mean
from evalharness.statistics.corrections import Correction, corrected
from evalharness.statistics.power import smallest_detectable_effect
from evalharness.validity import warnings


def compare_runs(
    runs: Sequence[ComparedRun], catalogue: Catalogue, settings: Settings
) -> Comparison:
    """Every other run beside the first one, which is the baseline, task by task.

    What cannot be compared is left out and said. Raises UsageError for a metric that no task has.
    """
    findings = [
        compare_task(task, metrics, runs, catalogue, settings)
        for task, metrics in _chosen_metrics(runs[0], settings).items()
    ]
    return _comparison(runs, findings, settings)


def compare_with_each(
    runs: Sequence[ComparedRun], catalogue: Catalogue, settings: Settings
) -> tuple[Comparison, ...]:
    """For each run what `compare_runs` finds with it as the baseline, rankings apart.

    Every pair is tested once. Raises UsageError as `compare_runs` does.
    """
    chosen = {run.label: _chosen_metrics(run, settings) for run in runs}
    findings: dict[str, list[TaskFindings]] = {run.label: [] for run in runs}
    for task in dict.fromkeys(task for tasks in chosen.values() for task in tasks):
        memory = Memory()
        for run in runs:
            if task in chosen[run.label]:
                in_order = [run, *(other for other in runs if other is not run)]
                metrics = chosen[run.label][task]
                opened = open_task(task, metrics, in_order, catalogue, settings, memory)
                findings[run.label].append(TaskFindings(rows_of(opened), (), opened.left_out))
    return tuple(
        _comparison(
            [run, *(other for other in runs if other is not run)], findings[run.label], settings
        )
        for run in runs
    )


def at_level(comparison: Comparison, alpha: float) -> Comparison:
    """The same comparison by tests at another level, of which it must have the intervals."""
    rows = tuple(
        replace(
            row,
            detectable=smallest_detectable_effect(row.difference.stderr, alpha=alpha),
            needed=needed_samples(row.difference, comparison.effect, alpha),
        )
        for row in comparison.rows
    )
    return replace(
        comparison, alpha=alpha, rows=rows, overall=overall(rows, comparison.runs, 1 - alpha)
    )


def _comparison(
    runs: Sequence[ComparedRun], findings: Sequence[TaskFindings], settings: Settings
) -> Comparison:
    baseline, *others = runs
    rows = _with_correction(findings, settings.correction)
    labels = tuple(run.label for run in others)
    return Comparison(
        baseline=baseline.label,
        runs=labels,
        alpha=settings.alpha,
        correction=settings.correction,
        effect=settings.effect,
        rows=rows,
        left_out=(
            *(one for found in findings for one in found.left_out),
            *_not_in_baseline(baseline, others),
        ),
        cautions=tuple(_cautions(runs, rows, settings.thresholds)),
        rankings=tuple(ranking for found in findings for ranking in found.rankings),
        overall=overall(rows, labels, 1 - settings.alpha),
    )


def _chosen_metrics(baseline: ComparedRun, settings: Settings) -> dict[str, list[str]]:
    """The metrics of each task of the baseline that are to be compared, by family and task."""
    tasks = baseline.results.tasks
    known = {metric for task in tasks.values() for metric in task.metrics}
    for name in settings.metrics:
        if name not in known:
            raise UsageError(
                f"--metric {name}: no task of the baseline has such a metric; they have "
                f"{', '.join(sorted(known))}.{did_you_mean(name, known)}"
            )
    chosen: dict[str, list[str]] = {}
    for task in sorted(tasks, key=lambda name: (tasks[name].family, name)):
        metrics = tasks[task].metrics
        wanted = set(settings.metrics) or {next(iter(metrics))}
        wanted |= {metric for name, metric in settings.also if name == task}
        if found := [metric for metric in metrics if metric in wanted]:
            chosen[task] = found
    return chosen


def _with_correction(findings: Sequence[TaskFindings], correction: Correction) -> tuple[Row, ...]:
    """All rows, their p-values corrected for there being so many."""
    rows = [row for found in findings for row in found.rows]
    p_values = corrected([row.difference.p_value for row in rows], correction)
    return tuple(
        replace(row, corrected=float(value)) for row, value in zip(rows, p_values, strict=True)
    )


def _not_in_baseline(baseline: ComparedRun, others: Sequence[ComparedRun]) -> Iterator[LeftOut]:
    for run in others:
        for task in run.results.tasks:
            if task not in baseline.results.tasks:
                yield LeftOut(task, "", run.label, "the baseline has none of it")


def _cautions(
    runs: Sequence[ComparedRun], rows: Sequence[Row], thresholds: Mapping[str, float]
) -> Iterator[Caution]:
    """Of all tasks that were compared, failures aside, which each row counts itself."""
    thresholds = {name: share for name, share in thresholds.items() if name != "failed"}
    compared = {run.label: run for run in runs}
    for task in dict.fromkeys(row.task for row in rows):
        others = dict.fromkeys(row.run for row in rows if row.task == task)
        for label in (runs[0].label, *others):
            for text in warnings(compared[label].results.tasks[task].validity, thresholds):
                yield Caution(task, label, text)
