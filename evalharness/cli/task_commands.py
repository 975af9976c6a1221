"""The commands about tasks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from evalharness.cli.options import (
    NamingGroup,
    chat_options,
    data_option,
    format_option,
    read_system_prompt,
    tasks_dir_option,
)
from evalharness.errors import DataError


@click.group(cls=NamingGroup)
def tasks() -> None:
    """List, show, preview, check and begin tasks."""


@tasks.command("list")
@click.argument("patterns", nargs=-1, metavar="[TASK]...")
@click.option("--family", metavar="FAMILY", help="Only this family.")
@click.option("--language", metavar="CODE", help="Only tasks with this language.")
@click.option("--here", is_flag=True, help="Only tasks whose data need not be fetched.")
@tasks_dir_option
@format_option
def list_tasks(
    patterns: Sequence[str],
    family: str | None,
    language: str | None,
    here: bool,
    tasks_dir: Sequence[Path],
    output_format: str,
) -> None:
    """All tasks, or those with a name like TASK, and the plugins that could not be loaded."""
    from evalharness.cli.tasks import Wanted, print_tasks

    wanted = Wanted(tuple(patterns), family, language, here)
    print_tasks(wanted, tasks_dir, output_format)


@tasks.command("show")
@click.argument("name")
@tasks_dir_option
@format_option
def show_task(name: str, tasks_dir: Sequence[Path], output_format: str) -> None:
    """What one task is: data, metrics, licence, caveats."""
    from evalharness.cli.tasks import print_task

    print_task(name, tasks_dir, output_format)


@tasks.command("preview")
@click.argument("name")
@click.option("-n", "--number", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--num-fewshot", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "-m",
    "--model",
    metavar="MODEL",
    help="Exactly what this model gets: special tokens, and where each token begins and ends.",
)
@chat_options
@tasks_dir_option
@data_option
def preview_task(
    name: str,
    number: int,
    num_fewshot: int,
    seed: int,
    model: str | None,
    tasks_dir: Sequence[Path],
    data: Sequence[str],
    **options: Any,
) -> None:
    """The first samples of a task, as plain text or as a model gets them."""
    from evalharness.cli.tasks import print_preview
    from evalharness.discovery import find_tasks
    from evalharness.results import RunConfiguration
    from evalharness.sources.choice import read_choices, with_data

    given = {option: value for option, value in options.items() if value is not None}
    if given and model is None:
        raise click.UsageError(
            "how prompts become chats depends on the model's chat template: name it with -m MODEL."
        )
    chat = {"chat": "auto", **read_system_prompt(given)}
    configuration = RunConfiguration(limit=number, num_fewshot=num_fewshot, seed=seed, **chat)
    task = find_tasks(tasks_dir).find(name).task
    (task,) = with_data([task], read_choices(data))
    print_preview(task, configuration, model)


@tasks.command("validate")
@click.argument("path", type=click.Path(path_type=Path))
def validate_plugin(path: Path) -> int:
    """Check the plugin PATH, or every plugin in the folder PATH, on its data."""
    from evalharness.cli.tasks import print_findings

    return 0 if print_findings(path) else DataError.exit_code


@tasks.command("new")
@click.argument("name")
@click.option(
    "--kind",
    required=True,
    metavar="KIND",
    help="multiple-choice, generation, translation or likelihood-pairs.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("my_tasks"),
    show_default=True,
    help="Folder of your task plugins.",
)
def new_task(name: str, kind: str, output: Path) -> None:
    """Write a task that works: a plugin, three rows of data and a test, for you to change."""
    from evalharness.cli.tasks import print_new

    print_new(name, kind, output)
