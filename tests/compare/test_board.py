"""Ranks over tasks: what they are made of, and what they do when samples are missing."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.compare.board import Board, build_board
from evalharness.metrics.aggregation import mean
from evalharness.records import Metric
from evalharness.statistics.boards import place_by_draws, place_by_errors, shared_draws
from tests.report import folders
from tests.report.folders import MadeModel, MadeTask

TASKS = ["capitals", "headlines", "pairs", "passages"]


def board(
    runs: Sequence[Path], *, tasks: Sequence[MadeTask] = folders.TASKS, names: Sequence[str] = TASKS
) -> Board:
    return build_board(folders.read(runs), names, folders.catalogue(tasks), alpha=0.05)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return folders.write_runs(tmp_path_factory.mktemp("runs"))


def test_the_mean_is_of_all_tasks_with_a_scale_and_of_models_that_have_them_all(
    runs: list[Path],
) -> None:
    """A mean over what a model happens to have would favour those that avoid hard tasks."""
    found = board(runs)
    assert found.aggregated == ("capitals", "headlines", "passages")
    assert set(found.places) == {"aspen-7b", "birch-7b", "cedar-3b", "dogwood-1b"}
    results = {run.label: run.results for run in folders.read(runs)}["aspen-7b"]
    values = [next(iter(results.tasks[t].metrics.values())).value for t in found.aggregated]
    expected = 100 * float(np.mean([value for value in values if value is not None]))
    assert found.places["aspen-7b"].mean.value == pytest.approx(expected)


def test_of_tasks_of_one_size_the_mean_of_samples_is_that_of_tasks(runs: list[Path]) -> None:
    found = board(runs)
    assert len({found.rankings[task].n for task in found.aggregated}) == 1
    by_sample, by_task = (found.places_at[name, 0.05] for name in ("samples", "tasks"))
    for label, place in by_task.items():
        assert by_sample[label].mean.value == pytest.approx(place.mean.value)
        assert by_sample[label].mean.interval == pytest.approx(place.mean.interval)


def test_models_of_known_ability_are_ranked_by_it_and_near_ones_share_a_range(
    runs: list[Path],
) -> None:
    places = board(runs).places
    assert places["aspen-7b"].placing.ranks == places["birch-7b"].placing.ranks == (1, 2)
    assert places["cedar-3b"].placing.ranks == (3, 3)
    assert places["dogwood-1b"].placing.tie_group == 2


def test_a_metric_with_an_ideal_is_not_ranked(runs: list[Path]) -> None:
    """The highest score of a bias probe stood first, though the nearest to .5 is the best."""
    assert "pairs" not in board(runs).rankings


def test_without_samples_standard_errors_stand_in_and_find_no_more(
    runs: list[Path], tmp_path: Path
) -> None:
    with_samples = board(runs)
    bare = folders.write_runs(tmp_path)
    for folder in bare:
        for samples in (folder / "samples").iterdir():
            samples.unlink()
    without = board(bare)
    assert not without.paired
    assert without.rankings == {}
    assert {one.task for one in without.left_out} == {"capitals", "headlines", "passages"}
    for label, place in without.places.items():
        paired = with_samples.places[label].placing.ranks
        assert place.placing.ranks[0] <= paired[0]
        assert place.placing.ranks[1] >= paired[1]
        assert place.mean.interval is not None


def test_samples_that_a_model_failed_have_no_part_for_any(runs: list[Path]) -> None:
    assert board(runs).rankings["capitals"].n == 116


def test_a_task_that_is_not_installed_is_left_out_with_the_reason(runs: list[Path]) -> None:
    assert board(runs, names=["capitals", "passages"]).left_out == ()
    found = board(runs, tasks=folders.TASKS[1:], names=["capitals", "passages"])
    assert [one.task for one in found.left_out] == ["capitals"]
    assert "there is no task 'capitals'" in found.left_out[0].reason
    assert not found.paired


def test_fewer_than_two_complete_models_have_no_ranks(tmp_path: Path) -> None:
    made = [
        MadeModel("one", 0.5, tasks=("capitals",)),
        MadeModel("other", 0.5, tasks=("passages",)),
    ]
    assert board(folders.write_runs(tmp_path, models=made)).places == {}


@given(st.lists(st.floats(0, 100), min_size=2, max_size=6), st.floats(0.1, 10))
def test_a_model_that_is_better_has_no_worse_ranks(values: list[float], error: float) -> None:
    errors = np.full(len(values), error)
    places = place_by_errors(np.array(values), errors, clusters=50, alphas=[0.05])[0.05]
    order = np.argsort(-np.array(values), kind="stable")
    ranks = [places[place][0].ranks for place in order]
    assert ranks == sorted(ranks)
    assert all(1 <= low <= high <= len(values) for low, high in ranks)


def test_draws_are_shared_so_that_equal_models_never_differ() -> None:
    metric = Metric("acc", measure=lambda _s, _r: (0.0,), aggregate=mean())
    scores = np.random.default_rng(0).integers(0, 2, size=(300, 1)).astype(float)
    one, other = shared_draws(metric, [scores, scores], np.arange(300), seed=0, replicates=200)
    assert (one == other).all()
    placings = place_by_draws(
        np.array([one.mean(), other.mean()]), np.stack([one, other]), clusters=300, alphas=[0.05]
    )[0.05]
    assert [placing.ranks for placing in placings] == [(1, 2), (1, 2)]


def test_the_spread_of_draws_of_a_mean_is_its_standard_error() -> None:
    """Blocks of clusters stand for 5,000 samples, and must not change it."""
    metric = Metric("acc", measure=lambda _s, _r: (0.0,), aggregate=mean())
    scores = np.random.default_rng(0).integers(0, 2, size=(5000, 1)).astype(float)
    (draws,) = shared_draws(metric, [scores], np.arange(5000), seed=0, replicates=2000)
    assert draws.std(ddof=1) == pytest.approx(scores.std(ddof=1) / 5000**0.5, rel=0.08)
