"""Which runs are compared: folders, names of runs, folders of runs."""

from collections.abc import Callable, Sequence
from pathlib import Path

from evalharness.compare.records import ComparedRun
from evalharness.errors import UsageError, did_you_mean
from evalharness.results import find_runs, read_run, run_labels

RUNS = Path("runs")


def open_runs(
    named: Sequence[str], baseline: str | None, say: Callable[[str], None]
) -> list[ComparedRun]:
    """The runs, the baseline first: the one named, else the first run.

    Raises UsageError for a name that is no run, for less than two runs, and where a folder of runs
    comes first and none is named the baseline; DataError for a run that is damaged or not finished.
    """
    folders = find_runs([_folder(name) for name in named], say)
    if baseline is None:
        first = _folder(named[0])
        if not (first / "run.json").exists() and len(folders) > 1:
            raise UsageError(
                f"{first} is a folder of runs: say which one is the baseline with --baseline. "
                f"There are {', '.join(folder.name for folder in folders)}."
            )
        chosen = folders[0]
    else:
        (chosen,) = _one_run(baseline, say)
    rest = [folder for folder in folders if folder.resolve() != chosen.resolve()]
    if not rest:
        raise UsageError("one run alone cannot be compared; name another one.")
    runs = [(folder, *read_run(folder)) for folder in (chosen, *rest)]
    labels = run_labels([(record, results) for _, record, results in runs])
    return [
        ComparedRun(folder, record, results, label)
        for (folder, record, results), label in zip(runs, labels, strict=True)
    ]


def _one_run(name: str, say: Callable[[str], None]) -> list[Path]:
    folder = _folder(name)
    if not (folder / "run.json").exists():
        raise UsageError(f"--baseline {name}: it must be one run, not a folder of runs.")
    return find_runs([folder], say)


def _folder(name: str) -> Path:
    """A path, or the name of a run below runs/. Raises UsageError with the nearest name."""
    for path in (Path(name), RUNS / name):
        if path.is_dir():
            return path
    known = [path.name for path in RUNS.iterdir() if path.is_dir()] if RUNS.is_dir() else []
    raise UsageError(
        f"there is no run {name!r}, neither as a folder nor in {RUNS}/.{did_you_mean(name, known)}"
    )
