"""The comparison with a baseline as a page shows it: a section for each model."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from evalharness.compare.records import Comparison, Overall, Row
from evalharness.report.comparison import counts
from evalharness.report.difference_details import Details, difference_details
from evalharness.report.drawing import Plot
from evalharness.report.evidence import Evidence
from evalharness.report.leaderboard import direction, verdict
from evalharness.report.plots import ForestRow, forest
from evalharness.report.text import number, p_value, short, signed, signed_interval, visible
from evalharness.results import MetricResult
from evalharness.statistics.task_means import TaskMean


@dataclass(frozen=True, slots=True)
class Outcome:
    """Samples won, tied and lost, with the width of each in a bar of 100.

    words  what the first and the last are called: of a metric with an ideal, none is won or lost
    """

    won: str
    tied: str
    lost: str
    won_width: str
    tied_start: str
    tied_width: str
    lost_start: str
    lost_width: str
    words: tuple[str, str]


@dataclass(frozen=True, slots=True)
class TaskDifference:
    """One metric of one task: what both models score, and how they differ.

    The queries ask the sample page for the samples that the model wins and loses.
    """

    task: str
    metric: str
    direction: str
    baseline: str
    score: str
    difference: str
    interval: str
    p_value: str
    verdict: str
    outcome: Outcome | None
    detectable: str
    n: str
    won_query: str
    lost_query: str
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelNumbers:
    """A model beside the baseline: what a reader can have of any baseline and at any level.

    gained, lost  the tasks on which it is better or worse, and that is no chance
    """

    name: str
    summary: tuple[str, ...]
    gained: str
    lost: str
    rows: tuple[TaskDifference, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelComparison(ModelNumbers):
    """A model beside the report's own baseline, with figures and what lies behind the numbers."""

    anchor: str
    plot: Plot | None
    details: tuple[Details, ...]


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """All models beside the baseline."""

    baseline: str
    correction: str
    level: str
    models: tuple[ModelComparison, ...]
    left_out: tuple[str, ...]


def build_comparison(evidence: Evidence) -> ComparisonView | None:
    """The view of a comparison, or None without one."""
    comparison = evidence.comparison
    if comparison is None:
        return None
    return ComparisonView(
        baseline=short(comparison.baseline),
        correction={"holm": "Holm", "bh": "Benjamini-Hochberg"}[comparison.correction],
        level=f"{100 * comparison.level:g} %",
        models=tuple(
            _model(place, run, evidence, comparison) for place, run in enumerate(comparison.runs)
        ),
        left_out=left_out(comparison, comparison.baseline),
    )


def left_out(comparison: Comparison, run: str) -> tuple[str, ...]:
    """What of a run is not compared, the tasks of one reason together."""
    tasks: dict[str, list[str]] = {}
    for one in comparison.left_out:
        if one.run == run:
            name = f"{one.task}.{one.metric}" if one.metric else one.task
            tasks.setdefault(one.reason, []).append(short(name))
    return tuple(f"{', '.join(names)}: {visible(reason)}" for reason, names in tasks.items())


def model_numbers(run: str, comparison: Comparison) -> ModelNumbers:
    """A run beside the baseline of a comparison, at its level."""
    rows = [row for row in comparison.rows if row.run == run]
    verdicts = {row.task: verdict(row, comparison.alpha) for row in reversed(rows)}
    overall = next((one for one in comparison.overall if one.run == run), None)

    def tasks(kind: str) -> str:
        return ", ".join(short(row.task) for row in rows if verdicts[row.task] == kind)

    return ModelNumbers(
        name=short(run),
        summary=_summary(verdicts, overall),
        gained=tasks("better"),
        lost=tasks("worse"),
        rows=tuple(_row(row, comparison) for row in rows),
        left_out=left_out(comparison, run),
    )


def _model(place: int, run: str, evidence: Evidence, comparison: Comparison) -> ModelComparison:
    rows = [row for row in comparison.rows if row.run == run]
    numbers = model_numbers(run, comparison)
    return ModelComparison(
        name=numbers.name,
        summary=numbers.summary,
        gained=numbers.gained,
        lost=numbers.lost,
        rows=numbers.rows,
        left_out=numbers.left_out,
        anchor=f"against-{place}",
        plot=_plot(place, run, rows, comparison),
        details=tuple(_details(place, rows, evidence, comparison)),
    )


def _details(
    place: int, rows: Sequence[Row], evidence: Evidence, comparison: Comparison
) -> Iterator[Details]:
    """Of the first metric of each task, where there is something to show."""
    runs = {run.label: run for run in evidence.runs}
    seen: set[str] = set()
    for number_of_row, row in enumerate(rows):
        if row.task in seen:
            continue
        seen.add(row.task)
        found = difference_details(
            f"spread-{place}-{number_of_row}",
            row,
            runs[comparison.baseline],
            runs[row.run],
            evidence.catalogue,
        )
        if found.plot is not None or found.slices is not None:
            yield found


