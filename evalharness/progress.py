"""Progress on stderr: a bar in a terminal, else a line every 30 seconds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from evalharness.report.text import spelled_out
from evalharness.runner import Progress

SECONDS_BETWEEN_LINES = 30.0


@contextmanager
def progress_reporter() -> Iterator[Callable[[Progress], None]]:
    """What `evaluate` is to call; the display ends with the context."""
    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console) as report:
            yield report
    else:
        yield _lines()


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[Progress], None]]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console) as bar:
        tasks: dict[str, TaskID] = {}

        def report(progress: Progress) -> None:
            unit = progress.unit
            if unit not in tasks:
                name = spelled_out(progress.model)
                tasks[unit] = bar.add_task(name, total=progress.total, unit=unit)
            bar.update(tasks[unit], completed=progress.answered)

        yield report


def _lines() -> Callable[[Progress], None]:
    started = last = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        first = progress.answered == progress.from_store
        if first or progress.answered == progress.total or now - last >= SECONDS_BETWEEN_LINES:
            last = now
            print(
                f"{spelled_out(progress.model)}: {progress.answered} of {progress.total} "
                f"{progress.unit} ({progress.from_store} from the store), {now - started:.0f} s",
                file=sys.stderr,
                flush=True,
            )

    return report
