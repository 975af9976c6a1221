"""The figures below the leaderboard: forest, quality against cost, series over training steps."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalharness.compare.records import ComparedRun
from evalharness.report.drawing import (
    Dot,
    Label,
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
from evalharness.report.series_plots import series_plots
from evalharness.report.standings import level_name
from evalharness.report.tables import PlainTable
from evalharness.report.text import money, short

_MOST_ROWS = 40
_ROW = 28.0
_NAMES = 228.0
_LETTER = 7.2
_FOREST = 640.0
_NUMBERS = 172.0


@dataclass(frozen=True, slots=True)
class ForestRow:
    """A value with its interval; `kind` colours it: best, other, better, worse or same."""

    name: str
    value: float
    interval: tuple[float, float] | None
    text: str
    kind: str


def build_plots(evidence: Evidence) -> Iterator[Plot]:
    """All figures for which there is something to show."""
    board = evidence.board
    if board is not None and board.places:
        rows = [
            ForestRow(
                name=short(run.label),
                value=found.mean.value,
                interval=found.mean.interval,
                text=_with_interval(found.mean.value, found.mean.interval),
                kind="other" if found.placing.tie_group else "best",
            )
            for run in evidence.runs
            if (found := board.places.get(run.label)) is not None
        ]
        yield forest(
            "forest",
            "Mean over tasks",
            "Each model's mean score in percent of the metrics' ranges, with its "
            f"{level_name(evidence.alpha)} interval. "
            "Filled marks: models that cannot be told apart from the best.",
            rows,
            zero=False,
        )
        yield from _cost_plot(evidence)
    yield from series_plots(evidence.runs)


def _with_interval(value: float, interval: tuple[float, float] | None) -> str:
    text = f"{value:.1f}"
    if interval is not None:
        text += f" ({interval[0]:.1f} to {interval[1]:.1f})"
    return text.replace("-", "\N{MINUS SIGN}")


def forest(
    anchor: str, title: str, description: str, rows: Sequence[ForestRow], *, zero: bool
) -> Plot:
    """Values with intervals below one another on one scale; `zero` draws the line of none."""
    drawn = rows[:_MOST_ROWS]
    if len(rows) > len(drawn):
        description += f" Drawn are the first {len(drawn)} of {len(rows)}; the table has all."
    ends = [end for row in drawn for end in (row.value, *(row.interval or ()))]
    low, high = around([*ends, 0.0] if zero else ends)
    names = min(_NAMES, 28 + _LETTER * max(len(_fitting(row.name)) for row in drawn))
    scale = Scale(low, high, names, _FOREST - _NUMBERS)
    bottom = 8 + _ROW * len(drawn)
    lines, dots, labels = [], [], []
    for tick in ticks(low, high):
        x = scale.at(tick)
        lines.append(line("zero" if zero and tick == 0 else "grid", x, 4, x, bottom))
        labels.append(label("tick", x, bottom + 16, written(tick), "middle"))
    for number, row in enumerate(drawn):
        y = 8 + _ROW * (number + 0.5)
        labels.append(label("name", names - 14, y + 4, _fitting(row.name), "end"))
        labels.append(label("figure", _FOREST - _NUMBERS + 14, y + 4, row.text))
        if row.interval is not None:
            low_end, high_end = map(scale.at, row.interval)
            lines.append(line(f"whisker {row.kind}", low_end, y, high_end, y))
        dots.append(Dot(row.kind, place(scale.at(row.value)), place(y), f"{row.name}: {row.text}"))
    return Plot(
        anchor=anchor,
        title=title,
        description=description,
        width=place(_FOREST),
        height=place(bottom + 26),
        areas=(),
        lines=tuple(lines),
        curves=(),
        dots=tuple(dots),
        labels=tuple(labels),
        table=PlainTable(("", "Value with interval"), tuple((row.name, row.text) for row in rows)),
    )


def _fitting(name: str, most: int = 32) -> str:
    """A name that fits beside a figure: its beginning and its end, where checkpoints differ."""
    if len(name) <= most:
        return name
    return f"{name[: most // 2]}…{name[-(most // 2 - 1) :]}"


# --- Quality against cost ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Point:
    name: str
    cost: float
    quality: float
    best: bool


def _cost_plot(evidence: Evidence) -> Iterator[Plot]:
    prices = [_price(run) for run in evidence.runs]
    priced = any(prices)
    unit = "price" if priced else "seconds of computing"
    assert evidence.board is not None
    points = []
    for run in evidence.runs:
        found = evidence.board.places.get(run.label)
        cost = _price(run) if priced else _seconds(run)
        if found is not None and cost > 0:
            points.append(_Point(short(run.label), cost, found.mean.value, False))
    if len(points) < 2 or min(p.cost for p in points) == max(p.cost for p in points):
        return
    front = [point for point in points if not any(_dominates(other, point) for other in points)]
    points = [_Point(p.name, p.cost, p.quality, p in front) for p in points]
    yield _scatter(points, unit, priced)


def _dominates(one: _Point, other: _Point) -> bool:
    no_worse = one.quality >= other.quality and one.cost <= other.cost
    return no_worse and (one.quality > other.quality or one.cost < other.cost)


def _price(run: ComparedRun) -> float:
    return sum(task.cost.price for task in run.results.tasks.values())


def _seconds(run: ComparedRun) -> float:
    return sum(task.cost.request_seconds for task in run.results.tasks.values())


def _scatter(points: Sequence[_Point], unit: str, priced: bool) -> Plot:
    width, height, left, bottom = _FOREST, 380.0, 56.0, 330.0
    costs = [math.log10(point.cost) for point in points]
    room = 0.12 * (max(costs) - min(costs))
    across = Scale(min(costs) - room, max(costs) + room, left, width - 24)
    low, high = around([point.quality for point in points])
    up = Scale(low, high, bottom, 16.0)
    lines = [line("axis", left, bottom, width - 16, bottom)]
    labels = [
        label("tick", (left + width) / 2, bottom + 38, f"{unit} (each step is a factor)", "middle"),
        label("tick", left, 10, "mean over tasks, %"),
    ]
    for tick in ticks(low, high):
        lines.append(line("grid", left, up.at(tick), width - 16, up.at(tick)))
        labels.append(label("tick", left - 8, up.at(tick) + 4, written(tick), "end"))
    for tick in _powers(across.low, across.high):
        x = across.at(math.log10(tick))
        lines.append(line("grid", x, 16, x, bottom))
        labels.append(label("tick", x, bottom + 18, written(tick), "middle"))
    front = sorted((p for p in points if p.best), key=lambda point: point.cost)
    curve = [(across.at(math.log10(p.cost)), up.at(p.quality)) for p in front]
    named = points if len(points) <= 12 else front
    return Plot(
        anchor="quality-cost",
        title="Quality against cost",
        description=f"Mean over tasks against {unit}, on a logarithmic scale. Filled marks on the "
        "line: no other model is both better and cheaper. Seconds depend on the machine.",
        width=place(width),
        height=place(height),
        areas=(),
        lines=tuple(lines),
        curves=(shape("front", curve),) if len(curve) > 1 else (),
        dots=tuple(
            Dot(
                "best" if p.best else "other",
                place(across.at(math.log10(p.cost))),
                place(up.at(p.quality)),
                f"{p.name}: {p.quality:.1f} %, {_cost(p.cost, priced)}",
            )
            for p in points
        ),
        labels=(*labels, *_names(named, across, up)),
        table=PlainTable(
            ("", "Mean, %", unit.capitalize()),
            tuple((p.name, f"{p.quality:.1f}", _cost(p.cost, priced)) for p in points),
        ),
    )


def _names(points: Sequence[_Point], across: Scale, up: Scale) -> Iterator[Label]:
    """Names beside their marks, moved down where they would cover one another."""
    taken: list[tuple[float, float, float]] = []
    for point in sorted(points, key=lambda point: -point.quality):
        x, y = across.at(math.log10(point.cost)), up.at(point.quality) + 4
        name = _fitting(point.name, 26)
        wide = 7.0 * len(name)
        on_the_left = x + 12 + wide > across.end
        start = x - 12 - wide if on_the_left else x + 12
        while any(start < e and s < start + wide and abs(y - other) < 15 for s, e, other in taken):
            y += 15
        taken.append((start, start + wide, y))
        yield label("name", x - 12 if on_the_left else x + 12, y, name,
                    "end" if on_the_left else "start")  # fmt: skip


def _cost(cost: float, priced: bool) -> str:
    return money(cost) if priced else f"{cost:.1f} s"


def _powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each power of ten between two logarithms; fewer where there are many."""
    exponents = range(math.floor(low), math.ceil(high) + 1)
    factors = (1, 2, 5) if high - low < 2.5 else (1,)
    found = [factor * 10.0**exponent for exponent in exponents for factor in factors]
    return [value for value in found if low <= math.log10(value) <= high]
