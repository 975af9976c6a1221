"""`evalharness report` and `evalharness export`: what runs found, for other people."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalharness.cli.options import tasks_dir_option, warn_above_option
from evalharness.errors import UsageError
from evalharness.report.text import spelled_out

if TYPE_CHECKING:
    from evalharness.report.evidence import Evidence

_baseline_option = click.option(
    "--baseline",
    metavar="MODEL",
    help="The model that the others are compared with: its name, spec or run id.",
)
_alpha_option = click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Level of the tests behind ranks and verdicts.",
)


@click.command("report")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The file, or with --layout site the folder.  [default: report.html, or report/]",
)
@click.option(
    "--layout",
    type=click.Choice(["single", "site"]),
    default="single",
    show_default=True,
    help="One file, with some samples of each task; or a folder of pages with all samples.",
)
@_baseline_option
@click.option("--title", default="Model comparison", show_default=True)
@click.option(
    "--theme",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A folder whose templates, style.css or scripts take the place of the usual ones.",
)
@_alpha_option
@click.option(
    "--append",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Keep the results of RUNS in this folder, without their samples, and report on all that "
    "is in it.",
)
@click.option("--any-size", is_flag=True, help="Write a single file however large it becomes.")
@warn_above_option
@tasks_dir_option
def report(
    runs: Sequence[Path],
    output: Path | None,
    layout: str,
    append: Path | None,
    **options: Any,
) -> None:
    """Write a page or a site about RUNS (run folders, or folders of them)."""
    if append is not None:
        from evalharness.report.keeping import keep_results

        for text in keep_results(runs, append, _say):
            _say(text)
        runs = [append]
    if not runs:
        raise UsageError("name a run folder, or a folder of them, or a folder with --append.")
    if output is None:
        output = Path("report.html" if layout == "single" else "report")
    _write(runs, output, layout, **options)
    click.echo(output)


def _write(
    runs: Sequence[Path],
    output: Path,
    layout: str,
    *,
    title: str,
    theme: Path | None,
    any_size: bool,
    **options: Any,
) -> None:
    from evalharness.report.layouts import write_single, write_site

    evidence = _gather(runs, **options)
    if layout == "site":
        write_site(output, evidence, title=title, theme=theme)
    elif warning := write_single(output, evidence, title=title, theme=theme, any_size=any_size):
        _say(warning)


@click.command("export")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--to",
    "form",
    type=click.Choice(["csv", "markdown", "latex", "parquet", "json"]),
    required=True,
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="A file instead of the standard output; parquet needs one.",
)
@_baseline_option
@_alpha_option
@tasks_dir_option
def export(runs: Sequence[Path], form: str, output: Path | None, **options: Any) -> None:
    """Write the scores of RUNS as a table for other programs and for papers."""
    from evalharness.report import export as forms
    from evalharness.run_folder import write_text

    if form == "parquet" and output is None:
        raise UsageError("--to parquet is no text: name its file with -o.")
    evidence = _gather(runs, warn_above={}, **options)
    if form == "parquet":
        assert output is not None
        forms.write_parquet(output, evidence)
        click.echo(output)
        return
    writers = {
        "csv": forms.as_csv, "markdown": forms.as_markdown, "latex": forms.as_latex,
        "json": forms.as_json,
    }  # fmt: skip
    text = writers[form](evidence)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, text)
        click.echo(output)


def _gather(
    runs: Sequence[Path],
    *,
    tasks_dir: Sequence[Path],
    baseline: str | None,
    alpha: float,
    warn_above: dict[str, float],
) -> "Evidence":
    from evalharness.discovery import find_tasks
    from evalharness.report.evidence import gather
    from evalharness.validity import read_thresholds

    thresholds = read_thresholds(warn_above)
    catalogue = find_tasks(tasks_dir)
    return gather(runs, catalogue, baseline=baseline, alpha=alpha, thresholds=thresholds, say=_say)


def _say(text: str) -> None:
    click.echo(spelled_out(text), err=True)
