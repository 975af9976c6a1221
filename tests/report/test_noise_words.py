"""The noise floor of a run in its report."""

import html
from pathlib import Path

from evalharness.report.layouts import write_single
from evalharness.results import Jitter, NoiseFloor
from evalharness.run_folder import read_run, write_results
from tests.report import folders
from tests.report.folders import MadeModel


def floor(way: str, changed: int, half_width: float | None, metric: str) -> NoiseFloor:
    return NoiseFloor(
        way=way,
        samples=10,
        changed=changed,
        texts=changed,
        largest=None,
        metrics={metric: Jitter(difference=0.01, half_width=half_width)},
    )


def test_a_report_says_beside_the_interval_and_in_a_table_how_far_a_score_moves(
    tmp_path: Path,
) -> None:
    """A way in which nothing moved has a row of the table, and no note beside the score."""
    runs = folders.write_runs(
        tmp_path / "runs", models=[MadeModel("one", 0.6), MadeModel("two", 0.5)], samples=20
    )
    record, results = read_run(runs[0])
    task = next(iter(results.tasks))
    metric = next(iter(results.tasks[task].metrics))
    noise = (floor("other batches", 0, 0.0, metric), floor("bfloat16", 5, 0.0191, metric))
    measured = results.tasks[task].model_copy(update={"noise": noise})
    tasks = {**results.tasks, task: measured}
    write_results(runs[0], results.model_copy(update={"tasks": tasks}))
    page = tmp_path / "report.html"
    write_single(page, folders.evidence(runs), title="Noise", theme=None, any_size=False)
    text = html.unescape(page.read_text(encoding="utf-8"))
    assert text.count("Noise floor: what moves though the model is the same") == 1
    assert "may move by ±.019 in bfloat16" in text
    assert "in other batches" in text
    assert "0 of 10" in text
    assert "5 of 10" in text
    assert "±.000" not in text
    assert record.model.name == "one"
