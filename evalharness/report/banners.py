"""What a reader must know before the first score: lines above the leaderboard."""

from collections.abc import Iterator, Sequence

from evalharness.compare.records import ComparedRun
from evalharness.report.leaderboard import Leaderboard
from evalharness.report.text import amount, short, visible


def build_banners(runs: Sequence[ComparedRun], leaderboard: Leaderboard) -> Iterator[str]:
    """Partial runs, joined and incomparable ones, other measurements than a task's own, skips."""
    yield from _partial(runs)
    for run in runs:
        yield from map(visible, run.notes)
    mismatched = [column.task for column in leaderboard.columns if column.mismatch]
    if mismatched:
        yield f"Runs that cannot be compared stand together in: {', '.join(mismatched)}."
    yield from _lettered(runs)
    yield from _skipped(runs)


def _partial(runs: Sequence[ComparedRun]) -> Iterator[str]:
    """A line for each limit that may have left samples out, with the tasks where it may have."""
    tasks: dict[int, dict[str, None]] = {}
    for run in runs:
        for part in run.parts():
            limit = part.record.configuration.limit
            if limit is not None:
                limited = [task for task in part.record.limited_tasks() if run.origin(task) is part]
                tasks.setdefault(limit, {}).update(dict.fromkeys(limited))
    every = {name for run in runs for name in run.record.tasks}
    for limit, names in sorted(tasks.items()):
        if names:
            where = "each task" if set(names) == every else ", ".join(map(short, sorted(names)))
            yield (
                f"Partial runs: only the first {amount(limit)} samples were answered of {where}. "
                "These are not the scores of the whole benchmarks."
            )


def _lettered(runs: Sequence[ComparedRun]) -> Iterator[str]:
    """A line for each model and reason, with the tasks that were measured by letters."""
    tasks: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        for name, task in run.results.tasks.items():
            if task.method is not None and task.method.name == "letter":
                key = (run.results.model.name, task.method.reason)
                tasks.setdefault(key, []).append(short(name))
    for (model, reason), names in tasks.items():
        yield (
            f"{short(model)} was asked for the letter of the right option in {', '.join(names)}, "
            "which is another measurement than comparing how likely the options are: "
            f"{visible(reason)}."
        )


def _skipped(runs: Sequence[ComparedRun]) -> Iterator[str]:
    """A line for each model and reason, with the tasks that were left out for it."""
    tasks: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        for name, reason in run.record.skipped.items():
            tasks.setdefault((run.results.model.name, reason), []).append(short(name))
    for (model, reason), names in tasks.items():
        yield f"{short(model)} was not run on {', '.join(names)}: {visible(reason)}."
