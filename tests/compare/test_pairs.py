"""Every model beside every other: what a comparison with each of them as the baseline finds."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.compare.comparing import at_level, compare_runs, compare_with_each
from evalharness.compare.pairs import MOST_MODELS, MOST_PAIRS, compared_models, pairs_of_tasks
from evalharness.compare.records import ComparedRun, Comparison, Settings
from evalharness.metrics.aggregation import mean
from evalharness.metrics.translation import ter
from evalharness.records import Metric, Statistics
from evalharness.statistics.corrections import holm
from evalharness.statistics.paired import Difference, compare_pair, mirrored
from tests.report import folders

SETTINGS = Settings(levels=(0.9, 0.99))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[ComparedRun]:
    return folders.read(folders.write_runs(tmp_path_factory.mktemp("runs")))


@pytest.fixture(scope="module")
def with_each(runs: list[ComparedRun]) -> tuple[Comparison, ...]:
    return compare_with_each(runs, folders.catalogue(), SETTINGS)


def agree(one: Difference, other: Difference) -> None:
    """Both differences are equal, draws included, but for what order of summation explains."""
    for field in fields(Difference):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name == "intervals":
            assert a.keys() == b.keys()
            a, b = list(a.values()), list(b.values())
        if isinstance(a, str) or a is None:
            assert a == b
        else:
            np.testing.assert_allclose(a, b, atol=1e-12, err_msg=field.name)


def test_each_comparison_is_the_one_with_that_baseline(
    runs: list[ComparedRun], with_each: tuple[Comparison, ...]
) -> None:
    """A reader who chooses a baseline sees what --baseline writes, though pairs are tested once."""
    for baseline, found in zip(runs, with_each, strict=True):
        others = [run for run in runs if run is not baseline]
        expected = compare_runs([baseline, *others], folders.catalogue(), SETTINGS)
        assert found.baseline == expected.baseline
        assert found.runs == expected.runs
        assert found.left_out == expected.left_out
        for row, other in zip(found.rows, expected.rows, strict=True):
            assert (row.task, row.metric, row.run, row.notes) == (
                other.task, other.metric, other.run, other.notes,
            )  # fmt: skip
            agree(row.difference, other.difference)
            assert row.corrected == pytest.approx(other.corrected)
            assert row.detectable == pytest.approx(other.detectable)
        for one, another in zip(found.overall, expected.overall, strict=True):
            assert one.of_tasks.value == pytest.approx(another.of_tasks.value)


@pytest.mark.parametrize("metric", [Metric("f1", lambda _s, _r: (0.0,), mean()), ter()])
def test_a_mirrored_difference_is_that_of_the_models_the_other_way_round(metric: Metric) -> None:
    generator = np.random.default_rng(0)

    def drawn() -> Statistics:
        if metric.name == "f1":
            return generator.random((60, 1))
        return np.stack([generator.integers(0, 5, 60), np.full(60, 9)], axis=1).astype(float)

    first, second = drawn(), drawn()
    levels = (0.9, 0.95)
    one = compare_pair(metric, first, second, np.arange(60) // 2, seed=3, levels=levels)
    other = compare_pair(metric, second, first, np.arange(60) // 2, seed=3, levels=levels)
    agree(mirrored(one), other)
    agree(mirrored(mirrored(one)), one)


def test_another_level_is_what_a_comparison_at_that_level_finds(runs: list[ComparedRun]) -> None:
    usual = compare_runs(runs, folders.catalogue(), SETTINGS)
    strict = compare_runs(runs, folders.catalogue(), Settings(alpha=0.01))
    found = at_level(usual, 0.01)
    assert found.level == strict.level
    for row, expected in zip(found.rows, strict.rows, strict=True):
        assert row.difference.intervals[0.99] == expected.difference.intervals[0.99]
        assert row.detectable == expected.detectable
        assert row.corrected == expected.corrected
    assert found.overall == strict.overall


def test_pairs_of_a_task_are_corrected_together_and_an_ideal_is_no_obstacle(
    with_each: tuple[Comparison, ...],
) -> None:
    """Bias probes, which have an ideal, had no table of pairs."""
    found = {one.task: one for one in pairs_of_tasks(with_each)}
    assert set(found) == {"capitals", "headlines", "pairs", "passages"}
    capitals = found["capitals"]
    assert len(capitals.pairs) == 10
    expected = holm([pair.difference.p_value for pair in capitals.pairs])
    assert [pair.corrected for pair in capitals.pairs] == list(expected)
    assert len(found["headlines"].pairs) == 6
    assert found["pairs"].metric_result.ideal == 0.5


@given(st.integers(0, 300), st.integers(1, 3000))
def test_so_many_models_are_compared_as_keep_the_pairs_below_the_limit(
    models: int, tasks: int
) -> None:
    found = compared_models(models, tasks)
    assert found <= min(models, MOST_MODELS)
    assert found <= 1 or found * (found - 1) // 2 * tasks <= MOST_PAIRS
    if found < min(models, MOST_MODELS):
        assert (found + 1) * found // 2 * tasks > MOST_PAIRS
