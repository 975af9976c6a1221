"""Files of a run are whole or not there."""

import os
from pathlib import Path

import pytest

from evalharness.errors import DataError
from evalharness.results import find_runs, read_run, write_results, write_run
from tests.report.runs import metric, run, task

RECORD, RESULTS = run("m", {"task": task({"acc": metric(0.5, (0.4, 0.6))})})


def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_run(tmp_path, RECORD)
    write_results(tmp_path, RESULTS)
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
