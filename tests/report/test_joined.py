"""A suite that was run in parts is one row; what was measured otherwise stays two."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.compare.records import ComparedRun, FinishedRun
from evalharness.errors import UsageError
from evalharness.report.evidence import evidence_of, labelled
from evalharness.report.export import scores
from evalharness.report.joining import join_runs
from evalharness.report.layouts import render_single
from evalharness.report.view import build_page
from evalharness.results import TaskResult
from evalharness.run_folder import read_run, write_results, write_run
from tests.report import folders
from tests.report.folders import MadeModel
from tests.report.runs import metric, run, task


def finished(
    name: str,
    tasks: dict[str, TaskResult],
    *,
    day: int = 1,
    model: dict[str, Any] | None = None,
    configuration: dict[str, Any] | None = None,
) -> FinishedRun:
    """A run of a model on a day of January, whose folder is nowhere."""
    record, results = run(name, tasks)
    run_id = f"{name}-of-day-{day:02}"
    described = results.model.model_copy(update=model or {})
    return FinishedRun(
        Path("nowhere"),
        record.model_copy(
            update={
                "run_id": run_id,
                "model": described,
                "finished": datetime(2026, 1, day, tzinfo=UTC),
                "configuration": record.configuration.model_copy(update=configuration or {}),
            }
        ),
        results.model_copy(update={"run_id": run_id, "model": described}),
    )


def scored(value: float, **changes: Any) -> TaskResult:
    return task({"acc": metric(value, (value - 0.1, value + 0.1))}, **changes)


def values(runs: Sequence[ComparedRun]) -> list[dict[str, float | None]]:
    """The primary scores of each row."""
    return [
        {
            name: next(iter(one.metrics.values())).value
            for name, one in sorted(row.results.tasks.items())
        }
        for row in runs
    ]


def test_different_tasks_of_one_model_become_one_row() -> None:
    """They were two rows with holes, neither of which had a mean or a rank."""
    parts = [finished("a", {"x": scored(0.4)}), finished("a", {"y": scored(0.6)}, day=2)]
    (row,) = join_runs(parts)
    assert values([row]) == [{"x": 0.4, "y": 0.6}]
    assert row.origin("x").results.run_id == "a-of-day-01"
    assert row.origin("y").results.run_id == "a-of-day-02"
    assert row.notes == ()


def test_the_device_and_the_place_of_a_model_do_not_keep_its_runs_apart() -> None:
    elsewhere = {"device": "cuda", "spec": "builtin:/data/a"}
    parts = [
        finished("a", {"x": scored(0.4)}),
        finished("a", {"y": scored(0.6)}, day=2, model=elsewhere),
    ]
    found = labelled([(one.folder, (one.record, one.results)) for one in parts])
    page = build_page(evidence_of(found, folders.catalogue(), baseline=None, alpha=0.05), "t")
    ((name, *_, runs),) = page.models.rows
    assert name == "a"
    assert runs == "a-of-day-01, a-of-day-02"
    assert page.models.rows[0][page.models.headings.index("Device")] == "cpu, cuda"
    assert {fact.name: fact.value for fact in page.facts}["Runs"] == "2, joined to 1 rows"


def test_other_weights_under_the_same_name_stay_two_rows_that_are_told_apart() -> None:
    """A checkpoint that was overwritten in place has the name of the one before."""
    changed = {"fingerprint": "00" * 32}
    parts = [
        finished("a", {"x": scored(0.4)}),
        finished("a", {"y": scored(0.6)}, day=2, model=changed),
    ]
    found = labelled([(one.folder, (one.record, one.results)) for one in parts])
    assert [one.label for one in found] == ["a · -of-day-01", "a · -of-day-02"]


def test_the_same_task_twice_with_equal_results_is_one_without_a_word() -> None:
    (row,) = join_runs([finished("a", {"x": scored(0.4)}, day=day) for day in (1, 2)])
    assert values([row]) == [{"x": 0.4}]
    assert row.notes == ()


def test_of_equal_results_the_one_whose_samples_are_at_hand_is_kept(tmp_path: Path) -> None:
    """A run that was kept without samples took the sample pages from the one that had them."""
    (folder,) = folders.write_runs(tmp_path / "runs", models=[MadeModel("a", 0.7)], samples=20)
    record, results = read_run(folder)
    later = record.model_copy(update={"finished": datetime(2026, 2, 1, tzinfo=UTC)})
    write_run(tmp_path / "kept", later)
    write_results(tmp_path / "kept", results.model_copy(update={"run_id": "kept-run"}))
    (row,) = folders.read([folder, tmp_path / "kept"])
    assert row.origin("capitals").folder == folder


def test_of_unequal_results_the_later_one_stands_and_a_banner_says_so() -> None:
    parts = [finished("a", {"x": scored(value)}, day=day) for value, day in ((0.4, 2), (0.7, 1))]
    (row,) = join_runs(parts)
    assert values([row]) == [{"x": 0.4}]
    found = labelled([(one.folder, (one.record, one.results)) for one in parts])
    banners = build_page(
        evidence_of(found, folders.catalogue(), baseline=None, alpha=0.05), "t"
    ).banners
    assert banners == (
        "a: x was run twice, and the scores differ (acc .700 and then acc .400). "
        "Shown is the later run, a-of-day-02 of 2026-01-02.",
    )


@pytest.mark.parametrize(
    "change", [{"num_fewshot": 5}, {"n": 10}, {"prompt_hash": "bb" * 32}, {"version": 2}]
)
def test_a_task_that_was_asked_otherwise_keeps_runs_apart(change: dict[str, Any]) -> None:
    """No examples and five of them are two measurements, and people compare them."""
    rows = join_runs(
        [finished("a", {"x": scored(0.4)}), finished("a", {"x": scored(0.7, **change)})]
    )
    assert len(rows) == 2


def test_chats_and_plain_text_are_not_joined_even_on_different_tasks() -> None:
    parts = [
        finished("a", {"x": scored(0.4)}, configuration={"chat": "off"}),
        finished("a", {"y": scored(0.7)}, configuration={"chat": "on"}),
    ]
    assert len(join_runs(parts)) == 2


def test_a_run_that_fits_two_rows_goes_to_the_one_it_was_configured_like() -> None:
    parts = [
        finished("a", {"x": scored(0.4)}, configuration={"num_fewshot": 0}),
        finished("a", {"x": scored(0.5, num_fewshot=5)}, day=2, configuration={"num_fewshot": 5}),
        finished("a", {"y": scored(0.6)}, day=3, configuration={"num_fewshot": 5}),
    ]
    assert values(join_runs(parts)) == [{"x": 0.4}, {"x": 0.5, "y": 0.6}]


def test_checkpoints_of_a_series_with_equal_weights_stay_two_steps() -> None:
    steps = [
        finished(f"step-{step}", {"x": scored(0.4)}, model={"series": "s", "step": step})
        for step in (0, 100)
    ]
    same = [
        replace(one, results=one.results.model_copy(update={"model": model}))
        for one in steps
        for model in [one.results.model.model_copy(update={"fingerprint": "ab" * 32})]
    ]
    assert len(join_runs(same)) == 2


def test_a_task_that_one_run_skipped_and_another_answered_is_not_announced_as_skipped() -> None:
    first = finished("a", {"x": scored(0.4)})
    skipping = replace(first, record=first.record.model_copy(update={"skipped": {"y": "no"}}))
    (row,) = join_runs([skipping, finished("a", {"y": scored(0.6)}, day=2)])
    assert row.record.skipped == {}


def test_a_limit_is_announced_of_the_tasks_of_the_limited_part_only() -> None:
    parts = [
        finished("a", {"x": scored(0.4)}, configuration={"limit": 40}),
        finished("a", {"y": scored(0.6)}, day=2),
    ]
    found = labelled([(one.folder, (one.record, one.results)) for one in parts])
    text = render_single(
        evidence_of(found, folders.catalogue(), baseline=None, alpha=0.05), title="t"
    )
    assert "only the first 40 samples were answered of x." in text


PARTS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.dictionaries(st.sampled_from(["x", "y", "z"]), st.sampled_from([0.25, 0.5]), min_size=1),
    ),
    min_size=1,
    max_size=6,
)


@given(PARTS)
def test_rows_are_the_models_and_hold_the_latest_of_every_task(
    parts: list[tuple[str, dict[str, float]]],
) -> None:
    """Whatever the parts are, and in whichever order they are read."""
    runs = [
        finished(name, {task: scored(value) for task, value in tasks.items()}, day=day)
        for day, (name, tasks) in enumerate(parts, 1)
    ]
    expected: dict[str, dict[str, float]] = {}
    for name, tasks in parts:
        expected.setdefault(name, {}).update(tasks)
    for order in (runs, runs[::-1]):
        rows = join_runs(order)
        assert {row.label: one for row, one in zip(rows, values(rows), strict=True)} == {
            name: dict(sorted(tasks.items())) for name, tasks in expected.items()
        }


# --- The whole report ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def in_parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two models; the first was run in two parts, which lie in folders of their own."""
    folder = tmp_path_factory.mktemp("parts")
    halves = [("capitals", "pairs"), ("passages", "headlines")]
    parts = [
        folders.write_runs(folder / str(place), models=[MadeModel("a", 0.7, tasks=tasks)])[0]
        for place, tasks in enumerate(halves)
    ]
    record, results = read_run(parts[1])
    write_run(parts[1], record.model_copy(update={"run_id": "the-second"}))
    write_results(parts[1], results.model_copy(update={"run_id": "the-second"}))
    return [*parts, *folders.write_runs(folder / "b", models=[MadeModel("b", 0.5)])]


def test_a_joined_row_is_ranked_compared_and_exported_like_one_run(
    in_parts: list[Path], tmp_path: Path
) -> None:
    """Samples are read from the folder of the part that has them."""
    joined = folders.evidence(in_parts, baseline="the-second")
    models = [MadeModel("a", 0.7), MadeModel("b", 0.5)]
    at_once = folders.evidence(folders.write_runs(tmp_path, models=models), baseline="a")
    assert joined.board is not None
    assert at_once.board is not None
    assert joined.board.places == at_once.board.places
    assert joined.comparison is not None
    assert at_once.comparison is not None
    assert joined.comparison.rows == at_once.comparison.rows
    assert {score.run_id for score in scores(joined) if score.model == "a"} == {
        joined.runs[0].origin("capitals").results.run_id,
        "the-second",
    }


def test_a_name_that_is_none_of_the_parts_is_no_baseline(in_parts: list[Path]) -> None:
    with pytest.raises(UsageError, match="there is no such model"):
        folders.evidence(in_parts, baseline="the-third")
