"""Extractiveness against Newsroom's script and figures by hand; ROUGE; pairs of summaries."""

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from evalharness.errors import DataError
from evalharness.metrics.extractiveness import (
    COMPRESSION,
    COVERAGE,
    CUT_OFF,
    DENSITY,
    EMPTY,
    WORDS,
    fragments,
    novel_ngrams,
    repeated_ngrams,
    tokens,
)
from evalharness.metrics.factual_pairs import (
    PAIR_ACCURACY,
    PMI_ACCURACY,
    PMI_PER_TOKEN_ACCURACY,
)
from evalharness.metrics.rouge import ALL_ROUGE, KINDS, PLAIN, STEMMED, UNICODE, rouge, rouge_f1
from evalharness.records import GenerationResponse, LogLikelihoodResponse, Metric, Sample
from evalharness.samples import factual_pair
from tests.metrics.answers import corpus, scored, written
from tests.plugins import write_rows

# --- extractiveness -----------------------------------------------------------------------


def newsroom(summary: Sequence[str], article: Sequence[str]) -> list[int]:
    """Fragments by the procedure that Grusky et al. 2018 print (their figure 1), word by word."""
    found = []
    i = 0
    while i < len(summary):
        best = 0
        j = 0
        while j < len(article):
            if summary[i] == article[j]:
                length = 0
                while (
                    i + length < len(summary)
                    and j + length < len(article)
                    and summary[i + length] == article[j + length]
                ):
                    length += 1
                best = max(best, length)
                j += length
            else:
                j += 1
        if best:
            found.append(best)
        i += max(best, 1)
    return found


WORD_LISTS = st.lists(st.sampled_from("abc"), max_size=12)


@given(WORD_LISTS, WORD_LISTS)
def test_fragments_are_those_of_the_published_procedure(
    summary: list[str], article: list[str]
) -> None:
    assert fragments(summary, article) == newsroom(summary, article)


def test_a_longer_match_that_overlaps_a_shorter_one_is_missed_as_by_newsrooms_script() -> None:
    """The search goes on after "a a", so that "a a b" is not found: 2 + 1 and not 3."""
    assert fragments(list("aab"), list("aaab")) == [2, 1]
    assert fragments(list("aab"), list("aab")) == [3]


ARTICLE = "The old dog ran home. It slept there, in the sun."


@pytest.mark.parametrize(
    ("metric", "summary", "expected"),
    [
        (COVERAGE, "The old dog ran home.", 1.0),
        (DENSITY, "The old dog ran home.", 6.0),  # one fragment of 6: 36 / 6
        (COMPRESSION, "The old dog ran home.", 14 / 6),
        (COVERAGE, "THE OLD cat slept!", 3 / 5),  # the old, slept
        (DENSITY, "THE OLD cat slept!", (4 + 1) / 5),
        (COVERAGE, "Nobody knows", 0.0),
        (DENSITY, "Nobody knows", 0.0),
        (COMPRESSION, "Nobody knows", 7.0),
        (COVERAGE, "", 0.0),
        (DENSITY, "", 0.0),
        (COMPRESSION, "", 0.0),
        (novel_ngrams(1), "The cat slept", 1 / 3),
        (novel_ngrams(2), "The old dog slept there", 1 / 4),  # dog slept
        (novel_ngrams(2), "the the the", 1.0),  # one different bigram
        (repeated_ngrams(1), "a b a c", 1 / 3),
        (repeated_ngrams(2), "a b a b", 1 / 2),  # ab, ba
        (WORDS, "The dog's home.", 3.0),
        (WORDS, "", 0.0),
        (EMPTY, " \n", 1.0),
        (EMPTY, "a", 0.0),
    ],
)
def test_figures_worked_out_by_hand(metric: Metric, summary: str, expected: float) -> None:
    assert corpus(metric, [written(summary, source=ARTICLE)]) == pytest.approx(expected)


def test_tokens_are_words_and_single_marks_in_lower_case() -> None:
    assert tokens("Don't PAY 3.50 …") == ["don", "'", "t", "pay", "3", ".", "50", "…"]


def test_summaries_without_ngrams_do_not_count_and_alone_leave_the_share_undefined() -> None:
    two, one = written("the old", source=ARTICLE), written("cat", source=ARTICLE)
    assert corpus(novel_ngrams(2), [two, one]) == 0.0
    assert math.isnan(corpus(novel_ngrams(2), [one]))
    assert math.isnan(corpus(repeated_ngrams(2), [one, written("", source=ARTICLE)]))


def test_texts_that_end_at_the_limit_of_tokens_are_counted_over_all_draws() -> None:
    sample = Sample(id="s", requests=())
    draws = [GenerationResponse("a", finish) for finish in ("length", "stop", "end", "length")]
    assert CUT_OFF.measure(sample, draws) == (0.5,)


