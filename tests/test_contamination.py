"""Samples that stand in a training text, or in a few-shot example, are told apart."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.contamination import (
    CLEAN,
    MOST,
    SHORT,
    SLICE,
    SOME,
    mark_contamination,
    shared_with_examples,
)
from evalharness.errors import DataError
from evalharness.metrics.question_answering import EXACT_MATCH
from evalharness.prompts.preparation import PreparedTask, prepare
from evalharness.records import DataIdentity, Row, Sample, Task
from evalharness.samples import generation
from tests.workplace import Workplace

WORDS = [f"word{number}" for number in range(400)]


def text(first: int, count: int) -> str:
    return " ".join(WORDS[first : first + count])


class Texts:
    """A source of texts."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def rows(self) -> Iterator[Row]:
        for number, one in enumerate(self.texts):
            yield Row({"id": str(number), "text": one}, f"row {number}")

    def identity(self) -> DataIdentity:
        return DataIdentity("texts", "1")


def sample(row: Row) -> Sample:
    return generation(id=row["id"], prompt=row["text"], references=["yes"], max_tokens=1)


def task(*texts: str, shots: Texts | None = None) -> PreparedTask:
    return prepare(
        Task(
            name="texts", family="question_answering", version=1, data=Texts(*texts),
            sample=sample, metrics=(EXACT_MATCH,), shots=shots,
        ),
        limit=None, num_fewshot=0 if shots is None else 1, seed=0,
    )  # fmt: skip


def parts(prepared: PreparedTask, folder: Path) -> list[str]:
    (marked,), _ = mark_contamination([prepared], folder)
    return [one.slices[SLICE] for one in marked.samples]


def test_samples_are_told_apart_by_how_much_of_them_was_seen(tmp_path: Path) -> None:
    """Whatever the case and the punctuation, and in whatever kind of file."""
    (tmp_path / "a.txt").write_text(f"Before. {text(0, 40).upper()}!\n\nAfter.")
    (tmp_path / "deep").mkdir()
    row = {"meta": {"n": 1}, "turns": [{"content": text(100, 20).replace(" ", ", ")}]}
    (tmp_path / "deep" / "b.jsonl").write_text(json.dumps(row) + "\n")
    found = parts(
        task(text(0, 40), f"{text(100, 20)} {text(200, 60)}", text(300, 40), text(0, 5)), tmp_path
    )
    assert found == [MOST, SOME, CLEAN, SHORT]


def test_twelve_words_in_common_are_not_enough(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"{text(0, 12)} {text(300, 30)}")
    assert parts(task(text(0, 30)), tmp_path) == [CLEAN]


def test_words_of_the_prompt_are_nobodys_data(tmp_path: Path) -> None:
    """A training text with the same instruction has not seen the samples."""
    instruction = text(0, 20)
    (tmp_path / "a.txt").write_text(instruction)
    samples = [f"{instruction} {text(first, 20)}" for first in (100, 150, 200, 250)]
    assert parts(task(*samples), tmp_path) == [CLEAN] * 4


@given(st.lists(st.sampled_from("abcdef"), min_size=13, max_size=60), st.integers(0, 47))
def test_any_window_of_a_text_is_found_in_it(words: list[str], start: int) -> None:
    start = min(start, len(words) - 13)
    shots = Texts(" ".join(words))
    prepared = task(" ".join(words[start:]) + " more", shots=shots)
    assert shared_with_examples(prepared) == ("0",)


def test_an_example_without_common_words_shares_nothing() -> None:
    assert shared_with_examples(task(text(0, 30), shots=Texts(text(50, 30)))) == ()
    assert shared_with_examples(task(text(0, 30))) == ()


def test_a_training_text_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no training text"):
        mark_contamination([task(text(0, 20))], tmp_path / "nothing")
    (tmp_path / "weights.bin").write_bytes(b"x")
    with pytest.raises(DataError, match="has no files that are text"):
        mark_contamination([task(text(0, 20))], tmp_path)
    (tmp_path / "rows.jsonl").write_text("{}\n{")
    with pytest.raises(DataError, match=r"rows\.jsonl, row 2: not valid JSON"):
        mark_contamination([task(text(0, 20))], tmp_path)


def test_run_shows_the_clean_part_beside_the_whole(workplace: Workplace) -> None:
    """And rescoring, which has no training text at hand, keeps the parts."""
    rows = [
        {"id": str(number), "question": text(number * 20, 15), "choices": ["a", "b"], "gold": 0,
         "parity": "odd"}
        for number in range(8)
    ]  # fmt: skip
    data = workplace.folder / "plugins" / "data" / "toy.jsonl"
    data.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    training = workplace.folder / "training"
    training.mkdir()
    (training / "book.txt").write_text(f"Chapter one. {text(0, 60)}")
    (run,) = workplace.run("--training-text", "training", model="baseline:random")
    found = run["tasks"]["toy-choice"]["slices"][SLICE]
    assert {name: part["n"] for name, part in found.items()} == {CLEAN: 5, MOST: 3}
    done = workplace("rescore", "runs", "--tasks-dir", "plugins", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["tasks"]["toy-choice"]["slices"][SLICE] == found
