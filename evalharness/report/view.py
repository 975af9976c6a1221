"""Everything the page shows, as text and places, from the runs: pure functions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from evalharness.compare.lengths import scores_by_length
from evalharness.compare.records import ComparedRun
from evalharness.compare.runs import run_labels
from evalharness.errors import DataError
from evalharness.report.banners import build_banners
from evalharness.report.cells import Cell, metric_cells
from evalharness.report.choices import Choices, build_choices
from evalharness.report.comparison_view import ComparisonView, build_comparison
from evalharness.report.drawing import Plot
from evalharness.report.evidence import Evidence, compare_pairs
from evalharness.report.leaderboard import (
    Leaderboard,
    Run,
    best_of,
    build_leaderboard,
    direction,
    order_tasks,
)
from evalharness.report.length_plots import length_plot
from evalharness.report.matrices import Matrices, build_matrices
from evalharness.report.noise_words import noise_table
from evalharness.report.plots import build_plots
from evalharness.report.reliability_plots import reliability_plot
from evalharness.report.tables import PlainTable
from evalharness.report.text import amount, method_words, money, number, short, size, visible
from evalharness.results import MetricResult, SliceResult, TaskRecord, TaskResult
from evalharness.validity import warnings


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of a description list."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Heading:
    """A column of a task's table: a metric, with its direction and signature."""

    name: str
    direction: str
    signature: str


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of cells under its label."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class SliceTable:
    """The primary metric for each value of a slice (rows), for each model (columns)."""

    name: str
    metric: str
    models: tuple[str, ...]
    rows: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True)
class TaskSection:
    """All that is shown of one task.

    cautions   of single models
    not_drawn  why there is no figure of scores by length, where that needs a word; else ""
    is_ranked  is the best of the first metric known from the samples, as on the leaderboard?
    """

    name: str
    anchor: str
    description: str
    warnings: tuple[str, ...]
    cautions: tuple[str, ...]
    plots: tuple[Plot, ...]
    not_drawn: str
    is_ranked: bool
    facts: tuple[Fact, ...]
    headings: tuple[Heading, ...]
    rows: tuple[TableRow, ...]
    slices: tuple[SliceTable, ...]
    validity: PlainTable
    noise: PlainTable | None
    cost: PlainTable

    @property
    def has_best(self) -> bool:
        """Is any score marked as near the best?"""
        return any(cell.best for row in self.rows for cell in row.cells)


@dataclass(frozen=True, slots=True)
class Page:
    """The whole report."""

    title: str
    facts: tuple[Fact, ...]
    banners: tuple[str, ...]
    leaderboard: Leaderboard
    tasks: tuple[TaskSection, ...]
    models: PlainTable
    plots: tuple[Plot, ...]
    matrices: Matrices
    comparison: ComparisonView | None
    choices: Choices


def build_page(evidence: Evidence, title: str) -> Page:
    """The view model of a report; the same evidence always gives the same page."""
    ordered = evidence.pairs()
    leaderboard = build_leaderboard(ordered, evidence.board, evidence.comparison)
    with_each = compare_pairs(evidence)
    names = list(order_tasks(ordered))
    sections = [
        _section(name, column.anchor, column.mismatch, evidence)
        for name, column in zip(names, leaderboard.columns, strict=True)
    ]
    return Page(
        title=visible(title),
        facts=_facts(evidence.runs, len(names)),
        banners=(*map(visible, evidence.left_out), *build_banners(evidence.runs, leaderboard)),
        leaderboard=leaderboard,
        tasks=tuple(sections),
        models=_models(evidence.runs),
        plots=tuple(build_plots(evidence)),
        matrices=build_matrices(evidence, with_each),
        comparison=build_comparison(evidence),
        choices=build_choices(evidence, with_each, leaderboard),
    )


