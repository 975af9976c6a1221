"""Behind one difference: how it is spread over samples, and over the slices of the data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalharness.compare.metrics import installed_metric
from evalharness.compare.records import ComparedRun, Row
from evalharness.compare.samples import common_samples, read_samples
from evalharness.discovery import Catalogue
from evalharness.errors import DataError
from evalharness.min_k import SLICE as MIN_K
from evalharness.records import Metric, Values
from evalharness.report.drawing import Line, Plot, Scale, label, line, place, shape, ticks, written
from evalharness.report.tables import PlainTable
from evalharness.report.text import amount, number, short, signed
from evalharness.results import MetricResult
from evalharness.statistics.samplewise import mean_scores, sample_scores

_BINS = 21
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 480.0, 200.0, 48.0, 164.0


@dataclass(frozen=True, slots=True)
class Details:
    """What stands folded below a model's differences: of one task, a figure and a table or less."""

    task: str
    plot: Plot | None
    slices: PlainTable | None


def difference_details(
    anchor: str, row: Row, baseline: ComparedRun, run: ComparedRun, catalogue: Catalogue
) -> Details:
    """The histogram of a metric with more than two scores, and the scores by slice."""
    differences = _sample_differences(row, baseline, run, catalogue)
    plot = None
    if differences is not None and len(np.unique(differences)) > 3:
        plot = _histogram(anchor, row, differences)
    return Details(short(row.task), plot, _slices(row, baseline, run))


def _sample_differences(
    row: Row, baseline: ComparedRun, run: ComparedRun, catalogue: Catalogue
) -> Values | None:
    """The run's score minus the baseline's on each sample that both have, or None."""
    try:
        metric = installed_metric(catalogue, row.task, row.metric, baseline)
        ours = read_samples(run.origin(row.task).folder, row.task, [row.metric])
        theirs = read_samples(baseline.origin(row.task).folder, row.task, [row.metric])
    except DataError:
        return None
    of_theirs, of_ours = common_samples(theirs, ours)
    groups = theirs.groups[of_theirs]
    first = ours.statistics[row.metric][of_ours]
    second = theirs.statistics[row.metric][of_theirs]
    together = np.concatenate([first, second])
    scores = _scores(metric, together, np.concatenate([groups, groups + groups.max(initial=0) + 1]))
    differences = scores[: len(first)] - scores[len(first) :]
    return np.asarray(differences[~np.isnan(differences)])


def _scores(metric: Metric, statistics: Values, groups: NDArray[np.int64]) -> Values:
    means = mean_scores(metric, statistics, groups)
    return sample_scores(metric, statistics, groups) if means is None else means


def _histogram(anchor: str, row: Row, differences: Values) -> Plot:
    most = float(np.abs(differences).max())
    counts, edges = np.histogram(differences, bins=_BINS, range=(-most, most))
    across = Scale(-most, most, _LEFT, _WIDTH - 12)
    up = Scale(0.0, float(counts.max()), _BOTTOM, 12.0)
    lines: list[Line] = []
    labels = [label("tick", (_LEFT + _WIDTH) / 2, _HEIGHT - 4, "difference of a sample", "middle")]
    for tick in ticks(0.0, float(counts.max()), 4):
        lines.append(line("grid", _LEFT, up.at(tick), across.end, up.at(tick)))
        labels.append(label("tick", _LEFT - 6, up.at(tick) + 4, written(tick), "end"))
    labels += [
        label("tick", across.at(tick), _BOTTOM + 16, written(tick), "middle")
        for tick in ticks(-most, most, 5)
    ]
    lines.append(line("zero", across.at(0), 8, across.at(0), _BOTTOM))
    metric = row.metric_result
    bars = [
        shape(
            f"bar {_kind(float(low + high) / 2, most, metric)}",
            [
                (across.at(float(low)) + 1, _BOTTOM),
                (across.at(float(low)) + 1, up.at(float(count))),
                (across.at(float(high)) - 1, up.at(float(count))),
                (across.at(float(high)) - 1, _BOTTOM),
            ],
        )
        for count, low, high in zip(counts, edges, edges[1:], strict=False)
        if count
    ]
    return Plot(
        anchor=anchor,
        title=f"{short(row.task)}: {short(row.run)}, sample by sample",
        description=f"How many of {amount(len(differences))} samples differ by how much in "
        f"{short(row.metric)}, {short(row.run)} minus the baseline.",
        width=place(_WIDTH),
        height=place(_HEIGHT),
        areas=tuple(bars),
        lines=tuple(lines),
        curves=(),
        dots=(),
        labels=tuple(labels),
        table=PlainTable(
            ("Difference", "Samples"),
            tuple(
                (f"{signed(float(low), metric)} to {signed(float(high), metric)}", str(count))
                for count, low, high in zip(counts, edges, edges[1:], strict=False)
            ),
        ),
    )


def _kind(middle: float, most: float, metric: MetricResult) -> str:
    """The bin around no difference is neither better nor worse."""
    if abs(middle) < most / _BINS or metric.ideal is not None:
        return "same"
    return "better" if (middle > 0) == metric.higher_is_better else "worse"


def _slices(row: Row, baseline: ComparedRun, run: ComparedRun) -> PlainTable | None:
    """Scores by slice, as the runs found them.

    Which samples are familiar to a model differs between models: such parts are not compared.
    """
    theirs = baseline.results.tasks[row.task].slices
    ours = run.results.tasks[row.task].slices
    rows = []
    for name in sorted((set(theirs) & set(ours)) - {MIN_K}):
        for value in sorted(set(theirs[name]) & set(ours[name])):
            pair = [one[name][value].metrics.get(row.metric) for one in (theirs, ours)]
            scores = [None if metric is None else metric.value for metric in pair]
            rows.append(
                (
                    f"{short(name)}: {short(value)}",
                    *(_score(score, row.metric_result) for score in scores),
                    _gap(scores, row.metric_result),
                    f"{amount(theirs[name][value].n)}, {amount(ours[name][value].n)}",
                )
            )
    headings = ("Slice", "Baseline", "Score", "Difference", "n of both")
    return PlainTable(headings, tuple(rows)) if rows else None


def _score(value: float | None, metric: MetricResult) -> str:
    return "undefined" if value is None else number(value, metric)


def _gap(scores: list[float | None], metric: MetricResult) -> str:
    theirs, ours = scores
    return signed(None if theirs is None or ours is None else ours - theirs, metric)
