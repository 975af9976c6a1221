"""Exact match and F1 of every benchmark: cases worked out by hand, and other people's figures."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.metrics.question_answering import (
    CHARACTER_F1,
    EXACT_MATCH,
    NQ_EXACT_MATCH,
    NQ_HARNESS_EXACT_MATCH,
    TOKEN_F1,
    TRIVIA_EXACT_MATCH,
    TRIVIA_F1,
    TRIVIA_HARNESS_EXACT_MATCH,
    characters,
    exact_match,
    harness_answer,
    normalize_answer,
    normalize_nq,
    normalize_trivia,
    token_f1,
)
from evalharness.metrics.squad_v2 import SQUAD_V2
from evalharness.records import GenerationResponse, LogLikelihoodResponse, Metric, Response, Sample
from tests.metrics.answers import corpus, written

# --- SQuAD 1.1 ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prediction", "references", "exact", "f1"),
    [
        ("The  Denver Broncos!", ["denver broncos"], 1, 1),
        ("Broncos", ["Denver Broncos", "the Broncos"], 1, 1),
        ("the team of Denver", ["Denver Broncos"], 0, 2 * (1 / 3) * (1 / 2) / (5 / 6)),
        ("something", [""], 0, 0),
        ("", ["something"], 0, 0),
        ("to to be", ["to be to"], 0, 1),
        ("to to to", ["to be"], 0, 2 * (1 / 3) * (1 / 2) / (5 / 6)),
        ("theatre", ["atre"], 0, 0),
        ("U.S.", ["us"], 1, 1),
        ("“1905”", ["1905"], 0, 0),
    ],
)
def test_squad_rules(prediction: str, references: list[str], exact: float, f1: float) -> None:
    assert exact_match(prediction, references) == exact
    assert token_f1(prediction, references) == pytest.approx(f1)


def test_two_answers_without_tokens_match_and_have_no_f1_in_version_1() -> None:
    """The script of SQuAD 1.1 gives F1 = 0 where no token is shared; that of 2.0 gives 1."""
    assert exact_match("a an the", [""]) == 1
    assert token_f1("a an the", [""]) == 0


@given(st.text(), st.lists(st.text(), min_size=1, max_size=3))
def test_f1_is_at_least_exact_match_where_anything_is_left_of_the_answer(
    prediction: str, references: list[str]
) -> None:
    f1 = token_f1(prediction, references)
    assert 0 <= f1 <= 1
    if normalize_answer(prediction):
        assert exact_match(prediction, references) <= f1
    own = normalize_answer(references[-1])
    assert token_f1(references[-1], references) == (1 if own else 0)


@pytest.mark.oracle
@pytest.mark.parametrize("split", ["v1.1_dev", "xquad_en_subset"])
def test_squad_scores_equal_the_official_script(oracles: Path, split: str) -> None:
    folder = oracles / "squad"
    gold = json.loads((folder / "gold_v1.1_dev.json").read_text())
    if split == "xquad_en_subset":
        gold = {
            question["id"]: [answer["text"] for answer in question["answers"]]
            for article in json.loads((folder / "xquad.en.json").read_text())["data"]
            for paragraph in article["paragraphs"]
            for question in paragraph["qas"]
        }
    predictions = json.loads((folder / "preds_1.1_BERT.json").read_text())
    official = json.loads((folder / "expected.json").read_text())["preds_1.1_BERT.json"][split]
    answered = [written(predictions[key], *answers) for key, answers in gold.items()]
    assert len(answered) == official["n"]
    assert corpus(EXACT_MATCH, answered) == pytest.approx(official["exact_match"], abs=1e-9)
    assert corpus(TOKEN_F1, answered) == pytest.approx(official["f1"], abs=1e-9)


# --- XQuAD --------------------------------------------------------------------------------


def test_each_han_or_thai_letter_is_a_token_and_other_words_stay_whole() -> None:
    assert characters("在1905年 Nile") == ["在", "1905", "年", "Nile"]
    assert characters("ปี1905") == ["ป", "ี", "1905"]
    assert characters("no letters of them") == ["no", "letters", "of", "them"]


def test_f1_of_characters_sees_an_overlap_that_f1_of_words_does_not() -> None:
    answered = written("一九零五年", "在一九零五年")
    assert TOKEN_F1.measure(*answered) == (0.0,)
    assert CHARACTER_F1.measure(*answered) == pytest.approx((2 * 5 / 11,))


# --- NQ-open and TriviaQA -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "squad", "nq", "trivia"),
    [
        ("The Beyoncé", "beyoncé", "beyonce\u0301", "beyoncé"),
        ("jean-paul_sartre", "jeanpaulsartre", "jeanpaulsartre", "jean paul sartre"),
        ("Rock ’n’ Roll", "rock ’n’ roll", "rock ’n’ roll", "rock n roll"),
        ("Ocean's the 11", "oceans 11", "oceans 11", "ocean s 11"),
        ("cafe\u0301", "cafe\u0301", "cafe\u0301", "cafe\u0301"),
    ],
)
def test_normal_forms(answer: str, squad: str, nq: str, trivia: str) -> None:
    found = (normalize_answer(answer), normalize_nq(answer), normalize_trivia(answer))
    assert found == (squad, nq, trivia)


def test_nq_takes_two_ways_to_write_an_accent_for_one() -> None:
    assert NQ_EXACT_MATCH.measure(*written("Beyonce\u0301", "Beyoncé")) == (1.0,)
    assert EXACT_MATCH.measure(*written("Beyonce\u0301", "Beyoncé")) == (0.0,)


def test_trivia_takes_the_best_alias_and_its_own_tokens() -> None:
    answered = written("the jean-paul", "Sartre", "Jean Paul Sartre")
    assert TRIVIA_EXACT_MATCH.measure(*answered) == (0.0,)
    assert TRIVIA_F1.measure(*answered) == pytest.approx((2 * 1 * (2 / 3) / (5 / 3),))
    assert TRIVIA_EXACT_MATCH.measure(*written("jean-paul sartre", "Jean Paul Sartre")) == (1.0,)


def test_the_harness_stops_at_a_full_stop_a_comma_and_a_line_break() -> None:
    found = [harness_answer(text) for text in ("Paris, France", "a. b", " x \ny", "x")]
    assert found == ["Paris", "a", "x", "x"]


# What lm-evaluation-harness 0.4.13's exact_match gives, with the settings of its two task files.
HARNESS = [
    ("Paris, France.", "Paris", 1, 1),
    ("the Eiffel Tower", "Eiffel Tower", 0, 1),
    ("The Eiffel Tower\n", "Eiffel tower", 0, 1),
    ("U.S.A.", "USA", 0, 0),
    ("Mr. Smith", "Mr Smith", 0, 0),
    ("it's 1,000", "1,000", 0, 0),
    ("jean-paul sartre", "Jean Paul Sartre", 0, 0),
    ("A Tale of Two Cities", "Tale of Two Cities", 0, 1),
    ("Beyoncé", "Beyonce", 0, 0),
    ("  Oslo  ", "oslo!", 1, 1),
    ("ban the bomb", "ban bomb", 0, 1),
]


@pytest.mark.parametrize(("prediction", "reference", "trivia", "nq"), HARNESS)
def test_the_harness_variants_equal_its_own_metric(
    prediction: str, reference: str, trivia: float, nq: float
) -> None:
    answered = written(prediction, "another answer", reference)
    assert TRIVIA_HARNESS_EXACT_MATCH.measure(*answered) == (trivia,)
    assert NQ_HARNESS_EXACT_MATCH.measure(*answered) == (nq,)


# --- SQuAD 2.0 ----------------------------------------------------------------------------

# Answer, accepted answers ("" alone: there is none), probability that there is none.
QUESTIONS = [
    ("the Nile", ("Nile", "The Nile river"), 0.1),
    ("", ("",), 0.9),
    ("in 1905", ("1905",), 0.3),
    ("unknown", ("",), 0.2),
    ("", ("a red boat",), 0.8),
    ("red boats", ("a red boat", "the boat"), 0.35),
    ("the", ("An",), 0.6),
    ("Rome", ("",), 0.35),
    ("Oslo", ("Oslo",), 0.95),
]
# What squad_evaluate of transformers 4.57.1, a copy of the official script, gives for them.
OFFICIAL = {
    "exact": 44.44444444444444,
    "f1": 57.407407407407405,
    "HasAns_exact": 50.0,
    "HasAns_f1": 69.44444444444444,
    "NoAns_exact": 33.333333333333336,
    "NoAns_f1": 33.333333333333336,
    "best_exact": 44.44444444444444,
    "best_exact_thresh": 0.1,
    "best_f1": 57.407407407407405,
    "best_f1_thresh": 0.95,
}

Answered = list[tuple[Sample, list[Response]]]


def answered_v2(questions: list[tuple[str, tuple[str, ...], float]]) -> Answered:
    return [
        (
            Sample(id=str(number), requests=(), references=references),
            [
                GenerationResponse(text, "end"),
                LogLikelihoodResponse(math.log(probability), tokens=1, greedy=False),
            ],
        )
        for number, (text, references, probability) in enumerate(questions)
    ]


@pytest.mark.parametrize("metric", SQUAD_V2, ids=lambda metric: metric.name)
def test_squad_v2_equals_a_copy_of_the_official_script(metric: Metric) -> None:
    found = corpus(metric, answered_v2(QUESTIONS))
    assert found == pytest.approx(OFFICIAL[metric.name], abs=1e-12)


def by_name(name: str) -> Metric:
    return next(metric for metric in SQUAD_V2 if metric.name == name)


def test_the_word_that_the_prompt_teaches_says_that_there_is_no_answer() -> None:
    said = answered_v2([("Unanswerable.", ("",), 0.5), ("unanswerable", ("Oslo",), 0.5)])
    assert corpus(by_name("NoAns_f1"), said) == 100
    assert corpus(by_name("HasAns_f1"), said) == 0


def test_scores_of_answerable_questions_are_undefined_without_any() -> None:
    questions = answered_v2([("", ("",), 0.5)])
    assert math.isnan(corpus(by_name("HasAns_f1"), questions))
    assert corpus(by_name("best_f1"), questions) == 100


PHRASES = st.sampled_from(["", "Nile", "the Nile", "red boat", "a", "boat"])
QUESTION = st.tuples(PHRASES, st.tuples(PHRASES), st.sampled_from([0.1, 0.4, 0.8]))


@given(st.lists(QUESTION, min_size=1, max_size=8))
def test_the_best_scores_are_those_of_a_threshold_that_is_tried(
    questions: list[tuple[str, tuple[str, ...], float]],
) -> None:
    """Every threshold tried one by one, by the definition; ties in the order of the data."""
    answered = answered_v2(questions)
    for kind in ("exact", "f1"):
        single = by_name(kind)
        gains = []
        for text, references, probability in questions:
            score = corpus(single, answered_v2([(text, references, probability)]))
            if not any(references):
                score = -100.0 if text else 0.0
            gains.append((probability, score))
        total = 100.0 * sum(not any(references) for _, references, _ in questions)
        tried = [total]
        for _, gain in sorted(gains, key=lambda one: one[0]):
            tried.append(tried[-1] + gain)
        best = corpus(by_name(f"best_{kind}"), answered)
        assert best == pytest.approx(max(tried) / len(questions))
        assert best >= 0


def test_weights_of_a_sample_count_it_as_often() -> None:
    """A bootstrap resample scores as the data with its samples repeated."""
    answered = answered_v2(QUESTIONS)
    counts = np.array([[0, 2, 1, 1, 0, 3, 1, 0, 1]], dtype=float)
    repeated = [
        one for one, count in zip(answered, counts[0], strict=True) for _ in range(int(count))
    ]
    for metric in SQUAD_V2:
        statistics = np.array([metric.measure(*one) for one in answered])
        weighted = metric.aggregate(statistics, counts, np.arange(len(answered)))
        assert weighted[0] == pytest.approx(corpus(metric, repeated)), metric.name
