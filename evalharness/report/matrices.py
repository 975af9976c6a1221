"""Every model beside every other: a table of differences for each task."""

from collections.abc import Iterator
from dataclasses import dataclass

from evalharness.compare.pairs import Pair, TaskPairs, compare_pairs
from evalharness.report.evidence import Evidence
from evalharness.report.leaderboard import direction
from evalharness.report.text import p_value, short, signed, signed_interval


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """How the model of the row differs from that of the column; empty on the diagonal.

    kind  better or worse where that is no chance, same where it cannot be told, "" where nothing
          was tested
    """

    difference: str
    interval: str
    p_value: str
    counts: str
    kind: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """The differences of a task: row minus column."""

    task: str
    metric: str
    direction: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[MatrixCell, ...]], ...]


_EMPTY = MatrixCell("", "", "", "", "")


def build_matrices(evidence: Evidence) -> Iterator[Matrix]:
    """A matrix for each task whose pairs were compared."""
    if evidence.board is None:
        return
    tasks = tuple(evidence.board.rankings)
    for found in compare_pairs(evidence.runs, tasks, evidence.catalogue, alpha=evidence.alpha):
        cells: dict[tuple[str, str], MatrixCell] = {}
        for pair in found.pairs:
            cells[pair.first, pair.second] = _cell(pair, found, 1)
            cells[pair.second, pair.first] = _cell(pair, found, -1)
        order = [run.label for run in evidence.runs if run.label in found.labels]
        yield Matrix(
            task=short(found.task),
            metric=short(found.metric),
            direction=direction(found.metric_result),
            names=tuple(map(short, order)),
            rows=tuple(
                (short(row), tuple(cells.get((row, column), _EMPTY) for column in order))
                for row in order
            ),
        )


def _cell(pair: Pair, task: TaskPairs, sign: int) -> MatrixCell:
    found, metric = pair.difference, task.metric_result
    if found.difference is None:
        return MatrixCell("undefined", "", "", "", "")
    ends = found.intervals.get(task.level)
    difference = sign * found.difference
    counts = found.samples
    if counts is not None and (sign < 0) != (metric.ideal is None and not metric.higher_is_better):
        counts = counts[::-1]
    alpha = 1 - task.level
    kind = "same" if pair.corrected == pair.corrected else ""
    if pair.corrected <= alpha and metric.ideal is None:
        kind = "better" if (difference > 0) == metric.higher_is_better else "worse"
    return MatrixCell(
        difference=signed(difference, metric),
        interval=""
        if ends is None
        else signed_interval(ends if sign > 0 else (-ends[1], -ends[0]), metric),
        p_value=p_value(pair.corrected),
        counts="" if counts is None else " / ".join(map(str, counts)),
        kind=kind,
    )
