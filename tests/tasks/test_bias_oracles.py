"""Scores of bias probes on other people's answers, from the command line, equal published ones."""

import csv
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.plugins import write_rows

pytestmark = pytest.mark.oracle

Result = Mapping[str, Any]


def replayed(
    folder: Path, task: str, data: Path, answers: Iterable[Mapping[str, object]]
) -> Result:
    """What `run --format json` prints of a task whose answers are replayed."""
    write_rows(folder / "answers.jsonl", [dict(answer) for answer in answers])
    done = subprocess.run(
        [sys.executable, "-m", "evalharness", "run", "-m", "outputs:answers.jsonl", "-t", task,
         "--data", f"{task}={data}", "--format", "json"],
        cwd=folder,
        env={**os.environ, "EVALHARNESS_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result: Result = json.loads(done.stdout)[0]["tasks"][task]
    return result


def values(result: Result) -> dict[str, float]:
    return {name: metric["value"] for name, metric in result["metrics"].items()}


@pytest.mark.parametrize("system", ["gpt2_ModelNSP_GPT2LM", "bert-base-cased_BertNextSentence"])
def test_stereoset_scores_are_those_of_the_official_evaluation(
    oracles: Path, tmp_path: Path, system: str
) -> None:
    """LMS, SS and ICAT per split and domain, on the clusters as dev.json has them."""
    folder = oracles / "stereoset"
    official = json.loads((folder / "expected.json").read_text())
    expected = next(scores for name, scores in official.items() if system in name)
    with next(folder.glob(f"{system}*.tsv")).open() as file:
        scores = {name: float(value) for name, value in csv.reader(file, delimiter="\t")}
    clusters = [json.loads(line) for line in (folder / "gold_dev.jsonl").read_text().splitlines()]
    for cluster in clusters:
        for sentence in cluster["sentences"]:
            sentence["sentence"] = sentence.pop("text")
    write_rows(tmp_path / "dev.jsonl", clusters)
    answers = []
    for cluster in clusters:
        of = {one["gold_label"]: scores[one["id"]] for one in cluster["sentences"]}
        ordered = [of[label] for label in ("stereotype", "anti-stereotype", "unrelated")]
        logs = [math.log(score) if score > 0 else -1e9 for score in ordered]
        answers.append({"id": cluster["id"], "log_probabilities": logs, "tokens": [1, 1, 1]})
    found = replayed(tmp_path, "stereoset", tmp_path / "dev.jsonl", answers)
    parts = {("overall", "overall"): found}
    for split in ("intrasentence", "intersentence"):
        slice_name = "intersentence_ll" if split == "intersentence" else split
        parts[split, "overall"] = found["slices"]["split"][slice_name]
        for domain in ("gender", "profession", "race", "religion"):
            part = found["slices"]["split_domain"][f"{slice_name}/{domain}"]
            parts[split, domain] = part
    assert len(parts) == 11
    for (split, domain), part in parts.items():
        wanted = expected[split] if split == "overall" else expected[split][domain]
        got = values(part)
        assert got["lms"] == pytest.approx(wanted["LM Score"], abs=1e-9), (split, domain)
        assert got["ss"] == pytest.approx(wanted["SS Score"], abs=1e-9), (split, domain)
        assert got["icat"] == pytest.approx(wanted["ICAT Score"], abs=1e-9), (split, domain)


def test_crows_pairs_scores_of_bert_are_those_of_metric_py(oracles: Path, tmp_path: Path) -> None:
    """On the official file as it is published, by direction and by bias type."""
    folder = oracles / "crows_pairs"
    expected = json.loads((folder / "expected.json").read_text())["bert"]
    with (folder / "scores_bert.csv").open() as file:
        answers = [
            {
                "id": row["idx"],
                "log_probabilities": [float(row["sent_more_score"]), float(row["sent_less_score"])],
            }
            for row in csv.DictReader(file)
        ]
    data = folder / "crows_pairs_anonymized.csv"
    found = replayed(tmp_path, "crows-pairs-masked", data, answers)
    got = values(found)
    assert found["n"] == expected["n"]
    assert round(got["metric_score"], 2) == expected["metric_score"]
    assert round(got["stereotype_score"], 2) == expected["stereotype_score"]
    assert round(got["anti_stereotype_score"], 2) == expected["anti_stereotype_score"]
    assert got["ties"] == expected["neutral"]
    by_type = {
        name: round(values(part)["metric_score"], 2)
        for name, part in found["slices"]["bias_type"].items()
    }
    assert by_type == expected["per_category_metric_score_computed_here"]


def bbq_rows(items: Iterable[Mapping[str, Any]]) -> list[dict[str, object]]:
    """The items of the oracle in the form of the official files."""
    return [
        {
            **{name: item[name] for name in ("category", "example_id", "question_index")},
            **{name: item[name] for name in ("context", "question", "label")},
            "question_polarity": item["polarity"],
            "context_condition": item["condition"],
            "answer_info": {
                f"ans{index}": [text, group]
                for index, (text, group) in enumerate(
                    zip(item["choices"], item["answer_info"], strict=True)
                )
            },
            "additional_metadata": {"stereotyped_groups": item["stereotyped_groups"]},
            **{f"ans{index}": text for index, text in enumerate(item["choices"])},
        }
        for item in items
    ]


def bbq_answer(task: str, item: Mapping[str, Any], system: str) -> dict[str, object]:
    """What UnifiedQA wrote; for likelihoods, its option is the likeliest of the twelve."""
    name = f"{item['category']}/{item['example_id']}"
    if task == "bbq-generate":
        return {"id": name, "text": item[f"pred_{system}_text"]}
    chosen = item[f"pred_{system}"]
    return {"id": name, "log_probabilities": [-float(i != chosen) for i in range(12)]}


@pytest.mark.parametrize("system", ["arc", "race"])
@pytest.mark.parametrize("task", ["bbq", "bbq-generate"])
def test_bbq_scores_of_unifiedqa_are_those_of_the_paper(
    oracles: Path, tmp_path: Path, task: str, system: str
) -> None:
    """Accuracy and bias score of Religion in both conditions; the biased option is found anew."""
    folder = oracles / "bbq"
    expected = json.loads((folder / "expected.json").read_text())["Religion"][system]
    lines = (folder / "unifiedqa_Religion.jsonl").read_text().splitlines()
    items = [json.loads(line) for line in lines]
    write_rows(tmp_path / "Religion.jsonl", bbq_rows(items))
    answers = [bbq_answer(task, item, system) for item in items]
    found = replayed(tmp_path, task, tmp_path / "Religion.jsonl", answers)
    positions = {name: part["n"] for name, part in found["slices"]["biased_answer"].items()}
    letters = [item["biased_idx"] for item in items]
    assert positions == {letter: letters.count(i) for i, letter in enumerate("ABC")}
    got = values(found)
    for condition, name in (("ambig", "ambiguous"), ("disambig", "disambiguated")):
        wanted = expected[condition]
        assert got[f"acc_{name}"] == pytest.approx(wanted["accuracy"], abs=1e-12)
        assert got[f"bias_{name}"] == pytest.approx(wanted["bias_score_pct"], abs=1e-9)
        assert round(got[f"bias_{name}"], 1) == wanted["paper_fig3_pct"]
        named = wanted["n_non_unknown"] / wanted["n"]
        assert got[f"named_{name}"] == pytest.approx(named, abs=1e-12)
    assert got["excluded_from_bias"] == 0
