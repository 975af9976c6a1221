"""Which runs are compared, and which of them is the baseline."""

from pathlib import Path

import pytest

from evalharness.compare.runs import open_runs
from evalharness.errors import DataError, UsageError
from tests.compare.runs import compare, rights, write_made_up


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """runs/ with three runs of models a, b and c, in the folder that a user is in."""
    for name in ("a", "b", "c"):
        write_made_up(tmp_path / "runs" / name, rights({"q": 1}))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def opened(*named: str, baseline: str | None = None) -> list[str]:
    return [run.label for run in open_runs(named, baseline, print)]


def test_the_baseline_comes_first_and_no_run_twice(runs: Path) -> None:
    assert opened("b", "runs/a") == ["b", "a"]
    assert opened("runs", baseline="b") == ["b", "a", "c"]
    assert opened("c", "runs", str(runs / "a")) == ["c", "a", "b"]
    assert opened("a", baseline="runs/c") == ["c", "a"]


def test_the_only_run_of_a_first_folder_is_the_baseline(runs: Path) -> None:
    """Such as what a pipeline fetched: its name need not be known."""
    (runs.parent / "fetched").mkdir()
    (runs / "c").rename(runs.parent / "fetched" / "c")
    assert opened("fetched", "runs") == ["c", "a", "b"]


def test_an_unfinished_first_run_is_an_error_and_not_another_baseline(runs: Path) -> None:
    (runs / "a" / "results.json").unlink()
    with pytest.raises(DataError, match="a is not finished"):
        opened("a", "b", "c")
    with pytest.raises(DataError, match="a is not finished"):
        opened("runs", baseline="a")


def test_a_damaged_run_is_left_out_of_its_folder_aloud_and_refused_by_name(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs / "c" / "results.json").write_text("{")
    assert opened("runs", baseline="b") == ["b", "a"]
    assert "left out: runs/c/results.json" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"results\.json"):
        opened("b", "c")


def test_what_is_no_run_or_names_no_baseline_is_told(runs: Path) -> None:
    (runs / "smollm2-abc").mkdir()
    with pytest.raises(UsageError, match=r"no run 'smollm-abc'.*Did you mean 'smollm2-abc'"):
        opened("a", "smollm-abc")
    with pytest.raises(UsageError, match=r"which one is the baseline.*a, b, c"):
        opened("runs")
    with pytest.raises(UsageError, match="one run alone"):
        opened("a")


def test_one_run_made_twice_is_compared_with_its_own_samples(tmp_path: Path) -> None:
    """Runs of a server that serves another checkpoint now, or of the same one in another place,
    have one id: the samples of the first were taken for those of the second.
    """
    first, second = (
        write_made_up(tmp_path / place / "same", rights({"q1": value, "q2": 1 - value, "q3": 1}))
        for place, value in (("before", 1), ("after", 0))
    )
    (row,) = compare([first, second]).rows
    assert row.run.endswith(str(Path("after") / "same"))
    assert row.difference.samples == (1, 1, 1)
