"""Quality against cost: honest axes and intervals, and names that cover nothing."""

import math
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import pytest

from evalharness.report.cost_plots import _cost_ticks, cost_plot
from evalharness.report.drawing import Plot
from evalharness.report.lettering import fitting, text_width
from evalharness.report.plots import build_plots
from tests.report import folders
from tests.report.runs import evidence_of_runs, metric, run, task


def drawn(models: Mapping[str, tuple[float, float]], *, price: bool = False) -> Plot:
    """The figure of models with a score and a cost."""
    runs = []
    for name, (score, cost) in models.items():
        found = task({"acc": metric(score, (score - 0.02, score + 0.02))})
        change = {"price": cost} if price else {"request_seconds": cost}
        runs.append(run(name, {"t": found.model_copy(
            update={"cost": found.cost.model_copy(update=change)})}))  # fmt: skip
    (plot,) = cost_plot(evidence_of_runs(runs))
    return plot


CROWDED = {f"a-model-with-quite-a-name-{n:02}": (0.4 + n / 1000, 100 + n) for n in range(12)}


def test_names_cover_neither_each_other_nor_marks_and_stay_inside() -> None:
    """Names that were moved down until nothing was in their way lay on the axis and below it."""
    plot = drawn(CROWDED)
    boxes = []
    for label in plot.labels:
        if label.kind == "name":
            left = float(label.x) - (text_width(label.text) if label.anchor == "end" else 0)
            boxes.append((left, left + text_width(label.text), float(label.y) - 4))
    assert boxes
    for left, right, y in boxes:
        assert left >= 56
        assert right <= float(plot.width)
        assert 20 <= y <= 323
        for dot in plot.dots:
            assert not (left < float(dot.x) < right and abs(float(dot.y) - y) < 7)
    for (left, right, y), (other_left, other_right, other_y) in combinations(boxes, 2):
        assert right <= other_left or other_right <= left or abs(y - other_y) >= 14
    assert "found no room" in plot.description
    assert {row[0] for row in plot.table.rows} == set(CROWDED)


def test_the_front_is_stairs() -> None:
    """A straight line said that what lies between two models can be had."""
    plot = drawn({"cheap": (0.4, 1), "dear": (0.8, 100), "poor": (0.3, 50)})
    (front,) = plot.curves
    places = [tuple(map(float, pair.split(","))) for pair in front.points.split()]
    assert len(places) == 3
    assert places[0][1] == places[1][1]
    assert places[1][0] == places[2][0]


def test_a_price_does_not_depend_on_the_machine() -> None:
    models = {"one": (0.4, 0.001), "two": (0.8, 3.0)}
    assert "depend on the machine" in drawn(models).description
    assert "depend on the machine" not in drawn(models, price=True).description


def test_means_have_their_intervals_where_there_are_some(tmp_path: Path) -> None:
    """A front of bare means looks surer than it is."""
    (known,) = cost_plot(folders.evidence(folders.write_runs(tmp_path, samples=40)))
    for plot, count in ((known, 4), (drawn({"one": (0.4, 1), "two": (0.8, 100)}), 0)):
        whiskers = [line for line in plot.lines if line.kind.startswith("whisker")]
        assert len(whiskers) == count
        assert ("with its 95 % interval" in plot.description) == bool(count)


@pytest.mark.parametrize(("low", "high"), [(2.4, 2.5), (0.0, 0.01), (-6.0, 5.0), (1.0, 3.0)])
def test_an_axis_of_costs_has_some_ticks_and_not_too_many(low: float, high: float) -> None:
    """Between 250 and 315 seconds there was none."""
    found = _cost_ticks(low, high)
    assert 2 <= len(found) <= 9
    assert all(low <= math.log10(tick) <= high for tick in found)


def test_there_is_no_figure_where_all_cost_the_same() -> None:
    runs = [run(name, {"t": task({"acc": metric(0.5, (0.4, 0.6))})}) for name in ("a", "b")]
    assert [plot for plot in build_plots(evidence_of_runs(runs)) if "cost" in plot.anchor] == []


@pytest.mark.parametrize(
    "name",
    ["short", "W" * 80, "x" * 80, "模型" * 30, "step-000000001-of-a-long-run-step-9", "…", ""],
)
@pytest.mark.parametrize("room", [60.0, 150.0, 270.0])
def test_names_are_cut_in_their_middle_to_fit(name: str, room: float) -> None:
    """Names of wide letters left the figure."""
    shown = fitting(name, room)
    assert text_width(shown) <= room
    if shown != name:
        assert shown[0] == name[0]
        assert shown[-1] == name[-1]
