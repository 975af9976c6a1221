"""Every model beside every other: a table of differences for each task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalharness.compare.pairs import MOST_MODELS, MOST_PAIRS, Pair, TaskPairs, pairs_of_tasks
from evalharness.compare.records import Comparison
from evalharness.report.evidence import Evidence
from evalharness.report.leaderboard import direction, order_tasks
from evalharness.report.text import amount, p_value, short, signed, signed_interval


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """How the model of the row differs from that of the column; empty on the diagonal.

    kind  better, worse or, for a metric with an ideal, other where that is no chance, same where it
          cannot be told, "" where nothing was tested
    """

    difference: str
    interval: str
    p_value: str
    counts: str
    kind: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """The differences of a task: row minus column; `outcomes` is what the counts of a pair are."""

    task: str
    metric: str
    direction: str
    outcomes: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[MatrixCell, ...]], ...]


@dataclass(frozen=True, slots=True)
class Matrices:
    """A matrix for each task whose pairs were compared; `chosen` says of which models, or is ""."""

    tasks: tuple[Matrix, ...]
    chosen: str


_EMPTY = MatrixCell("", "", "", "", "")
_NOTHING = MatrixCell("not compared", "", "", "", "")


def build_matrices(evidence: Evidence, with_each: Sequence[Comparison]) -> Matrices:
    """The matrices of all tasks, in the order of the leaderboard; none without pairs.

    with_each: of the first runs of the evidence, as `compare_pairs` gives them
    """
    if not with_each:
        return Matrices((), "")
    found = {one.task: one for one in pairs_of_tasks(with_each)}
    tasks = [name for name in order_tasks(evidence.pairs()) if name in found]
    compared = evidence.runs[: len(with_each)]
    matrices = [
        _matrix(found[name], [run.label for run in compared if name in run.results.tasks])
        for name in tasks
    ]
    return Matrices(tuple(matrices), _chosen(len(with_each), len(evidence.runs)))


def _chosen(compared: int, models: int) -> str:
    if compared == models:
        return ""
    return (
        f"These are the first {amount(compared)} of {amount(models)} models of the "
        f"leaderboard: pairs are compared of at most {MOST_MODELS} models, and at most "
        f"{amount(MOST_PAIRS)} pairs over all tasks."
    )


def _matrix(task: TaskPairs, labels: Sequence[str]) -> Matrix:
    cells: dict[tuple[str, str], MatrixCell] = {}
    for pair in task.pairs:
        cells[pair.first, pair.second] = _cell(pair, task, 1)
        cells[pair.second, pair.first] = _cell(pair, task, -1)

    def row(label: str) -> Iterator[MatrixCell]:
        for other in labels:
            yield _EMPTY if other == label else cells.get((label, other), _NOTHING)

    return Matrix(
        task=short(task.task),
        metric=short(task.metric),
        direction=direction(task.metric_result),
        outcomes="wins / ties / losses"
        if task.metric_result.ideal is None
        else "higher / equal / lower",
        names=tuple(map(short, labels)),
        rows=tuple((short(label), tuple(row(label))) for label in labels),
    )


def _cell(pair: Pair, task: TaskPairs, sign: int) -> MatrixCell:
    found, metric = pair.difference, task.metric_result
    if found.difference is None:
        return MatrixCell("undefined", "", "", "", "")
    ends = found.intervals.get(1 - task.alpha)
    difference = sign * found.difference
    counts = found.samples
    if counts is not None and (sign < 0) != (metric.ideal is None and not metric.higher_is_better):
        counts = counts[::-1]
    kind = "same" if pair.corrected == pair.corrected else ""
    if pair.corrected <= task.alpha and difference:
        kind = "better" if (difference > 0) == metric.higher_is_better else "worse"
        if metric.ideal is not None:
            kind = "other"
    return MatrixCell(
        difference=signed(difference, metric),
        interval=""
        if ends is None
        else signed_interval(ends if sign > 0 else (-ends[1], -ends[0]), metric),
        p_value=p_value(pair.corrected),
        counts="" if counts is None else " / ".join(map(str, counts)),
        kind=kind,
    )
