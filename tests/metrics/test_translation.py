"""BLEU, chrF and TER against sacrebleu and published scores; output languages; copies."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF, TER

from evalharness.errors import DataError, UsageError
from evalharness.metrics import translation
from evalharness.metrics.output_language import COPIED, identify_language, wrong_language
from evalharness.metrics.translation import (
    bleu,
    bleu_tokenizer,
    chrf,
    spbleu,
    ter,
    translation_metrics,
)
from evalharness.records import Metric
from tests.metrics.answers import corpus, written

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
    "ko": (
        ["개가 집으로 돌아갑니다.", "오늘은 춥습니다."],
        ["개가 집에 돌아갑니다.", "오늘은 매우 춥습니다."],
    ),
    "zh": (["狗回家了。", "今天很冷。"], ["狗跑回家了。", "今天非常冷。"]),
    "short": (["a", "b c"], ["a", "b d"]),
    "nothing right": (["a b c d e"], ["f g h i j"]),
    "empty": (["", ""], ["a b", "c"]),
}
CASES = pytest.mark.parametrize("language", TEXTS)


def score(metric: Metric, language: str) -> float:
    outputs, references = TEXTS[language]
    return corpus(metric, [written(*pair) for pair in zip(outputs, references, strict=True)])


def signature(metric: Metric, *references: str) -> str:
    """That of one segment with these references."""
    assert metric.signature_of is not None
    return metric.signature_of([written("", *references)[0]])


@CASES
def test_bleu_equals_sacrebleu_with_the_tokenizer_of_the_language(language: str) -> None:
    target = language if len(language) == 2 else "en"
    theirs = BLEU(trg_lang=target)
    outputs, references = TEXTS[language]
    expected = theirs.corpus_score(outputs, [references]).score
    assert score(bleu(target), language) == pytest.approx(expected, abs=1e-9)
    assert signature(bleu(target), "one") == str(theirs.get_signature())


@CASES
@pytest.mark.parametrize("word_order", [0, 2])
def test_chrf_equals_sacrebleu(language: str, word_order: int) -> None:
    theirs = CHRF(word_order=word_order)
    outputs, references = TEXTS[language]
    expected = theirs.corpus_score(outputs, [references]).score
    assert score(chrf(word_order), language) == pytest.approx(expected, abs=1e-9)
    assert signature(chrf(word_order), "one") == str(theirs.get_signature())


@CASES
def test_ter_equals_sacrebleu(language: str) -> None:
    theirs = TER()
    outputs, references = TEXTS[language]
    expected = theirs.corpus_score(outputs, [references]).score
    assert score(ter(), language) == pytest.approx(expected, abs=1e-9)
    assert signature(ter(), "one") == str(theirs.get_signature())


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
    for ours, theirs in ((bleu("en"), BLEU()), (chrf(2), CHRF(word_order=2)), (ter(), TER())):
        expected = theirs.corpus_score(outputs, [first, second]).score
        assert corpus(ours, answered) == pytest.approx(expected, abs=1e-9)
        assert signature(ours, "one", "two") == str(theirs.get_signature())


def test_segments_with_different_numbers_of_references_equal_sacrebleu() -> None:
    """Sacrebleu takes None for a reference that a segment has not, and signs nrefs:var."""
    outputs = ["The dog ran home.", "It is cold today."]
    references = [["The dog ran home fast.", "Today it is cold."], [None, "It is chilly today."]]
    answered = [
        written(outputs[0], "The dog ran home fast."),
        written(outputs[1], "Today it is cold.", "It is chilly today."),
    ]
    for ours, theirs in ((bleu("en"), BLEU()), (chrf(), CHRF()), (ter(), TER())):
        expected = theirs.corpus_score(outputs, references).score
        assert corpus(ours, answered) == pytest.approx(expected, abs=1e-9)
        assert ours.signature_of is not None
        found = ours.signature_of([sample for sample, _ in answered])
        assert found == str(theirs.get_signature())
        assert found.startswith("nrefs:var|")


def test_scores_equal_those_of_the_sacrebleu_command(tmp_path: Path) -> None:
    outputs, references = TEXTS["de"]
    for name, lines in (("out", outputs), ("ref", references)):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
    command = [sys.executable, "-m", "sacrebleu", "ref", "-i", "out", "-w", "10", "-b", "-m"]
    for metric, arguments in (
        (bleu("de"), ["bleu"]),
        (chrf(2), ["chrf", "--chrf-word-order", "2"]),
        (ter(), ["ter"]),
    ):
        done = subprocess.run(
            [*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert score(metric, "de") == pytest.approx(float(done.stdout), abs=1e-9)


@pytest.mark.parametrize("language", ["de", "fr", "short", "nothing right", "empty"])
def test_scores_equal_those_of_lm_evaluation_harness(language: str) -> None:
    """Its api/metrics.py (0.4.13) gives texts and references to these functions, as they are."""
    outputs, references = TEXTS[language]
    for ours, theirs in (
        (bleu("de"), sacrebleu.corpus_bleu),
        (chrf(), sacrebleu.corpus_chrf),
        (ter(), sacrebleu.corpus_ter),
    ):
        expected = theirs(list(outputs), [list(references)]).score
        assert score(ours, language) == pytest.approx(expected, abs=1e-9)


def test_bleu_of_japanese_differs_from_lm_evaluation_harness_which_takes_13a_for_all() -> None:
    outputs, references = TEXTS["ja"]
    theirs = sacrebleu.corpus_bleu(list(outputs), [list(references)])
    assert theirs.score == 0.0
    assert score(bleu("ja"), "ja") > 20


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


# --- tokenizers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "tokenizer"),
    [
        ("de", "13a"),
        ("eng_Latn", "13a"),
        ("arb_Arab", "13a"),
        ("zh", "zh"),
        ("cmn_Hans", "zh"),
        ("zh_TW", "zh"),
        ("yue_Hant", "zh"),
        ("jpn_Jpan", "ja-mecab"),
        ("kor_Hang", "ko-mecab"),
        ("tha_Thai", "char"),
        ("khm_Khmr", "char"),
        ("mya_Mymr", "char"),
    ],
)
def test_the_tokenizer_follows_the_target_language(target: str, tokenizer: str) -> None:
    assert bleu_tokenizer(target) == tokenizer


def test_a_tokenizer_that_is_not_installed_is_asked_for_and_not_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """13a in its place would give a score that looks like BLEU of Korean."""
    monkeypatch.setattr(translation, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r'ko-mecab: pip install "sacrebleu\[ko\]"'):
        bleu("ko")
    assert "tok:13a" in signature(bleu("de"), "one")


def test_another_dictionary_than_the_signature_names_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needed = {"ja-mecab": (("MeCab",), "sacrebleu[ja]", "-0.0-OTHER")}
    monkeypatch.setattr(translation, "_NEEDED", needed)
    with pytest.raises(DataError, match=r"ja-mecab-0\.996-IPA here instead of ja-mecab-0\.0-OTHER"):
        score(bleu("ja"), "ja")


def test_spbleu_without_its_model_is_undefined_and_says_where_it_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sacrebleu.utils.SACREBLEU_DIR", str(tmp_path))
    metric = spbleu()
    assert str(score(metric, "de")) == "nan"
    assert metric.signature.startswith(f"not measured: there is no {tmp_path}")
    real = importlib.util.find_spec
    monkeypatch.setattr(
        translation, "find_spec", lambda name: None if name == "sentencepiece" else real(name)
    )
    assert spbleu().signature == "not measured: pip install sentencepiece"


def test_spbleu_uses_the_model_that_was_put_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tiny model stands for the real one: what is checked is that its pieces are the tokens."""
    import sentencepiece

    sentences = tmp_path / "sentences"
    sentences.write_text("\n".join(text for pair in TEXTS.values() for one in pair for text in one))
    for module in ("sacrebleu.utils", "sacrebleu.tokenizers.tokenizer_spm"):
        monkeypatch.setattr(f"{module}.SACREBLEU_DIR", str(tmp_path))
    (tmp_path / "models").mkdir()
    prefix = tmp_path / "small"
    sentencepiece.SentencePieceTrainer.train(
        input=str(sentences), model_prefix=str(prefix), vocab_size=90, minloglevel=2
    )
    prefix.with_suffix(".model").rename(tmp_path / "models" / "flores200sacrebleuspm")
    translation._bleu_scorer.cache_clear()
    theirs = BLEU(tokenize="flores200")
    outputs, references = TEXTS["de"]
    expected = theirs.corpus_score(outputs, [references]).score
    assert score(spbleu(), "de") == pytest.approx(expected, abs=1e-9)
    assert signature(spbleu(), "one") == str(theirs.get_signature())
    translation._bleu_scorer.cache_clear()


