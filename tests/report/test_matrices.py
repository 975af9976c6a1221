"""Tables of all pairs: of which models, and what they say where nothing was compared."""

from pathlib import Path

import pytest

from evalharness.compare.pairs import MOST_MODELS
from evalharness.report.evidence import Evidence, compare_pairs
from evalharness.report.matrices import Matrices, Matrix, build_matrices
from evalharness.results import ChatForm
from evalharness.run_folder import read_run, write_run
from tests.report import folders
from tests.report.folders import MadeModel
from tests.report.runs import evidence_of_runs, many


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return folders.evidence(folders.write_runs(tmp_path_factory.mktemp("runs")))


def matrices(evidence: Evidence) -> Matrices:
    return build_matrices(evidence, compare_pairs(evidence))


def matrix(found: Matrices, task: str) -> Matrix:
    (one,) = [one for one in found.tasks if one.task == task]
    return one


def test_both_halves_of_a_matrix_say_the_same_with_the_other_sign(evidence: Evidence) -> None:
    found = matrix(matrices(evidence), "capitals")
    opposite = {"better": "worse", "worse": "better", "same": "same"}
    for row, (_, cells) in enumerate(found.rows):
        assert cells[row].difference == ""
        for column, cell in enumerate(cells):
            if column == row:
                continue
            mirrored = found.rows[column][1][row]
            assert mirrored.kind == opposite[cell.kind]
            assert mirrored.p_value == cell.p_value
            assert mirrored.counts.split(" / ") == cell.counts.split(" / ")[::-1]
            assert mirrored.difference.strip("+−") == cell.difference.strip("+−")


def test_a_metric_with_an_ideal_differs_and_is_neither_better_nor_worse(
    evidence: Evidence,
) -> None:
    """Bias probes had no matrix; the higher share of stereotypes would have been the better."""
    found = matrix(matrices(evidence), "pairs")
    assert {cell.kind for _, cells in found.rows for cell in cells} == {"", "other", "same"}
    assert found.outcomes == "higher / equal / lower"
    assert matrix(matrices(evidence), "capitals").outcomes == "wins / ties / losses"


def test_of_many_models_the_first_of_the_leaderboard_are_compared_and_it_is_said(
    tmp_path: Path,
) -> None:
    models = [MadeModel(f"m{n}", 0.3 + n / 30, tasks=("capitals",)) for n in range(MOST_MODELS + 2)]
    runs = folders.evidence(folders.write_runs(tmp_path, models=models, samples=40))
    found = matrices(runs)
    assert matrix(found, "capitals").names == tuple(run.label for run in runs.runs[:MOST_MODELS])
    assert "the first 12 of 14 models of the leaderboard" in found.chosen


def test_all_models_are_compared_without_a_word_where_they_are_few(evidence: Evidence) -> None:
    assert matrices(evidence).chosen == ""


def test_pairs_that_were_asked_otherwise_are_not_compared_and_it_is_said(tmp_path: Path) -> None:
    """A chat and plain text stood beside each other as if they had been asked the same."""
    models = [MadeModel(name, 0.5, tasks=("capitals",)) for name in ("a", "b", "c")]
    runs = folders.write_runs(tmp_path, models=models)
    record, _ = read_run(runs[1])
    chat = ChatForm(system_prompt="", fewshot_as=None)
    asked = {"capitals": record.tasks["capitals"].model_copy(update={"chat": chat})}
    write_run(runs[1], record.model_copy(update={"tasks": asked}))
    found = matrix(matrices(folders.evidence(runs)), "capitals")
    cells = {
        (row, column): cell.difference
        for row, line in found.rows
        for column, cell in zip(found.names, line, strict=True)
    }
    assert cells["a", "c"] != "not compared"
    assert cells["a", "b"] == cells["b", "a"] == cells["b", "c"] == "not compared"


def test_runs_without_samples_have_no_matrices() -> None:
    assert matrices(evidence_of_runs(many(3, 4))).tasks == ()
