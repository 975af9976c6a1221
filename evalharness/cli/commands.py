"""What can be asked. Heavy modules are imported by the command that needs them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from evalharness import __version__
from evalharness.cli.compare import compare
from evalharness.cli.options import (
    NamingGroup,
    chat_options,
    data_option,
    format_option,
    read_system_prompt,
    tasks_dir_option,
    warn_above_option,
)
from evalharness.cli.reporting import export, report
from evalharness.cli.task_commands import tasks
from evalharness.errors import DataError
from evalharness.report.text import spelled_out


@click.group(cls=NamingGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="evalharness")
@click.option("--debug", is_flag=True, help="Show a traceback for every error.")
def cli(debug: bool) -> None:
    """Benchmark language models, compare them honestly, publish the result."""


cli.add_command(compare)


@cli.command()
@click.option(
    "-m", "--model", "models", multiple=True, metavar="MODEL", help="SCHEME:REF?key=value"
)
@click.option("-t", "--task", "names", multiple=True, metavar="TASK[,TASK]", help="Names or globs.")
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
    "--training-text",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Texts that models were trained on: scores of the samples that stand in them apart.",
)
@click.option(
    "--store-logprobs",
    is_flag=True,
    default=None,
    help="Also store how likely each token of each answer was, with the likeliest in its place, "
    "and how familiar each sample's text is to the model (min-k%). A second pass over all texts: "
    "it may take as long as the answers again, and more where texts are long.",
)
@warn_above_option
@click.option(
    "--allow-failed",
    type=float,
    help="Share of a task's samples that may fail before the exit status is 3.  [default: 0]",
)
@click.option(
    "--noise-floor",
    is_flag=True,
    default=None,
    help="Answer 2 % of the samples (at least 10) again in other batches, and say what moved.",
)
@click.option(
    "--noise-dtype",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    help="The same in this dtype as well.",
)
@chat_options
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@format_option
def run(
    models: Sequence[str],
    names: Sequence[str],
    suite_file: Path | None,
    tasks_dir: Sequence[Path],
    data: Sequence[str],
    warn_above: dict[str, float],
    dry_run: bool,
    output_format: str,
    **options: Any,
) -> int:
    """Run models through tasks; started again, it goes on where it was."""
    from evalharness.cli.plan import print_plan
    from evalharness.cli.suite import run_suite
    from evalharness.config import read_suite
    from evalharness.sources.choice import read_choices

    tasks = tuple(name for some in names for name in some.split(",") if name)
    lists = {"models": tuple(models), "tasks": tasks, "tasks_dir": tuple(tasks_dir)}
    given: dict[str, Any] = {name: values for name, values in lists.items() if values}
    if data:
        given["data"] = read_choices(data)
    if warn_above:
        given["warn_above"] = warn_above
    given |= {name: value for name, value in options.items() if value is not None}
    suite = read_suite(suite_file, read_system_prompt(given))
    if dry_run:
        print_plan(suite, output_format)
        return 0
    command = ("evalharness", *sys.argv[1:])
    return run_suite(
        suite, command, output_format, debug=click.get_current_context().find_root().params["debug"]
    )


cli.add_command(tasks)


@cli.group(cls=NamingGroup)
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


cli.add_command(report)
cli.add_command(export)


@cli.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@tasks_dir_option
@format_option
def rescore(runs: Sequence[Path], tasks_dir: Sequence[Path], output_format: str) -> int:
    """Compute the metrics of RUNS again from stored responses, without a model."""
    from evalharness.cli.suite import rescore_runs

    command = ("evalharness", *sys.argv[1:])
    debug = click.get_current_context().find_root().params["debug"]
    return rescore_runs(runs, tasks_dir, command, output_format, debug=debug)


@cli.command()
@click.option(
    "-m", "--model", "spec", metavar="MODEL", help="Check this model instead: SCHEME:REF?key=value"
)
@tasks_dir_option
def doctor(spec: str | None, tasks_dir: Sequence[Path]) -> int:
    """Check this installation (versions, device, folders, plugins), or a checkpoint."""
    from evalharness.checks.checkpoint import diagnose_model
    from evalharness.checks.installation import diagnose

    well = True
    for finding in diagnose(tasks_dir) if spec is None else diagnose_model(spec):
        line = f"{'ok     ' if finding.ok else 'PROBLEM'} {finding.name}: {finding.detail}"
        click.echo(spelled_out(line))
        well = well and finding.ok
    return 0 if well else DataError.exit_code
