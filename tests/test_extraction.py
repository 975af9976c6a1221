"""Which letter an answer names: models put it in many ways, and some name none."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.extraction import find_letter

FORMS = (
    "{}",
    " {} ",
    "\n\n{}\n",
    "({})",
    "**{}**",
    "{}.",
    "{}. a marsh",
    "{}) a marsh",
    "({}) a marsh",
    "**{}.** a marsh",
    "{}: a marsh",
    "{} - a marsh",
    "Answer: {}",
    "Answer:\n{}",
    "The answer is {}.",
    "the correct answer is: **{}. a marsh**",
    "The correct option is {}, because of fog.",
    "Option {}",
    "a marsh ({})",
    "{} is right.",
    "I think that it is {}",
    "$\\boxed{{{}}}$",
    "Say x = 1. Then \\boxed{{\\text{{{}}}}}",
    "Die Antwort ist {}.",
    "\N{CJK UNIFIED IDEOGRAPH-7B54}\N{CJK UNIFIED IDEOGRAPH-662F}{}\N{IDEOGRAPHIC FULL STOP}",
)


@pytest.mark.parametrize("form", FORMS)
@given(letter=st.sampled_from("ABCDEFGH"))
def test_a_letter_is_found_however_it_is_put(form: str, letter: str) -> None:
    assert find_letter(form.format(letter), "ABCDEFGH") == letter


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("b", "B"),
        ("(c).", "C"),
        ("B\n\nA is wrong, since a marsh is wet.", "B"),
        ("A is wrong and B too. The answer is C.", "C"),
        ("Either A or B fits. So the answer is B.", "B"),
        ("The answer is A. No: the answer is B.", "B"),
        ("A and C do not fit, so \\boxed{B}", "B"),
    ],
)
def test_what_is_said_last_or_first_counts_before_what_is_named_besides(
    text: str, found: str
) -> None:
    assert find_letter(text, "ABCD") == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a marsh",
        "A marsh",
        "A tundra or a marsh",
        "The answer is A marsh",
        "I do not know.",
        "A or B",
        "both A and C",
        "A. a marsh\nB. a tundra\nC. the plains",
        "A, B and C",
        "E",
        "Class B2",
        "ABC",
        "A-frames",
        "it's a marsh",
    ],
)
def test_several_letters_and_words_are_no_answer(text: str) -> None:
    """A model that repeats the options, or begins with an article, has not chosen the first."""
    assert find_letter(text, "ABCD") == ""


def test_the_pronoun_i_is_not_the_ninth_option() -> None:
    assert find_letter("I think C.", string.ascii_uppercase) == "C"
    assert find_letter("I", string.ascii_uppercase) == "I"


@given(text=st.text(), options=st.integers(2, 26))
def test_what_is_found_is_nothing_or_one_of_the_options(text: str, options: int) -> None:
    letters = string.ascii_uppercase[:options]
    assert find_letter(text, letters) in ["", *letters]
