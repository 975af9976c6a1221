"""Files of a run are whole or not there."""

import os
from pathlib import Path

import pytest

from evalharness.errors import DataError
from evalharness.run_folder import (
    find_runs,
    read_run,
    read_runs,
    write_results,
    write_run,
    write_samples,
)
from tests.report.runs import metric, run, task

RECORD, RESULTS = run("m", {"task": task({"acc": metric(0.5, (0.4, 0.6))})})


def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_run(tmp_path, RECORD)
    write_results(tmp_path, RESULTS)
    assert read_run(tmp_path) == (RECORD, RESULTS)


def test_runs_of_before_there_were_series_are_read(tmp_path: Path) -> None:
    write_run(tmp_path, RECORD)
    text = RESULTS.model_dump_json(by_alias=True)
    assert '"series":"","step":null' in text
    (tmp_path / "results.json").write_text(text.replace(',"series":"","step":null', ""))
    assert read_run(tmp_path) == (RECORD, RESULTS)


def test_a_write_that_is_interrupted_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_results(tmp_path, RESULTS)
    before = (tmp_path / "results.json").read_bytes()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_results(tmp_path, RESULTS.model_copy(update={"load_seconds": 9.0}))
    assert (tmp_path / "results.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_an_unknown_key_is_named_with_the_nearest(tmp_path: Path) -> None:
    write_run(tmp_path, RECORD)
    text = RESULTS.model_dump_json(by_alias=True).replace('"load_seconds"', '"load_second"')
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(DataError, match="load_second"):
        read_run(tmp_path)


def test_finished_runs_are_found_below_a_folder_and_others_are_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_run(tmp_path / name, RECORD)
    write_results(tmp_path / "a", RESULTS)
    (tmp_path / "responses.sqlite").touch()
    said: list[str] = []
    assert find_runs([tmp_path], said.append) == [tmp_path / "a"]
    assert len(said) == 1
    with pytest.raises(DataError, match="none of the runs is finished"):
        find_runs([tmp_path / "b"], said.append)


def test_a_run_that_is_named_twice_is_found_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative and an absolute path listed one run twice in the report."""
    write_run(tmp_path / "a", RECORD)
    write_results(tmp_path / "a", RESULTS)
    monkeypatch.chdir(tmp_path)
    assert find_runs([Path("a"), tmp_path / "a", Path()], print) == [Path("a")]


def test_a_damaged_run_is_left_out_of_its_folder_aloud_and_refused_by_name(tmp_path: Path) -> None:
    """One results.json without metrics broke the report of the whole folder."""
    for name in ("a", "b"):
        write_run(tmp_path / name, RECORD)
        write_results(tmp_path / name, RESULTS)
    empty = RESULTS.tasks["task"].model_copy(update={"metrics": {}})
    write_results(tmp_path / "b", RESULTS.model_copy(update={"tasks": {"task": empty}}))
    said: list[str] = []
    assert read_runs([tmp_path], said.append) == [(RECORD, RESULTS)]
    (message,) = said
    assert str(tmp_path / "b" / "results.json") in message
    assert "metrics" in message
    with pytest.raises(DataError, match=r"tasks\.task\.metrics"):
        read_runs([tmp_path, tmp_path / "b"], said.append)


def test_samples_that_cannot_be_written_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    """A file in the place of the folder was called a defect of evalharness."""
    (tmp_path / "samples").write_text("a file")
    with pytest.raises(DataError, match=r"samples/task\.parquet cannot be written.*-o"):
        write_samples(tmp_path, "task", [])


def test_only_a_limit_that_may_have_cut_a_task_makes_it_partial() -> None:
    """--limit 1000 called a task of 40 samples partial."""
    for limit, limited in ((None, ()), (1000, ()), (40, ("task",)), (41, ())):
        record, _ = run("m", {"task": task({"acc": metric(0.5, (0.4, 0.6))})}, limit=limit)
        assert record.limited_tasks() == limited
