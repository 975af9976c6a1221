"""ROUGE, BLEU, chrF, TER and placeholders against the tools that define them."""

import json
from pathlib import Path

import pytest

from evalharness.metrics.placeholders import PLACEHOLDERS_KEPT, placeholders
from evalharness.metrics.rouge import PLAIN, ROUGE_1, ROUGE_2, ROUGE_L, ROUGE_LSUM, STEMMED, rouge
from tests.metrics.answers import corpus, written

# --- ROUGE --------------------------------------------------------------------------------


def test_rouge_of_a_perfect_a_disjoint_and_an_empty_summary() -> None:
    for metric in (ROUGE_1, ROUGE_2, ROUGE_L, ROUGE_LSUM):
        assert metric.measure(*written("The dog ran home.", "The dog ran home.")) == (1.0,)
        assert metric.measure(*written("Cats sleep", "The dog ran home.")) == (0.0,)
        assert metric.measure(*written("", "The dog ran home.")) == (0.0,)


def test_rouge_lsum_takes_lines_as_sentences_and_rouge_l_ignores_them() -> None:
    """Two sentences in the other order cost rougeL half, and rougeLsum nothing."""
    one, other = "a b c d\ne f g h", "e f g h\na b c d"
    assert rouge("rougeL", one, [other])[2] == pytest.approx(0.5)
    assert rouge("rougeLsum", one, [other])[2] == pytest.approx(1.0)
    assert rouge("rougeLsum", "A b c d. E f g h.", ["E f g h. A b c d."])[2] == pytest.approx(1.0)


def test_rouge_takes_the_best_reference_for_each_type() -> None:
    assert rouge("rouge1", "a b", ["c d", "a b"])[2] == 1.0


def test_rouge_refuses_a_reference_without_latin_tokens() -> None:
    """Such a reference would score 0 whatever the summary says."""
    with pytest.raises(ValueError, match="keeps 0 of 7 letters"):
        ROUGE_1.measure(*written("犬は家に帰った", "犬は家に帰った"))


@pytest.mark.oracle
def test_rouge_equals_rouge_1_5_5(oracles: Path) -> None:
    folder = oracles / "rouge"
    targets = (folder / "target.txt").read_text().splitlines()
    predictions = (folder / "prediction.txt").read_text().splitlines()
    checked = 0
    for case in json.loads((folder / "expected.json").read_text())["cases"]:
        if "target_line" in case:
            target, prediction = (lines[case["target_line"]] for lines in (targets, predictions))
        elif "files" in case:
            target, prediction = ((folder / name).read_text() for name in case["files"])
        else:
            target, prediction = case["target"], case["prediction"]
        for kind in ("rouge1", "rouge2", "rougeL", "rougeLsum"):
            if kind in case:
                found = rouge(
                    kind, prediction, [target], tokenizer=STEMMED if case.get("stem") else PLAIN
                )
                assert found == pytest.approx(case[kind], abs=1e-5)
                checked += 1
    assert checked >= 10


# --- placeholders -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("%(count)d of %s", ["%(count)d", "%s"]),
        ("100%% of {name} and {0} and {}", ["%%", "{name}", "{0}", "{}"]),
        ("<a href='x'>%(name)s</a>", ["<a href='x'>", "%(name)s", "</a>"]),
        ("100% sure, 5 < 6 > 4", []),
        ("%.2f and %5d", ["%.2f", "%5d"]),
    ],
)
def test_placeholders_are_found(message: str, expected: list[str]) -> None:
    assert sorted(placeholders(message).elements()) == sorted(expected)


def test_the_share_kept_counts_only_messages_with_placeholders() -> None:
    answered = [
        written("Hallo %s", source="Hello %s"),
        written("Hallo", source="Hello"),
        written("%s und", source="%s and %s, %(name)s"),
    ]
    assert corpus(PLACEHOLDERS_KEPT, answered) == pytest.approx(2 / 4)
