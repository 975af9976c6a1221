"""Accuracy by log-likelihood, in all its normalisations, and MC2: cases worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.metrics.multiple_choice import (
    ACCURACY,
    ACCURACY_BYTES,
    ACCURACY_MUTUAL_INFORMATION,
    ACCURACY_NORM,
    ACCURACY_TOKENS,
    MC2,
)
from evalharness.records import GenerationResponse, LogLikelihoodResponse, Metric, Sample
from evalharness.samples import multiple_choice, with_options_alone
from tests.metrics.answers import scored

QUESTION = multiple_choice(id="q", prompt="Q", choices=["aa", "bbbb"], gold=1)


def test_acc_takes_the_largest_sum_and_acc_norm_the_largest_per_character() -> None:
    responses = scored(-3.0, -4.0)
    assert ACCURACY.measure(QUESTION, responses) == (0.0,)
    assert ACCURACY_NORM.measure(QUESTION, responses) == (1.0,)


def test_acc_bytes_counts_utf_8_where_acc_norm_counts_characters() -> None:
    """Both options have two characters; the second has six bytes."""
    question = multiple_choice(id="q", prompt="Q", choices=["ab", "犬猫"], gold=1)
    responses = scored(-3.0, -4.0)
    assert ACCURACY_NORM.measure(question, responses) == (0.0,)
    assert ACCURACY_BYTES.measure(question, responses) == (1.0,)


def test_acc_tokens_divides_by_the_tokens_of_the_model() -> None:
    responses = [
        LogLikelihoodResponse(-3.0, tokens=1, greedy=False),
        LogLikelihoodResponse(-4.0, tokens=2, greedy=False),
    ]
    assert ACCURACY_TOKENS.measure(QUESTION, responses) == (1.0,)


def test_acc_tokens_of_answers_that_tell_no_tokens_is_refused() -> None:
    """Replayed outputs may have none; a division by 0 would say nothing of that."""
    unknown = [LogLikelihoodResponse(-3.0, tokens=0, greedy=False)] * 2
    with pytest.raises(ValueError, match="number of tokens"):
        ACCURACY_TOKENS.measure(QUESTION, unknown)


def test_acc_mutual_info_takes_the_option_that_gains_most_from_its_question() -> None:
    """The first option is likelier, with and without the question."""
    question = with_options_alone(QUESTION)
    responses = scored(-3.0, -4.0, -2.0, -9.0)
    assert ACCURACY.measure(question, responses) == (0.0,)
    assert ACCURACY_MUTUAL_INFORMATION.measure(question, responses) == (1.0,)


def test_acc_mutual_info_without_the_options_alone_says_how_to_ask_for_them() -> None:
    with pytest.raises(ValueError, match=r"4 log-likelihoods .* with_options_alone"):
        ACCURACY_MUTUAL_INFORMATION.measure(QUESTION, scored(-3.0, -4.0))


def test_of_equal_options_the_first_is_taken() -> None:
    assert ACCURACY.measure(QUESTION, scored(-1.0, -1.0)) == (0.0,)


def test_any_of_several_right_options_counts() -> None:
    question = multiple_choice(id="q", prompt="Q", choices=["a", "b", "c"], gold=[0, 2])
    assert ACCURACY.measure(question, scored(-2.0, -3.0, -1.0)) == (1.0,)
    assert ACCURACY.measure(question, scored(-2.0, -1.0, -3.0)) == (0.0,)


def test_responses_beyond_the_options_do_not_count() -> None:
    assert ACCURACY.measure(QUESTION, scored(-2.0, -1.0, 0.0)) == (1.0,)


@pytest.mark.parametrize("metric", [ACCURACY_NORM, ACCURACY_BYTES], ids=lambda one: one.name)
def test_an_empty_option_is_an_error_where_its_length_divides(metric: Metric) -> None:
    question = Sample(id="q", requests=(), choices=("", "b"), gold=(1,))
    with pytest.raises(ValueError, match="option is empty"):
        metric.measure(question, scored(-1.0, -2.0))


def test_a_text_in_place_of_likelihoods_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="likelihoods"):
        ACCURACY.measure(QUESTION, [GenerationResponse("bbbb", "end")] * 2)


def test_mc2_is_the_share_of_the_right_options_in_the_probability_of_all() -> None:
    question = multiple_choice(id="q", prompt="Q", choices=["a", "b", "c"], gold=[0, 1])
    responses = scored(math.log(0.2), math.log(0.1), math.log(0.1))
    assert MC2.measure(question, responses) == pytest.approx((0.75,))


def test_mc2_of_options_whose_probabilities_no_float_can_hold() -> None:
    """exp(-2000) is 0 in floating point, and 0 / 0 would be no score."""
    responses = scored(-2000.0, -2000.0 + math.log(3))
    assert MC2.measure(QUESTION, responses) == pytest.approx((0.75,))


# Far enough apart that no rounding makes two of them equal.
SCORES = st.lists(st.integers(-400, 0).map(lambda eighths: eighths / 8), min_size=2, max_size=5)


@given(SCORES, st.floats(-5, 5))
def test_what_all_options_have_in_common_changes_nothing(values: list[float], more: float) -> None:
    question = multiple_choice(id="q", prompt="Q", choices=["x"] * len(values), gold=0)
    shifted = scored(*(value + more for value in values))
    assert MC2.measure(question, shifted) == pytest.approx(MC2.measure(question, scored(*values)))


@given(SCORES)
def test_options_of_one_length_get_the_same_answer_from_every_normalisation(
    values: list[float],
) -> None:
    question = multiple_choice(id="q", prompt="Q", choices=["xy"] * len(values), gold=0)
    responses = scored(*values)
    expected = ACCURACY.measure(question, [*responses])
    for metric in (ACCURACY_NORM, ACCURACY_BYTES, ACCURACY_TOKENS):
        assert metric.measure(question, responses) == expected
    alone = [*responses, *scored(*[-1.0] * len(values))]
    assert ACCURACY_MUTUAL_INFORMATION.measure(question, alone) == expected
