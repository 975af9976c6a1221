"""Multiple choice asked in other ways, as tasks of their own.

letters:TASK has the options in the prompt after letters, which are scored, as MMLU is asked.
lm-evaluation-harness asks CommonsenseQA so. What it shows besides knowledge is whether a model can
go by letters, which small ones often cannot.

mutual-information:TASK scores each option without its question, too (Brown et al. 2020; Holtzman
et al. 2021), so that options which are likely anyway have no advantage. acc_mutual_info is
lm-evaluation-harness's.

calibration:TASK asks as TASK does, and has all figures of how sure a model is of its answers.

Data, examples and licence are those of TASK. Its version and that of the way together are the
version; a way that changes raises `LETTERS_VERSION`, `MUTUAL_INFORMATION_VERSION` or
`CALIBRATION_VERSION`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from evalharness.errors import UsageError
from evalharness.metrics.calibration import (
    BRIER,
    BRIER_OF_THE_ANSWER,
    ECE,
    ECE_OF_EQUAL_BINS,
    MAXIMUM_CALIBRATION_ERROR,
    SELECTIVE_ACCURACY,
    SELECTIVE_AREA,
)
from evalharness.metrics.multiple_choice import ACCURACY, ACCURACY_MUTUAL_INFORMATION
from evalharness.records import Metric, Row, Sample, Task, TaskTemplate
from evalharness.samples import by_letters, with_options_alone

LETTERS_VERSION = 1
MUTUAL_INFORMATION_VERSION = 1
CALIBRATION_VERSION = 1
CALIBRATION = (
    ECE, ECE_OF_EQUAL_BINS, MAXIMUM_CALIBRATION_ERROR, BRIER, BRIER_OF_THE_ANSWER, SELECTIVE_AREA,
    SELECTIVE_ACCURACY,
)  # fmt: skip


def letters(name: str, find: Callable[[str], Task]) -> Task:
    """The task `name` with its options in the prompt. Raises UsageError for no multiple choice."""
    task = multiple_choice_task("letters", name, find)
    changed = asked_by(task, by_letters, [ACCURACY, BRIER, ECE])
    return replace(
        changed,
        name=f"letters:{name}",
        version=task.version + LETTERS_VERSION - 1,
        description=f"{task.description} By the letters of the options.",
    )


def mutual_information(name: str, find: Callable[[str], Task]) -> Task:
    """The task `name` with its options scored alone too. Raises UsageError as letters() does."""
    task = multiple_choice_task("mutual-information", name, find)
    changed = asked_by(task, with_options_alone, [ACCURACY_MUTUAL_INFORMATION, *task.metrics])
    return replace(
        changed,
        name=f"mutual-information:{name}",
        version=task.version + MUTUAL_INFORMATION_VERSION - 1,
        description=f"{task.description} By what the question adds to each option.",
    )


def calibration(name: str, find: Callable[[str], Task]) -> Task:
    """The task `name` with its calibration first. Raises UsageError as letters() does."""
    task = multiple_choice_task("calibration", name, find)
    own = [metric for metric in task.metrics if metric not in CALIBRATION]
    return replace(
        task,
        name=f"calibration:{name}",
        version=task.version + CALIBRATION_VERSION - 1,
        metrics=(*CALIBRATION, *own),
        description=f"{task.description} How sure a model is, and how often right.",
    )


def multiple_choice_task(template: str, name: str, find: Callable[[str], Task]) -> Task:
    task = find(name)
    if all(metric.measure is not ACCURACY.measure for metric in task.metrics):
        raise UsageError(f"{template}:{name}: {name} is no task of multiple choice.")
    return task


def asked_by(task: Task, way: Callable[[Sample], Sample], metrics: Sequence[Metric]) -> Task:
    """The task, its alternatives included, with each of its samples asked in another way."""

    def changed(sample: Callable[[Row], Sample]) -> Callable[[Row], Sample]:
        return lambda row: way(sample(row))

    return replace(
        task,
        sample=changed(task.sample),
        metrics=tuple(metrics),
        alternatives=tuple(replace(one, sample=changed(one.sample)) for one in task.alternatives),
    )


TASKS = (
    TaskTemplate(
        name="letters",
        family="question_answering",
        argument="TASK",
        examples=("openbookqa", "commonsense-qa", "arc-challenge"),
        make=letters,
        description="Any multiple choice with its options in the prompt, by their letters.",
    ),
    TaskTemplate(
        name="mutual-information",
        family="question_answering",
        argument="TASK",
        examples=("openbookqa",),
        make=mutual_information,
        description="Any multiple choice by what the question adds to each option.",
    ),
    TaskTemplate(
        name="calibration",
        family="question_answering",
        argument="TASK",
        examples=("openbookqa",),
        make=calibration,
        description="Any multiple choice with all figures of calibration.",
    ),
)
