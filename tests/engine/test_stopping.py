"""A text ends at its first stop string, found token by token as it is found in the whole text."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from evalharness.engine.jobs import Job
from evalharness.engine.stopping import Stopping, cut
from evalharness.transformer.thinking import Marks, Thinking

# Token 0 ends a text; the others spell these pieces, some of them parts of one character.
PIECES = [b"", b"a", b"b", b"ab", b"\n", b"\n\n", "é".encode()[:1], "é".encode()[1:], b" "]
PIECES += [b"<think>", b"</think>", b"</thi", b"nk>"]
END = frozenset({0})


def decode(tokens: Sequence[int]) -> str:
    return b"".join(PIECES[token] for token in tokens).decode(errors="replace")


STOPS = st.lists(st.sampled_from(["\n", "ab", "\n\na", "é", "bab"]), max_size=3).map(tuple)


def run(job: Job, tokens: Sequence[int]) -> tuple[int, str, str] | None:
    """Number of tokens after which the text ended, the text, and why."""
    stopping = Stopping(job, decode, END)
    for length in range(1, len(tokens) + 1):
        ending = stopping.ending(tokens[:length])
        if ending is not None:
            return length, *ending
    return None


@given(st.lists(st.integers(1, 8), min_size=1, max_size=40), STOPS, st.integers(1, 40))
def test_stops_where_the_whole_text_first_holds_a_stop_string(
    tokens: list[int], stop: tuple[str, ...], max_tokens: int
) -> None:
    """Only the end of the text is looked at while it grows; nothing may be missed by that."""
    found = run(Job((1,), max_tokens, stop), tokens)
    for length in range(1, len(tokens) + 1):
        text, stopped = cut(decode(tokens[:length]), stop)
        if stopped:
            assert found == (length, text, "stop")
            return
        if length == max_tokens:
            assert found == (length, text, "length")
            return
    assert found is None


def test_an_end_token_ends_and_is_no_part_of_the_text() -> None:
    assert run(Job((1,), 9), [1, 2, 0, 1]) == (3, "ab", "end")


def test_the_earliest_of_several_stop_strings_cuts() -> None:
    assert cut("one two three", ("three", "two")) == ("one ", True)


@given(st.lists(st.integers(1, len(PIECES) - 1), min_size=1, max_size=40), STOPS, st.booleans())
def test_stop_strings_end_the_answer_and_not_the_thinking_before_it(
    tokens: list[int], stop: tuple[str, ...], opened: bool
) -> None:
    """A line break in the first thought ended every answer of a model that thinks."""
    thinking = Thinking(Marks("<think>", "</think>"), opened)
    found = run(Job((1,), 40, stop, thinking=thinking), tokens)
    for length in range(1, len(tokens) + 1):
        text = decode(tokens[:length])
        start = thinking.answer_in(text)
        answer, stopped = ("", False) if start is None else cut(text[start:], stop)
        if stopped:
            assert found == (length, text[:start] + answer, "stop")
            return
    assert found is None or (found[0] == 40 and found[2] == "length")
