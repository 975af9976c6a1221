"""Every bundled task on its real data: samples are sound, scores defined, data as promised."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evalharness.backends import open_backend
from evalharness.discovery import bundled_folder, find_tasks
from evalharness.measurement import Answered, measure_task
from evalharness.preparation import PreparedTask, prepare
from evalharness.records import Generation, GenerationResponse, Outcome, whole_prompt
from evalharness.results import TaskResult

TASKS = find_tasks().tasks
every_task = pytest.mark.parametrize("name", TASKS)


def prepared(name: str, limit: int | None, shots: int = 0) -> PreparedTask:
    return prepare(TASKS[name].task, limit=limit, num_fewshot=shots, seed=0)


def measured(task: PreparedTask, outcomes: Mapping[int, Outcome]) -> TaskResult:
    instances = enumerate(task.instances())
    answers = [Answered(instance, outcomes[index], False) for index, instance in instances]
    return measure_task(task, answers, seed=0, peak_memory_bytes=0)[0]


@every_task
def test_all_rows_become_samples_that_ask_something(name: str) -> None:
    """Unreadable rows, doubled ids and empty options would raise here."""
    task = prepared(name, None)
    assert task.record.n >= 60
    assert task.task.description
    assert task.task.licence
    for sample in task.samples:
        for request in sample.requests:
            prompt = whole_prompt(request)
            assert isinstance(prompt, str)
            assert prompt == prompt.strip(" ")


@every_task
def test_baselines_get_scores_with_intervals_within_bounds(name: str) -> None:
    task = prepared(name, 12)
    for spec in ("baseline:random", "baseline:majority"):
        result = measured(task, dict(open_backend(spec).answer(list(task.instances()))))
        for metric in result.metrics.values():
            low, high = metric.bounds
            if metric.value is None:
                continue  # placeholders_kept, where no message of the twelve has a placeholder
            assert low is not None
            assert low <= metric.value <= (high or float("inf"))
            assert metric.interval is not None
            assert metric.interval[0] <= metric.interval[1]


GENERATION = [
    name for name in TASKS if isinstance(prepared(name, 1).samples[0].requests[0], Generation)
]


@pytest.mark.parametrize("name", GENERATION)
def test_the_references_themselves_get_the_best_score_and_nothing_the_worst(name: str) -> None:
    task = prepared(name, 40)
    perfect = {
        index: GenerationResponse(f" {sample.references[0]}\n", "stop")
        for index, sample in enumerate(task.samples)
    }
    empty = {index: GenerationResponse("", "end") for index in perfect}
    best, worst = measured(task, perfect), measured(task, empty)
    assert worst.validity.empty == len(task.samples)
    for key, metric in best.metrics.items():
        if key != "placeholders_kept":  # translators may leave one out
            ideal = metric.bounds[1] if metric.higher_is_better else metric.bounds[0]
            assert metric.value == pytest.approx(ideal)
        if key != "ter":
            assert worst.metrics[key].value == pytest.approx(0.0)


@pytest.mark.parametrize("name", [name for name in TASKS if TASKS[name].task.shots])
def test_few_shot_examples_can_be_drawn_and_share_one_beginning(name: str) -> None:
    task = prepared(name, 3, shots=2)
    plain = prepared(name, 3)
    beginnings = set()
    for shown, bare in zip(task.samples, plain.samples, strict=True):
        prompts = [str(whole_prompt(sample.requests[0])) for sample in (shown, bare)]
        beginnings.add(prompts[0].removesuffix(prompts[1]))
    assert len(beginnings) == 1
    assert beginnings.pop().endswith("\n\n")


def rows(family: str, name: str) -> list[dict[str, Any]]:
    path: Path = bundled_folder("tasks") / family / "data" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_starter_reading_answers_are_spans_and_a_quarter_is_unanswerable() -> None:
    found = rows("question_answering", "starter_reading")
    for row in found:
        assert all(answer in row["passage"] for answer in row["answers"]), row["id"]
    unanswerable = sum(not row["answers"] for row in found)
    assert unanswerable * 4 == len(found)
    assert len({row["question"] for row in found}) == len(found)


def test_starter_translations_are_in_their_scripts_and_tidy() -> None:
    found = rows("translation", "starter_translation")
    for language in ("en", "de", "fr", "es", "ja", "zh"):
        texts = [row[language] for row in found]
        assert len(set(texts)) == len(texts)
        for text in texts:
            assert text == unicodedata.normalize("NFC", text).strip()
            kana = re.search("[\u3040-\u30ff]", text) is not None
            han = re.search("[\u4e00-\u9fff]", text) is not None
            assert (kana, han) == {"ja": (True, han), "zh": (False, True)}.get(
                language, (False, False)
            )
            assert not (language == "fr" and re.search(r"[a-zé][;:!?»]", text)), text


def test_starter_summaries_name_nothing_that_the_article_does_not() -> None:
    for row in rows("summarization", "starter_summaries"):
        for number in re.findall(r"\d+", row["summary"]):
            assert number in row["document"], row["id"]
        names = re.findall(r"(?<=[a-z,] )[A-Z][a-zé]+", row["summary"])
        assert all(name in row["document"] for name in names), row["id"]
        assert row["summary"].count("\n") == 1


def test_starter_pairs_differ_in_the_group_only_and_are_balanced() -> None:
    found = rows("bias", "starter_pairs")
    categories = Counter(row["category"] for row in found)
    assert len(categories) >= 6
    assert len(set(categories.values())) == 1
    for row in found:
        assert len({row[key] for key in row if key.endswith(("_more", "_less"))}) == 4
        for kind in ("stereotype", "counter"):
            more, less = row[f"{kind}_more"].split(), row[f"{kind}_less"].split()
            assert abs(len(more) - len(less)) <= 1, row["id"]
        both = Counter(f"{row['stereotype_more']} {row['counter_more']}".lower().split())
        other = Counter(f"{row['stereotype_less']} {row['counter_less']}".lower().split())
        assert both == other, row["id"]
