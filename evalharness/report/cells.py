"""Cells of tables: a score as text, with its interval as numbers and as a drawn glyph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalharness.report.noise_words import noise_note
from evalharness.report.text import amount, half_width, interval, method_words, number, sort_key
from evalharness.results import MetricResult, TaskResult
from evalharness.statistics.task_means import TaskMean

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
    """A score; "–" where the task was not run and "undefined" where there is no score.

    half     half the width of the interval, "±.043", as `half_width` writes it
    key      the number by which the cell sorts, "" for what sorts last
    verdict  better, worse, same or other than the baseline, or ""
    """

    value: str
    interval: str
    half: str
    n: str
    note: str
    glyph: Glyph | None
    best: bool
    key: str
    verdict: str


def aggregate_cell(means: Mapping[str, TaskMean], best: set[str]) -> dict[str, Cell]:
    """Cells of means in percent, on one scale; `best` are the models that none is better than."""
    ends = [end for mean in means.values() if mean.interval for end in mean.interval]
    scale = (min(ends), max(ends)) if ends and min(ends) < max(ends) else None
    cells = {}
    for label, mean in means.items():
        found = mean.interval
        cells[label] = Cell(
            value=f"{mean.value:.1f}",
            interval="no interval" if found is None else f"{found[0]:.1f} to {found[1]:.1f}",
            half="" if found is None else f"±{(found[1] - found[0]) / 2:.1f}",
            n="",
            note="",
            glyph=_drawn(mean.value, found, scale),
            best=label in best and len(means) > 1,
            key=sort_key(mean.value),
            verdict="",
        )
    return cells


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
        return Cell("–", "", "", "", "not run", None, False, "", "")
    if metric is None:
        return Cell("–", "", "", "", "not measured", None, False, "", "")
    n = f"n = {amount(task.n)}"
    failed = task.validity.failed
    thinking = task.validity.unfinished_thinking
    note = joined(
        method_words(task.method),
        f"{amount(failed)} of {amount(task.n)} samples failed" if failed else "",
        f"{amount(thinking)} of {amount(task.n)} ended before the thinking did" if thinking else "",
        noise_note(task, metric),
    )
    if metric.value is None:
        return Cell("undefined", "", "", n, note, None, False, "", "")
    return Cell(
        value=number(metric.value, metric),
        interval=interval(metric),
        half=half_width(metric),
        n=n,
        note=note,
        glyph=_drawn(metric.value, metric.interval, scale),
        best=best,
        key=sort_key(metric.value),
        verdict="",
    )


def joined(*notes: str) -> str:
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


def _drawn(
    value: float, ends: tuple[float, float] | None, scale: tuple[float, float] | None
) -> Glyph | None:
    if ends is None or scale is None:
        return None
    lowest, highest = scale

    def place(at: float) -> float:
        # Room is left at both ends for the mark of the value.
        return 4 + (at - lowest) / (highest - lowest) * (GLYPH_WIDTH - 8)

    low, high = place(ends[0]), place(ends[1])
    return Glyph(f"{low:.1f}", f"{high:.1f}", f"{place(value):.1f}", f"{high - low:.1f}")
