"""Where the data of a task comes from instead: `--data TASK=...` on the command line."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evalharness.errors import UsageError, did_you_mean
from evalharness.records import Source, Task
from evalharness.sources.combined import innermost, with_source
from evalharness.sources.hub import HubDataset
from evalharness.sources.local import LocalFile, NotGiven
from evalharness.sources.rows import READERS
from evalharness.sources.text_files import ParallelFiles, TextFolder, is_folder_of_texts


def with_data(tasks: Sequence[Task], choices: Mapping[str, str]) -> list[Task]:
    """The tasks, each with the data that is chosen for it by name.

    A choice is the name of one of the task's alternatives; a file, or a folder of files, whose rows
    are like those of the task's own data; or "src=FILE,ref=FILE" with as many references as there
    are. The choice for "" is that of every task that has no data of its own, or of the only task.

    Raises UsageError for a choice of a task that is not run, or that means nothing.
    """
    names = [task.name for task in tasks]
    for name in choices:
        if name and name not in names:
            hint = did_you_mean(name, names)
            raise UsageError(f"data is chosen for the task {name!r}, which is not run.{hint}")
    takers = [task.name for task in tasks if isinstance(task.data, NotGiven)]
    if "" in choices and not takers and len(tasks) > 1:
        raise UsageError(
            f"for which task is the data {choices['']!r}? Write --data TASK={choices['']}."
        )
    unnamed = dict.fromkeys(takers or names, choices[""]) if "" in choices else {}
    return [_chosen(task, {**unnamed, **choices}) for task in tasks]


def read_choices(options: Iterable[str]) -> dict[str, str]:
    """Choices by task, of all options --data: TASK=CHOICE, or "src=FILE,ref=FILE" without a task.

    Raises UsageError for anything else, and for two choices for one task.
    """
    choices: dict[str, str] = {}
    for option in options:
        name, choice = _read_choice(option)
        if choices.setdefault(name, choice) != choice:
            task = f"the task {name!r}" if name else "one task"
            both = f"{choices[name]!r} and {choice!r}"
            raise UsageError(f"option --data: two places are chosen for {task}: {both}.")
    return choices


def _read_choice(text: str) -> tuple[str, str]:
    name, equals, choice = text.partition("=")
    if name == "src":
        return "", text
    if not (name and equals and choice):
        raise UsageError(
            f"option --data: {text!r} should be TASK=FILE, TASK=NAME of another place that the "
            "task knows, or src=FILE,ref=FILE."
        )
    return name, choice


def _chosen(task: Task, choices: Mapping[str, str]) -> Task:
    choice = choices.get(task.name)
    if choice is None:
        return task
    for one in task.alternatives:
        if one.name == choice:
            return replace(
                task, data=one.data, sample=one.sample, shots=one.shots, size=0, caveat=one.caveat
            )
    source = with_source(task.data, _own_source(task, choice))
    if isinstance(task.data, NotGiven):
        return replace(task, data=source)
    caveat = f"the data is {choice}, given by the user in the place of the task's own"
    return replace(
        task, data=source, size=0, caveat=f"{task.caveat}; {caveat}" if task.caveat else caveat
    )


def _own_source(task: Task, choice: str) -> Source:
    if choice.startswith("src="):
        return _parallel(task, choice)
    path = Path(choice).expanduser()
    if path.is_dir():
        if is_folder_of_texts(path):
            return TextFolder(path)
        own = innermost(task.data)
        split = own.split if isinstance(own, HubDataset) else "test"
        return HubDataset(str(path), split=split)
    if path.is_file() or path.suffix.lower() in READERS:
        return LocalFile(path)
    names = [one.name for one in task.alternatives]
    known = f"known places: {', '.join(names)}" if names else "the task knows no other place"
    raise UsageError(
        f"--data {task.name}={choice}: there is no such file, and {known}."
        f"{did_you_mean(choice, names)}"
    )


def _parallel(task: Task, choice: str) -> Source:
    sources: list[Path] = []
    references: list[Path] = []
    for part in choice.split(","):
        key, _, path = part.partition("=")
        if key not in ("src", "ref") or not path:
            raise UsageError(
                f"--data for {task.name}: expected src=FILE or ref=FILE, found {part!r}."
            )
        (sources if key == "src" else references).append(Path(path).expanduser())
    for file in (*sources, *references):
        if file.suffix.lower() == ".xml":
            raise UsageError(
                f"--data for {task.name}: {file} has source and references in one; write "
                f"--data {task.name}={file}."
            )
    if len(sources) != 1 or not references:
        raise UsageError(
            f"--data for {task.name}: expected one src=FILE and at least one ref=FILE, found "
            f"{choice!r}."
        )
    return ParallelFiles(sources[0], tuple(references))
