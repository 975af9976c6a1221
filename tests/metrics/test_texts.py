"""ROUGE, BLEU, chrF, TER and placeholders against the tools that define them."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF, TER

from evalharness.metrics.rouge import PLAIN, ROUGE_1, ROUGE_2, ROUGE_L, ROUGE_LSUM, STEMMED, rouge
from evalharness.metrics.translation import (
    PLACEHOLDERS_KEPT,
    bleu,
    chrf,
    placeholders,
    ter,
)
from evalharness.records import Metric
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


# --- translation --------------------------------------------------------------------------

TEXTS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "de": (
        ["Der Hund läuft nach Hause.", "Es kostet 3,50 Euro!", "Guten Tag"],
        ["Der Hund rennt nach Hause.", "Das kostet 3,50 Euro.", "Guten Tag zusammen"],
    ),
    "fr": (["Le chien rentre à la maison.", ""], ["Le chien rentre chez lui.", "Bonjour"]),
    "ja": (
        ["犬は家に帰ります。", "今日は寒いです。"],
        ["犬が家に帰ります。", "今日はとても寒いです。"],
    ),
    "zh": (["狗回家了。", "今天很冷。"], ["狗跑回家了。", "今天非常冷。"]),
    "short": (["a", "b c"], ["a", "b d"]),
    "nothing right": (["a b c d e"], ["f g h i j"]),
    "empty": (["", ""], ["a b", "c"]),
}
CASES = pytest.mark.parametrize("language", TEXTS)


def pairs(language: str) -> list[tuple[Sequence[str], Sequence[str]]]:
    return [TEXTS[language]]


def score(metric: Metric, language: str) -> float:
    outputs, references = TEXTS[language]
    return corpus(metric, [written(*pair) for pair in zip(outputs, references, strict=True)])


@CASES
def test_bleu_equals_sacrebleu(language: str) -> None:
    target = language if len(language) == 2 else "en"
    theirs = BLEU(trg_lang=target)
    outputs, references = TEXTS[language]
    expected = theirs.corpus_score(outputs, [references]).score
    assert score(bleu(target), language) == pytest.approx(expected, abs=1e-9)
    assert bleu(target).signature == str(theirs.get_signature())


@CASES
@pytest.mark.parametrize("word_order", [0, 2])
def test_chrf_equals_sacrebleu(language: str, word_order: int) -> None:
    theirs = CHRF(word_order=word_order)
    outputs, references = TEXTS[language]
    expected = theirs.corpus_score(outputs, [references]).score
    assert score(chrf(word_order), language) == pytest.approx(expected, abs=1e-9)
    assert chrf(word_order).signature == str(theirs.get_signature())


@CASES
def test_ter_equals_sacrebleu(language: str) -> None:
    theirs = TER()
    outputs, references = TEXTS[language]
    expected = theirs.corpus_score(outputs, [references]).score
    assert score(ter(), language) == pytest.approx(expected, abs=1e-9)
    assert ter().signature == str(theirs.get_signature())


def test_ter_of_words_where_nothing_was_expected_is_100_and_of_nothing_0() -> None:
    assert corpus(ter(), [written("a b", "")]) == 100.0
    assert corpus(ter(), [written("", "")]) == 0.0


WORDS = st.lists(
    st.sampled_from(["the", "dog", "ran", "home", "and", "slept", "."]), max_size=9
).map(" ".join)


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=6))
def test_two_references_equal_sacrebleu(rows: list[tuple[str, str, str]]) -> None:
    outputs, first, second = (list(column) for column in zip(*rows, strict=True))
    answered = [written(*row) for row in rows]
    for ours, theirs in (
        (bleu("en", 2), BLEU()),
        (chrf(2, 2), CHRF(word_order=2)),
        (ter(2), TER()),
    ):
        expected = theirs.corpus_score(outputs, [first, second]).score
        assert corpus(ours, answered) == pytest.approx(expected, abs=1e-9)
        assert ours.signature == str(theirs.get_signature())


@pytest.mark.oracle
def test_bleu_and_chrf_equal_the_published_wmt22_scores(oracles: Path) -> None:
    folder = oracles / "wmt22"
    references = {
        name: (folder / f"generaltest2022.en-de.ref.{name}.de").read_text().splitlines()
        for name in "AB"
    }
    rows = [line.split("\t") for line in (folder / "expected.tsv").read_text().splitlines()[1:]]
    checked = 0
    for _, system, _, _, name, value in rows:
        kind, which = name.split("-")
        if kind not in {"bleu", "chrf"}:
            continue
        path = folder / f"generaltest2022.en-de.hyp.{system}.de"
        # chrF with both references was computed with B first.
        order = {"A": "A", "B": "B", "all": "BA"}[which]
        metric = bleu("de") if kind == "bleu" else chrf()
        outputs = path.read_text().splitlines()
        columns = [references[letter] for letter in order]
        answered = [written(*row) for row in zip(outputs, *columns, strict=True)]
        assert corpus(metric, answered) == pytest.approx(float(value), abs=1e-6), name
        checked += 1
    assert checked == 24


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
