"""`run --store-logprobs` as a user meets it."""

import json
import shutil
import signal
import sqlite3
import subprocess
import time
from typing import Any

import pyarrow.parquet
import pytest

from tests.plugins import write_plugin
from tests.workplace import Workplace

OPTION = "--store-logprobs"


def rows(workplace: Workplace, run: Any, task: str) -> list[dict[str, Any]]:
    path = workplace.folder / "runs" / run["run_id"] / "samples" / f"{task}.parquet"
    found: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    return found


def token_scores(workplace: Workplace) -> int:
    """How many texts are stored with their tokens."""
    path = workplace.folder / "runs" / "responses.sqlite"
    if not path.exists():
        return 0
    with sqlite3.connect(path, timeout=30) as connection:
        if not connection.execute("SELECT name FROM sqlite_master").fetchall():
            return 0
        query = "SELECT count(*) FROM responses WHERE kind = 'TokenScores'"
        return int(connection.execute(query).fetchone()[0])


@pytest.mark.parametrize("model", ["builtin:checkpoint", "hf:checkpoint"])
def test_the_tokens_of_options_add_up_and_those_of_texts_spell_them(
    workplace: Workplace, model: str
) -> None:
    (run,) = workplace.run(OPTION, "--num-fewshot", "2", "--limit", "8", model=model)
    for row in rows(workplace, run, "toy-choice"):
        for response, tokens in zip(row["responses"], json.loads(row["tokens"]), strict=True):
            total = sum(token["log_probability"] for token in tokens)
            assert total == pytest.approx(float(response), abs=1e-4)
            assert all(len(token["alternatives"]) == 5 for token in tokens)
        assert row["min_k"] < 0
    for row in rows(workplace, run, "toy-answer"):
        (tokens,) = json.loads(row["tokens"])
        # A random model writes bytes that are no text; what was written is scored as it reads.
        assert "".join(token["text"] for token in tokens) == row["responses"][0]
    parts = run["tasks"]["toy-choice"]["slices"]["min_k"]
    assert sum(part["n"] for part in parts.values()) == 8
    assert 0 < parts["most familiar quarter"]["n"] <= 2


def test_a_dry_run_says_it_and_a_baseline_that_it_has_none(workplace: Workplace) -> None:
    arguments = ("run", "-m", "builtin:checkpoint", "-m", "baseline:random", "-t", "toy-choice",
                 "--tasks-dir", "plugins", "--limit", "2", OPTION)  # fmt: skip
    plan = workplace(*arguments, "--dry-run")
    assert plan.stdout.count("token log-probabilities are stored") == 1
    as_json = json.loads(workplace(*arguments, "--dry-run", "--format", "json").stdout)
    assert [model["store_logprobs"] for model in as_json["models"]] == [True, False]
    done = workplace(*arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    none = "baseline:random: gives no log-probabilities of tokens to be stored"
    assert done.stderr.count(none) == plan.stderr.count(none) == 1
    runs = json.loads(done.stdout)
    assert [rows(workplace, run, "toy-choice")[0]["tokens"] for run in runs][1] == "null"


def test_a_suite_can_ask_for_them(workplace: Workplace) -> None:
    suite = workplace.folder / "suite.yaml"
    suite.write_text(
        "models: ['builtin:checkpoint']\ntasks: [toy-choice]\ntasks_dir: [plugins]\nlimit: 2\n"
        "store_logprobs: true\n"
    )
    done = workplace("run", "-c", "suite.yaml", "--format", "json")
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)
    assert json.loads(rows(workplace, run, "toy-choice")[0]["tokens"])
    record = json.loads((workplace.folder / "runs" / run["run_id"] / "run.json").read_text())
    assert record["configuration"]["store_logprobs"] is True
    suite.write_text(suite.read_text().replace("true", "'yes'"))
    done = workplace("run", "-c", "suite.yaml")
    assert done.returncode == 2
    assert "store_logprobs" in done.stderr


def test_a_run_killed_while_tokens_are_scored_goes_on_and_loses_nothing(
    workplace: Workplace,
) -> None:
    write_plugin(workplace.folder / "plugins", samples=300)
    process = subprocess.Popen(
        workplace.command("run", "-m", "builtin:checkpoint?pack_size=8&slots=8", "-t", "toy-*",
                          "--tasks-dir", "plugins", OPTION),
        cwd=workplace.folder, env=workplace.environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while process.poll() is None and not token_scores(workplace):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    kept = token_scores(workplace)
    (resumed,) = workplace.run(OPTION)
    assert 0 < kept < token_scores(workplace)
    assert all(task["cost"]["from_store"] for task in resumed["tasks"].values())
    (undisturbed,) = workplace.run(OPTION, "-o", "other")
    folders = [workplace.folder / name / resumed["run_id"] for name in ("runs", "other")]
    for name in ("toy-choice", "toy-answer"):
        one, other = (
            [
                [(token["text"], token["log_probability"]) for some in json.loads(row["tokens"])
                 for token in some]
                for row in pyarrow.parquet.read_table(folder / "samples" / f"{name}.parquet")
                .to_pylist()
            ]
            for folder in folders
        )  # fmt: skip
        assert [[text for text, _ in row] for row in one] == [
            [text for text, _ in row] for row in other
        ]
        for row, expected in zip(one, other, strict=True):
            assert [value for _, value in row] == pytest.approx(
                [value for _, value in expected], abs=1e-4
            )
    assert undisturbed["run_id"] == resumed["run_id"]


def test_rescore_keeps_the_tokens_without_the_model(workplace: Workplace) -> None:
    (run,) = workplace.run(OPTION, "--limit", "6")
    shutil.rmtree(workplace.folder / "checkpoint")
    samples = workplace.folder / "runs" / run["run_id"] / "samples"
    before = {path: path.read_bytes() for path in samples.glob("*.parquet")}
    done = workplace("rescore", "runs", "--tasks-dir", "plugins", "--format", "json")
    assert done.returncode == 0, done.stderr
    (again,) = json.loads(done.stdout)
    assert len(before) == 2
    assert {path: path.read_bytes() for path in before} == before
    parts = [one["tasks"]["toy-choice"]["slices"]["min_k"] for one in (run, again)]
    assert parts[0] == parts[1]
    assert "no log-probabilities" not in done.stderr
