"""Which runs are compared: folders, names of runs, folders of runs."""

from collections.abc import Callable, Sequence
from pathlib import Path

from evalharness.compare.records import ComparedRun
from evalharness.errors import DataError, UsageError, did_you_mean
from evalharness.results import Results, RunRecord
from evalharness.run_folder import find_runs, read_run

RUNS = Path("runs")


def open_runs(
    named: Sequence[str], baseline: str | None, say: Callable[[str], None]
) -> list[ComparedRun]:
    """The runs, the baseline first: the one named, else the first run.

    Raises UsageError for a name that is no run, for less than two runs, and where a folder of
    several runs comes first and none is named the baseline; DataError for a run that was named and
    is damaged, and for a baseline that is not finished. A damaged run in a folder of runs is left
    out aloud.
    """
    given = [_folder(name) for name in named]
    folders = find_runs(given, say)
    chosen = _baseline(given[0]) if baseline is None else _one_run(baseline)
    rest = [folder for folder in folders if folder.resolve() != chosen.resolve()]
    asked_for = {path.resolve() for path in (chosen, *given)}
    runs = []
    for folder in (chosen, *rest):
        try:
            runs.append((folder, *read_run(folder)))
        except DataError as error:
            if folder.resolve() in asked_for:
                raise
            say(f"left out: {error}")
    if len(runs) < 2:
        raise UsageError("one run alone cannot be compared; name another one.")
    labels = _distinct(
        run_labels([(record, results) for _, record, results in runs]),
        [folder for folder, _, _ in runs],
    )
    return [
        ComparedRun(folder, record, results, label)
        for (folder, record, results), label in zip(runs, labels, strict=True)
    ]


def run_labels(runs: Sequence[tuple[RunRecord, Results]]) -> list[str]:
    """The name of each run's model; runs of one name are told apart by the end of their run id."""
    names = [results.model.name for _, results in runs]
    return [
        name if names.count(name) == 1 else f"{name} · {results.run_id[-10:]}"
        for name, (_, results) in zip(names, runs, strict=True)
    ]


def _distinct(labels: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """The labels; of equal ones, which are of one run made in several places, with its folder.

    All that is known of a run is found by its label.
    """
    return [
        label if labels.count(label) == 1 else f"{label} · {folder}"
        for label, folder in zip(labels, folders, strict=True)
    ]


def _baseline(first: Path) -> Path:
    """The first run that was named; of a folder with several, nobody knows which."""
    if (first / "run.json").exists():
        return first
    below = find_runs([first], lambda _left_out: None)
    if len(below) > 1:
        raise UsageError(
            f"{first} is a folder of runs: say which one is the baseline with --baseline. "
            f"There are {', '.join(folder.name for folder in below)}."
        )
    return below[0]


def _one_run(name: str) -> Path:
    folder = _folder(name)
    if not (folder / "run.json").exists():
        raise UsageError(f"--baseline {name}: it must be one run, not a folder of runs.")
    return folder


def _folder(name: str) -> Path:
    """A path, or the name of a run below runs/. Raises UsageError with the nearest name."""
    for path in (Path(name), RUNS / name):
        if path.is_dir():
            return path
    known = [path.name for path in RUNS.iterdir() if path.is_dir()] if RUNS.is_dir() else []
    raise UsageError(
        f"there is no run {name!r}, neither as a folder nor in {RUNS}/.{did_you_mean(name, known)}"
    )
