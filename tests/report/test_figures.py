"""Figures: every mark stands where its number says, and every number is in the table."""

import json
import math
from itertools import pairwise
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.metrics.calibration import Bin
from evalharness.report.comparison_view import ComparisonView, build_comparison
from evalharness.report.drawing import Plot, Scale, around, ticks, written
from evalharness.report.evidence import Evidence
from evalharness.report.plots import ForestRow, build_plots, forest
from evalharness.report.reliability_plots import _radius, reliability_plot
from evalharness.run_folder import read_run, write_results
from tests.report import folders
from tests.report.folders import MadeModel
from tests.report.runs import evidence_of_runs, metric, run, task


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    runs = folders.write_runs(tmp_path_factory.mktemp("runs"), samples=80)
    return folders.evidence(runs, baseline="cedar-3b")


def plot(evidence: Evidence, anchor: str) -> Plot:
    (found,) = [one for one in build_plots(evidence) if one.anchor == anchor]
    return found


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(3, 8))
def test_ticks_are_few_round_and_within_the_axis(low: float, width: float, most: int) -> None:
    high = low + width
    if not low < high or width < 1e-9 * abs(low):
        return
    found = ticks(low, high, most)
    assert len(found) <= most + 1
    assert all(low - 1e-6 * width <= tick <= high + 1e-6 * width for tick in found)
    steps = {round((b - a) / width, 4) for a, b in pairwise(found)}
    assert len(steps) <= 1


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=5))
def test_an_axis_has_room_around_its_values(values: list[float]) -> None:
    low, high = around(values)
    assert low < min(values) <= max(values) < high


def test_places_are_proportional() -> None:
    scale = Scale(10.0, 20.0, 100.0, 300.0)
    assert [scale.at(value) for value in (10.0, 15.0, 20.0)] == [100.0, 200.0, 300.0]


def test_the_forest_has_a_mark_for_each_row_in_order_of_its_value() -> None:
    rows = [ForestRow(f"m{v}", float(v), (v - 1.0, v + 1.0), str(v), "other") for v in (10, 30, 20)]
    drawn = forest("f", "t", "d", rows, unit="%", zero=True)
    places = [float(dot.x.removesuffix("%")) for dot in drawn.dots]
    assert sorted(range(3), key=lambda place: places[place]) == [0, 2, 1]
    assert drawn.table.rows == (("m10", "10"), ("m30", "30"), ("m20", "20"))
    assert any(line.kind.startswith("zero") for line in drawn.lines)


def test_a_long_forest_says_how_many_rows_it_leaves_out_and_its_table_has_all() -> None:
    rows = [ForestRow(f"m{v}", float(v), None, str(v), "other") for v in range(100)]
    drawn = forest("f", "t", "d", rows, unit="%", zero=False)
    assert len(drawn.dots) == 40
    assert "the first 40 of 100" in drawn.description
    assert len(drawn.table.rows) == 100


def test_only_models_that_no_other_dominates_are_on_the_front() -> None:
    """Quick is cheaper and better than slow; poor is the cheapest."""
    runs = [
        run(name, {"t": task({"acc": metric(value, (value - 0.1, value + 0.1))},
                             cost=task({"a": metric(0.5, None)}).cost.model_copy(
                                 update={"request_seconds": seconds}))})
        for name, value, seconds in (("slow", 0.6, 100), ("quick", 0.7, 10), ("poor", 0.2, 1))
    ]  # fmt: skip
    drawn = plot(evidence_of_runs(runs), "quality-cost")
    assert {dot.title.partition(":")[0]: dot.kind for dot in drawn.dots} == {
        "slow": "other", "quick": "best", "poor": "best",
    }  # fmt: skip


def test_models_that_cost_nothing_have_no_place_on_a_logarithmic_scale(evidence: Evidence) -> None:
    titles = [dot.title for dot in plot(evidence, "quality-cost").dots]
    assert len(titles) == 4
    assert not any("random" in title for title in titles)


def test_a_series_is_drawn_over_its_steps_for_each_task(tmp_path: Path) -> None:
    models = [
        MadeModel(f"c-{step}", 0.3 + step / 2000, series="builtin:c-*", step=step)
        for step in (900, 100, 400)
    ]
    drawn = plot(folders.evidence(folders.write_runs(tmp_path, models=models)), "series-0")
    assert len(drawn.curves) == 4
    assert [row[1] for row in drawn.table.rows[:3]] == ["100", "400", "900"]
    places = [float(dot.x) for dot in drawn.dots[:3]]
    assert places == sorted(places)


def test_every_small_figure_of_a_series_has_a_scale(tmp_path: Path) -> None:
    """One number at an axis is none: from it alone no value can be read."""
    models = [
        MadeModel(f"c-{step}", 0.05 + 0.9 * step / 20_000, series="builtin:c-*", step=step)
        for step in (0, 10_000, 20_000)
    ]
    drawn = plot(folders.evidence(folders.write_runs(tmp_path, models=models)), "series-0")
    ticks_of = [label for label in drawn.labels if label.kind == "tick" and label.anchor == "end"]
    assert len(ticks_of) >= 2 * len(drawn.curves)
    texts = [label.text for label in drawn.labels]
    assert texts.count("step") == len(drawn.curves)
    assert "20\N{NARROW NO-BREAK SPACE}000" in texts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (0.00001, "0.00001"),
        (16000.0, "16\N{NARROW NO-BREAK SPACE}000"),
        (-25.0, "\N{MINUS SIGN}25"),
        (0.0, "0"),
        (1e300, "1e+300"),
    ],
)
def test_numbers_at_axes_are_written_in_full(value: float, text: str) -> None:
    assert written(value) == text