def test_from_an_article_without_text_nothing_is_copied() -> None:
    """Guards against one empty article in a large test set, which would take all scores with it."""
    answered = [written("The dog", source="")]
    scores = [corpus(metric, answered) for metric in (COVERAGE, DENSITY, COMPRESSION)]
    assert scores == [0.0, 0.0, 0.0]
    assert corpus(novel_ngrams(1), answered) == 1.0


@given(st.text(), st.text(min_size=1))
def test_a_copy_is_covered_and_has_nothing_novel(summary: str, article: str) -> None:
    copied = [written(article, source=article)]
    if tokens(article):
        assert corpus(COVERAGE, copied) == 1.0
        assert corpus(DENSITY, copied) == len(tokens(article))
        assert corpus(novel_ngrams(1), copied) == 0.0
    for metric in (COVERAGE, novel_ngrams(1), repeated_ngrams(1)):
        value = corpus(metric, [written(summary, source=article)])
        assert math.isnan(value) or 0.0 <= value <= 1.0


# --- ROUGE --------------------------------------------------------------------------------

SENTENCES = st.lists(
    st.sampled_from(["running", "runs", "dogs", "dog", "was", "the", "Home."]), min_size=1
).map(" ".join)


@given(SENTENCES, st.lists(SENTENCES, min_size=1, max_size=3))
@pytest.mark.parametrize("stemmer", [True, False])
def test_scores_equal_rouge_scores_best_reference_for_each_type(
    stemmer: bool, prediction: str, references: list[str]
) -> None:
    """The oracle is the package's own choice among references, score_multi."""
    theirs = RougeScorer(list(KINDS[:3]), use_stemmer=stemmer).score_multi(references, prediction)
    for kind in KINDS[:3]:
        found = rouge(kind, prediction, references, STEMMED if stemmer else PLAIN)
        assert found[2] == pytest.approx(theirs[kind].fmeasure)


def test_the_stemmer_makes_a_difference_that_the_names_tell() -> None:
    names = [metric.name for metric in ALL_ROUGE]
    values = {m.name: corpus(m, [written("running dogs", "runs dog")]) for m in ALL_ROUGE}
    assert names[:4] == list(KINDS)
    assert names[4:] == [f"{kind}_unstemmed" for kind in KINDS]
    assert [values[name] for name in names] == [1.0] * 4 + [0.0] * 4
    assert len({metric.signature for metric in ALL_ROUGE}) == 4


@pytest.mark.parametrize(
    "reference",
    ["犬は家に帰った", "Собака побежала домой", "犬は iPhone を買いました", "…"],
)
def test_references_that_the_tokens_would_lose_are_an_error(reference: str) -> None:
    """Guards against a silent 0, also where a single Latin word stands among others."""
    with pytest.raises(ValueError, match="letters of the reference"):
        rouge("rouge1", reference, [reference])


def test_a_few_accents_are_scored_as_rouge_score_does() -> None:
    text = "The café in Kraków reopened"
    theirs = RougeScorer(["rouge1"], use_stemmer=True).score(text, "The cafe reopened")
    assert rouge("rouge1", "The cafe reopened", [text])[2] == theirs["rouge1"].fmeasure


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Über-Hund 12_3", ["über", "hund", "12", "3"]),
        ("犬は帰る。Dog犬", ["犬", "は", "帰", "る", "dog", "犬"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("กินข้าว", ["กิ", "น", "ข้", "า", "ว"]),
    ],
)
def test_tokens_of_other_scripts(text: str, expected: list[str]) -> None:
    """Marks stay with their letters, and scripts without spaces are split into characters."""
    assert UNICODE.make().tokenize(text) == expected


def test_rouge_of_other_scripts_has_a_name_of_its_own() -> None:
    metric = rouge_f1("rouge1", UNICODE)
    assert metric.name == "rouge1_unicode"
    assert corpus(metric, [written("犬は家", "犬は山")]) == pytest.approx(2 / 3)
    assert rouge("rougeLsum", "寒い。犬は帰る。", ["犬は帰る。寒い。"], UNICODE)[2] == 1.0


# --- pairs of summaries -------------------------------------------------------------------


def pair() -> Sample:
    return factual_pair(
        id="p",
        prompts=("Article", ""),
        correct="It rained.\n",
        corrupted=" It snowed.",
        group="a",
        slices={},
    )


def test_a_pair_asks_for_both_summaries_with_and_without_the_document() -> None:
    asked = [(request.prompt, request.continuation) for request in pair().requests]  # type: ignore[union-attr]
    assert asked == [
        ("Article", " It rained."),
        ("Article", " It snowed."),
        ("", " It rained."),
        ("", " It snowed."),
    ]