def _facts(runs: Sequence[ComparedRun], tasks: int) -> tuple[Fact, ...]:
    records = [part.record for run in runs for part in run.parts()]
    days = sorted({f"{(record.finished or record.started):%Y-%m-%d}" for record in records})
    versions = sorted({record.environment.get("evalharness", "unknown") for record in records})
    tasks_of_all = [task for run in runs for task in run.results.tasks.values()]
    failed = sum(task.validity.failed for task in tasks_of_all)
    answered = sum(task.n for task in tasks_of_all) - failed
    failures = f", {amount(failed)} failed" if failed else ""
    joined = f", joined to {amount(len(runs))} rows" if len(runs) < len(records) else ""
    return (
        Fact("Runs", f"{amount(len(records))}{joined}"),
        Fact("Tasks", amount(tasks)),
        Fact("Samples answered", f"{amount(answered)}{failures}"),
        Fact("Date", days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"),
        Fact("evalharness", visible(", ".join(versions))),
    )


def _section(name: str, anchor: str, mismatch: str, evidence: Evidence) -> TaskSection:
    runs = evidence.pairs()
    tasks = [results.tasks.get(name) for _, results in runs]
    measured = [task for task in tasks if task is not None]
    record = next(record.tasks[name] for record, _ in runs if name in record.tasks)
    # Those of the first run stand first; others are of runs that were asked in another way.
    metrics: dict[str, MetricResult] = {}
    for task in measured:
        for metric, result in task.metrics.items():
            metrics.setdefault(metric, result)
    columns = [
        metric_cells(
            [None if task is None else task.metrics.get(metric) for task in tasks],
            tasks,
            not mismatch,
        )
        for metric in metrics
    ]
    labels = run_labels(runs)
    ranked = None if evidence.board is None else best_of(name, evidence.board, evidence.board.alpha)
    if ranked is not None and columns and not mismatch:
        columns[0] = [
            replace(cell, best=label in ranked and cell.key != "")
            for cell, label in zip(columns[0], labels, strict=True)
        ]
    names = list(map(short, labels))
    by_length, not_drawn = _by_length(name, anchor, evidence)
    return TaskSection(
        plots=(*by_length, *reliability_plot(name, anchor, evidence.runs)),
        not_drawn=not_drawn,
        is_ranked=ranked is not None and not mismatch,
        cautions=tuple(_cautions(tasks, runs, evidence.thresholds)),
        name=visible(name),
        anchor=anchor,
        description=visible(record.description),
        warnings=tuple(
            visible(text) for text in (mismatch, record.caveat, record.content_warning) if text
        ),
        facts=_task_facts(record),
        headings=tuple(
            Heading(short(metric), direction(result), visible(result.signature))
            for metric, result in metrics.items()
        ),
        rows=tuple(
            TableRow(label, tuple(column[index] for column in columns))
            for index, label in enumerate(names)
            if tasks[index] is not None
        ),
        slices=_slices(measured[0], tasks, names),
        validity=_validity(tasks, names),
        noise=noise_table(tasks, names),
        cost=_cost(tasks, names),
    )


def _by_length(name: str, anchor: str, evidence: Evidence) -> tuple[tuple[Plot, ...], str]:
    """The figure of scores by length, or why there is none; neither without samples."""
    try:
        found = scores_by_length(name, evidence.runs, evidence.catalogue)
    except DataError as error:
        return (), f"Scores by length are not drawn: {visible(str(error))}"
    return () if found is None else tuple(length_plot(name, anchor, found)), ""


def _cautions(
    tasks: Sequence[TaskResult | None], runs: Sequence[Run], thresholds: Mapping[str, float]
) -> Iterator[str]:
    """What a reader of the scores must know of single models."""
    for label, task in zip(run_labels(runs), tasks, strict=True):
        if task is not None:
            for text in warnings(task.validity, thresholds):
                yield f"{short(label)}: {text}"


def _task_facts(record: TaskRecord) -> tuple[Fact, ...]:
    facts = (
        ("Data", record.source),
        ("Revision", record.revision),
        ("Licence", record.licence),
        ("Languages", ", ".join(record.languages)),
        ("Few-shot examples", str(record.num_fewshot)),
        ("Task version", str(record.version)),
        ("Prompts", f"sha256:{record.prompt_hash[:16]}"),
    )
    return tuple(Fact(name, visible(value)) for name, value in facts if value)


def _slices(
    first: TaskResult, tasks: Sequence[TaskResult | None], names: Sequence[str]
) -> tuple[SliceTable, ...]:
    metric = next(iter(first.metrics))
    present = [(name, task) for name, task in zip(names, tasks, strict=True) if task is not None]
    tables = []
    for slice_name in sorted({key for _, task in present for key in task.slices}):
        values = sorted({value for _, task in present for value in task.slices.get(slice_name, {})})
        rows = []
        for value in values:
            parts = [task.slices.get(slice_name, {}).get(value) for _, task in present]
            n = next(part.n for part in parts if part is not None)
            cells = tuple(_slice_cell(part, metric) for part in parts)
            rows.append(TableRow(f"{short(value)} (n = {amount(n)})", cells))
        models = tuple(name for name, _ in present)
        tables.append(SliceTable(short(slice_name), short(metric), models, tuple(rows)))
    return tuple(tables)


def _slice_cell(part: SliceResult | None, metric: str) -> Cell:
    result: MetricResult | None = part.metrics.get(metric) if part else None
    if result is None or result.value is None:
        return Cell("–", "", "", "", "", None, False, "", "")
    shown = ""
    if result.interval:
        shown = f"{number(result.interval[0], result)} to {number(result.interval[1], result)}"
    return Cell(number(result.value, result), shown, "", "", "", None, False, "", "")


def _table(
    headings: tuple[str, ...],
    tasks: Sequence[TaskResult | None],
    names: Sequence[str],
    values: Callable[[TaskResult], tuple[str, ...]],
) -> PlainTable:
    rows = [
        (name, *values(task)) for name, task in zip(names, tasks, strict=True) if task is not None
    ]
    return PlainTable(headings, tuple(rows))


def _validity(tasks: Sequence[TaskResult | None], names: Sequence[str]) -> PlainTable:
    headings = (
        "Model",
        "Prompts",
        "Samples",
        "Failed",
        "Prompt truncated",
        "Few-shot examples dropped",
        "Cut off at the limit",
        "Thinking unfinished",
        "Empty",
        "No answer found",
        "Repeats itself",
        "Start doubled",
    )

    def values(task: TaskResult) -> tuple[str, ...]:
        found = task.validity
        shortened = (found.truncated, found.lost_shots)
        cut_off = (found.unfinished, found.unfinished_thinking)
        of_answers = (found.empty, found.unparsed, found.looped, found.doubled_start)
        counts = (found.samples, found.failed, *shortened, *cut_off, *of_answers)
        return (_prompts(task), *(amount(count) for count in counts))

    return _table(headings, tasks, names, values)


def _prompts(task: TaskResult) -> str:
    """In what form the model was asked: runs that differ in it alone have one prompt hash."""
    parts = ["plain text" if task.chat is None else "chat"]
    if task.chat is not None and task.chat.system_prompt:
        parts.append("system prompt")
    if task.chat is not None and task.chat.fewshot_as is not None:
        parts.append(f"examples as {task.chat.fewshot_as}")
    if words := method_words(task.method):
        parts.append(words)
    return ", ".join(parts)


def _cost(tasks: Sequence[TaskResult | None], names: Sequence[str]) -> PlainTable:
    priced = any(task.cost.price for task in tasks if task is not None)
    headings = (
        "Model",
        "Seconds",
        "Requests",
        "From the store",
        "Prompt tokens",
        "Computed",
        "Generated",
        "Peak memory",
        *(("Price",) if priced else ()),
    )

    def values(task: TaskResult) -> tuple[str, ...]:
        cost = task.cost
        counts = (cost.requests, cost.from_store, cost.prompt_tokens, cost.computed_tokens)
        return (
            f"{cost.request_seconds:.1f}",
            *(amount(count) for count in counts),
            amount(cost.generated_tokens),
            size(cost.peak_memory_bytes),
            *((money(cost.price),) if priced else ()),
        )

    return _table(headings, tasks, names, values)


def _models(runs: Sequence[ComparedRun]) -> PlainTable:
    headings = (
        "Model",
        "Spec",
        "Architecture",
        "Parameters",
        "Precision",
        "Device",
        "Context",
        "Fingerprint",
        "Run",
    )
    return PlainTable(headings, tuple(map(_model, runs)))


def _model(run: ComparedRun) -> tuple[str, ...]:
    """A model as it was run; one that was run in parts, with the device and the id of each."""
    model, parts = run.results.model, run.parts()
    return (
        short(run.label),
        short(model.spec),
        short(model.architecture),
        amount(model.parameters) if model.parameters else "–",
        short(", ".join(filter(None, (model.dtype, model.quantisation)))),
        ", ".join(dict.fromkeys(short(part.results.model.device) for part in parts)),
        amount(model.max_length) if model.max_length else "–",
        short(model.fingerprint[:12]),
        ", ".join(short(part.results.run_id) for part in parts),
    )
