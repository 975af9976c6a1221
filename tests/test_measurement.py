"""What is measured of an answer, and what a sample's row keeps of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from evalharness.errors import DataError
from evalharness.measurement import Answered, measure_task
from evalharness.metrics.multiple_choice import ACCURACY
from evalharness.metrics.question_answering import EXACT_MATCH
from evalharness.prompts.preparation import prepare
from evalharness.records import (
    DataIdentity,
    Failure,
    GenerationResponse,
    LogLikelihoodResponse,
    Outcome,
    Request,
    Row,
    Sample,
    Task,
    as_text,
    whole_prompt,
)
from evalharness.results import SampleRow, TaskResult
from evalharness.samples import generation, multiple_choice
from evalharness.samples.shots import with_shots


class Numbers:
    """A source of four rows."""

    def rows(self) -> Iterator[Row]:
        for number in range(4):
            yield Row({"number": number}, f"row {number}")

    def identity(self) -> DataIdentity:
        return DataIdentity("numbers", "1")


def question(row: Row) -> Sample:
    number = row["number"]
    return generation(id=str(number), prompt=f"{number}?", references=["4"], max_tokens=9)


TASK = Task(
    name="task",
    family="question_answering",
    version=1,
    data=Numbers(),
    sample=question,
    metrics=(EXACT_MATCH,),
)
THOUGHT = "<think>\n2 and 2\n</think>\n\n"


def measured(*outcomes: Outcome) -> tuple[TaskResult, list[SampleRow]]:
    """Each sample has two examples before its prompt; the prompt "3?" cannot be rendered."""
    task = prepare(TASK, limit=len(outcomes), num_fewshot=0, seed=0)
    example = generation(id="e", prompt="0?", references=["0"], max_tokens=9)
    shown = tuple(with_shots(sample, [example, example]) for sample in task.samples)
    task = replace(task, samples=shown)
    instances = list(task.instances())
    answers = [Answered(*one, False) for one in zip(instances, outcomes, strict=True)]
    return measure_task(task, answers, seed=0, peak_memory_bytes=0, render=render)


def render(request: Request) -> str:
    text = as_text(whole_prompt(request))
    if "3?" in text:
        raise DataError("no threes")
    return f"<s>{text}"


def test_the_answer_is_measured_without_the_thinking_which_is_kept() -> None:
    text = f"{THOUGHT}4"
    result, (row,) = measured(GenerationResponse(text, "end", thinking=len(THOUGHT)))
    assert result.metrics["exact_match"].value == 100.0
    assert (row.responses, row.extracted) == ([text], ["4"])
    assert (row.unfinished_thinking, row.empty) == (False, False)
    assert result.validity.unfinished_thinking == 0


def test_unfinished_thinking_is_an_empty_answer_that_is_counted() -> None:
    """What a model thought last was taken for its answer."""
    text = "<think>\nit may be\n4"
    result, rows = measured(
        GenerationResponse(text, "length", thinking=len(text), unfinished_thinking=True),
        GenerationResponse("4", "end"),
    )
    assert result.metrics["exact_match"].value == 50.0
    assert (rows[0].responses, rows[0].extracted) == ([text], [""])
    assert [row.unfinished_thinking for row in rows] == [True, False]
    assert (result.validity.unfinished_thinking, result.validity.empty) == (1, 1)


def test_the_stored_prompt_is_what_the_model_was_given() -> None:
    """It had the examples that did not fit, and no special tokens."""
    _, rows = measured(
        GenerationResponse("4", "end"),
        GenerationResponse("4", "end", dropped_shots=1),
        GenerationResponse("4", "end", dropped_shots=2),
        Failure("no threes"),
    )
    shots = "0? 0\n\n"
    assert [row.prompts for row in rows] == [
        [f"<s>{shots * 2}0?"],
        [f"<s>{shots}1?"],
        ["<s>2?"],
        [f"{shots * 2}3?"],
    ]
    assert rows[3].failed


def test_options_are_stored_with_the_text_that_was_scored_of_each_and_the_right_ones() -> None:
    """A report of the run has nothing else to say which option a log-probability is of."""

    def choice(_row: Row) -> Sample:
        return multiple_choice(id="1", prompt="2 and 2?", choices=["3", "4", "four"], gold=[1, 2])

    task = prepare(replace(TASK, sample=choice), limit=1, num_fewshot=0, seed=0)
    answers = [
        Answered(instance, LogLikelihoodResponse(-1.0, 1, greedy=True), False)
        for instance in task.instances()
    ]
    task = replace(task, task=replace(task.task, metrics=(ACCURACY,)))
    _, (row,) = measure_task(task, answers, seed=0, peak_memory_bytes=0, render=render)
    assert row.choices == ["3", "4", "four"]
    assert row.gold == [1, 2]
    assert row.continuations == [" 3", " 4", " four"]


def test_a_signature_that_depends_on_the_samples_is_that_of_all_of_them() -> None:
    """As the number of references does, which the task cannot know before it has its data."""

    def signature(samples: Sequence[Sample]) -> str:
        return f"of {len(samples)} samples"

    metric = replace(EXACT_MATCH, signature_of=signature)
    task = prepare(replace(TASK, metrics=(metric,)), limit=2, num_fewshot=0, seed=0)
    answers = [Answered(one, GenerationResponse("4", "end"), False) for one in task.instances()]
    result, _ = measure_task(task, answers, seed=0, peak_memory_bytes=0)
    assert result.metrics["exact_match"].signature == "of 2 samples"
    wrong = replace(metric, signature_of=len)  # type: ignore[arg-type]
    broken = replace(task, task=replace(task.task, metrics=(wrong,)))
    with pytest.raises(DataError, match="has no signature: TypeError: expected a text, found 2"):
        measure_task(broken, answers, seed=0, peak_memory_bytes=0)
