"""Run folders made up for tests of comparisons, in the form that runs write."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evalharness.compare.comparing import compare_runs
from evalharness.compare.records import Comparison, Settings
from evalharness.compare.runs import open_runs
from evalharness.discovery import Catalogue, FoundTask
from evalharness.metrics.multiple_choice import ACCURACY
from evalharness.metrics.translation import ter
from evalharness.records import Metric, Row, Sample, Task
from evalharness.results import SampleRow
from evalharness.run_folder import write_results, write_run, write_samples
from evalharness.sources import LocalFile
from evalharness.statistics.resampling import score
from tests.report.runs import metric, run, task

TER = ter()


def unread(_row: Row) -> Sample:
    raise AssertionError("a comparison reads no data")


def catalogue(*metrics: Metric, name: str = "task", version: int = 1) -> Catalogue:
    """One installed task."""
    made = Task(
        name=name,
        family="question_answering",
        version=version,
        data=LocalFile(Path("unread.jsonl")),
        sample=unread,
        metrics=metrics or (ACCURACY,),
    )
    return Catalogue({name: FoundTask(made, Path("installed.py"))}, {}, ())


def sample_row(
    name: str, statistics: Mapping[str, Sequence[float]] | None, **changes: Any
) -> SampleRow:
    """One sample; None for statistics means that it failed."""
    values: dict[str, Any] = {
        "id": name,
        "group": None,
        "slices": {},
        "prompt_hash": f"hash of {name}",
        "prompts": ["?"],
        "target": "",
        "references": [],
        "responses": [],
        "extracted": [],
        "statistics": None if statistics is None else {k: list(v) for k, v in statistics.items()},
        "truncated": False,
        "lost_shots": 0,
        "unfinished": False,
        "unfinished_thinking": False,
        "empty": False,
        "unparsed": False,
        "looped": False,
        "doubled_start": False,
        "failed": statistics is None,
        "error": "" if statistics is not None else "no answer",
    }
    return SampleRow(**{**values, **changes})


def rights(values: Mapping[str, bool | int | None], **changes: Any) -> list[SampleRow]:
    """Samples by id, with whether they are right; None for those that failed."""
    return [
        sample_row(name, None if value is None else {"acc": [float(value)]}, **changes)
        for name, value in values.items()
    ]


def write_made_up(
    folder: Path,
    rows: Sequence[SampleRow],
    *,
    metrics: Sequence[Metric] = (ACCURACY,),
    name: str = "task",
    record_changes: Mapping[str, Any] | None = None,
    task_changes: Mapping[str, Any] | None = None,
    metric_changes: Mapping[str, Any] | None = None,
    **changes: Any,
) -> str:
    """Write a finished run of one task; returns its folder as a command names it."""
    measured = [row.statistics for row in rows if row.statistics is not None]
    scores = {}
    for one in metrics:
        value = None
        if measured:
            statistics = np.array([own[one.name] for own in measured], dtype=float)
            groups = [row.group or row.id for row in rows if row.statistics is not None]
            value = score(one, statistics, np.unique(groups, return_inverse=True)[1])
        scores[one.name] = metric(value, None, higher=one.higher_is_better).model_copy(
            update={"bounds": tuple(b if np.isfinite(b) else None for b in one.bounds),
                    "ideal": one.ideal, **(metric_changes or {})}
        )  # fmt: skip
    record, results = run(folder.name, {name: task(scores, n=len(rows), **(task_changes or {}))},
                          **changes)  # fmt: skip
    asked = record.tasks[name].model_copy(
        update={"n": len(rows), **(task_changes or {}), **(record_changes or {})}
    )
    write_run(folder, record.model_copy(update={"tasks": {name: asked}}))
    write_results(folder, results)
    write_samples(folder, name, rows)
    return str(folder)


def compare(runs: Sequence[str], installed: Catalogue | None = None, **settings: Any) -> Comparison:
    """Compare run folders, the first of which is the baseline."""
    opened = open_runs(runs, None, print)
    return compare_runs(opened, installed or catalogue(), Settings(**settings))
