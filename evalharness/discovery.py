"""Finds task plugins: bundled ones, folders of the user, entry points of installed packages."""

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import shorten
from typing import TypeVar

from evalharness.errors import DataError, UsageError, did_you_mean
from evalharness.records import Task, TaskTemplate
from evalharness.validation import plugin_code, plugin_output, task_problem, template_problem

ENTRY_POINTS = "evalharness.tasks"
_LONGEST = 300  # of what a plugin's error says, in characters
NO_PLUGINS = {"data", "tests", "__pycache__"}


@dataclass(frozen=True, slots=True)
class FoundTask:
    """A task and the file (or entry point) that exposes it."""

    task: Task
    path: Path


@dataclass(frozen=True, slots=True)
class FoundTemplate:
    """A template of tasks and the file (or entry point) that exposes it."""

    template: TaskTemplate
    path: Path


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that could not be loaded, and why, on one line."""

    path: Path
    error: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All tasks and templates by name, and the plugins that could not be loaded."""

    tasks: Mapping[str, FoundTask]
    templates: Mapping[str, FoundTemplate]
    broken: tuple[BrokenPlugin, ...]

    def find(self, name: str) -> FoundTask:
        """The task of this very name; NAME:ARGUMENT is made by the template NAME.

        Raises UsageError when there is none, with the nearest name; DataError for a template that
        makes no task.
        """
        if name in self.tasks:
            return self.tasks[name]
        prefix, colon, argument = name.partition(":")
        if not colon or prefix not in self.templates:
            raise UsageError(f"there is no task {name!r}.{_hint(self, name)}")
        found = self.templates[prefix]
        where = f"the template {prefix!r} in {found.path} makes no task of {argument!r}"
        with plugin_code(where):
            task = found.template.make(argument, lambda other: self.find(other).task)
        problem = task_problem(task) if isinstance(task, Task) else f"it is {task!r:.80}"
        if problem is None and task.name != name:
            problem = f"its name is {task.name!r} instead of {name!r}"
        if problem is not None:
            raise DataError(f"{where}: {problem}.")
        return FoundTask(task, found.path)


def bundled_folder(name: str) -> Path:
    """`tasks` or `reports`: inside an installed wheel, else in the checkout."""
    package = Path(__file__).parent
    inside = package / "_bundled" / name
    return inside if inside.is_dir() else package.parent / name


def bundled_tasks_folder() -> Path:
    """Where the tasks of evalharness itself lie."""
    return bundled_folder("tasks")


def find_tasks(folders: Sequence[Path] = ()) -> Catalogue:
    """Load all plugins. One that fails is listed with its error and breaks nothing else.

    Raises UsageError for a folder that is not there, DataError for two tasks of one name.
    """
    tasks: dict[str, FoundTask] = {}
    templates: dict[str, FoundTemplate] = {}
    broken: list[BrokenPlugin] = []
    for loaded in _load_all(folders):
        if isinstance(loaded, BrokenPlugin):
            broken.append(loaded)
        elif isinstance(loaded, FoundTask):
            _add(tasks, loaded.task.name, loaded)
        else:
            _add(templates, loaded.template.name, loaded)
    return Catalogue(dict(sorted(tasks.items())), dict(sorted(templates.items())), tuple(broken))


_Found = TypeVar("_Found", FoundTask, FoundTemplate)


def _add(found: dict[str, _Found], name: str, one: _Found) -> None:
    if (other := found.get(name)) is not None:
        raise DataError(f"two tasks have the name {name!r}: in {other.path} and {one.path}.")
    found[name] = one


def select_tasks(catalogue: Catalogue, patterns: Iterable[str]) -> list[Task]:
    """The tasks that the patterns name: names, or globs over NAME and FAMILY/NAME.

    Globs match tasks that are listed; those of templates are named one by one. Raises UsageError
    for a pattern that matches nothing, with the nearest name.
    """
    selected: dict[str, Task] = {}
    for pattern in patterns:
        matching = [
            found.task
            for name, found in catalogue.tasks.items()
            if fnmatchcase(name, pattern) or fnmatchcase(f"{found.task.family}/{name}", pattern)
        ]
        if not matching:
            matching = [catalogue.find(pattern).task]
        selected |= {task.name: task for task in matching}
    return list(selected.values())


