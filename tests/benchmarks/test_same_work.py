"""Everybody gets the same work, and figures of answers that disagree are not kept."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from benchmarks.agreement import TOLERANCE, DisagreementError, agreement
from benchmarks.commands import (
    check_printed,
    our_scores,
    read_their_table,
    write_their_task,
)
from benchmarks.work import WORKS, is_generation, pairs, prepare_work, prompts
from evalharness.metrics.multiple_choice import ACCURACY, ACCURACY_NORM
from evalharness.metrics.rouge import ROUGE_L
from evalharness.prompts.preparation import PreparedTask, prepare
from evalharness.records import Row as DataRow
from evalharness.records import Sample, Task
from evalharness.samples import generation, multiple_choice
from evalharness.samples.shots import solved
from evalharness.sources import LocalFile
from tests.benchmarks.made_up import (
    OURS,
    measured,
    measured_here,
)


def questions(folder: Path, sample: Callable[[DataRow], Sample]) -> PreparedTask:
    """Two questions with two options each; the first option is right."""
    file = folder / "rows.jsonl"
    file.write_text('{"id": "a"}\n{"id": "b"}\n')
    task = Task(
        name="t",
        family="question_answering",
        version=1,
        data=LocalFile(file),
        sample=sample,
        metrics=(ACCURACY, ACCURACY_NORM),
    )
    return prepare(task, limit=None, num_fewshot=0, seed=0)


def choice(row: DataRow) -> Sample:
    return multiple_choice(id=row["id"], prompt=f"{row['id']}?", choices=("yes", "never"), gold=0)


def text(row: DataRow) -> Sample:
    return generation(id=row["id"], prompt=f"{row['id']}:", references=("x",), max_tokens=3)


@pytest.fixture
def choices(tmp_path: Path) -> PreparedTask:
    return questions(tmp_path, choice)


@pytest.fixture
def texts(tmp_path: Path) -> PreparedTask:
    made = questions(tmp_path, text)
    return replace(made, task=replace(made.task, metrics=(ROUGE_L,)))


def test_answers_within_the_tolerance_agree_and_the_scores_are_told(choices: PreparedTask) -> None:
    """By hand: the first question is right by both rules, the second is -4 / 3 against -3 / 5."""
    theirs = tuple(value + TOLERANCE / 2 for value in OURS)
    found = agreement(choices, measured_here(OURS), measured(theirs))
    assert found.largest_difference == pytest.approx(TOLERANCE / 2)
    assert found.equal_texts is None
    assert found.scores == {"acc": 0.5, "acc_norm": 0.5}


@pytest.mark.parametrize("wrong", [-4.0 + 2 * TOLERANCE, -4.0 - 2 * TOLERANCE, math.nan])
def test_one_other_log_probability_is_a_disagreement_that_names_the_request(
    choices: PreparedTask, wrong: float
) -> None:
    theirs = (OURS[0], OURS[1], wrong, OURS[3])
    other = measured(OURS).model_copy(update={"answers": theirs})
    with pytest.raises(DisagreementError, match="request 2"):
        agreement(choices, measured_here(OURS), other)


def test_a_score_that_differs_is_a_disagreement_though_the_answers_nearly_agree(
    choices: PreparedTask,
) -> None:
    near = TOLERANCE / 4
    ours, theirs = (-1.0, -1.0 - near, -4.0, -3.0), (-1.0 - near, -1.0, -4.0, -3.0)
    with pytest.raises(DisagreementError, match="scores"):
        agreement(choices, measured_here(ours), measured(theirs))


def test_an_answer_too_few_is_a_disagreement(choices: PreparedTask) -> None:
    with pytest.raises(DisagreementError, match="4 requests, but 4 and 3"):
        agreement(choices, measured_here(OURS), measured(OURS[:3]))


def test_texts_must_be_equal_to_the_last_character(texts: PreparedTask) -> None:
    ours = measured_here(("one", "two"), generated=6)
    assert agreement(texts, ours, measured(("one", "two"))).equal_texts == 2
    with pytest.raises(DisagreementError, match="request 1: 'two' and 'two '"):
        agreement(texts, ours, measured(("one", "two ")))


@pytest.mark.parametrize("theirs", [{"acc": 0.1401}, {}, {"acc": 0.14, "acc_norm": 0.2}])
def test_commands_that_print_other_scores_disagree(theirs: dict[str, float]) -> None:
    with pytest.raises(DisagreementError):
        check_printed({"acc": 0.14}, theirs)


def test_printed_scores_are_compared_as_far_as_they_are_printed() -> None:
    check_printed({"acc": 1 / 6}, {"acc": 0.1667})


def test_peers_get_prompt_and_continuation_of_every_request_in_order(
    choices: PreparedTask, texts: PreparedTask
) -> None:
    assert not is_generation(choices)
    assert pairs(choices)[1:3] == [("a?", " never"), ("b?", " yes")]
    assert is_generation(texts)
    assert prompts(texts) == [("a:", 3), ("b:", 3)]


def test_their_task_file_asks_the_same_questions(choices: PreparedTask, tmp_path: Path) -> None:
    write_their_task(tmp_path, choices)
    (file,) = tmp_path.glob("*.yaml")
    task = yaml.safe_load(file.read_text())
    data = Path(task["dataset_kwargs"]["data_files"][task["test_split"]])
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    assert [row[task["doc_to_text"]] for row in rows] == ["a?", "b?"]
    assert rows[0][task["doc_to_choice"]] == ["yes", "never"]
    assert rows[0][task["doc_to_target"]] == 0


def test_scores_are_read_from_what_lm_evaluation_harness_0_4_13_prints() -> None:
    printed = """\
hf ({'pretrained': 'c', 'dtype': 'float32'}), gen_kwargs: ({}), limit: None, batch_size: 8
|    Tasks     |Version|Filter|n-shot| Metric |   |Value |   |Stderr|
|--------------|-------|------|-----:|--------|---|-----:|---|-----:|
|same_questions|Yaml   |none  |     0|acc     |↑  |0.1400|±  |0.0349|
|              |       |none  |     0|acc_norm|↑  |0.2600|±  |0.0441|
"""
    assert read_their_table(printed) == {"acc": 0.14, "acc_norm": 0.26}


def test_our_scores_are_those_of_the_json_that_run_prints() -> None:
    metrics = {"acc": {"value": 0.14}, "acc_norm": {"value": 0.26}}
    printed = json.dumps([{"tasks": {"openbookqa": {"metrics": metrics}}}])
    assert our_scores(printed) == {"acc": 0.14, "acc_norm": 0.26}


def test_five_shots_are_the_first_five_questions_solved_before_every_question() -> None:
    zero, five = prepare_work("openbookqa-0-shot"), prepare_work("openbookqa-5-shot")
    shots = "".join(f"{solved(sample)}\n\n" for sample in zero.samples[:5])
    assert len(five.samples) == 100
    assert pairs(five) == [(shots + prompt, option) for prompt, option in pairs(zero)]


@pytest.mark.parametrize("name", WORKS)
def test_a_piece_of_work_asks_for_one_kind_of_answer_without_stops(name: str) -> None:
    """So that each of its requests reaches the peers."""
    prepared = prepare_work(name)
    reached = prompts(prepared) if is_generation(prepared) else pairs(prepared)
    assert len(reached) == sum(1 for _ in prepared.instances()) > 0