@pytest.mark.parametrize(
    ("values", "plain", "information"),
    [
        ((-2.0, -3.0, -5.0, -5.0), 1.0, 1.0),
        ((-3.0, -2.0, -9.0, -2.0), 0.0, 1.0),  # unlikely in itself, likely in view of the document
        ((-2.0, -2.0, -4.0, -4.0), 0.0, 0.0),  # a tie is no success
    ],
)
def test_preference_by_likelihood_and_by_mutual_information(
    values: tuple[float, ...], plain: float, information: float
) -> None:
    responses = scored(*values)
    assert PAIR_ACCURACY.measure(pair(), responses) == (plain,)
    assert PMI_ACCURACY.measure(pair(), responses) == (information,)
    assert PMI_PER_TOKEN_ACCURACY.measure(pair(), responses) == (information,)


def test_per_token_each_likelihood_is_divided_by_its_own_tokens() -> None:
    """As FIB's script: 10 nats over 10 tokens are less than 3 over 2."""
    values = [(-10.0, 10), (-2.0, 2), (-20.0, 10), (-5.0, 2)]
    responses = [LogLikelihoodResponse(value, tokens, False) for value, tokens in values]
    assert PMI_ACCURACY.measure(pair(), responses) == (1.0,)
    assert PMI_PER_TOKEN_ACCURACY.measure(pair(), responses) == (0.0,)


def test_answers_that_tell_no_tokens_cannot_be_divided_by_them() -> None:
    responses = [LogLikelihoodResponse(-1.0, 0, greedy=False)] * 4
    with pytest.raises(DataError, match="tokens"):
        PMI_PER_TOKEN_ACCURACY.measure(pair(), responses)


@pytest.mark.parametrize(
    ("correct", "corrupted", "message"), [("a", " ", "is empty"), ("a", "a\n", "equals")]
)
def test_pairs_that_are_none_are_refused(correct: str, corrupted: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        factual_pair(
            id="p",
            prompts=("", ""),
            correct=correct,
            corrupted=corrupted,
            group="a",
            slices={},
        )


def test_a_sample_of_another_kind_is_refused() -> None:
    with pytest.raises(DataError, match="2 likelihoods"):
        PAIR_ACCURACY.measure(pair(), scored(-1.0, -2.0))


ORACLE_PLUGIN = '''
"""ROUGE of the texts that Google Research checked against ROUGE-1.5.5."""
from pathlib import Path

from evalharness.metrics.rouge import ALL_ROUGE
from evalharness.records import Task
from evalharness.samples import generation
from evalharness.sources import LocalFile


def sample(row):
    return generation(id=row["id"], prompt="?", references=[row["target"]], max_tokens=1)


TASKS = [
    Task(
        name="rouge-oracle",
        family="summarization",
        version=1,
        data=LocalFile(Path(__file__).parent / "data" / "targets.jsonl"),
        sample=sample,
        metrics=ALL_ROUGE,
    )
]
'''


@pytest.mark.oracle
def test_rouge_of_replayed_outputs_equals_rouge_1_5_5(oracles: Path, tmp_path: Path) -> None:
    """Each case of Google Research's own test, through the command line, to 1e-5."""
    folder = oracles / "rouge"
    cases = json.loads((folder / "expected.json").read_text())["cases"]
    pairs = [_texts(case, folder) for case in cases]
    (tmp_path / "plugins" / "data").mkdir(parents=True)
    (tmp_path / "plugins" / "rouge_oracle.py").write_text(ORACLE_PLUGIN)
    for path, field, place in (("plugins/data/targets", "target", 0), ("answers", "text", 1)):
        rows: list[dict[str, object]] = [
            {"id": str(number), field: pair[place]} for number, pair in enumerate(pairs)
        ]
        write_rows(tmp_path / f"{path}.jsonl", rows)
    done = subprocess.run(
        [sys.executable, "-m", "evalharness", "run", "-m", "outputs:answers.jsonl",
         "-t", "rouge-oracle", "--tasks-dir", "plugins"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (samples,) = (tmp_path / "runs").glob("*/samples/rouge-oracle.parquet")
    checked = 0
    for case, row in zip(cases, pyarrow.parquet.read_table(samples).to_pylist(), strict=True):
        suffix = "" if case.get("stem") else "_unstemmed"
        statistics = json.loads(row["statistics"])
        for kind in KINDS:
            if kind in case:
                assert statistics[kind + suffix] == pytest.approx([case[kind][2]], abs=1e-5)
                checked += 1
    assert checked >= 10


def _texts(case: dict[str, Any], folder: Path) -> tuple[str, str]:
    """Target and prediction of a case."""
    if "target_line" in case:
        names = ("target.txt", "prediction.txt")
        target, prediction = (
            (folder / name).read_text().splitlines()[case["target_line"]] for name in names
        )
    elif "files" in case:
        target, prediction = ((folder / name).read_text() for name in case["files"])
    else:
        target, prediction = case["target"], case["prediction"]
    return target, prediction
