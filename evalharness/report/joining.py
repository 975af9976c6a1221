"""Runs of one model become one row: a suite that was run in parts, on several days or machines.

Runs are of one model where their fingerprints are equal, which cover weights, precision, chat
template and engine (backends/), and where they put tasks to it in the same form. A task that both
asked, and asked otherwise (more examples, fewer samples), keeps them apart: those are two
measurements.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from evalharness.compare.records import ComparedRun, FinishedRun
from evalharness.report.text import number, short
from evalharness.results import Results, RunRecord, TaskResult

_ROUNDING = 1e-9


def join_runs(found: Sequence[FinishedRun]) -> list[ComparedRun]:
    """The runs, those of one model joined; their labels are still the names of their models.

    Of a task that was run twice the later result stands, and where both are equal the one whose
    samples are at hand. Unequal results are told of in the notes.
    """
    rows: list[list[FinishedRun]] = []
    for run in sorted(found, key=_when):
        fitting = [row for row in rows if _can_be_joined(run, row)]
        if fitting:
            max(fitting, key=lambda row: _alike(run, row)).append(run)
        else:
            rows.append([run])
    return [_joined(row) for row in rows]


def _when(run: FinishedRun) -> tuple[datetime, str]:
    return run.record.finished or run.record.started, run.results.run_id


def _model(run: FinishedRun) -> tuple[object, ...]:
    """What is equal in all runs of a row."""
    model, asked = run.results.model, run.record.configuration
    form = asked.chat, asked.system_prompt, asked.fewshot_as
    return model.fingerprint, model.series, model.step, *form


def _can_be_joined(run: FinishedRun, row: Sequence[FinishedRun]) -> bool:
    if _model(run) != _model(row[0]):
        return False
    return all(
        _asked(run, task) == _asked(one, task)
        for one in row
        for task in run.results.tasks
        if task in one.results.tasks
    )


def _asked(run: FinishedRun, task: str) -> tuple[object, ...]:
    """What is equal where a task was asked in the same way."""
    result, record = run.results.tasks[task], run.record.tasks[task]
    asked = result.version, result.n, result.num_fewshot, result.prompt_hash, tuple(result.metrics)
    return *asked, result.chat, result.method, record.source, record.revision


def _alike(run: FinishedRun, row: Sequence[FinishedRun]) -> int:
    """How much of the configuration is that of the row, where a run would fit several."""
    return max(
        sum(a == b for a, b in zip(_settings(run), _settings(one), strict=True)) for one in row
    )


def _settings(run: FinishedRun) -> tuple[int | None, ...]:
    asked = run.record.configuration
    return asked.num_fewshot, asked.limit, asked.seed


def _joined(row: Sequence[FinishedRun]) -> ComparedRun:
    """Runs of one model, in the order of time."""
    last = row[-1]
    if len(row) == 1:
        return ComparedRun(last.folder, last.record, last.results, last.results.model.name)
    origins: dict[str, FinishedRun] = {}
    notes: list[str] = []
    for run in row:
        for task, result in run.results.tasks.items():
            before = origins.get(task)
            if before is None:
                origins[task] = run
            elif not _equal(before.results.tasks[task], result):
                origins[task] = run
                notes.append(_note(task, before, run))
            elif _has_samples(run, task) or not _has_samples(before, task):
                origins[task] = run
    return ComparedRun(
        folder=last.folder,
        record=_record(row, origins),
        results=_results(row, origins),
        label=last.results.model.name,
        origins=origins,
        notes=tuple(notes),
    )


def _equal(one: TaskResult, other: TaskResult) -> bool:
    pairs = [(one.metrics[name].value, other.metrics[name].value) for name in one.metrics]
    return all(
        a == b or (a is not None and b is not None and math.isclose(a, b, abs_tol=_ROUNDING))
        for a, b in pairs
    )


def _has_samples(run: FinishedRun, task: str) -> bool:
    return (run.folder / "samples" / f"{task}.parquet").exists()


def _note(task: str, before: FinishedRun, run: FinishedRun) -> str:
    scores = " and then ".join(_differing(task, before, run))
    day = f"{_when(run)[0]:%Y-%m-%d}"
    return (
        f"{short(run.results.model.name)}: {short(task)} was run twice, and the scores differ "
        f"({scores}). Shown is the later run, {short(run.results.run_id)} of {day}."
    )


def _differing(task: str, before: FinishedRun, run: FinishedRun) -> Iterator[str]:
    """The first metric that differs, in both runs."""
    for name, later in run.results.tasks[task].metrics.items():
        earlier = before.results.tasks[task].metrics[name]
        if earlier.value != later.value:
            for metric in (earlier, later):
                value = "undefined" if metric.value is None else number(metric.value, metric)
                yield f"{short(name)} {value}"
            return


def _record(row: Sequence[FinishedRun], origins: Mapping[str, FinishedRun]) -> RunRecord:
    skipped = {task: why for run in row for task, why in run.record.skipped.items()}
    changes: dict[str, Any] = {
        "tasks": {task: run.record.tasks[task] for task, run in origins.items()},
        "skipped": {task: why for task, why in skipped.items() if task not in origins},
    }
    return row[-1].record.model_copy(update=changes)


def _results(row: Sequence[FinishedRun], origins: Mapping[str, FinishedRun]) -> Results:
    changes: dict[str, Any] = {
        "tasks": {task: run.results.tasks[task] for task, run in origins.items()},
        "load_seconds": sum(run.results.load_seconds for run in row),
    }
    return row[-1].results.model_copy(update=changes)
