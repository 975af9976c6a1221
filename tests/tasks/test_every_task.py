"""Every bundled task: samples are sound, scores are defined, versions tell of changes."""

from collections.abc import Mapping

import pytest

from evalharness.backends import open_backend
from evalharness.measurement import Answered, measure_task
from evalharness.prompts.preparation import PreparedTask
from evalharness.records import (
    Generation,
    GenerationResponse,
    LogLikelihoodResponse,
    Outcome,
    RollingLogLikelihood,
    whole_prompt,
)
from evalharness.results import TaskResult
from tests.tasks import versions
from tests.tasks.every import ROWS, TASKS, prepared, written_rows

every_task = pytest.mark.parametrize("name", TASKS)


def measured(task: PreparedTask, outcomes: Mapping[int, Outcome]) -> TaskResult:
    instances = enumerate(task.instances())
    answers = [Answered(instance, outcomes[index], False) for index, instance in instances]
    return measure_task(task, answers, seed=0, peak_memory_bytes=0)[0]


@every_task
def test_all_rows_become_samples_that_ask_something(name: str) -> None:
    """Unreadable rows, doubled ids and empty options would raise here."""
    task = prepared(name, None)
    written = written_rows(task.task, name).exists()
    assert task.record.n >= (2 if written else 60)
    if not written and task.task.size:
        assert task.record.n == task.task.size
    assert task.task.description
    assert task.task.licence
    for sample in task.samples:
        for request in sample.requests:
            prompt = whole_prompt(request)
            assert isinstance(prompt, str)
            # A text that is scored as a whole may begin with white space, as WikiText's do.
            if not isinstance(request, RollingLogLikelihood):
                assert prompt == prompt.strip(" ")


@every_task
def test_baselines_get_scores_within_bounds(name: str) -> None:
    task = prepared(name, 12)
    for spec in ("baseline:random", "baseline:majority"):
        result = measured(task, dict(open_backend(spec).answer(list(task.instances()))))
        for metric in result.metrics.values():
            low, high = metric.bounds
            if metric.value is None:
                continue  # placeholders_kept, where no message of the twelve has a placeholder
            assert (float("-inf") if low is None else low) <= metric.value
            assert metric.value <= (float("inf") if high is None else high)
            if metric.interval is not None:
                assert metric.interval[0] <= metric.interval[1]


GENERATION = [
    name
    for name in TASKS
    if isinstance((first := prepared(name, 1).samples[0]).requests[0], Generation)
    and first.references
]


@pytest.mark.parametrize("name", GENERATION)
def test_the_references_themselves_get_the_best_score_and_nothing_the_worst(name: str) -> None:
    task = prepared(name, 40)
    instances = list(enumerate(task.instances()))
    # What is scored beside a text, such as that there is no answer, is not likely.
    scored: dict[int, Outcome] = {
        index: LogLikelihoodResponse(-9.0, tokens=1, greedy=False)
        for index, instance in instances
        if not isinstance(instance.request, Generation)
    }
    perfect = {
        index: GenerationResponse(f" {instance.sample.references[0]}\n", "stop")
        for index, instance in instances
    } | scored
    empty = {index: GenerationResponse("", "end") for index in perfect} | scored
    best, worst = measured(task, perfect), measured(task, empty)
    assert worst.validity.empty == len(task.samples)
    primary = task.task.metrics[0]
    top, bottom = primary.bounds if not primary.higher_is_better else primary.bounds[::-1]
    assert best.metrics[primary.name].value == pytest.approx(top)
    answerable = all(all(sample.references) for sample in task.samples)
    if answerable and primary.higher_is_better:
        assert worst.metrics[primary.name].value == pytest.approx(bottom)


@pytest.mark.parametrize("name", [name for name in TASKS if TASKS[name].shots])
def test_few_shot_examples_can_be_drawn_and_share_one_beginning(name: str) -> None:
    task = prepared(name, 3, shots=2)
    plain = prepared(name, 3)
    beginnings = set()
    for shown, bare in zip(task.samples, plain.samples, strict=True):
        prompts = [str(whole_prompt(sample.requests[0])) for sample in (shown, bare)]
        beginnings.add(prompts[0].removesuffix(prompts[1]))
    assert len(beginnings) == 1
    assert beginnings.pop().endswith("\n\n")


@every_task
def test_what_a_task_asks_changes_only_with_its_version(name: str) -> None:
    assert versions.problem(name) is None


def test_nothing_is_written_down_that_is_no_task() -> None:
    """A task that was renamed or deleted leaves neither rows nor a version behind."""
    for path in ROWS.rglob("*.jsonl"):
        assert path in {written_rows(task, name) for name, task in TASKS.items()}, path
    for path in versions.KEPT.glob("*.json"):
        assert set(versions.kept(path.stem)) <= set(TASKS), path