def _summary(verdicts: dict[str, str], overall: Overall | None) -> tuple[str, ...]:
    if not verdicts:
        return ("Compared on no task.",)
    kinds = list(verdicts.values())
    differing = f"different on {kinds.count('other')}, " if "other" in kinds else ""
    lines = [
        f"Better on {kinds.count('better')}, worse on {kinds.count('worse')}, {differing}"
        f"not told apart on {kinds.count('same')} of {len(kinds)} tasks."
    ]
    if overall is not None:
        lines.append(
            f"Mean difference over {len(overall.tasks)} tasks: {_mean(overall.of_tasks)} percent "
            "of the metrics' ranges."
        )
    return tuple(lines)


def _mean(mean: TaskMean) -> str:
    text = f"{mean.value:+.1%}"
    if mean.interval is not None:
        text += f" ({mean.interval[0]:+.1%} to {mean.interval[1]:+.1%})"
    return text.replace("%", "").replace("-", "\N{MINUS SIGN}")


def _row(row: Row, comparison: Comparison) -> TaskDifference:
    found, metric = row.difference, row.metric_result
    ends = found.intervals.get(comparison.level)
    score, baseline = (
        "undefined" if value is None else number(value, metric) for value in found.values
    )
    return TaskDifference(
        task=short(row.task),
        metric=short(row.metric),
        direction=direction(metric),
        baseline=baseline,
        score=score,
        difference=signed(found.difference, metric),
        interval="none" if ends is None else signed_interval(ends, metric),
        p_value=p_value(row.corrected),
        verdict=verdict(row, comparison.alpha),
        outcome=_outcome(counts(row), metric),
        detectable="none" if math.isnan(row.detectable) else number(row.detectable, metric),
        n=str(found.n),
        won_query=_query(row, comparison, "ab"),
        lost_query=_query(row, comparison, "ba"),
        warnings=tuple(f"Asked differently: {visible(text)}" for text in row.mismatches),
        notes=tuple(map(visible, row.notes)),
    )


def _query(row: Row, comparison: Comparison, pattern: str) -> str:
    """What the sample page is asked for to show the samples that one of both wins."""
    asked = {
        "task": visible(row.task),
        "a": short(row.run),
        "b": short(comparison.baseline),
        "show": pattern,
        "order": "difference",
    }
    return urlencode(asked)


def _outcome(found: tuple[int, int, int] | None, metric: MetricResult) -> Outcome | None:
    if found is None or not sum(found):
        return None
    widths = [100 * count / sum(found) for count in found]
    won, tied, lost = (str(count) for count in found)
    return Outcome(
        won=won,
        tied=tied,
        lost=lost,
        won_width=f"{widths[0]:.2f}",
        tied_start=f"{widths[0]:.2f}",
        tied_width=f"{widths[1]:.2f}",
        lost_start=f"{widths[0] + widths[1]:.2f}",
        lost_width=f"{widths[2]:.2f}",
        words=("won", "lost") if metric.ideal is None else ("higher", "lower"),
    )


def _plot(place: int, run: str, rows: Sequence[Row], comparison: Comparison) -> Plot | None:
    """The differences of the first metric of each task, in percent of its range."""
    drawn: dict[str, ForestRow] = {}
    for row in rows:
        found, metric = row.difference, row.metric_result
        low, high = metric.bounds
        ends = found.intervals.get(comparison.level)
        if found.difference is None or ends is None or low is None or high is None:
            continue
        if metric.ideal is not None or row.task in drawn:
            continue
        factor = (100 if metric.higher_is_better else -100) / (high - low)
        bounds = sorted(factor * end for end in ends)
        text = f"{factor * found.difference:+.1f} ({bounds[0]:+.1f} to {bounds[1]:+.1f})"
        drawn[row.task] = ForestRow(
            name=short(row.task),
            value=factor * found.difference,
            interval=(bounds[0], bounds[1]),
            text=text.replace("-", "\N{MINUS SIGN}"),
            kind=verdict(row, comparison.alpha) or "same",
        )
    if not drawn:
        return None
    return forest(
        f"differences-{place}",
        f"{short(run)} minus {short(comparison.baseline)}",
        "The difference on each task in percent of the metric's range, turned so that right is "
        f"better, with {100 * comparison.level:g} % intervals.",
        list(drawn.values()),
        unit="% of the metric\u2019s range",
        zero=True,
    )
