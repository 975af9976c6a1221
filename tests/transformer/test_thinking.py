"""Where thinking ends and the answer begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.transformer.thinking import Marks, Thinking, find_marks

MARKS = Marks("<think>", "</think>")
CHANNELS = Marks(
    "<|channel|>analysis<|message|>",
    "<|channel|>final<|message|>",
    ("<|channel|>", "<|message|>"),
)
OPEN = Thinking(MARKS, opened=True)
CLOSED = Thinking(MARKS, opened=False)


@pytest.mark.parametrize(
    ("thinking", "text", "answer"),
    [
        (CLOSED, "<think>\nhm\n</think>\n\n4", "4"),
        (CLOSED, "4", "4"),
        (CLOSED, "hm</think>4", "4"),
        (CLOSED, "<think></think>", ""),
        (CLOSED, "<think>a</think><think>b</think> 4", "4"),
        (CLOSED, " 4", " 4"),
        (OPEN, "hm\n</think>\n\n4 ", "4 "),
        (OPEN, "<think>hm</think>4", "4"),
        # What gpt-oss writes, without <|end|> and <|start|>, which are no part of a text.
        (
            Thinking(CHANNELS, opened=False),
            "<|channel|>analysis<|message|>2+2?assistant<|channel|>final<|message|>4",
            "4",
        ),
    ],
)
def test_the_answer_is_what_follows_the_thinking(
    thinking: Thinking, text: str, answer: str
) -> None:
    start = thinking.answer_in(text)
    assert start is not None
    assert text[start:] == answer


@pytest.mark.parametrize(
    ("thinking", "text"),
    [
        (CLOSED, "<think>hm"),
        (OPEN, "hm"),
        (OPEN, ""),
        (CLOSED, "<think>a</think>b<think>c"),
        (Thinking(CHANNELS, opened=False), "<|channel|>analysis<|message|>2+2?"),
    ],
)
def test_thinking_that_does_not_end_leaves_no_answer(thinking: Thinking, text: str) -> None:
    assert thinking.answer_in(text) is None


PARTS = st.lists(st.sampled_from(["<think>", "</think>", "a", "\n"]), max_size=8)


@given(PARTS, st.booleans())
def test_following_a_text_part_by_part_agrees_with_looking_at_the_whole(
    parts: list[str], opened: bool
) -> None:
    """`goes_on` decides whether stop strings count, `answer_in` where the answer begins."""
    thinking, going_on = Thinking(MARKS, opened), opened
    for part in parts:
        going_on = thinking.goes_on(part, going_on)
    assert going_on == (thinking.answer_in("".join(parts)) is None)


def test_a_template_that_opens_the_thinking_is_told_from_a_word_of_the_prompt() -> None:
    assert MARKS.opened_by("[user]2+2?[assistant]<think>\n")
    assert not MARKS.opened_by("[user]What is <think>?[assistant]")
    assert not MARKS.opened_by("[assistant]<think>\n\n</think>\n\n")


def test_marks_are_those_of_the_vocabulary_or_the_template() -> None:
    """A model that never thinks may write the mark as any other text."""

    def knows(*tokens: str) -> Marks | None:
        return find_marks(lambda text: text in tokens, "a template")

    assert knows() is None
    assert knows("<think>") is None
    assert knows("<think>", "</think>") == MARKS
    assert knows("[THINK]", "[/THINK]") == Marks("[THINK]", "[/THINK]")
    for opening, closing in (
        ("<seed:think>", "</seed:think>"), ("<|START_THINKING|>", "<|END_THINKING|>"),
    ):  # fmt: skip
        assert knows(opening, closing) == Marks(opening, closing)
    assert knows(*CHANNELS.tokens) == CHANNELS
    assert knows("<|channel|>") is None
    assert find_marks(lambda _: False, "{{ content.split('</think>')[-1] }}") == MARKS
    assert find_marks(lambda _: False, None) is None
