"""Models against tasks: the table that the page and the terminal both show.

All numbers are formatted here and all places computed; templates only lay out.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from evalharness.compare.runs import run_labels
from evalharness.report.text import amount, interval, money, number, short, visible
from evalharness.results import MetricResult, Results, RunRecord, TaskResult

Run = tuple[RunRecord, Results]

GLYPH_WIDTH = 96.0


@dataclass(frozen=True, slots=True)
class Glyph:
    """A drawn interval: places from 0 to GLYPH_WIDTH on the scale of its column."""

    low: str
    high: str
    value: str
    length: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A score; "–" where the task was not run and "undefined" where there is no score."""

    value: str
    interval: str
    n: str
    note: str
    glyph: Glyph | None
    best: bool


@dataclass(frozen=True, slots=True)
class Column:
    """A task with its primary metric; `mismatch` says why its cells do not compare, or is "".

    Where runs have several primary metrics, `metric` names them all, and each cell its own.
    """

    task: str
    anchor: str
    metric: str
    direction: str
    mismatch: str


@dataclass(frozen=True, slots=True)
class Family:
    """A heading over `span` columns."""

    name: str
    span: int


@dataclass(frozen=True, slots=True)
class Row:
    """One run of a model; `heading` names its series where it is the first one of it.

    price  of all its answers, "–" where none was given
    """

    model: str
    full_name: str
    cells: tuple[Cell, ...]
    price: str
    in_series: bool
    heading: str


@dataclass(frozen=True, slots=True)
class Series:
    """Checkpoints of one training run: their steps in the order of the rows, or else names."""

    name: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Families over columns, and a row for each run; the rows of a series follow one another.

    `has_prices` says that one of the rows has a price.
    """

    families: tuple[Family, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    has_prices: bool
    series: tuple[Series, ...]

    @property
    def width(self) -> int:
        """The number of columns after that of the models."""
        return len(self.columns) + self.has_prices


def order_runs(runs: Sequence[Run]) -> list[Run]:
    """Models, then series of checkpoints by step, then baselines, each by name, then by run id."""

    def key(run: Run) -> tuple[bool, str, float, str, str]:
        model = run[1].model
        step = math.inf if model.step is None else model.step
        baseline = model.spec.startswith("baseline:")
        return baseline, model.series, step, model.name, run[1].run_id

    return sorted(runs, key=key)


def series_of(runs: Sequence[Run]) -> tuple[Series, ...]:
    """The series of runs that `order_runs` has put in order."""
    steps: dict[str, list[str]] = {}
    for _, results in runs:
        model = results.model
        if model.series:
            step = short(model.name) if model.step is None else str(model.step)
            steps.setdefault(model.series, []).append(step)
    return tuple(Series(short(name), tuple(found)) for name, found in steps.items())


def order_tasks(runs: Sequence[Run]) -> dict[str, str]:
    """The tasks of all runs with their families, by family and name.

    Where runs know a task under several families it stands once, under the last of them.
    """
    families = {name: task.family for _, results in runs for name, task in results.tasks.items()}
    return dict(sorted(families.items(), key=lambda item: (item[1], item[0])))


def build_leaderboard(runs: Sequence[Run]) -> Leaderboard:
    """The table of all runs, in the order given; columns by family and name."""
    families = order_tasks(runs)
    names = list(families)
    columns = [_column(name, place, runs) for place, name in enumerate(names)]
    cells = [
        primary_cells([results.tasks.get(column_name) for _, results in runs], not column.mismatch)
        for column_name, column in zip(names, columns, strict=True)
    ]
    spans = dict.fromkeys(sorted(set(families.values())), 0)
    for family in families.values():
        spans[family] += 1
    return Leaderboard(
        families=tuple(
            Family(visible(name.replace("_", " ")), span) for name, span in spans.items()
        ),
        columns=tuple(columns),
        rows=tuple(_rows(runs, cells)),
        has_prices=any(_price(results) for _, results in runs),
        series=series_of(runs),
    )


def _rows(runs: Sequence[Run], columns: Sequence[Sequence[Cell]]) -> Iterator[Row]:
    before = ""
    for index, (label, (_, results)) in enumerate(zip(run_labels(runs), runs, strict=True)):
        series = results.model.series
        yield Row(
            model=short(label),
            full_name=visible(label),
            cells=tuple(column[index] for column in columns),
            price=money(_price(results)),
            in_series=bool(series),
            heading=short(series) if series != before else "",
        )
        before = series


def _price(results: Results) -> float:
    return sum(task.cost.price for task in results.tasks.values())


def _column(name: str, place: int, runs: Sequence[Run]) -> Column:
    tasks = [results.tasks[name] for _, results in runs if name in results.tasks]
    _, metric = _primary(tasks[0])
    return Column(
        task=short(name),
        anchor=f"task-{place}",
        metric=short(" or ".join(_primary_names(tasks))),
        direction=direction(metric),
        mismatch=_mismatch(tasks),
    )


def _primary(task: TaskResult) -> tuple[str, MetricResult]:
    return next(iter(task.metrics.items()))


def _primary_names(tasks: Sequence[TaskResult | None]) -> list[str]:
    """The names of the primary metrics, each once."""
    return list(dict.fromkeys(_primary(task)[0] for task in tasks if task is not None))


def direction(metric: MetricResult) -> str:
    """Which way is better, in words."""
    if metric.ideal is not None:
        return f"ideal {metric.ideal:g}"
    return "higher is better" if metric.higher_is_better else "lower is better"


def _mismatch(tasks: Sequence[TaskResult]) -> str:
    """Why scores of the same task were not measured on the same work, or ""."""
    differing = [
        label
        for label, values in (
            ("families", {task.family for task in tasks}),
            ("versions of the task", {task.version for task in tasks}),
            ("numbers of samples", {task.n for task in tasks}),
            ("few-shot examples", {task.num_fewshot for task in tasks}),
            ("prompts or data", {task.prompt_hash for task in tasks}),
            ("metrics", {(*task.metrics,) for task in tasks}),
        )
        if len(values) > 1
    ]
    return f"Not comparable: different {', '.join(differing)}." if differing else ""


def primary_cells(tasks: Sequence[TaskResult | None], comparable: bool) -> list[Cell]:
    """The cells of a task's first metric, which they name where it is not that of all runs."""
    metrics = [None if task is None else _primary(task)[1] for task in tasks]
    cells = metric_cells(metrics, tasks, comparable)
    if len(_primary_names(tasks)) < 2:
        return cells
    return [
        cell if task is None else replace(cell, note=_joined(short(_primary(task)[0]), cell.note))
        for cell, task in zip(cells, tasks, strict=True)
    ]