def test_reliability_is_drawn_only_where_confidence_was_measured(evidence: Evidence) -> None:
    assert list(reliability_plot("capitals", "task-0", evidence.runs)) == []


def with_confidence(folder: Path, confidence: float) -> None:
    """The same run as if it had measured calibration, always that sure."""
    path = folder / "samples" / "capitals.parquet"
    table = pyarrow.parquet.read_table(path)
    found = [json.loads(text) for text in table["statistics"].to_pylist()]
    rows = [{**one, "ece": [confidence, one["acc"][0]]} if one else None for one in found]
    place = table.column_names.index("statistics")
    column = pyarrow.array([json.dumps(row) for row in rows])
    pyarrow.parquet.write_table(table.set_column(place, "statistics", column), path)
    _, results = read_run(folder)
    scores = results.tasks["capitals"]
    metrics = {**scores.metrics, "ece": metric(0.1, None, higher=False)}
    tasks = {**results.tasks, "capitals": scores.model_copy(update={"metrics": metrics})}
    write_results(folder, results.model_copy(update={"tasks": tasks}))


def test_reliability_shows_how_often_answers_of_a_confidence_are_right(tmp_path: Path) -> None:
    runs = folders.write_runs(tmp_path, models=[MadeModel("a", 0.7), MadeModel("b", 0.4)])
    with_confidence(runs[0], 0.75)
    (drawn,) = reliability_plot("capitals", "task-0", folders.read(runs))
    ((name, span, confidence, right, n),) = drawn.table.rows
    assert (name, span, confidence, n) == ("a", "70.0 to 80.0", "75.0", "120")
    accuracy = next(iter(read_run(runs[0])[1].tasks["capitals"].metrics.values())).value
    assert accuracy is not None
    assert right == f"{100 * accuracy:.1f}"


def test_a_mark_of_reliability_grows_with_its_answers() -> None:
    """A bin of one answer looked as sure as one of a hundred."""
    few, many = Bin(0.0, 0.1, 1, 0.05, 0.0), Bin(0.9, 1.0, 99, 0.95, 0.9)
    assert float(_radius(few, [few, many])) < float(_radius(many, [few, many])) / 2


# --- The comparison ------------------------------------------------------------------------------


def comparison(evidence: Evidence) -> ComparisonView:
    found = build_comparison(evidence)
    assert found is not None
    return found


def test_histograms_hold_every_sample_of_a_graded_metric(evidence: Evidence) -> None:
    (aspen,) = [one for one in comparison(evidence).models if one.name == "aspen-7b"]
    details = {one.task: one for one in aspen.details}
    assert details["capitals"].plot is None
    drawn = details["passages"].plot
    assert drawn is not None
    assert sum(int(count) for _, count in drawn.table.rows) == 80
    assert {area.kind for area in drawn.areas} <= {"bar better", "bar worse", "bar same"}


def test_slices_stand_beside_each_other_with_the_n_of_both(evidence: Evidence) -> None:
    (aspen,) = [one for one in comparison(evidence).models if one.name == "aspen-7b"]
    table = aspen.details[1].slices
    assert table is not None
    assert [row[0] for row in table.rows] == ["length: long", "length: short"]
    counts = [row[-1].split(", ") for row in table.rows]
    assert sum(int(first) for first, _ in counts) == 80


def test_parts_that_each_model_has_of_its_own_are_not_compared(tmp_path: Path) -> None:
    """What is familiar to one model are other samples than what is familiar to another."""
    runs = folders.write_runs(tmp_path, samples=20)
    for folder in runs:
        _, results = read_run(folder)
        tasks = {
            name: one.model_copy(update={"slices": {**one.slices, "min_k": one.slices["length"]}})
            for name, one in results.tasks.items()
        }
        write_results(folder, results.model_copy(update={"tasks": tasks}))
    found = comparison(folders.evidence(runs, baseline="cedar-3b"))
    tables = [one.slices for model in found.models for one in model.details if one.slices]
    assert tables
    assert {row[0] for one in tables for row in one.rows} == {"length: long", "length: short"}


def test_outcomes_fill_the_bar_and_count_all_samples(evidence: Evidence) -> None:
    for model in comparison(evidence).models:
        for row in model.rows:
            assert row.outcome is not None
            widths = (row.outcome.won_width, row.outcome.tied_width, row.outcome.lost_width)
            assert math.isclose(sum(map(float, widths)), 100, abs_tol=0.05)
            counts = (row.outcome.won, row.outcome.tied, row.outcome.lost)
            assert sum(map(int, counts)) == int(row.n)


def test_where_a_metric_has_an_ideal_no_sample_is_won(evidence: Evidence) -> None:
    """More stereotypes in a sample counted as a win, in the colour of what is better."""
    for model in comparison(evidence).models:
        words = {row.task: row.outcome.words for row in model.rows if row.outcome is not None}
        assert words.pop("pairs") == ("higher", "lower")
        assert set(words.values()) == {("won", "lost")}


def test_tasks_that_a_model_was_not_asked_are_named(evidence: Evidence) -> None:
    (random,) = [one for one in comparison(evidence).models if one.name == "random"]
    assert any("headlines" in text and "not asked" in text for text in random.left_out)
