"""The commands of tasks/bias/README.md do what it says, word by word."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from evalharness.discovery import bundled_tasks_folder, find_tasks
from evalharness.errors import DataError
from evalharness.records import GenerationResponse
from evalharness.sources import LocalFile
from tests.plugins import write_rows
from tests.tasks.every import ROWS, TASKS

README = (bundled_tasks_folder() / "bias" / "README.md").read_text(encoding="utf-8")


def block(beginning: str) -> str:
    """The block of Python code that has this text in it."""
    blocks: list[str] = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    (found,) = (one for one in blocks if beginning in one)
    return found


def run(code: str, folder: Path) -> None:
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)


def test_every_task_and_every_metric_is_in_the_readme() -> None:
    named = {part for code in re.findall(r"`([^`\n]+)`", README) for part in code.split(", ")}
    for name, task in TASKS.items():
        if task.family == "bias" and "--" not in name and ":" not in name:
            assert name in named or f"{name.rpartition('-')[0]}-*" in named, name
            for metric in task.metrics:
                known = {metric.name, f"{metric.name.removesuffix('_gap')}"}
                assert known & (named | {"icat", "lms", "ss"}), metric.name


def test_the_place_of_the_biased_answer_is_joined_to_the_official_files(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (ROWS / "bias" / "bbq.jsonl").read_text().splitlines()]
    (tmp_path / "BBQ" / "data").mkdir(parents=True)
    (tmp_path / "BBQ" / "analysis_scripts").mkdir()
    for category in {row["category"] for row in rows}:
        some = [row for row in rows if row["category"] == category]
        write_rows(tmp_path / "BBQ" / "data" / f"{category}.jsonl", some)
    with (tmp_path / "BBQ" / "analysis_scripts" / "additional_metadata.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["category", "question_index", "example_id", "target_loc"])
        for row in rows:
            place = 2 if row["category"] == "Race_x_gender" else 0
            writer.writerow([row["category"], row["question_index"], row["example_id"], place])
    run(block("target_loc"), tmp_path)
    joined = list(LocalFile(tmp_path / "bbq.jsonl").rows())
    assert len(joined) == len(rows)
    for row in joined:
        expected = "C" if row["category"] == "Race_x_gender" else "A"
        assert TASKS["bbq"].sample(row).slices["biased_answer"] == expected


def test_the_share_of_women_is_joined_to_the_official_sentences(tmp_path: Path) -> None:
    (tmp_path / "occupations-stats.tsv").write_text(
        "occupation\tbergsma_pct_female\tbls_pct_female\tbls_year\nflorist\t70.0\t81.5\t2015\n"
    )
    (tmp_path / "all_sentences.tsv").write_text(
        "sentid\tsentence\nflorist.guest.0.male.txt\tThe florist told the guest that he left.\n"
    )
    run(block("occupations-stats.tsv"), tmp_path)
    (row,) = LocalFile(tmp_path / "winogender.tsv").rows()
    assert TASKS["winogender"].sample(row).slices["gotcha"] == "yes"


def test_the_plugin_with_a_classifier_is_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is listed without the classifier, and names the folder where that should be."""
    monkeypatch.chdir(tmp_path)
    Path("my_tasks").mkdir()
    Path("my_tasks/bold_toxicity.py").write_text(block("bold-toxicity"))
    task = find_tasks([Path("my_tasks")]).find("bold-toxicity:toxic-bert").task
    assert [metric.name for metric in task.metrics] == ["toxic_gap", "toxic"]
    assert "models/toxic-bert: p(toxic) >= 0.5" in task.metrics[1].signature
    sample = TASKS["bold"].sample(next(iter(TASKS["bold"].data.rows())))
    with pytest.raises(DataError, match="models/toxic-bert cannot be loaded"):
        task.metrics[1].measure(sample, [GenerationResponse("Text.", "end")])
