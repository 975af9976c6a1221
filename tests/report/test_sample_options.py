"""What the sample page says of options: their probabilities, and which one the metric takes."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import scipy.special
from hypothesis import assume, given
from hypothesis import strategies as st

from evalharness.metrics.multiple_choice import (
    ACCURACY,
    ACCURACY_BYTES,
    ACCURACY_MUTUAL_INFORMATION,
    ACCURACY_NORM,
    ACCURACY_TOKENS,
    MC2,
)
from evalharness.records import LogLikelihoodResponse, Metric
from evalharness.report.sample_options import Answer, Asked, ScoredOptions, read_answer, rule_of
from evalharness.report.sample_texts import packed_sample, read_answers
from evalharness.samples import multiple_choice, with_options_alone

LOG_PROBABILITIES = st.floats(-2000, 0)
TEXTS = st.text("aé字 ", min_size=1, max_size=12)


def row(values: Sequence[float | None], **changes: Any) -> dict[str, Any]:
    """A row of samples/TASK.parquet whose requests were all scored; None is one that failed."""
    return {
        "prompts": ["Q:"] * len(values),
        "responses": ["" if value is None else repr(value) for value in values],
        "extracted": [],
        **changes,
    }


def after_a_space(choices: Sequence[str], gold: Sequence[int] = (0,)) -> Asked:
    return Asked(choices, gold, [f" {choice}" for choice in choices])


def options_of(answer: Answer) -> ScoredOptions:
    assert answer.options is not None
    return answer.options


@given(st.lists(LOG_PROBABILITIES, min_size=2, max_size=6))
def test_probabilities_are_the_softmax_of_scipy(values: list[float]) -> None:
    """Long texts have log-probabilities whose exponential no float holds."""
    texts = [f"text {place}" for place in range(len(values))]
    found = options_of(read_answer(row(values), after_a_space(texts), "acc", []))
    assert found.shares == pytest.approx(scipy.special.softmax(values), abs=1e-12)
    assert found.compared == ()


@given(
    st.lists(st.tuples(LOG_PROBABILITIES, LOG_PROBABILITIES, TEXTS, st.integers(1, 9)),
             min_size=2, max_size=5),
    st.integers(0, 4),
    st.sampled_from([ACCURACY, ACCURACY_NORM, ACCURACY_BYTES, ACCURACY_TOKENS,
                     ACCURACY_MUTUAL_INFORMATION, MC2]),
)  # fmt: skip
def test_the_option_that_is_marked_is_the_one_that_the_metric_takes(
    options: list[tuple[float, float, str, int]], gold: int, metric: Metric
) -> None:
    """The page would contradict its own score if it chose by another rule than the metric."""
    assume(gold < len(options))
    sums, alone, texts, lengths = (list(column) for column in zip(*options, strict=True))
    sample = multiple_choice(id="1", prompt="Q:", choices=texts, gold=gold)
    asked = after_a_space(texts, (gold,))
    values, tokens = sums, lengths
    if metric is ACCURACY_MUTUAL_INFORMATION:
        sample = with_options_alone(sample)
        values, tokens = sums + alone, lengths * 2
        asked = replace(asked, continuations=[*asked.continuations, *asked.continuations])
    responses = [
        LogLikelihoodResponse(value, count, greedy=False)
        for value, count in zip(values, tokens, strict=True)
    ]
    (score,) = metric.measure(sample, responses)
    found = options_of(read_answer(row(values), asked, metric.name, tokens))
    assert found.log_probabilities == tuple(sums)
    if metric is MC2:
        assert found.shares[gold] == pytest.approx(score)
    else:
        assert (found.taken == gold) == (score == 1)


def test_without_stored_tokens_nothing_is_said_to_be_chosen_per_token() -> None:
    found = options_of(read_answer(row([-1.0, -2.0]), after_a_space("ab"), "acc_tokens", []))
    assert found.taken == -1
    assert found.compared == ()
    assert found.shares[0] > found.shares[1]


def test_an_option_that_failed_leaves_no_probabilities_and_the_others_their_logarithm() -> None:
    """A softmax over those that were answered would make each of them too likely."""
    found = options_of(read_answer(row([-1.0, None]), after_a_space("ab"), "acc", []))
    assert found == ScoredOptions((-1.0, None), (), (), -1)


def test_an_impossible_option_has_no_probability_and_all_impossible_ones_no_softmax() -> None:
    some = options_of(read_answer(row([-math.inf, -2.0]), after_a_space("ab"), "acc", []))
    assert some.shares == (0.0, 1.0)
    both = options_of(read_answer(row([-math.inf, -math.inf]), after_a_space("ab"), "acc", []))
    assert both.shares == ()


def test_texts_after_different_prompts_are_compared_only_where_one_of_them_is_right() -> None:
    """A summary without its document is no alternative to the summary after it."""
    prompts = row([-1.0, -2.0], prompts=["with", "without"])
    pair = Asked("ss", [], [" s", " s"])
    assert options_of(read_answer(prompts, pair, "pair_accuracy", [])).shares == ()
    beginning = Asked(["he", "she"], [0], [" on", " on"])
    assert len(options_of(read_answer(prompts, beginning, "acc", [])).shares) == 2


def test_whole_texts_of_a_masked_model_have_no_probability() -> None:
    """A pseudo-log-likelihood is the logarithm of no probability of the text."""
    asked = Asked("ab", [], ["", ""])
    found = options_of(read_answer(row([-9.0, -8.0]), asked, "pct_stereotype", []))
    assert found == ScoredOptions((-9.0, -8.0), (), (), -1)


def test_a_text_that_looks_like_a_number_is_a_text_where_the_model_wrote() -> None:
    """Answers of arithmetic were taken for log-probabilities."""
    written = row([12.5], extracted=["12.5"])
    assert read_answer(written, Asked([], [], [""]), "f1", []) == Answer((0,), None, ())


def test_a_text_that_was_scored_beside_one_that_was_written_is_told_apart() -> None:
    """As in SQuAD 2.0, where the probability of no answer is asked for as well."""
    mixed = row([-0.5], extracted=["Paris"])
    mixed["responses"].insert(0, "Paris")
    asked = Asked([], [], ["", " unanswerable"])
    assert read_answer(mixed, asked, "f1", []) == Answer((0,), None, ((1, -0.5),))


def test_the_letter_of_a_model_that_was_asked_for_one_is_a_text() -> None:
    """Its one request is not the first option that others scored."""
    letter = row([None], responses=["B"], extracted=["B"])
    assert read_answer(letter, after_a_space("ab"), "letter_accuracy", []) == Answer((0,), None, ())


def test_rows_of_older_runs_have_log_probabilities_without_options() -> None:
    found = read_answer(row([-1.0, -2.0]), Asked([], [], []), "acc", [])
    assert found.alone == ((0, -1.0), (1, -2.0))


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("acc", "largest is marked as chosen"),
        ("acc_norm", "acc_norm compares the log-probability per character"),
        ("acc_bytes", "per byte"),
        ("acc_tokens", "per token"),
        ("acc_mutual_info", "less that of the option without the question"),
        ("pct_stereotype", "largest is marked as likeliest"),
    ],
)
def test_the_page_says_what_was_compared(metric: str, words: str) -> None:
    assert words in rule_of(metric).note


def test_an_unlikely_option_is_not_shown_as_impossible() -> None:
    """A share of one in a billion was rounded to 0 %."""
    asked = after_a_space("abc")
    rows = [row([0.0, -30.0, -math.inf], error="")]
    answers = read_answers(rows, asked, ["acc"], [()])
    shared = {"slices": "{}", "target": "", "references": []}
    packed = packed_sample(shared, asked, rows, answers, 9)
    assert packed["o"][0][4][1] == [1.0, 1e-6, 0.0]
