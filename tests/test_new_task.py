"""`tasks new` writes a task that works at once; `tasks validate` finds what is wrong with one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from evalharness.checks.plugin import check_plugins
from evalharness.errors import UsageError
from evalharness.new_task import KINDS, new_task
from tests.workplace import Workplace


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_task_is_valid_passes_its_test_and_runs(workplace: Workplace, kind: str) -> None:
    made = workplace("tasks", "new", "my-task", "--kind", kind, "-o", "mine")
    assert made.returncode == 0, made.stderr
    assert made.stdout.split() == [
        "mine/my_task.py", "mine/data/my_task.jsonl", "mine/tests/test_my_task.py",
    ]  # fmt: skip
    checked = workplace("tasks", "validate", "mine")
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.endswith("all is well\n")
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "mine/tests"],
        cwd=workplace.folder, env=workplace.environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "1 passed" in tested.stdout
    done = workplace(
        "run", "-m", "builtin:checkpoint", "-m", "baseline:random", "-t", "my-task",
        "--tasks-dir", "mine", "--format", "json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [run["tasks"]["my-task"]["n"] for run in json.loads(done.stdout)] == [3, 3]


def test_a_new_task_overwrites_nothing_and_needs_a_name_of_its_own(tmp_path: Path) -> None:
    new_task("mine", "generation", tmp_path)
    for name, kind, problem in (
        ("mine", "generation", "is there already"),
        ("openbookqa", "generation", "there is a task 'openbookqa' already"),
        ("other", "generaton", "Did you mean 'generation'"),
        ("My_Task", "generation", "small letters"),
        ("../x", "generation", "small letters"),
        ("a" * 101, "generation", "up to 100 small letters"),
    ):
        with pytest.raises(UsageError, match=problem):
            new_task(name, kind, tmp_path)


def problems(path: Path) -> dict[str, str]:
    return {one.name: one.detail for one in check_plugins(path) if not one.ok}


def changed(folder: Path, old: str, new: str, kind: str = "multiple-choice") -> Path:
    """A new task with something changed in its plugin or its rows."""
    for path in new_task("mine", kind, folder)[:2]:
        path.write_text(path.read_text().replace(old, new))
    return folder / "mine.py"


@pytest.mark.parametrize(
    ("old", "new", "name", "detail"),
    [
        ('"question":', '"qestion":', "rows become samples", "Did you mean 'qestion'"),
        ('"id": "2"', '"id": "1"', "rows become samples", "the id '1' is also that of"),
        ("Answer:", "Answer: ", "prompt joins", "a doubled space between"),
        ("version=1,", "version=1, size=4,", "size", "size=4, but there are 3 samples"),
        ("id=row[", "id=str(id(row)) + row[", "stable", "other ids"),
        (
            "version=1,",
            'version=1, shots=LocalFile(Path(__file__).parent / "data" / "mine.jsonl"),',
            "few-shot examples",
            "is also evaluated",
        ),
        ("import LocalFile", "import LocalFiel", "loads", "ImportError"),
        (
            "metrics=(ACCURACY_NORM, ACCURACY)",
            "metrics=(__import__('dataclasses').replace(ACCURACY, higher_is_better=False),)",
            "metrics",
            "perfect answers get 1, empty ones 0",
        ),
    ],
)
def test_what_is_wrong_with_a_plugin_is_found(
    tmp_path: Path, old: str, new: str, name: str, detail: str
) -> None:
    found = problems(changed(tmp_path, old, new))
    assert list(found) == [name]
    assert detail in found[name]


@pytest.mark.parametrize(
    ("old", "new", "name", "detail"),
    [
        ("Answer:", "Answer: ", "prompt joins", "ends with a space"),
        ('["honey"]', '[" "]', "right answers", "1 samples have no right answer, the first '1'"),
    ],
)
def test_what_is_wrong_with_texts_is_found(
    tmp_path: Path, old: str, new: str, name: str, detail: str
) -> None:
    found = problems(changed(tmp_path, old, new, kind="generation"))
    assert detail in found[name]


def test_what_compares_likelihoods_has_no_perfect_score(tmp_path: Path) -> None:
    """It was said to be 0, and that every sample had a right answer."""
    new_task("mine", "likelihood-pairs", tmp_path)
    found = {one.name: one.detail for one in check_plugins(tmp_path / "mine.py")}
    assert found["metrics"] == "prefers_first: the first text likeliest 1, another 0"
    assert found["right answers"].startswith("none needs one")


def test_a_path_without_plugins_is_an_error_with_the_nearest_file(tmp_path: Path) -> None:
    new_task("mine", "generation", tmp_path)
    with pytest.raises(UsageError, match=r"Did you mean 'mine\.py'"):
        list(check_plugins(tmp_path / "mien.py"))
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="has no plugins"):
        list(check_plugins(tmp_path / "none"))


def test_an_example_that_a_template_cannot_make_is_found(tmp_path: Path) -> None:
    """It ended the check with an error, and the other plugins of the folder were not looked at."""
    (tmp_path / "some.py").write_text(
        """
from evalharness.records import TaskTemplate

TASKS = (
    TaskTemplate(
        name="some", family="bias", argument="X", examples=("x",), make=lambda x, find: find("none")
    ),
)
"""
    )
    new_task("other", "generation", tmp_path)
    found = list(check_plugins(tmp_path))
    assert [one.task for one in found if not one.ok] == ["some:x"]
    assert "there is no task 'none'" in found[-1].detail
    assert "other" in {one.task for one in found}


def test_validate_says_how_many_are_to_be_mended(workplace: Workplace) -> None:
    changed(workplace.folder / "mine", "Answer:", "Answer: ")
    done = workplace("tasks", "validate", "mine/mine.py")
    assert done.returncode == 2
    assert "PROBLEM mine: prompt joins: sample '1': a doubled space" in done.stdout
    assert done.stdout.endswith("1 to mend\n")
