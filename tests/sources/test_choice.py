"""`--data` takes the data of a task from elsewhere, and says so."""

import json
from pathlib import Path

import pytest

from evalharness.errors import DataError, UsageError
from evalharness.metrics.question_answering import EXACT_MATCH
from evalharness.prompts.preparation import prepare
from evalharness.records import Alternative, Row, Sample, Source, Task
from evalharness.samples import generation
from evalharness.sources import HubDataset, LocalFile, NotGiven, ParallelFiles
from evalharness.sources.choice import read_choices, with_data
from tests.workplace import Workplace


def sample(row: Row) -> Sample:
    return generation(id=str(row["id"]), prompt=row["src"], references=row["refs"], max_tokens=4)


def task(name: str, data: Source, *alternatives: Alternative) -> Task:
    return Task(
        name=name,
        family="translation",
        version=1,
        data=data,
        sample=sample,
        metrics=(EXACT_MATCH,),
        alternatives=alternatives,
        caveat="part of the set",
    )


HUB = HubDataset("nobody/nothing")


def write_rows(path: Path) -> Path:
    path.write_text(json.dumps({"id": "a", "src": "one", "refs": ["eins"]}) + "\n")
    return path


def test_a_file_in_the_place_of_the_data_is_said_in_the_caveat(tmp_path: Path) -> None:
    """So that a score on other data is never shown as the benchmark's own."""
    path = write_rows(tmp_path / "rows.jsonl")
    (chosen,) = with_data([task("some", HUB)], {"some": str(path)})
    prepared = prepare(chosen, limit=None, num_fewshot=0, seed=0)
    assert [one.id for one in prepared.samples] == ["a"]
    assert prepared.record.caveat.startswith("part of the set; the data is ")
    assert str(path) in prepared.record.caveat


def test_another_place_is_chosen_by_its_name(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl")
    other = Alternative(name="wheel", data=LocalFile(path), sample=sample, caveat="as packaged")
    untouched, chosen = with_data([task("a", HUB), task("b", HUB, other)], {"b": "wheel"})
    assert untouched == task("a", HUB)
    assert prepare(chosen, limit=None, num_fewshot=0, seed=0).record.caveat == "as packaged"


def test_data_that_cannot_be_reached_names_the_ways_to_have_it() -> None:
    other = Alternative(name="wheel", data=HUB, sample=sample)
    with pytest.raises(DataError, match=r"--data some=wheel.*--data some=PATH.*EVALHARNESS_DATA"):
        prepare(task("some", HUB, other), limit=None, num_fewshot=0, seed=0)


def test_source_and_references_belong_to_the_task_without_data() -> None:
    choices = read_choices(["src=a.en,ref=b.de,ref=c.de"])
    mine, other = with_data([task("own", NotGiven("--data src=...")), task("b", HUB)], choices)
    assert mine.data == ParallelFiles(Path("a.en"), (Path("b.de"), Path("c.de")))
    assert mine.caveat == "part of the set"
    assert other.data == HUB
    with pytest.raises(DataError, match=r"add --data src=\.\.\."):
        prepare(task("own", NotGiven("--data src=...")), limit=None, num_fewshot=0, seed=0)


def test_source_and_references_without_a_task_belong_to_the_only_one() -> None:
    (chosen,) = with_data([task("some", HUB)], read_choices(["src=a.en,ref=b.de"]))
    assert chosen.data == ParallelFiles(Path("a.en"), (Path("b.de"),))
    assert chosen.caveat.endswith("given by the user in the place of the task's own")


def test_two_places_for_one_task_are_refused() -> None:
    """The last one was taken, and the other one forgotten without a word."""
    assert read_choices(["a=x", "b=y", "a=x"]) == {"a": "x", "b": "y"}
    with pytest.raises(UsageError, match="two places are chosen for the task 'a': 'x' and 'y'"):
        read_choices(["a=x", "a=y"])
    with pytest.raises(UsageError, match="two places are chosen for one task"):
        read_choices(["src=a,ref=b", "src=a,ref=c"])


@pytest.mark.parametrize(
    ("choice", "problem"),
    [
        ("soem=x.jsonl", "'soem', which is not run. Did you mean 'some'"),
        ("some=wheal", "there is no such file, and known places: wheel. Did you mean 'wheel'"),
        ("some=src=a,reference=b", "expected src=FILE or ref=FILE, found 'reference=b'"),
        ("some=src=a", "expected one src=FILE and at least one ref=FILE"),
        ("src=a,ref=b", "for which task is the data"),
        ("nothing", "should be TASK=FILE"),
    ],
)
def test_a_choice_that_means_nothing_is_refused(choice: str, problem: str) -> None:
    other = Alternative(name="wheel", data=HUB, sample=sample)
    with pytest.raises(UsageError, match=problem):
        with_data([task("some", HUB, other), task("b", HUB)], read_choices([choice]))


def test_run_reads_a_file_by_the_rows_of_the_task(workplace: Workplace) -> None:
    """And a row of it that is no row of the task is named, before any model is loaded."""
    path = workplace.folder / "mine.jsonl"
    row = {"id": "z", "question": "Why?", "choices": ["a", "b"], "gold": 0, "parity": "odd"}
    path.write_text(json.dumps(row) + "\n")
    results = workplace.run("--data", "toy-choice=mine.jsonl")
    assert results[0]["tasks"]["toy-choice"]["n"] == 1
    assert "mine.jsonl" in results[0]["tasks"]["toy-choice"]["caveat"]
    path.write_text(json.dumps({**row, "choices": None}) + "\n")
    done = workplace(
        "run", "-m", "baseline:random", "-t", "toy-choice", "--tasks-dir", "plugins",
        "--data", "toy-choice=mine.jsonl",
    )  # fmt: skip
    assert done.returncode == 2
    assert "mine.jsonl, row 1" in done.stderr