def _hint(catalogue: Catalogue, pattern: str) -> str:
    _, colon, argument = pattern.partition(":")
    made = [f"{name}:{argument}" for name in catalogue.templates] if colon else []
    names = [*catalogue.tasks, *made, *(f"{one.task.family}/*" for one in catalogue.tasks.values())]
    hint = did_you_mean(pattern, names) or " `evalharness tasks list` shows them all."
    meant = [plugin for plugin in catalogue.broken if _may_be_meant(plugin, pattern)]
    failed = "".join(f" {plugin.path} could not be loaded: {plugin.error}." for plugin in meant)
    others = len(catalogue.broken) - len(meant)
    if others:
        plugins = "Another plugin" if others == 1 else f"{others} other plugins"
        failed += f" {plugins} could not be loaded; `evalharness tasks list` says why."
    return hint + failed


def _may_be_meant(plugin: BrokenPlugin, pattern: str) -> bool:
    """Is the file's name near the pattern? A task my-task usually lies in my_task.py."""
    wanted = pattern.rpartition("/")[2].replace("_", "-").strip("*")
    name = plugin.path.stem.replace("_", "-")
    return bool(wanted) and (wanted in name or name in wanted or bool(did_you_mean(wanted, [name])))


_Loaded = FoundTask | FoundTemplate | BrokenPlugin


def _load_all(folders: Sequence[Path]) -> Iterator[_Loaded]:
    loaded: set[Path] = set()
    for folder in (bundled_tasks_folder(), *folders):
        _check_folder(folder)
        for path in sorted(folder.rglob("*.py")):
            if path.resolve() not in loaded and _is_plugin(path.relative_to(folder)):
                loaded.add(path.resolve())
                yield from _load_file(path)
    for point in entry_points(group=ENTRY_POINTS):
        where = Path(f"entry point {point.name} ({point.value})")
        try:
            with plugin_output():
                exposed = point.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # what a plugin raises, SystemExit too, is its own affair
            yield BrokenPlugin(where, _one_line(error, None))
        else:
            yield from _tasks_of(where, getattr(exposed, "TASKS", exposed))


def _check_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    if folder.exists():
        raise UsageError(f"{folder} is a file; give the folder of task plugins that it lies in.")
    parent = folder.parent
    entries = parent.iterdir() if parent.is_dir() else ()
    near = did_you_mean(str(folder), [str(entry) for entry in entries if entry.is_dir()])
    raise UsageError(f"there is no folder of tasks {folder}.{near}")


def _is_plugin(path: Path) -> bool:
    return not any(part in NO_PLUGINS or part.startswith((".", "_")) for part in path.parts)


def _load_file(path: Path) -> Iterator[_Loaded]:
    """Run a file as a module of a private name, so that plugins cannot shadow packages."""
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"_evalharness_plugin_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and the like look their module up while it is being run.
    sys.modules[name] = module
    try:
        with plugin_output():
            spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # as above
        sys.modules.pop(name, None)
        yield BrokenPlugin(path, _one_line(error, spec.origin))
        return
    yield from _tasks_of(path, getattr(module, "TASKS", None))


def _tasks_of(path: Path, exposed: object) -> Iterator[_Loaded]:
    if not isinstance(exposed, list | tuple) or not exposed:
        yield BrokenPlugin(path, "it exposes no TASKS, a list or tuple of Task")
        return
    for task in exposed:
        if isinstance(task, TaskTemplate):
            yield _template(path, task)
        elif not isinstance(task, Task):
            yield BrokenPlugin(path, f"TASKS holds {task!r:.40}, which is no Task")
        elif (problem := task_problem(task)) is not None:
            yield BrokenPlugin(path, f"task {task.name!r:.80}: {problem}")
        else:
            yield FoundTask(task, path)


def _template(path: Path, template: TaskTemplate) -> FoundTemplate | BrokenPlugin:
    if (problem := template_problem(template)) is not None:
        return BrokenPlugin(path, f"template {template.name!r:.80}: {problem}")
    return FoundTemplate(template, path)


def _one_line(error: BaseException, file: str | None) -> str:
    """Type and message of an error, with the last line of `file` that it passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    if isinstance(error, SyntaxError) and error.filename == file:
        lines = [error.lineno]
    where = f"line {lines[-1]}: " if lines else ""
    message = shorten(" ".join(str(error).split()), _LONGEST, placeholder=" [...]")
    return f"{where}{type(error).__name__}" + (f": {message}" if message else "")
