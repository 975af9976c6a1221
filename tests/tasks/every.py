"""Every task that is bundled, with data that a test can have without a hub.

A task whose data lies on a hub, or is the user's to give, is tested on a few rows that are written
here in the exact form of the original: rows/FAMILY/NAME.jsonl, NAME--ARGUMENT.jsonl for an example
of a template, NAME--PLACE.jsonl for an alternative place. Others are tested on their real data.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from evalharness.discovery import find_tasks
from evalharness.prompts.preparation import PreparedTask, prepare
from evalharness.records import Source, Task
from evalharness.sources import (
    Concatenated,
    HubDataset,
    Joined,
    LocalFile,
    NotGiven,
    SacrebleuTestSet,
    WithExamples,
)
from evalharness.sources.combined import innermost, with_source
from tests.encoder_models import make_classifier

ROWS = Path(__file__).parent / "rows"
# Tasks that need a classifier of the user's get a tiny one.
_CLASSIFIERS = tempfile.TemporaryDirectory(prefix="evalharness-classifiers-")
os.environ["EVALHARNESS_CLASSIFIERS"] = _CLASSIFIERS.name
make_classifier(Path(_CLASSIFIERS.name, "toxic-bert"), ["fine", "toxic"], [0.0, 1.0])
make_classifier(Path(_CLASSIFIERS.name, "regard"), ["negative", "neutral", "positive"], [0, 2, 0])


def written_rows(task: Task, name: str) -> Path:
    """The file in which the rows for a test of this task are, if its data cannot be had."""
    return ROWS / task.family / f"{name.replace(':', '--')}.jsonl"


def is_elsewhere(source: Source) -> bool:
    """Can a test not have this data?"""
    inside = innermost(source)
    if isinstance(inside, WithExamples):
        return is_elsewhere(inside.source)
    if isinstance(inside, Concatenated):
        return any(map(is_elsewhere, inside.sources))
    return isinstance(inside, HubDataset | NotGiven | Joined | SacrebleuTestSet)


def _tasks() -> Iterator[tuple[str, Task]]:
    catalogue = find_tasks()
    for name, found in catalogue.tasks.items():
        yield name, found.task
    for name, template in catalogue.templates.items():
        for argument in template.template.examples:
            yield f"{name}:{argument}", catalogue.find(f"{name}:{argument}").task


def _testable() -> Iterator[tuple[str, Task]]:
    for name, task in _tasks():
        yield name, _with_rows(task, name)
        for one in task.alternatives:
            place = f"{name}--{one.name}"
            # How many rows another place has is not said.
            other = replace(task, data=one.data, sample=one.sample, shots=one.shots, size=0)
            yield place, _with_rows(other, place)


def _with_rows(task: Task, name: str) -> Task:
    rows = LocalFile(written_rows(task, name))
    data = with_source(task.data, rows) if is_elsewhere(task.data) else task.data
    # Few-shot examples that lie elsewhere are read like the rows: the last of them stand for them.
    shots = None if task.shots is not None and is_elsewhere(task.shots) else task.shots
    return replace(task, data=data, shots=shots)


TASKS = dict(_testable())
"""By name, that of an alternative with its place: all that a test of every task looks at."""


def prepared(name: str, limit: int | None, shots: int = 0) -> PreparedTask:
    """The first samples of a task."""
    return prepare(TASKS[name], limit=limit, num_fewshot=shots, seed=0)
