"""Quality against cost: the mean over tasks of each model beside what its answers cost."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from evalharness.compare.records import ComparedRun
from evalharness.report.drawing import (
    Dot,
    Label,
    Line,
    Plot,
    Scale,
    around,
    label,
    line,
    place,
    shape,
    ticks,
    written,
)
from evalharness.report.evidence import Evidence
from evalharness.report.lettering import fitting, text_width
from evalharness.report.standings import level_name
from evalharness.report.tables import PlainTable
from evalharness.report.text import money, short

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640.0, 380.0, 56.0, 624.0, 20.0, 330.0
_MOST_NAMED = 12
_LONGEST_NAME = 190.0
# Half the height of a name, and half the room that a mark takes, in pixels.
_HALF_NAME, _HALF_MARK = 7.0, 6.0


@dataclass(frozen=True, slots=True)
class _Point:
    name: str
    cost: float
    quality: float
    interval: tuple[float, float] | None
    best: bool = False


@dataclass(frozen=True, slots=True)
class _Box:
    left: float
    right: float
    top: float
    bottom: float

    def meets(self, other: "_Box") -> bool:
        beside = self.right < other.left or other.right < self.left
        return not (beside or self.bottom < other.top or other.bottom < self.top)


def cost_plot(evidence: Evidence) -> Iterator[Plot]:
    """The figure, or nothing where there are no two models of different cost."""
    assert evidence.board is not None
    priced = any(map(_price, evidence.runs))
    points = []
    for run in evidence.runs:
        found = evidence.board.places.get(run.label)
        cost = _price(run) if priced else _seconds(run)
        if found is not None and cost > 0:
            mean = found.mean
            points.append(_Point(short(run.label), cost, mean.value, mean.interval))
    if len({point.cost for point in points}) < 2:
        return
    points = [
        replace(point, best=not any(_dominates(other, point) for other in points))
        for point in points
    ]
    yield _scatter(points, level_name(evidence.alpha), priced=priced)


def _dominates(one: _Point, other: _Point) -> bool:
    no_worse = one.quality >= other.quality and one.cost <= other.cost
    return no_worse and (one.quality > other.quality or one.cost < other.cost)


def _price(run: ComparedRun) -> float:
    return sum(task.cost.price for task in run.results.tasks.values())


def _seconds(run: ComparedRun) -> float:
    return sum(task.cost.request_seconds for task in run.results.tasks.values())


def _scatter(points: Sequence[_Point], level: str, *, priced: bool) -> Plot:
    costs = [math.log10(point.cost) for point in points]
    room = max(0.12 * (max(costs) - min(costs)), 0.01)
    across = Scale(min(costs) - room, max(costs) + room, _LEFT, _RIGHT)
    low, high = around([end for p in points for end in (p.quality, *(p.interval or ()))])
    up = Scale(low, high, _BOTTOM, _TOP)
    unit = "price" if priced else "seconds of computing"
    lines, labels = _axes(across, up, unit)
    lines += _whiskers(points, across, up)
    named = points if len(points) <= _MOST_NAMED else [point for point in points if point.best]
    front = _front(points, across, up)
    names = list(_names(named, [*_marks(points, across, up), *_along(front)], across, up))
    with_intervals = f" with its {level} interval" if any(p.interval for p in points) else ""
    return Plot(
        anchor="quality-cost",
        title="Quality against cost",
        description=f"Mean over tasks{with_intervals} against {unit}, on a logarithmic scale. "
        "Filled marks: by these means, no other model is as good for less, or better for as much; "
        "the line is the best mean up to each cost."
        + ("" if priced else " Seconds depend on the machine.")
        + (
            ""
            if len(names) == len(points)
            else " Models whose names found no room are in the table."
        ),
        width=place(_WIDTH),
        height=place(_HEIGHT),
        areas=(),
        lines=tuple(lines),
        curves=(shape("front", front),) if len(front) > 1 else (),
        dots=tuple(
            Dot(
                "best" if point.best else "other",
                place(across.at(math.log10(point.cost))),
                place(up.at(point.quality)),
                f"{point.name}: {_quality(point)}, {_cost(point.cost, priced)}",
            )
            for point in points
        ),
        labels=(*labels, *names),
        table=PlainTable(
            ("", f"Mean{with_intervals}, %", unit.capitalize()),
            tuple((p.name, _quality(p), _cost(p.cost, priced)) for p in points),
        ),
    )


def _axes(across: Scale, up: Scale, unit: str) -> tuple[list[Line], list[Label]]:
    lines = [line("axis", _LEFT, _BOTTOM, _RIGHT, _BOTTOM)]
    labels = [
        label("tick", (_LEFT + _RIGHT) / 2, _BOTTOM + 40, f"{unit}, logarithmic scale", "middle"),
        label("tick", 0, 10, "mean over tasks, %"),
    ]
    for tick in ticks(up.low, up.high):
        lines.append(line("grid", _LEFT, up.at(tick), _RIGHT, up.at(tick)))
        labels.append(label("tick", _LEFT - 8, up.at(tick) + 4, written(tick), "end"))
    for tick in _cost_ticks(across.low, across.high):
        x = across.at(math.log10(tick))
        lines.append(line("grid", x, _TOP, x, _BOTTOM))
        labels.append(label("tick", x, _BOTTOM + 18, written(tick), "middle"))
    return lines, labels


def _cost_ticks(low: float, high: float) -> list[float]:
    """Round costs between two logarithms: 1, 2 and 5 of each power of ten, where these are some."""
    factors = (1, 2, 5) if high - low < 2.5 else (1,)
    exponents = range(math.floor(low), math.ceil(high) + 1)
    found = [factor * 10.0**exponent for exponent in exponents for factor in factors]
    between = [value for value in found if low <= math.log10(value) <= high]
    if len(between) < 2:
        return ticks(10.0**low, 10.0**high, 4)
    return between[:: math.ceil(len(between) / 8)]


def _whiskers(points: Sequence[_Point], across: Scale, up: Scale) -> Iterator[Line]:
    for point in points:
        if point.interval is not None:
            x = across.at(math.log10(point.cost))
            low, high = map(up.at, point.interval)
            yield line(f"whisker thin {'best' if point.best else 'other'}", x, low, x, high)


def _front(points: Sequence[_Point], across: Scale, up: Scale) -> list[tuple[float, float]]:
    """Stairs: between two models, nothing is better than the cheaper one."""
    corners: list[tuple[float, float]] = []
    for point in sorted((p for p in points if p.best), key=lambda p: (p.cost, p.quality)):
        x, y = across.at(math.log10(point.cost)), up.at(point.quality)
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    return corners


def _along(corners: Sequence[tuple[float, float]]) -> Iterator[_Box]:
    for (x, y), (next_x, next_y) in pairwise(corners):
        yield _Box(min(x, next_x), max(x, next_x), min(y, next_y), max(y, next_y))


def _names(
    named: Sequence[_Point], drawn: Sequence[_Box], across: Scale, up: Scale
) -> Iterator[Label]:
    """Names beside their marks, where each covers nothing that is drawn, nor a name; else none."""
    taken = list(drawn)
    for point in sorted(named, key=lambda point: (not point.best, -point.quality)):
        name = fitting(point.name, _LONGEST_NAME)
        for x, y, anchor in _places(_mark(point, across, up)):
            box = _box(x, y, anchor, text_width(name))
            inside = box.left >= _LEFT and box.right <= _WIDTH and _TOP <= y <= _BOTTOM - _HALF_NAME
            if inside and not any(box.meets(other) for other in taken):
                taken.append(box)
                yield label("name", x, y + 4, name, anchor)
                break


def _marks(points: Sequence[_Point], across: Scale, up: Scale) -> Iterator[_Box]:
    for point in points:
        mark = _mark(point, across, up)
        yield mark
        if point.interval is not None:
            x = (mark.left + mark.right) / 2
            low, high = map(up.at, point.interval)
            yield _Box(x - 1, x + 1, high, low)


def _mark(point: _Point, across: Scale, up: Scale) -> _Box:
    x, y = across.at(math.log10(point.cost)), up.at(point.quality)
    return _Box(x - _HALF_MARK, x + _HALF_MARK, y - _HALF_MARK, y + _HALF_MARK)


def _places(mark: _Box) -> Iterator[tuple[float, float, str]]:
    """Where the middle line of a name may be: beside the mark, then above and below that."""
    for aside in (0.0, 14.0, -14.0, 28.0, -28.0):
        y = (mark.top + mark.bottom) / 2 + aside
        yield mark.right + 5, y, "start"
        yield mark.left - 5, y, "end"


def _box(x: float, y: float, anchor: str, width: float) -> _Box:
    left = x if anchor == "start" else x - width
    return _Box(left, left + width, y - _HALF_NAME, y + _HALF_NAME)


def _quality(point: _Point) -> str:
    text = f"{point.quality:.1f}"
    if point.interval is not None:
        text += f" ({point.interval[0]:.1f} to {point.interval[1]:.1f})"
    return text.replace("-", "\N{MINUS SIGN}")


def _cost(cost: float, priced: bool) -> str:
    return money(cost) if priced else f"{cost:.1f} s"
