"""What a report is about: runs, where each stands, and how they differ from a baseline."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evalharness.compare.board import LEVELS, Board, build_board
from evalharness.compare.comparing import compare_runs, compare_with_each
from evalharness.compare.pairs import compared_models
from evalharness.compare.records import ComparedRun, Comparison, FinishedRun, Settings
from evalharness.compare.runs import run_labels
from evalharness.discovery import Catalogue
from evalharness.errors import UsageError, did_you_mean
from evalharness.report.joining import join_runs
from evalharness.report.leaderboard import Run, mismatch, order_runs, order_tasks
from evalharness.run_folder import read_runs_with_folders
from evalharness.validity import THRESHOLDS


@dataclass(frozen=True, slots=True)
class Evidence:
    """Runs in the order in which they are shown, and what was found by comparing them.

    board       None for a single run
    comparison  with the baseline, None where none was named
    alpha       the level of the tests
    thresholds  shares of samples above which readers are warned (see validity.py)
    left_out    sentences about runs that could not be read
    """

    runs: tuple[ComparedRun, ...]
    catalogue: Catalogue
    board: Board | None
    comparison: Comparison | None
    alpha: float
    thresholds: Mapping[str, float]
    left_out: tuple[str, ...]

    def pairs(self) -> list[Run]:
        """Record and results of every run."""
        return [(run.record, run.results) for run in self.runs]


def comparable_tasks(runs: Sequence[ComparedRun]) -> list[str]:
    """The tasks that all who ran them were asked alike, by family and name."""
    names = order_tasks([(run.record, run.results) for run in runs])
    return [
        name
        for name in names
        if not mismatch([run.results.tasks[name] for run in runs if name in run.results.tasks])
    ]


def gather(
    paths: Sequence[Path],
    catalogue: Catalogue,
    *,
    baseline: str | None,
    alpha: float,
    thresholds: Mapping[str, float],
    say: Callable[[str], None],
) -> Evidence:
    """Read runs and compare them.

    What cannot be read is told to `say` and kept for a banner. Raises DataError as `read_runs`
    does, UsageError for a baseline that is none of the models, with the nearest name.
    """
    left_out: list[str] = []

    def note(text: str) -> None:
        say(text)
        left_out.append(f"{text[:1].upper()}{text[1:]}.")

    return evidence_of(
        labelled(read_runs_with_folders(paths, note)),
        catalogue,
        baseline=baseline,
        alpha=alpha,
        thresholds=thresholds,
        left_out=tuple(left_out),
    )


def labelled(found: Sequence[tuple[Path, Run]]) -> list[ComparedRun]:
    """A row for each model, in the order of `order_runs`, each with a name of its own."""
    joined = join_runs([FinishedRun(folder, *run) for folder, run in found])
    by_results = {id(run.results): run for run in joined}
    ordered = order_runs([(run.record, run.results) for run in joined])
    return [
        replace(by_results[id(results)], label=label)
        for (_, results), label in zip(ordered, run_labels(ordered), strict=True)
    ]


def evidence_of(
    runs: Sequence[ComparedRun],
    catalogue: Catalogue,
    *,
    baseline: str | None,
    alpha: float,
    thresholds: Mapping[str, float] = THRESHOLDS,
    left_out: tuple[str, ...] = (),
) -> Evidence:
    """Compare runs that were read. Raises UsageError for a baseline that is none of the models."""
    reference = None if baseline is None else _find(baseline, runs)
    board: Board | None = None
    if len(runs) > 1:
        board = build_board(runs, comparable_tasks(runs), catalogue, alpha=alpha)
        runs = _by_rank(runs, board)
    comparison = None
    if reference is not None:
        others = [run for run in runs if run is not reference]
        if not others:
            raise UsageError(f"--baseline {baseline}: there is no other model to compare it with.")
        comparison = compare_runs([reference, *others], catalogue, _settings(alpha))
    return Evidence(tuple(runs), catalogue, board, comparison, alpha, thresholds, left_out)


def _settings(alpha: float) -> Settings:
    """Intervals for all levels that readers may choose."""
    return Settings(alpha=alpha, levels=tuple(1 - one for one in LEVELS if one != alpha))


def compare_pairs(evidence: Evidence) -> tuple[Comparison, ...]:
    """The first runs compared with each of them as the baseline: every pair, which takes longest.

    These are all runs, where they are not too many (compare/pairs.py); none for less than two.
    """
    tasks = {task for run in evidence.runs for task in run.results.tasks}
    compared = evidence.runs[: compared_models(len(evidence.runs), len(tasks))]
    if len(compared) < 2:
        return ()
    return compare_with_each(compared, evidence.catalogue, _settings(evidence.alpha))


def _find(name: str, runs: Sequence[ComparedRun]) -> ComparedRun:
    """The run that is called so: by its label, its model's name or spec, or its run id."""
    found = [run for run in runs if name in _names(run)]
    if len(found) == 1:
        return found[0]
    labels = [run.label for run in (found or runs)]
    if found:
        raise UsageError(
            f"--baseline {name}: several runs are of this model; name one of {', '.join(labels)}."
        )
    raise UsageError(
        f"--baseline {name}: there is no such model in these runs, which have "
        f"{', '.join(labels)}.{did_you_mean(name, labels)}"
    )


def _names(run: ComparedRun) -> Iterator[str]:
    """What a run is called; one that was joined, also by each of its parts."""
    yield run.label
    for part in (run, *run.parts()):
        yield from (part.results.model.name, part.results.model.spec, part.results.run_id)


def _by_rank(runs: Sequence[ComparedRun], board: Board) -> list[ComparedRun]:
    """The best mean first, what has none last; series keep their order of steps."""
    if any(run.results.model.series for run in runs):
        return list(runs)

    def key(run: ComparedRun) -> tuple[bool, float]:
        place = board.places.get(run.label)
        return place is None, 0.0 if place is None else -place.mean.value

    return sorted(runs, key=key)
