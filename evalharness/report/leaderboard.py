"""Models against tasks: the table that the page and the terminal both show.

All numbers are formatted here and all places computed; templates only lay out.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from evalharness.compare.board import Board
from evalharness.compare.records import Comparison
from evalharness.compare.records import Row as ComparedRow
from evalharness.compare.runs import run_labels
from evalharness.report.cells import Cell, joined, metric_cells
from evalharness.report.standings import Standing, level_name, notes_on, standings_by
from evalharness.report.text import amount, money, short, visible
from evalharness.results import MetricResult, Results, RunRecord, TaskResult

Run = tuple[RunRecord, Results]


@dataclass(frozen=True, slots=True)
class Column:
    """A task with its primary metric; `mismatch` says why its cells do not compare, or is "".

    Where runs have several primary metrics, `metric` names them all, and each cell its own.
    `first` marks the first column of a family, `n` is "" where runs have different numbers,
    `uneven` says that its scores have not all as many digits before the decimal point.
    """

    task: str
    full_name: str
    anchor: str
    family: str
    first: bool
    metric: str
    direction: str
    n: str
    mismatch: str
    uneven: bool = False


@dataclass(frozen=True, slots=True)
class Amount:
    """A count or a duration as text, with the number by which it sorts."""

    text: str
    key: str


@dataclass(frozen=True, slots=True)
class Row:
    """One run of a model; `heading` names its series where it is the first one of it.

    costs  tokens, seconds, price, failed and cut-off samples, as `Leaderboard.costs` names them
    """

    model: str
    full_name: str
    is_baseline: bool
    standing: Standing | None
    cells: tuple[Cell, ...]
    costs: tuple[Amount, ...]
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
    """Columns by family, and a row for each run; the rows of a series follow one another.

    `has_prices` says that one of the rows has a price, `has_standings` that models were ranked;
    `baseline` is what the verdicts of cells are about, or ""; `level` is that of the ranks, "95 %".
    """

    families: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    costs: tuple[str, ...]
    has_prices: bool
    has_standings: bool
    has_family_means: bool
    baseline: str
    level: str
    notes: tuple[str, ...]
    series: tuple[Series, ...]

    @property
    def has_best(self) -> bool:
        """Is anything marked as not to be told from the best?"""
        means = (row.standing.mean for row in self.rows if row.standing is not None)
        return any(mean.best for mean in means) or any(cell.best for cell in self._cells())

    @property
    def has_uneven_intervals(self) -> bool:
        """Does any score reach farther to one side than to the other, and is shown so?"""
        return any(cell.half and not cell.half.startswith("±") for cell in self._cells())

    def _cells(self) -> Iterator[Cell]:
        return (cell for row in self.rows for cell in row.cells)

    @property
    def width(self) -> int:
        """The number of columns after that of the models."""
        standings = (2 + 2 * self.has_family_means) if self.has_standings else 0
        return standings + len(self.columns) + len(self.costs)


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


def build_leaderboard(
    runs: Sequence[Run], board: Board | None = None, comparison: Comparison | None = None
) -> Leaderboard:
    """The table of all runs, in the order given; columns by family and name."""
    families = order_tasks(runs)
    names = list(families)
    columns = [_column(name, place, runs, families) for place, name in enumerate(names)]
    labels = run_labels(runs)
    cells = [
        _task_cells(name, not column.mismatch, runs, labels, board, comparison)
        for name, column in zip(names, columns, strict=True)
    ]
    columns = [
        replace(column, uneven=_uneven(found)) for column, found in zip(columns, cells, strict=True)
    ]
    standings = {} if board is None else standings_by(board, labels, "tasks", board.alpha)
    priced = any(_price(results) for _, results in runs)
    return Leaderboard(
        families=tuple(dict.fromkeys(column.family for column in columns)),
        columns=tuple(columns),
        rows=tuple(_rows(runs, labels, cells, standings, priced)),
        costs=("Tokens", "Seconds", *(("Price",) if priced else ()), "Failed", "Cut off"),
        has_prices=priced,
        has_standings=bool(standings),
        has_family_means=board is not None and "families" in board.aggregates,
        baseline=short(comparison.baseline) if comparison is not None else "",
        level="" if board is None else level_name(board.alpha),
        notes=tuple(notes_on(names, board)),
        series=series_of(runs),
    )


def _task_cells(
    name: str,
    comparable: bool,
    runs: Sequence[Run],
    labels: Sequence[str],
    board: Board | None,
    comparison: Comparison | None,
) -> list[Cell]:
    """One column: bold by the ranking of the samples where there is one, else by intervals."""
    cells = primary_cells([results.tasks.get(name) for _, results in runs], comparable)
    if board is not None and comparable:
        best = best_of(name, board, board.alpha)
        cells = [
            cell if best is None else replace(cell, best=label in best)
            for cell, label in zip(cells, labels, strict=True)
        ]
    verdicts = {} if comparison is None else verdicts_of(name, comparison)
    return [
        replace(cell, verdict=verdicts.get(label, ""))
        for cell, label in zip(cells, labels, strict=True)
    ]


def _uneven(cells: Sequence[Cell]) -> bool:
    digits = {len(cell.value.partition(".")[0]) for cell in cells if cell.key}
    return len(digits) > 1


def best_of(task: str, board: Board, alpha: float) -> set[str] | None:
    """The labels that cannot be told from the best of a task; None where samples do not say it."""
    ranking = board.rankings_at[alpha].get(task)
    if ranking is None:
        return None
    return {label for label, one in ranking.standings.items() if one.tie_group == 0}


def verdicts_of(task: str, comparison: Comparison) -> dict[str, str]:
    """better, worse or same than the baseline, of the first metric of a task, by label."""
    found: dict[str, str] = {}
    for row in comparison.rows:
        if row.task == task:
            found.setdefault(row.run, verdict(row, comparison.alpha))
    return found


def verdict(row: ComparedRow, alpha: float) -> str:
    """better, worse, same or, for a metric with an ideal, other; "" where it cannot be tested."""
    difference = row.difference.difference
    if difference is None or math.isnan(row.corrected):
        return ""
    if row.corrected > alpha or difference == 0:
        return "same"
    if row.metric_result.ideal is not None:
        return "other"
    return "better" if (difference > 0) == row.metric_result.higher_is_better else "worse"


def _rows(
    runs: Sequence[Run],
    labels: Sequence[str],
    columns: Sequence[Sequence[Cell]],
    standings: Mapping[str, Standing],
    priced: bool,
) -> Iterator[Row]:
    before = ""
    for index, (label, (_, results)) in enumerate(zip(labels, runs, strict=True)):
        series = results.model.series
        yield Row(
            model=short(label),
            full_name=visible(label),
            is_baseline=results.model.spec.startswith("baseline:"),
            standing=standings.get(label),
            cells=tuple(column[index] for column in columns),
            costs=tuple(_costs(results, priced)),
            price=money(_price(results)),
            in_series=bool(series),
            heading=short(series) if series != before else "",
        )
        before = series


def _costs(results: Results, priced: bool) -> Iterator[Amount]:
    tasks = results.tasks.values()
    tokens = sum(task.cost.prompt_tokens + task.cost.generated_tokens for task in tasks)
    seconds = sum(task.cost.request_seconds for task in tasks)
    yield Amount(amount(tokens) if tokens else "–", str(tokens) if tokens else "")
    yield Amount(f"{seconds:.1f}", f"{seconds:.3f}")
    if priced:
        price = _price(results)
        yield Amount(money(price), f"{price:.6f}" if price else "")
    for counts in (
        [task.validity.failed for task in tasks],
        [task.validity.unfinished for task in tasks],
    ):
        yield Amount(amount(sum(counts)), str(sum(counts)))


def _price(results: Results) -> float:
    return sum(task.cost.price for task in results.tasks.values())


def _column(name: str, place: int, runs: Sequence[Run], families: Mapping[str, str]) -> Column:
    tasks = [results.tasks[name] for _, results in runs if name in results.tasks]
    _, metric = _primary(tasks[0])
    names = list(families)
    counts = {task.n for task in tasks}
    return Column(
        task=short(name),
        full_name=visible(name),
        anchor=f"task-{place}",
        family=visible(families[name].replace("_", " ")),
        first=place == 0 or families[names[place - 1]] != families[name],
        metric=short(" or ".join(_primary_names(tasks))),
        direction=direction(metric),
        n=f"n = {amount(counts.pop())}" if len(counts) == 1 else "",
        mismatch=mismatch(tasks),
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


def mismatch(tasks: Sequence[TaskResult]) -> str:
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
        cell if task is None else replace(cell, note=joined(short(_primary(task)[0]), cell.note))
        for cell, task in zip(cells, tasks, strict=True)
    ]
