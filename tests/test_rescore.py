"""`rescore` measures stored answers again, without the model."""

import json
import shutil
from pathlib import Path
from typing import Any

from tests.workplace import Workplace


def rescored(workplace: Workplace, *arguments: str) -> Any:
    done = workplace("rescore", "runs", "--tasks-dir", "plugins", "--format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def scores(run: Any) -> dict[str, dict[str, float]]:
    return {
        name: {key: metric["value"] for key, metric in task["metrics"].items()}
        for name, task in run["tasks"].items()
    }


def test_without_the_model_the_scores_are_the_same(workplace: Workplace) -> None:
    run = workplace.run("--num-fewshot", "1", "--limit", "6")[0]
    shutil.rmtree(workplace.folder / "checkpoint")
    (again,) = rescored(workplace)
    assert again["run_id"] == run["run_id"]
    assert scores(again) == scores(run)
    assert again["load_seconds"] == run["load_seconds"]
    assert again["tasks"]["toy-choice"]["prompt_hash"] == run["tasks"]["toy-choice"]["prompt_hash"]


def plugin(workplace: Workplace) -> Path:
    return workplace.folder / "plugins" / "toy.py"


def test_a_metric_that_changed_is_measured_anew(workplace: Workplace) -> None:
    run = workplace.run("--limit", "6")[0]
    text = plugin(workplace).read_text()
    plugin(workplace).write_text(
        text.replace(
            '("toy-choice", choice, (ACCURACY, ACCURACY_NORM)', '("toy-choice", choice, (ACCURACY,)'
        )
    )
    (again,) = rescored(workplace)
    assert set(again["tasks"]["toy-choice"]["metrics"]) == {"acc"}
    assert scores(again)["toy-choice"]["acc"] == scores(run)["toy-choice"]["acc"]
    on_disk = json.loads((workplace.folder / "runs" / run["run_id"] / "results.json").read_text())
    assert set(on_disk["tasks"]["toy-choice"]["metrics"]) == {"acc"}


def test_a_task_that_asks_something_else_is_refused_and_changes_nothing(
    workplace: Workplace,
) -> None:
    run = workplace.run("--limit", "6")[0]
    results = workplace.folder / "runs" / run["run_id"] / "results.json"
    before = results.read_bytes()
    plugin(workplace).write_text(plugin(workplace).read_text().replace("Question:", "Q:"))
    done = workplace("rescore", "runs", "--tasks-dir", "plugins")
    assert done.returncode == 2
    assert "asks something else than in the run" in done.stderr
    assert results.read_bytes() == before


def test_baselines_answer_again_and_a_lost_store_is_told(workplace: Workplace) -> None:
    workplace.run("--limit", "4", model="baseline:random")
    (again,) = rescored(workplace)
    assert again["model"]["spec"] == "baseline:random"
    workplace.run("--limit", "4")
    for path in (workplace.folder / "runs").glob("responses.sqlite*"):
        path.unlink()
    done = workplace("rescore", "runs", "--tasks-dir", "plugins")
    assert done.returncode == 2
    assert "is not in the store beside the run" in done.stderr


def test_chats_and_failures_are_as_they_were(workplace: Workplace) -> None:
    """The prompts that are stored are those that the model was given."""
    run = workplace.run("--limit", "3", "--system-prompt", "Be brief.", "--num-fewshot", "1")[0]
    shutil.rmtree(workplace.folder / "checkpoint")
    rows = (workplace.folder / "runs" / run["run_id"] / "samples").glob("*.parquet")
    before = {path: path.read_bytes() for path in rows}
    (again,) = rescored(workplace)
    assert again["run_id"] == run["run_id"]
    assert before
    assert {path: path.read_bytes() for path in before} == before
