"""Checkpoints over their training steps: one small figure for each task of a series."""

from collections.abc import Iterator, Sequence

from evalharness.compare.records import ComparedRun
from evalharness.report.drawing import (
    Dot,
    Label,
    Line,
    Plot,
    Scale,
    Shape,
    around,
    label,
    line,
    place,
    shape,
    ticks,
    written,
)
from evalharness.report.lettering import fitting
from evalharness.report.tables import PlainTable
from evalharness.report.text import interval, number, short
from evalharness.results import MetricResult

_WIDTH, _HEIGHT = 208.0, 176.0
_COLUMNS = 3
_FEWEST = 2

_Points = list[tuple[int, MetricResult]]


def series_plots(runs: Sequence[ComparedRun]) -> Iterator[Plot]:
    """A figure for each series that has at least two checkpoints with a step."""
    series: dict[str, list[ComparedRun]] = {}
    for run in runs:
        model = run.results.model
        if model.series and model.step is not None:
            series.setdefault(model.series, []).append(run)
    for index, (name, members) in enumerate(series.items()):
        tasks = {
            task: points
            for task in members[0].results.tasks
            if len(points := _points(task, members)) >= _FEWEST
        }
        if tasks:
            yield _figure(index, name, tasks)


def _points(task: str, runs: Sequence[ComparedRun]) -> _Points:
    """Steps with the primary metric of the task, in order."""
    found = []
    for run in runs:
        if task in run.results.tasks and run.results.model.step is not None:
            metric = next(iter(run.results.tasks[task].metrics.values()))
            if metric.value is not None:
                found.append((run.results.model.step, metric))
    return sorted(found, key=lambda point: point[0])


def _figure(index: int, series: str, tasks: dict[str, _Points]) -> Plot:
    areas: list[Shape] = []
    lines: list[Line] = []
    curves: list[Shape] = []
    dots: list[Dot] = []
    labels: list[Label] = []
    steps = [step for points in tasks.values() for step, _ in points]
    for panel, (task, points) in enumerate(tasks.items()):
        left, top = (panel % _COLUMNS) * _WIDTH + 44, (panel // _COLUMNS) * _HEIGHT + 30
        across = Scale(*around([float(step) for step in steps]), left, left + _WIDTH - 60)
        values = [v for _, m in points for v in (m.value or 0.0, *(m.interval or ()))]
        low, high = around(values)
        up = Scale(low, high, top + _HEIGHT - 66, top)
        labels.append(label("name", left - 36, top - 14, fitting(short(task), _WIDTH - 20)))
        for tick in ticks(low, high):
            lines.append(line("grid", left, up.at(tick), across.end, up.at(tick)))
            labels.append(label("tick", left - 5, up.at(tick) + 4, written(tick), "end"))
        labels += [
            label("tick", across.at(step), top + _HEIGHT - 48, written(step), "middle")
            for step in (min(steps), max(steps))
        ]
        middle = (left + across.end) / 2
        labels.append(label("tick", middle, top + _HEIGHT - 48, "step", "middle"))
        if all(metric.interval is not None for _, metric in points):
            upper = [(across.at(s), up.at(m.interval[1])) for s, m in points if m.interval]
            lower = [(across.at(s), up.at(m.interval[0])) for s, m in points if m.interval]
            areas.append(shape("band", [*upper, *reversed(lower)]))
        places = [(across.at(step), up.at(m.value or 0.0)) for step, m in points]
        curves.append(shape("front", places))
        dots += [
            Dot("best", place(x), place(y), f"step {step}: {number(m.value or 0.0, m)}")
            for (x, y), (step, m) in zip(places, points, strict=True)
        ]
    rows = [
        (short(task), str(step), number(metric.value or 0.0, metric), interval(metric))
        for task, points in tasks.items()
        for step, metric in points
    ]
    across_panels = min(len(tasks), _COLUMNS)
    return Plot(
        anchor=f"series-{index}",
        title=f"Scores over training steps: {short(series)}",
        description="The primary metric of each task at every checkpoint, with 95 % intervals "
        "as bands; each task has its own scale.",
        width=place(across_panels * _WIDTH + 8),
        height=place(-(-len(tasks) // _COLUMNS) * _HEIGHT + 8),
        areas=tuple(areas),
        lines=tuple(lines),
        curves=tuple(curves),
        dots=tuple(dots),
        labels=tuple(labels),
        table=PlainTable(("Task", "Step", "Score", "95 % interval"), tuple(rows)),
    )
