"""The command: what it leaves out, keeps and says; nothing here is timed."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from benchmarks import compare
from benchmarks.agreement import DisagreementError
from benchmarks.machine import describe_machine
from benchmarks.processes import CannotBeUsedError, ProcessFailedError, ask
from benchmarks.records import (
    Checkpoint,
    Results,
    Row,
)
from benchmarks.results import read_results
from tests.benchmarks.made_up import timings_row


def test_without_a_gpu_bench_gpu_says_so_and_measures_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "has_gpu", lambda: False)
    output = tmp_path / "r.json"
    done = CliRunner().invoke(compare.main, ["--device", "cuda", "--output", str(output)])
    assert done.exit_code == 2
    assert "no GPU" in done.stderr
    assert not output.exists()


def test_a_busy_machine_is_told_of_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Figures of a machine that does other things look like any other figures."""
    monkeypatch.setattr("os.getloadavg", lambda: (3.5, 0.0, 0.0))
    rows_that(monkeypatch, planner=timings_row(1.0))
    _, _, said = invoke(tmp_path / "r.json")
    assert "busy (load 3.5)" in said
    assert describe_machine("cpu").load_average == 3.5


def rows_that(monkeypatch: pytest.MonkeyPatch, **rows: Row | Exception) -> None:
    """Make rows of these names measure nothing: they give a row, or raise."""

    def measure(result: Row | Exception) -> compare.Measure:
        def row(_setting: object, _say: object) -> Row:
            if isinstance(result, Exception):
                raise result
            return result

        return row

    made = {name.replace("_", "-"): measure(result) for name, result in rows.items()}
    monkeypatch.setattr(compare, "ROWS", made)


def invoke(output: Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(compare.main, ["--output", str(output)])
    return done.exit_code, done.stdout, done.stderr


def test_gemmas_row_is_left_out_with_the_reason_while_it_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = CannotBeUsedError("there is no checkpoint 'gemma-3-270m'")
    rows_that(monkeypatch, gemma_memory=reason, planner=timings_row(1.0))
    status, shown, said = invoke(tmp_path / "r.json")
    assert status == 0
    assert "left out: there is no checkpoint 'gemma-3-270m'" in said
    assert "planner" in shown
    assert read_results(tmp_path / "r.json").rows.keys() == {"planner"}


@pytest.mark.parametrize(
    "error",
    [DisagreementError("request 3"), CannotBeUsedError("no wheel"), ProcessFailedError("killed")],
)
def test_an_error_keeps_the_rows_before_it_and_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    rows_that(monkeypatch, planner=timings_row(1.0), xsum=error)
    status, _, said = invoke(tmp_path / "r.json")
    assert status == 1
    assert str(error) in said
    assert read_results(tmp_path / "r.json").rows.keys() == {"planner"}


def test_a_process_that_cannot_open_a_model_says_why() -> None:
    with pytest.raises(CannotBeUsedError, match="no checkpoint 'no-such-model'"):
        ask("checkpoint", ["no-such-model"], Checkpoint)


def test_a_process_that_is_called_wrongly_has_failed() -> None:
    with pytest.raises(ProcessFailedError, match="--no-such-option"):
        ask("checkpoint", ["--no-such-option"], Checkpoint)


def test_results_know_their_schema() -> None:
    with pytest.raises(ValidationError):
        Results.model_validate({"schema": 2, "rows": {}})
