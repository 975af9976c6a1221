"""Measures this project and its peers on the same work; see README.md beside this file.

python -m benchmarks.compare [--row NAME ...]
"""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from benchmarks.agreement import DisagreementError
from benchmarks.commands import measure_commands
from benchmarks.machine import describe_machine
from benchmarks.processes import DEVICES, CannotBeUsedError, ProcessFailedError, ask
from benchmarks.records import Checkpoint, Row
from benchmarks.results import keep_row, read_results
from benchmarks.rounds import Setting, measure_requests
from benchmarks.table import table
from benchmarks.timings import measure_timings
from benchmarks.work import GEMMA, SMOLLM2, WORKS
from evalharness.errors import EvalharnessError

# Load average above which the user is warned.
BUSY = 0.5
# Of the table where no terminal says how wide it is.
WIDTH = 160
RESULTS = Path(__file__).parent / "results.json"

Say = Callable[[str], None]
Measure = Callable[[Setting, Say], Row]


def _requests(work: str) -> Measure:
    return lambda setting, say: measure_requests(work, SMOLLM2, _find(SMOLLM2), setting, say)


def _commands(setting: Setting, say: Say) -> Row:
    return measure_commands(_find(SMOLLM2), setting, say)


def _memory(setting: Setting, say: Say) -> Row:
    """Every token of StereoSet is scored: the output layer has as many rows as there are tokens."""
    once = replace(setting, times=1)
    return measure_requests("stereoset", GEMMA, _find(GEMMA), once, say)


def _timings(function: str) -> Measure:
    return lambda setting, _say: measure_timings(function, setting.machine)


def _find(model: str) -> Checkpoint:
    return ask("checkpoint", [model], Checkpoint)


ON_ANY_DEVICE: Mapping[str, Measure] = {
    **{work: _requests(work) for work in WORKS},
    "command-openbookqa-0-shot": _commands,
    "gemma-memory": _memory,
}
ROWS: Mapping[str, Measure] = {
    **ON_ANY_DEVICE,
    "planner": _timings("planner"),
    "bootstrap": _timings("bootstrap"),
    "comparison": _timings("comparison"),
}
# Left out with the reason where its model cannot be opened; without the others there is no result.
MAY_BE_LEFT_OUT = {"gemma-memory"}


@click.command()
@click.option(
    "--row", "names", multiple=True, type=click.Choice(list(ROWS)), help="Only this one; repeat."
)
@click.option("--times", type=click.IntRange(min=1), default=3, show_default=True, help="Rounds.")
@click.option("--device", type=click.Choice(DEVICES), default="cpu", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(names: Sequence[str], times: int, device: str, output: Path) -> None:
    """Measure rows, keep them in the file of results, and print them beside what is wanted.

    Exit status: 0 done; 1 answers disagree, or something could not be measured; 2 usage, or no GPU.
    """
    if device == "cuda" and not has_gpu():
        print("There is no GPU that torch can use here: nothing was measured.", file=sys.stderr)
        raise SystemExit(2)
    known = ROWS if device == "cpu" else ON_ANY_DEVICE
    # Described once: after the first row the checkout is changed, by the results.
    setting = Setting(describe_machine(device), times, device)
    if setting.machine.load_average > BUSY:
        print(
            f"This machine is busy (load {setting.machine.load_average:.1f}): what is measured "
            "now says little.",
            file=sys.stderr,
        )
    measured: dict[str, Row] = {}
    try:
        read_results(output)  # a file that cannot be added to is told of before, not after
        for name in names or known:
            row = measure_row(name, setting)
            if row is not None:
                keep_row(output, name, row)
                measured[name] = row
    except (DisagreementError, CannotBeUsedError, ProcessFailedError, EvalharnessError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    finally:
        if measured:
            Console(width=None if sys.stdout.isatty() else WIDTH).print(table(measured))


def measure_row(name: str, setting: Setting) -> Row | None:
    """Measure one row; None, and the reason on stderr, for one that may be left out."""

    def say(message: str) -> None:
        print(f"{name}: {message}", file=sys.stderr, flush=True)

    say("measuring")
    try:
        return ROWS[name](setting, say)
    except CannotBeUsedError as error:
        if name not in MAY_BE_LEFT_OUT:
            raise
        say(f"left out: {error}")
        return None


def has_gpu() -> bool:
    """Asked in a process of its own: this one stays small, for others inherit its peak memory."""
    program = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


if __name__ == "__main__":
    main()
