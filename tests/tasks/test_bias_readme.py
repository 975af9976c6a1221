"""The commands of tasks/bias/README.md do what it says, word by word."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from evalharness.discovery import bundled_tasks_folder, find_tasks
from evalharness.errors import UsageError
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


def test_bold_is_judged_by_the_classifier_that_the_readme_names() -> None:
    """By all of its labels, as the README says."""
    assert "-t bold-classifier:toxic-bert" in README
    names = [metric.name for metric in TASKS["bold-classifier:toxic-bert"].metrics]
    assert names == ["fine_gap", "fine", "toxic_gap", "toxic"]
    masked = TASKS["bold-classifier-masked:regard"]
    assert masked.metrics[1].signature.endswith("names hidden")


@pytest.mark.parametrize(
    ("folder", "problem"),
    [
        (None, "Name the folder above it by the environment variable EVALHARNESS_CLASSIFIERS"),
        ("nowhere", r"there is no folder nowhere/toxic-bert\.$"),
        ("some", r"there is no folder some/toxic-bert\. Did you mean 'toxic_bert'\?"),
    ],
)
def test_a_classifier_that_is_not_there_is_said_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str | None, problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some" / "toxic_bert").mkdir(parents=True)
    monkeypatch.delenv("EVALHARNESS_CLASSIFIERS")
    if folder is not None:
        monkeypatch.setenv("EVALHARNESS_CLASSIFIERS", folder)
    with pytest.raises(UsageError, match=problem):
        find_tasks().find("bold-classifier:toxic-bert")
