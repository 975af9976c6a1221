"""`evalharness compare`: runs beside a baseline, and gates that fail a pipeline."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalharness.cli.options import tasks_dir_option, warn_above_option
from evalharness.cli.printing import say
from evalharness.errors import DataError

if TYPE_CHECKING:
    from evalharness.compare.gates import Verdict
    from evalharness.compare.records import Comparison

GATE_FAILED = 4
# Of the tables where no terminal says how wide it is.
_WIDTH = 160


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--baseline", metavar="RUN", help="What the others are held against.  [default: the first RUN]"
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="Compare this metric of each task that has it; may be given several times.  "
    "[default: each task's primary metric]",
)
@click.option(
    "--correction",
    type=click.Choice(["holm", "bh"]),
    default="holm",
    show_default=True,
    help="Of the p-values for their number: Holm, or Benjamini-Hochberg.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Level of the tests; intervals have 1 - alpha.",
)
@click.option(
    "--allow-mismatch",
    is_flag=True,
    help="Compare runs that were asked different things all the same, and mark every number.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--effect",
    type=click.FloatRange(0, min_open=True),
    metavar="NUMBER",
    help="Say how many samples a true difference of so much needs, in the units of the metric.  "
    "[default: the observed difference, where it is not significant]",
)
@click.option(
    "--fail-if",
    multiple=True,
    metavar="GATE",
    help="Exit with status 4 if this holds for a run, such as 'openbookqa.acc_norm < -0.02 @95%': "
    "its whole 95 % interval of the difference is below -0.02. May be given several times.",
)
@click.option(
    "--fail-unless",
    multiple=True,
    metavar="GATE",
    help="Exit with status 4 unless this holds for every run, such as 'openbookqa.acc_norm > -0.02 "
    "@95%': its whole 95 % interval is above -0.02. May be given several times.",
)
@warn_above_option
@tasks_dir_option
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json", "markdown", "latex", "csv"]),
    default="table",
    show_default=True,
)
def compare(runs: Sequence[str], output_format: str, **options: Any) -> int:
    """Hold each RUN (a run folder, its name below runs/, or a folder of runs) against a baseline.

    Samples are matched by their ids. Exit status 4: a gate failed.
    """
    return compare_and_print(runs, output_format, **options)


def compare_and_print(
    runs: Sequence[str],
    output_format: str,
    *,
    baseline: str | None,
    metrics: Sequence[str],
    fail_if: Sequence[str],
    fail_unless: Sequence[str],
    warn_above: dict[str, float],
    tasks_dir: Sequence[Path],
    **settings: Any,
) -> int:
    """The tables on stdout, all that was left out on stderr; returns the exit status."""
    from evalharness.compare.comparing import compare_runs
    from evalharness.compare.gates import check_reach, judge, parse_gate
    from evalharness.compare.records import Settings
    from evalharness.compare.runs import open_runs
    from evalharness.discovery import find_tasks
    from evalharness.validity import read_thresholds

    thresholds = read_thresholds(warn_above)
    opened = open_runs(runs, baseline, say)
    tasks = opened[0].results.tasks
    metrics_of = {name: list(task.metrics) for name, task in tasks.items()}
    asked = [
        *(parse_gate("--fail-if", text, metrics_of) for text in fail_if),
        *(parse_gate("--fail-unless", text, metrics_of) for text in fail_unless),
    ]
    for gate in asked:
        check_reach(gate, tasks[gate.task].metrics[gate.metric])
    wanted = Settings(
        metrics=tuple(metrics),
        also=tuple((gate.task, gate.metric) for gate in asked),
        levels=tuple(gate.level for gate in asked if gate.level is not None),
        thresholds=thresholds,
        **settings,
    )
    comparison = compare_runs(opened, find_tasks(tasks_dir), wanted)
    verdicts, problems = judge(asked, comparison)
    _print(comparison, verdicts, output_format)
    _say_left_out(comparison)
    if not comparison.rows:
        raise DataError("no task could be compared.")
    for verdict in verdicts:
        say(_told(verdict))
    for problem in problems:
        say(problem)
    if any(verdict.failed for verdict in verdicts):
        return GATE_FAILED
    return DataError.exit_code if problems else 0


def _print(comparison: "Comparison", verdicts: "Sequence[Verdict]", output_format: str) -> None:
    from rich.console import Console

    from evalharness.report import comparison_formats as formats

    if output_format == "table":
        width = None if sys.stdout.isatty() else _WIDTH
        formats.print_comparison(comparison, verdicts, Console(width=width))
    elif output_format == "csv":
        click.echo(formats.as_csv(comparison))
    else:
        writers = {
            "json": formats.as_json, "markdown": formats.as_markdown, "latex": formats.as_latex,
        }  # fmt: skip
        click.echo(writers[output_format](comparison, verdicts))


def _say_left_out(comparison: "Comparison") -> None:
    """What is not compared, the tasks of one run and one reason together."""
    tasks: dict[tuple[str, str], list[str]] = {}
    for one in comparison.left_out:
        name = f"{one.task}.{one.metric}" if one.metric else one.task
        tasks.setdefault((one.run, one.reason), []).append(name)
    for (run, reason), names in tasks.items():
        say(f"not compared: {run}: {', '.join(names)}: {reason}")


def _told(verdict: "Verdict") -> str:
    """Which gate, of which run, failed or passed by how much."""
    gate = verdict.gate
    what = "the difference is"
    if gate.level is not None:
        what = f"the {gate.side} bound of the {100 * gate.level:g} % interval is"
    outcome = "FAILED" if verdict.failed else "passed"
    mark = ", of runs that were asked different things" if verdict.mismatches else ""
    return (
        f"gate {outcome}: {gate.option} {gate.text}: {verdict.run}: {what} {verdict.judged:+.4g}, "
        f"{'beyond' if verdict.by > 0 else 'short of'} {gate.threshold:g} by "
        f"{abs(verdict.by):.4g}{mark}"
    )
