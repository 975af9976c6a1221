"""The command line. Heavy modules are imported by the command that needs them."""

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalharness import __version__
from evalharness.errors import DataError, EvalharnessError, did_you_mean

if TYPE_CHECKING:
    from evalharness.config import Suite
    from evalharness.preparation import PreparedTask
    from evalharness.records import Backend
    from evalharness.results import Results, RunRecord
    from evalharness.runner import FinishedRun

INTERRUPTED = 130
TOO_MANY_FAILED = 3

tasks_dir_option = click.option(
    "--tasks-dir",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Another folder with task plugins; may be given several times.",
)
format_option = click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
)


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
@click.option(
    "--allow-failed",
    type=float,
    help="Share of a task's samples that may fail before the exit status is 3.  [default: 0]",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@format_option
def run(
    models: Sequence[str],
    tasks: Sequence[str],
    suite_file: Path | None,
    tasks_dir: Sequence[Path],
    dry_run: bool,
    output_format: str,
    **options: Any,
) -> None:
    """Run models through tasks; started again, it goes on where it was."""
    from evalharness.config import read_suite

    names = tuple(name for some in tasks for name in some.split(",") if name)
    lists = {"models": tuple(models), "tasks": names, "tasks_dir": tuple(tasks_dir)}
    given = {name: values for name, values in lists.items() if values}
    given |= {name: value for name, value in options.items() if value is not None}
    suite = read_suite(suite_file, given)
    backends, prepared = _open(suite)
    if dry_run:
        _print_plan(suite, backends, prepared)
        return
    finished = [_run_one(suite, backend, prepared) for backend in backends]
    _print_runs([(done.record, done.results) for done in finished], output_format)
    for done in finished:
        click.echo(f"run folder: {done.folder}", err=True)
    if any(done.failed_share > suite.allow_failed for done in finished):
        raise SystemExit(_say_failed(finished))


def _open(suite: "Suite") -> tuple[list["Backend"], list["PreparedTask"]]:
    """Everything is found and checked before anything is computed."""
    from evalharness.backends import open_backend
    from evalharness.discovery import find_tasks, select_tasks
    from evalharness.preparation import prepare

    chosen = select_tasks(find_tasks(suite.tasks_dir), suite.tasks)
    backends = [open_backend(model) for model in dict.fromkeys(suite.models)]
    prepared = [
        prepare(task, limit=suite.limit, num_fewshot=suite.num_fewshot, seed=suite.seed)
        for task in chosen
    ]
    for task in prepared:
        if task.record.num_fewshot < suite.num_fewshot:
            click.echo(f"{task.name} defines no few-shot examples and is run without", err=True)
    return backends, prepared


def _run_one(
    suite: "Suite", backend: "Backend", prepared: Sequence["PreparedTask"]
) -> "FinishedRun":
    from evalharness.progress import progress_reporter
    from evalharness.results import RunConfiguration
    from evalharness.runner import evaluate

    with progress_reporter() as report:
        done = evaluate(
            backend,
            prepared,
            output=suite.output,
            configuration=RunConfiguration(
                limit=suite.limit, num_fewshot=suite.num_fewshot, seed=suite.seed
            ),
            command=("evalharness", *sys.argv[1:]),
            report=report,
        )
    for task, reason in done.record.skipped.items():
        click.echo(f"{backend.model.name}: skipped {task}: {reason}", err=True)
    return done


def _say_failed(finished: Sequence["FinishedRun"]) -> int:
    for done in finished:
        for name, task in done.results.tasks.items():
            if task.validity.failed:
                click.echo(
                    f"{done.results.model.name}: {name}: {task.validity.failed} of {task.n} "
                    f"samples failed; see {done.folder / 'samples' / name}.parquet",
                    err=True,
                )
    return TOO_MANY_FAILED


def _print_plan(
    suite: "Suite", backends: Sequence["Backend"], prepared: Sequence["PreparedTask"]
) -> None:
    from evalharness.runner import count_known
    from evalharness.store import Store

    for task in prepared:
        requests = sum(1 for _ in task.instances())
        click.echo(f"task {task.name}: {task.record.n} samples, {requests} requests")
        click.echo(f"     {task.record.source} ({task.record.revision})")
    with Store(suite.output / "responses.sqlite") as store:
        for backend in backends:
            known, total = count_known(backend, prepared, store)
            model = backend.model
            click.echo(
                f"model {model.name}: {model.architecture}, {model.parameters:,} parameters, "
                f"{model.dtype} on {model.device}: {known} of {total} requests are in the store"
            )


def _print_runs(runs: Sequence[tuple["RunRecord", "Results"]], output_format: str) -> None:
    if output_format == "json":
        click.echo(json.dumps([results.model_dump(by_alias=True) for _, results in runs], indent=1))
        return
    from rich.console import Console

    from evalharness.report.terminal import print_table

    print_table(runs, Console())


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
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        _print_tasks(rows)
    for plugin in catalogue.broken:
        click.echo(f"not loaded: {plugin.path}: {plugin.error}", err=True)


def _print_tasks(rows: Sequence[dict[str, Any]]) -> None:
    width = max((len(row["name"]) for row in rows), default=0)
    for family in sorted({row["family"] for row in rows}):
        click.echo(family)
        for row in rows:
            if row["family"] == family:
                click.echo(f"  {row['name']:<{width}}  {row['description']}")


@tasks.command("show")
@click.argument("name")
@tasks_dir_option
@format_option
def show_task(name: str, tasks_dir: Sequence[Path], output_format: str) -> None:
    """What one task is: data, metrics, licence, caveats."""
    from evalharness.discovery import find_tasks, select_tasks

    catalogue = find_tasks(tasks_dir)
    (task, *_) = select_tasks(catalogue, [name])
    identity = task.data.identity()
    facts = {
        "name": task.name,
        "family": task.family,
        "version": task.version,
        "description": task.description,
        "file": str(catalogue.tasks[task.name].path),
        "data": identity.name,
        "revision": identity.revision,
        "languages": ", ".join(task.languages),
        "licence": task.licence,
        "caveat": task.caveat,
        "content warning": task.content_warning,
        "metrics": ", ".join(metric.name for metric in task.metrics),
        "signatures": " ".join(metric.signature for metric in task.metrics if metric.signature),
        "few-shot examples": "yes" if task.shots else "none",
    }
    if output_format == "json":
        click.echo(json.dumps(facts, indent=1, ensure_ascii=False))
        return
    for key, value in facts.items():
        if value:
            click.echo(f"{key + ':':<19}{value}")


@tasks.command("preview")
@click.argument("name")
@click.option("-n", "--number", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--num-fewshot", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@tasks_dir_option
def preview_task(
    name: str, number: int, num_fewshot: int, seed: int, tasks_dir: Sequence[Path]
) -> None:
    """The first samples of a task, as a model gets them."""
    from evalharness.discovery import find_tasks, select_tasks
    from evalharness.preparation import prepare, preview

    (task, *_) = select_tasks(find_tasks(tasks_dir), [name])
    for sample in prepare(task, limit=number, num_fewshot=num_fewshot, seed=seed).samples:
        click.echo(preview(sample))


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
    from evalharness.results import find_runs, read_run, write_text

    folders = find_runs(runs, lambda message: click.echo(message, err=True))
    page = render_report([read_run(folder) for folder in folders], title=title)
    write_text(output, page)
    click.echo(output)


@cli.command()
@tasks_dir_option
def doctor(tasks_dir: Sequence[Path]) -> None:
    """Check this installation: versions, device, folders, plugins."""
    from evalharness.doctor import diagnose

    findings = diagnose(tasks_dir)
    for finding in findings:
        click.echo(f"{'ok     ' if finding.ok else 'PROBLEM'} {finding.name}: {finding.detail}")
    if not all(finding.ok for finding in findings):
        raise SystemExit(DataError.exit_code)


def main() -> None:
    """Run the command line and end the process with the exit status of docs/architecture.md."""
    debug = "--debug" in sys.argv[1:]
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        raise SystemExit(2) from None
    except (KeyboardInterrupt, click.Abort):
        resume = shlex.join(["evalharness", *sys.argv[1:]])
        click.echo(f"interrupted; what was answered is stored. To go on: {resume}", err=True)
        raise SystemExit(INTERRUPTED) from None
    except EvalharnessError as error:
        if debug:
            raise
        click.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        if debug:
            raise
        click.echo(
            f"internal error: {type(error).__name__}: {error}. This is a defect of evalharness; "
            "run the command again with --debug before it (evalharness --debug ...) and report "
            "what it prints. Answers that were computed are stored.",
            err=True,
        )
        raise SystemExit(1) from None
