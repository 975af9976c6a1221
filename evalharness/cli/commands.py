"""What can be asked. Heavy modules are imported by the command that needs them."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from evalharness import __version__
from evalharness.cli.ending import PIPE_CLOSED, silence_stdout
from evalharness.errors import DataError, did_you_mean
from evalharness.report.text import spelled_out

tasks_dir_option = click.option(
    "--tasks-dir",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Another folder with task plugins; may be given several times.",
)
data_option = click.option(
    "--data",
    multiple=True,
    metavar="TASK=PLACE",
    help="Data from elsewhere: a file, a folder, or a place that the task knows (tasks show); "
    "src=FILE,ref=FILE for a task that has no data of its own. May be given several times.",
)
format_option = click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
)


_CHAT_OPTIONS = (
    click.option(
        "--chat",
        type=click.Choice(["auto", "on", "off"]),
        help="Which prompts go through the chat template of a model that has one: those that ask "
        "for a text (auto), which leaves multiple choice in plain text as published figures are; "
        "all, which a model must have a template for (on); none (off).  [default: auto]",
    ),
    click.option(
        "--system-prompt", metavar="TEXT", help="The first turn of every chat; @FILE reads a file."
    ),
    click.option(
        "--fewshot-as",
        type=click.Choice(["turns", "text"]),
        help="In chats, few-shot examples are turns of their own, or text before the question.  "
        "[default: turns]",
    ),
)
_Command = TypeVar("_Command", bound=Callable[..., Any])


def chat_options(command: _Command) -> _Command:
    """What says how prompts become chats."""
    for option in reversed(_CHAT_OPTIONS):
        command = option(command)
    return command


def _read_system_prompt(given: dict[str, Any]) -> dict[str, Any]:
    """The options with the text of the file that @FILE names. Raises DataError if it has none."""
    name = given.get("system_prompt") or ""
    if not name.startswith("@"):
        return given
    try:
        text = Path(name[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"option --system-prompt: the file {name[1:]!r} cannot be read: {error}."
        ) from None
    return {**given, "system_prompt": text.strip()}


class _Group(click.Group):
    """A group that names the nearest command, and options likewise (which click does itself)."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            commands = self.list_commands(ctx)
            hint = did_you_mean(name, commands)
            raise click.UsageError(
                f"there is no command {name!r}; commands are {', '.join(commands)}.{hint}", ctx
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """A closed pipe is told apart from errors, which click would not do."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            silence_stdout()
            raise click.exceptions.Exit(PIPE_CLOSED) from None
        return result


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="evalharness")
@click.option("--debug", is_flag=True, help="Show a traceback for every error.")
def cli(debug: bool) -> None:
    """Benchmark language models, compare them honestly, publish the result."""


@cli.command()
@click.option(
    "-m", "--model", "models", multiple=True, metavar="MODEL", help="SCHEME:REF?key=value"
)
@click.option("-t", "--task", "tasks", multiple=True, metavar="TASK[,TASK]", help="Names or globs.")
@click.option(
    "-c", "--config", "suite_file", type=click.Path(path_type=Path), help="A suite in YAML."
)
@click.option("--limit", type=int, help="Only the first N samples of each task.")
@click.option("--num-fewshot", type=int, help="Solved examples before each prompt.  [default: 0]")
@click.option("--seed", type=int, help="Draws few-shot examples and bootstrap.  [default: 0]")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder of the runs.  [default: runs]"
)
@tasks_dir_option
@data_option
@click.option(
    "--allow-failed",
    type=float,
    help="Share of a task's samples that may fail before the exit status is 3.  [default: 0]",
)
@chat_options
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@format_option
def run(
    models: Sequence[str],
    tasks: Sequence[str],
    suite_file: Path | None,
    tasks_dir: Sequence[Path],
    data: Sequence[str],
    dry_run: bool,
    output_format: str,
    **options: Any,
) -> int:
    """Run models through tasks; started again, it goes on where it was."""
    from evalharness.cli.suite import print_plan, run_suite
    from evalharness.config import read_suite
    from evalharness.data_choice import read_choice

    names = tuple(name for some in tasks for name in some.split(",") if name)
    lists = {"models": tuple(models), "tasks": names, "tasks_dir": tuple(tasks_dir)}
    given: dict[str, Any] = {name: values for name, values in lists.items() if values}
    if data:
        given["data"] = dict(read_choice(one) for one in data)
    given |= {name: value for name, value in options.items() if value is not None}
    suite = read_suite(suite_file, _read_system_prompt(given))
    if dry_run:
        print_plan(suite, output_format)
        return 0
    command = ("evalharness", *sys.argv[1:])
    return run_suite(
        suite, command, output_format, debug=click.get_current_context().find_root().params["debug"]
    )


@cli.group(cls=_Group)
def tasks() -> None:
    """List, show and preview the tasks."""


@tasks.command("list")
@tasks_dir_option
@format_option
def list_tasks(tasks_dir: Sequence[Path], output_format: str) -> None:
    """All tasks, and the plugins that could not be loaded."""
    from evalharness.discovery import find_tasks

    catalogue = find_tasks(tasks_dir)
    rows = [
        {
            "name": found.task.name,
            "family": found.task.family,
            "version": found.task.version,
            "languages": list(found.task.languages),
            "licence": found.task.licence,
            "metrics": [metric.name for metric in found.task.metrics],
            "description": found.task.description,
        }
        for found in catalogue.tasks.values()
    ]
    if output_format == "json":
        click.echo(json.dumps(rows, indent=1))
    else:
        _print_tasks(rows)
    for plugin in catalogue.broken:
        click.echo(spelled_out(f"not loaded: {plugin.path}: {plugin.error}"), err=True)


def _print_tasks(rows: Sequence[dict[str, Any]]) -> None:
    width = max((len(row["name"]) for row in rows), default=0)
    for family in sorted({row["family"] for row in rows}):
        click.echo(family)
        for row in rows:
            if row["family"] == family:
                click.echo(spelled_out(f"  {row['name']:<{width}}  {row['description']}"))


@tasks.command("show")
@click.argument("name")
@tasks_dir_option
@format_option
def show_task(name: str, tasks_dir: Sequence[Path], output_format: str) -> None:
    """What one task is: data, metrics, licence, caveats."""
    from evalharness.discovery import find_tasks

    catalogue = find_tasks(tasks_dir)
    found = catalogue.find(name)
    task = found.task
    identity = task.data.identity()
    facts = {
        "name": task.name,
        "family": task.family,
        "version": task.version,
        "description": task.description,
        "file": str(found.path),
        "data": identity.name,
        "revision": identity.revision,
        "languages": ", ".join(task.languages),
        "licence": task.licence,
        "caveat": task.caveat,
        "content warning": task.content_warning,
        "metrics": ", ".join(metric.name for metric in task.metrics),
        "signatures": " ".join(filter(None, (one.signature_for(()) for one in task.metrics))),
        "few-shot examples": "yes" if task.shots else "none",
    }
    if output_format == "json":
        click.echo(json.dumps(facts, indent=1))
        return
    for key, value in facts.items():
        if value:
            click.echo(spelled_out(f"{key + ':':<19}{value}"))


@tasks.command("preview")
@click.argument("name")
@click.option("-n", "--number", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--num-fewshot", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "-m", "--model", metavar="MODEL", help="Exactly what this model gets, special tokens included."
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
    from evalharness.cli.suite import print_preview
    from evalharness.data_choice import read_choice, with_data
    from evalharness.discovery import find_tasks
    from evalharness.results import RunConfiguration

    given = {option: value for option, value in options.items() if value is not None}
    if given and model is None:
        raise click.UsageError(
            "how prompts become chats depends on the model's chat template: name it with -m MODEL."
        )
    chat = {"chat": "auto", **_read_system_prompt(given)}
    configuration = RunConfiguration(limit=number, num_fewshot=num_fewshot, seed=seed, **chat)
    task = find_tasks(tasks_dir).find(name).task
    (task,) = with_data([task], dict(read_choice(one) for one in data))
    print_preview(task, configuration, model)


@cli.group(cls=_Group)
def models() -> None:
    """List the catalogue of models, and show what a model is."""


@models.command("list")
@format_option
def list_models(output_format: str) -> None:
    """The models that the package index carries."""
    from evalharness.cli.models import print_catalogue

    print_catalogue(output_format)


@models.command("show")
@click.argument("spec", metavar="MODEL")
@format_option
def show_model(spec: str, output_format: str) -> None:
    """What one MODEL (SCHEME:REF?key=value) is: fingerprint, size, context, licence, files."""
    from evalharness.cli.models import print_model

    print_model(spec, output_format)


@cli.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
)
@click.option("--title", default="Model comparison", show_default=True)
def report(runs: Sequence[Path], output: Path, title: str) -> None:
    """Write one self-contained HTML page about RUNS (run folders, or folders of them)."""
    from evalharness.report.render import render_report
    from evalharness.results import read_runs, write_text

    found = read_runs(runs, lambda message: click.echo(spelled_out(message), err=True))
    page = render_report(found, title=title)
    write_text(output, page)
    click.echo(output)


@cli.command()
@click.option(
    "-m", "--model", "spec", metavar="MODEL", help="Check this model instead: SCHEME:REF?key=value"
)
@tasks_dir_option
def doctor(spec: str | None, tasks_dir: Sequence[Path]) -> int:
    """Check this installation (versions, device, folders, plugins), or a checkpoint."""
    from evalharness.doctor import diagnose
    from evalharness.doctor_model import diagnose_model

    well = True
    for finding in diagnose(tasks_dir) if spec is None else diagnose_model(spec):
        line = f"{'ok     ' if finding.ok else 'PROBLEM'} {finding.name}: {finding.detail}"
        click.echo(spelled_out(line))
        well = well and finding.ok
    return 0 if well else DataError.exit_code