def metric_cells(
    metrics: Sequence[MetricResult | None],
    tasks: Sequence[TaskResult | None],
    comparable: bool,
) -> list[Cell]:
    """One column of cells: intervals drawn on one scale, those near the best marked."""
    best = _near_best(metrics) if comparable else [False] * len(metrics)
    scale = _scale(metrics)
    return [
        _cell(metric, task, scale, near)
        for metric, task, near in zip(metrics, tasks, best, strict=True)
    ]


def _cell(
    metric: MetricResult | None,
    task: TaskResult | None,
    scale: tuple[float, float] | None,
    best: bool,
) -> Cell:
    if task is None:
        return Cell("–", "", "", "not run", None, False)
    if metric is None:
        return Cell("–", "", "", "not measured", None, False)
    n = f"n = {amount(task.n)}"
    failed = task.validity.failed
    thinking = task.validity.unfinished_thinking
    note = _joined(
        "asked for the letter" if task.method is not None else "",
        f"{amount(failed)} of {amount(task.n)} samples failed" if failed else "",
        f"{amount(thinking)} of {amount(task.n)} ended before the thinking did" if thinking else "",
    )
    if metric.value is None:
        return Cell("undefined", "", n, note, None, False)
    return Cell(
        number(metric.value, metric), interval(metric), n, note, _glyph(metric, scale), best
    )


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _near_best(metrics: Sequence[MetricResult | None]) -> list[bool]:
    """Whose interval overlaps that of the best value; nothing is marked when there is one model."""
    scored = [metric for metric in metrics if metric is not None and metric.value is not None]
    if len(scored) < 2:
        return [False] * len(metrics)
    best = max(scored, key=_goodness)
    return [
        metric is not None and metric.value is not None and _overlap(metric, best)
        for metric in metrics
    ]


def _goodness(metric: MetricResult) -> float:
    value = metric.value or 0.0
    if metric.ideal is not None:
        return -abs(value - metric.ideal)
    return value if metric.higher_is_better else -value


def _overlap(one: MetricResult, other: MetricResult) -> bool:
    if one.interval is None or other.interval is None:
        return one.value == other.value
    return one.interval[0] <= other.interval[1] and other.interval[0] <= one.interval[1]


def _scale(metrics: Sequence[MetricResult | None]) -> tuple[float, float] | None:
    ends = [end for metric in metrics if metric and metric.interval for end in metric.interval]
    if not ends or min(ends) == max(ends):
        return None
    return min(ends), max(ends)


def _glyph(metric: MetricResult, scale: tuple[float, float] | None) -> Glyph | None:
    if metric.interval is None or metric.value is None or scale is None:
        return None
    lowest, highest = scale

    def place(value: float) -> float:
        # Room is left at both ends for the mark of the value.
        return 4 + (value - lowest) / (highest - lowest) * (GLYPH_WIDTH - 8)

    low, high = place(metric.interval[0]), place(metric.interval[1])
    return Glyph(f"{low:.1f}", f"{high:.1f}", f"{place(metric.value):.1f}", f"{high - low:.1f}")
