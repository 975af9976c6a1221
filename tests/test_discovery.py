"""Plugins are found wherever they lie; a broken one is listed and breaks nothing else."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from evalharness.discovery import bundled_folder, bundled_tasks_folder, find_tasks, select_tasks
from evalharness.errors import DataError, UsageError
from tests.plugins import write_plugin


def test_bundled_tasks_of_all_families_load() -> None:
    catalogue = find_tasks()
    assert catalogue.broken == ()
    families = {found.task.family for found in catalogue.tasks.values()}
    assert families >= {"bias", "question_answering", "summarization", "translation"}
    for found in catalogue.tasks.values():
        assert found.path.parent == bundled_tasks_folder() / found.task.family


def test_the_checkout_carries_tasks_and_reports_beside_the_package() -> None:
    assert bundled_tasks_folder() == bundled_folder("tasks")
    assert bundled_folder("reports").is_dir()


def test_a_folder_of_ones_own_is_searched_below_but_not_in_data(tmp_path: Path) -> None:
    write_plugin(tmp_path / "some" / "where")
    (tmp_path / "some" / "where" / "data" / "script.py").write_text("1 / 0\n")
    (tmp_path / "_private.py").write_text("1 / 0\n")
    catalogue = find_tasks([tmp_path])
    assert catalogue.tasks["toy-choice"].path == tmp_path / "some" / "where" / "toy.py"
    assert catalogue.broken == ()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x = 1\n\n1 / 0\n", "line 3: ZeroDivisionError: division by zero"),
        ("def f(:\n", "line 1: SyntaxError"),
        ("import nothing_of_that_name\n", "line 1: ModuleNotFoundError"),
        ("import json\n\njson.loads('{')\n", "line 3: JSONDecodeError"),
        ("import ast\nast.parse('f(')\n", "line 2: SyntaxError"),
        ("assert False\n", "line 1: AssertionError"),
        ("raise ValueError('two\\nlines')\n", "line 1: ValueError: two lines"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("raise ValueError('long ' * 9999)\n", "long long [...]"),
        ("x = 1\n", "it exposes no TASKS"),
        ("TASKS = []\n", "it exposes no TASKS"),
        ("TASKS = ['x']\n", "TASKS holds 'x', which is no Task"),
    ],
)
def test_a_broken_plugin_is_listed_with_its_line(tmp_path: Path, text: str, error: str) -> None:
    write_plugin(tmp_path)
    (tmp_path / "broken.py").write_text(text)
    catalogue = find_tasks([tmp_path])
    assert "toy-choice" in catalogue.tasks
    (plugin,) = catalogue.broken
    assert plugin.path == tmp_path / "broken.py"
    assert error in plugin.error
    assert "\n" not in plugin.error


def test_the_line_of_an_error_is_given_for_a_relative_folder_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import system makes the path absolute, and the line was not found by the relative one."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "broken.py").write_text("x = 1\n\n1 / 0\n")
    monkeypatch.chdir(tmp_path)
    (plugin,) = find_tasks([Path("mine")]).broken
    assert plugin.error.startswith("line 3: ")


def test_plugins_leave_no_trace_in_the_import_system(tmp_path: Path) -> None:
    """Two plugins of one file name do not meet, and one that failed is not found again."""
    write_plugin(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "toy.py").write_text("1 / 0\n")
    path, modules = list(sys.path), set(sys.modules)
    catalogue = find_tasks([tmp_path])
    assert sys.path == path
    assert [plugin.path for plugin in catalogue.broken] == [tmp_path / "b" / "toy.py"]
    files = {getattr(sys.modules[name], "__file__", None) for name in set(sys.modules) - modules}
    assert str(tmp_path / "b" / "toy.py") not in files
    assert "toy" not in sys.modules


def test_two_tasks_of_one_name_are_refused_with_both_files(tmp_path: Path) -> None:
    write_plugin(tmp_path / "a")
    write_plugin(tmp_path / "b")
    with pytest.raises(DataError, match=r"a/toy\.py and .*b/toy\.py"):
        find_tasks([tmp_path])


def test_the_same_folder_twice_is_searched_once(tmp_path: Path) -> None:
    write_plugin(tmp_path)
    assert "toy-choice" in find_tasks([tmp_path, tmp_path]).tasks


def test_a_missing_folder_is_named_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    with pytest.raises(UsageError, match=r"Did you mean .*tasks'"):
        find_tasks([tmp_path / "taks"])


def test_a_file_given_as_a_folder_is_told_from_a_missing_one(tmp_path: Path) -> None:
    """The answer was: there is no folder toy.py. Did you mean toy.py?"""
    write_plugin(tmp_path)
    with pytest.raises(UsageError, match=r"toy\.py is a file; give the folder"):
        find_tasks([tmp_path / "toy.py"])


def test_entry_points_of_installed_packages_are_plugins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plugin(tmp_path)
    (tmp_path / "toy.py").rename(tmp_path / "installed_toy.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        EntryPoint("toy", "installed_toy", "evalharness.tasks"),
        EntryPoint("gone", "not_installed", "evalharness.tasks"),
    ]
    monkeypatch.setattr("evalharness.discovery.entry_points", lambda group: points)  # noqa: ARG005
    catalogue = find_tasks()
    assert "toy-choice" in catalogue.tasks
    (plugin,) = catalogue.broken
    assert "not_installed" in plugin.error


def names(catalogue_folder: Path, *patterns: str) -> list[str]:
    return [task.name for task in select_tasks(find_tasks([catalogue_folder]), patterns)]


def test_tasks_are_selected_by_name_glob_and_family_in_order_without_doubles(
    tmp_path: Path,
) -> None:
    write_plugin(tmp_path)
    assert names(tmp_path, "toy-choice", "toy-*") == ["toy-choice", "toy-answer"]
    assert "stereoset" in names(tmp_path, "bias/*")
    assert "toy-answer" in names(tmp_path, "question_answering/*")


def test_an_unknown_task_is_answered_with_the_nearest_and_with_what_failed_to_load(
    tmp_path: Path,
) -> None:
    write_plugin(tmp_path)
    with pytest.raises(UsageError, match="Did you mean 'toy-choice'"):
        names(tmp_path, "toy-choce")
    (tmp_path / "my_task.py").write_text("1 / 0\n")
    for pattern in ("my-task", "my-task-de", "my-*", "bias/my-task"):
        with pytest.raises(UsageError, match=r"my_task\.py could not be loaded: .*ZeroDivision"):
            names(tmp_path, pattern)


def test_a_broken_plugin_of_another_name_is_only_mentioned(tmp_path: Path) -> None:
    (tmp_path / "unrelated.py").write_text("1 / 0\n")
    with pytest.raises(UsageError, match="Another plugin could not be loaded") as raised:
        names(tmp_path, "xsom")
    assert "Did you mean 'xsum'" in str(raised.value)
    assert "ZeroDivisionError" not in str(raised.value)


TEMPLATE = """
from dataclasses import replace

