"""Is a model as often right as it is sure? A small diagram for each model of a task."""

import math
from collections.abc import Iterator, Sequence

from evalharness.compare.records import ComparedRun
from evalharness.compare.samples import read_samples
from evalharness.errors import DataError
from evalharness.metrics.calibration import ECE, Bin, reliability
from evalharness.report.drawing import (
    Dot,
    Label,
    Line,
    Plot,
    Scale,
    Shape,
    label,
    line,
    place,
    shape,
    written,
)
from evalharness.report.lettering import fitting
from evalharness.report.tables import PlainTable
from evalharness.report.text import amount, percent, short

_SIZE, _GAP, _BELOW = 170.0, 46.0, 84.0
_COLUMNS = 3
_MOST = 12
# Radii of marks, in pixels: of a bin of hardly any answers, and of one that holds them all.
_SMALLEST, _LARGEST = 2.0, 9.0


def reliability_plot(task: str, anchor: str, runs: Sequence[ComparedRun]) -> Iterator[Plot]:
    """The diagrams of the models whose confidence was measured and is at hand, or nothing."""
    found = [(run.label, bins) for run in runs if (bins := _bins(task, run))]
    if not found:
        return
    lines: list[Line] = []
    curves: list[Shape] = []
    dots: list[Dot] = []
    labels: list[Label] = []
    for panel, (name, bins) in enumerate(found[:_MOST]):
        left = _GAP + (panel % _COLUMNS) * (_SIZE + _GAP)
        top = 28 + (panel // _COLUMNS) * (_SIZE + _BELOW)
        across = Scale(0.0, 1.0, left, left + _SIZE)
        up = Scale(0.0, 1.0, top + _SIZE, top)
        labels.append(label("name", left, top - 10, fitting(short(name), _SIZE + _GAP - 8)))
        for tick in (0.0, 0.5, 1.0):
            lines.append(line("grid", left, up.at(tick), across.end, up.at(tick)))
            labels.append(label("tick", left - 6, up.at(tick) + 4, written(tick), "end"))
            labels.append(label("tick", across.at(tick), top + _SIZE + 16, written(tick), "middle"))
        middle = (across.start + across.end) / 2
        labels.append(label("tick", middle, top + _SIZE + 32, "confidence", "middle"))
        lines.append(line("zero", across.start, up.start, across.end, up.end))
        places = [(across.at(one.confidence), up.at(one.accuracy)) for one in bins]
        curves.append(shape("front", places))
        dots += [
            Dot("best", place(x), place(y), f"{name}: {_told(one)}", radius=_radius(one, bins))
            for (x, y), one in zip(places, bins, strict=True)
        ]
    columns = min(len(found), _COLUMNS)
    more = f" Drawn are {_MOST} of {len(found)} models." if len(found) > _MOST else ""
    yield Plot(
        anchor=f"{anchor}-reliability",
        title=f"Reliability on {short(task)}",
        description="How often answers are right (upwards) against how sure the model is of them "
        "(to the right), both as shares of 1. Above the straight line it is right more often than "
        f"it says, below it less often. The larger a mark, the more answers.{more}",
        width=place(columns * (_SIZE + _GAP) + 16),
        height=place(-(-min(len(found), _MOST) // _COLUMNS) * (_SIZE + _BELOW) + 4),
        areas=(),
        lines=tuple(lines),
        curves=tuple(curves),
        dots=tuple(dots),
        labels=tuple(labels),
        table=PlainTable(
            ("Model", "Confidence, %", "Mean confidence, %", "Right, %", "n"),
            tuple(
                (
                    short(name),
                    f"{percent(one.low)} to {percent(one.high)}",
                    percent(one.confidence),
                    percent(one.accuracy),
                    amount(one.n),
                )
                for name, bins in found
                for one in bins
            ),
        ),
    )


def _radius(one: Bin, bins: Sequence[Bin]) -> str:
    """The area of a mark grows with the answers of a bin."""
    part = one.n / sum(other.n for other in bins)
    return place(_SMALLEST + (_LARGEST - _SMALLEST) * math.sqrt(part))


def _told(one: Bin) -> str:
    return f"{percent(one.confidence)} % sure, {percent(one.accuracy)} % right, n = {one.n}"


def _bins(task: str, run: ComparedRun) -> list[Bin]:
    """Empty where confidence was not measured, or the samples are not at hand."""
    measured = run.results.tasks.get(task)
    if measured is None or ECE.name not in measured.metrics:
        return []
    try:
        samples = read_samples(run.origin(task).folder, task, [ECE.name])
        return reliability(samples.statistics[ECE.name])
    except DataError:
        return []
