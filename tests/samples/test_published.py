"""Questions in the forms of their publishers, and what of them cannot be read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.errors import DataError
from evalharness.records import Row
from evalharness.samples import listed_options
from evalharness.samples.published import (
    accepted_answers,
    labelled_question,
    lettered_question,
    split_options,
)

ON_THE_HUB = {"question": "Where?", "choices": {"text": ["here", "there"], "label": ["1", "2"]}}
AS_PUBLISHED = {
    "question": {
        "stem": "Where?",
        "choices": [{"text": "here", "label": "1"}, {"text": "there", "label": "2"}],
    }
}
OF_OPENBOOKQA = {"question_stem": "Where?", "choices": ON_THE_HUB["choices"]}


@pytest.mark.parametrize("fields", [ON_THE_HUB, AS_PUBLISHED, OF_OPENBOOKQA])
@pytest.mark.parametrize("key", ["2", "2 "])
def test_a_labelled_question_reads_the_same_from_hub_and_file(
    fields: dict[str, Any], key: str
) -> None:
    row = Row({**fields, "answerKey": key}, "row 1")
    assert labelled_question(row) == ("Where?", ["here", "there"], 1)


def test_a_label_that_no_option_has_is_named() -> None:
    with pytest.raises(ValueError, match="answerKey is 'C', but the options are 1, 2"):
        labelled_question(Row({**ON_THE_HUB, "answerKey": "C"}, "row 1"))
    with pytest.raises(DataError, match="row 1: no field 'answerKey'"):
        labelled_question(Row(ON_THE_HUB, "row 1"))


# A line that begins like an option would be one.
OPTION = st.text("ab .\n", min_size=1, max_size=8).filter(lambda text: ". " not in text)


@given(OPTION, st.lists(OPTION, min_size=1, max_size=26))
def test_listed_options_are_found_again(question: str, options: list[str]) -> None:
    """Also those of several lines, which pieces of program are."""
    assert split_options(f"{question}\n{listed_options(options)}") == (question, options)
    assert split_options(listed_options(options)) == ("", options)


def test_a_lettered_answer_is_one_of_the_options() -> None:
    text = "Where is fog?\nA. a marsh\nB. a tundra"
    assert lettered_question(text, "B. a tundra") == ("Where is fog?", ["a marsh", "a tundra"], 1)
    with pytest.raises(ValueError, match=r"'B\. a marsh' is none of the options"):
        lettered_question(text, "B. a marsh")
    with pytest.raises(ValueError, match="none of the options"):
        lettered_question("Where is fog?", "A. a marsh")


def test_a_question_without_an_accepted_answer_cannot_be_scored() -> None:
    assert accepted_answers(["Oslo", "oslo"]) == ["Oslo", "oslo"]
    for nothing in ([], ["", " "]):
        with pytest.raises(ValueError, match="no accepted answer says anything"):
            accepted_answers(nothing)


def test_an_empty_answer_beside_others_is_kept() -> None:
    """SQuAD 1.1's validation split has one; leaving it out could change the official score."""
    assert accepted_answers(["renewal of hostilities", ""]) == ["renewal of hostilities", ""]


@pytest.mark.parametrize("answers", ["Oslo", ["Oslo", None], [3]])
def test_accepted_answers_are_a_list_of_texts(answers: Any) -> None:
    """Of a single text each letter was an accepted answer."""
    with pytest.raises(ValueError, match="should be a list of texts, not"):
        accepted_answers(answers)