from evalharness.errors import UsageError
from evalharness.records import TaskTemplate


def make(argument, find):
    if argument == "broken":
        return None
    if argument == "lost":
        raise UsageError("no such argument 'lost'")
    return replace(find(argument), name=f"again:{argument}")


TASKS = (
    TaskTemplate(
        name="again", family="bias", argument="TASK", examples=("toy-choice",), make=make
    ),
)
"""


def test_a_template_makes_a_task_of_its_argument(tmp_path: Path) -> None:
    """Also of a task that a template makes; names that mean nothing are told with the nearest."""
    write_plugin(tmp_path)
    (tmp_path / "again.py").write_text(TEMPLATE)
    catalogue = find_tasks([tmp_path])
    assert "again" not in catalogue.tasks
    (task,) = select_tasks(catalogue, ["again:again:toy-choice"])
    assert task.name == "again:again:toy-choice"
    assert task.data == catalogue.find("toy-choice").task.data
    for name, problem in (
        ("again:toy-chioce", "Did you mean 'toy-choice'"),
        ("again:lost", "no such argument"),
        ("agian:toy-choice", "Did you mean 'again:toy-choice'"),
    ):
        with pytest.raises(UsageError, match=problem):
            select_tasks(catalogue, [name])
    with pytest.raises(DataError, match=r"again\.py makes no task of 'broken'"):
        select_tasks(catalogue, ["again:broken"])
