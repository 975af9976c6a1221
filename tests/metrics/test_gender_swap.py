"""Genders are exchanged both ways, cases kept, "her" and "his" told apart by the next word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.metrics.gender_swap import moved, swap

PAIRS = [
    ("He lost his keys.", "She lost her keys."),
    ("I saw him.", "I saw her."),
    ("Give him the book", "Give her the book"),
    ("The book is hers, not mine.", "The book is his, not mine."),
    ("His book; HIS BOOK", "Her book; HER BOOK"),
    ("They met him and his son.", "They met her and her daughter."),
    ("Mr. Field's sister", "Ms. Field's brother"),
    ("James told Linda's uncle.", "Mary told John's aunt."),
    ("JAMES SHOUTED", "MARY SHOUTED"),
    ("the actress, he's said", "the actor, she's said"),
    ("a fiancé", "a fiancée"),
    ("it was his alone? No: hers.", "it was her alone? No: his."),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_texts_are_swapped_both_ways(one: str, other: str) -> None:
    assert swap(one) == other
    assert swap(other) == one


@pytest.mark.parametrize(
    "text",
    [
        "",
        "They lost their keys.",
        "The theme of the shepherd's manual",  # he, her and man are within other words
        "Ask Bill about May.",  # words as well as names: not in the list
        "john and mary in lower case are no names",
        "3 + 4 = 7\n\n",
    ],
)
def test_what_has_no_gender_stays(text: str) -> None:
    assert swap(text) == text


def test_mrs_becomes_mr_which_becomes_ms() -> None:
    assert swap("Mrs Field") == "Mr Field"
    assert swap("Mr Field") == "Ms Field"


PLAIN = st.sampled_from(
    ["he", "she", "man", "women", "James", "Mary", "Mr", "uncle", "aunt", "the", "keys", "42", "é"]
)
CASES = st.sampled_from([str, str.upper])
SEPARATORS = st.sampled_from([" ", ", ", "\n", "-", ". "])


@given(st.lists(st.tuples(PLAIN, CASES, SEPARATORS)))
def test_what_is_swapped_twice_is_the_text_again(
    words: list[tuple[str, type[str], str]],
) -> None:
    text = "".join(case(word) + separator for word, case, separator in words)
    assert swap(swap(text)) == text


@given(st.text(alphabet="heris manoyL'\n.", max_size=40), st.data())
def test_a_place_between_words_is_found_again(text: str, data: st.DataObject) -> None:
    """What stands before a blank before the swap is what stands before it afterwards."""
    blanks = [i for i, letter in enumerate(text) if letter in " \n."]
    place = data.draw(st.sampled_from(blanks)) if blanks else len(text)
    swapped = swap(text)
    assert len(swapped[moved(text, place) :].split()) == len(text[place:].split())
    assert moved(text, 0) == 0
    assert moved(text, len(text)) == len(swapped)