# --- the language of outputs, and copies --------------------------------------------------


def test_languages_are_identified_and_texts_without_letters_have_none() -> None:
    assert identify_language("Der Hund läuft am Abend nach Hause.") == "de"
    assert identify_language("Pes večer běží domů, protože má hlad.") == "cs"
    assert identify_language("今日はとても寒いです。") == "ja"
    assert identify_language("3,50 €") == ""
    assert identify_language("") == ""


def identify(text: str) -> str:
    """A stand-in: texts begin with their language."""
    return text.partition(":")[0]


def test_the_share_in_the_wrong_language_counts_what_can_be_told() -> None:
    """Segments whose reference is not recognised say nothing; an empty output is in no language."""
    metric = wrong_language("de", identify)
    answered = [
        written("de: gut", "de: gut"),
        written("en: good", "de: gut"),
        written("en: OK", "en: OK"),
        written("", "de: gut"),
        written("en: good", "fr: bon", "de: gut"),
    ]
    assert corpus(metric, answered) == pytest.approx(2 / 4)
    assert str(corpus(metric, answered[2:3])) == "nan"
    assert corpus(metric, answered[3:4]) == 0.0
    assert not metric.higher_is_better


def test_varieties_of_one_language_are_not_wrong() -> None:
    assert corpus(wrong_language("arb_Arab", identify), [written("ar: ...", "ar: ...")]) == 0.0
    assert "not in zh" in wrong_language("yue_Hant", identify).signature


def test_the_share_copied_leaves_out_what_translates_to_itself() -> None:
    answered = [
        written("Hello  WORLD", "Hallo Welt", source="Hello world"),
        written("Hallo", "Hallo", source="Hello"),
        written("Django", "Django", source="Django"),
        written("", "", source=""),
    ]
    assert corpus(COPIED, answered) == pytest.approx(1 / 2)
    assert str(corpus(COPIED, answered[2:])) == "nan"


@given(st.text(min_size=1), st.text())
def test_a_reference_as_output_is_never_a_copy(source: str, reference: str) -> None:
    statistics = COPIED.measure(*written(reference, reference, source=source))
    assert statistics[0] == 0.0


def test_the_metrics_of_a_direction_begin_with_the_primary_one() -> None:
    names = [metric.name for metric in translation_metrics("de")]
    assert names == ["chrf++", "bleu", "chrf", "ter", "wrong_language", "copied"]
