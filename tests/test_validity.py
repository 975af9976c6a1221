"""What is counted of answers, and when a reader is warned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.errors import UsageError
from evalharness.results import Validity
from evalharness.validity import (
    THRESHOLDS,
    is_loop,
    read_share,
    read_thresholds,
    starts_twice,
    warnings,
)
from tests.workplace import Workplace


@given(
    st.text(max_size=30),
    st.text(alphabet="abc d\n.", min_size=1, max_size=60).filter(str.strip),
    st.integers(0, 59),
)
def test_a_piece_that_is_repeated_to_the_end_is_a_loop(before: str, piece: str, cut: int) -> None:
    """Also where the last copy was cut off."""
    times = max(5, 80 // len(piece) + 2)
    repeated = piece * times
    assert is_loop(before + repeated[: len(repeated) - cut % len(piece)])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ha ha ha ha",
        "No, no, no, no!",
        "The cat sat on the mat. The dog sat on the mat. The cow sat on the mat.",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25",
        "the same the same the same the same the same, and then something else at the end",
    ],
)
def test_what_ends_is_no_loop(text: str) -> None:
    assert not is_loop(text)


def test_a_prompt_that_starts_twice_is_noticed() -> None:
    assert starts_twice("<s><s>[INST] Hi")
    assert starts_twice("<|begin_of_text|><|begin_of_text|>Hi")
    assert starts_twice("[CLS][CLS] Hi")
    assert not starts_twice("<s>[INST] <s>")
    assert not starts_twice("<b>bold</b>")
    assert not starts_twice("[A][A]")


def test_shares_above_their_threshold_are_warned_of() -> None:
    found = Validity(samples=100, failed=1, empty=5, looped=6)
    assert warnings(found, THRESHOLDS) == [
        "1 of 100 samples failed, and have no part in the score",
        "6 of 100 samples end by repeating themselves",
    ]
    stricter = read_thresholds({"empty": 0.0, "looped": 0.5, "failed": 0.1})
    assert warnings(found, stricter) == ["5 of 100 samples are empty"]
    assert warnings(Validity(samples=0), THRESHOLDS) == []


def test_every_count_has_a_threshold_and_words() -> None:
    """A kind that is counted and never told of would be dropped silently."""
    assert set(THRESHOLDS) == set(Validity.model_fields) - {"samples"}
    everything = Validity(samples=1, **dict.fromkeys(THRESHOLDS, 1))
    assert len(warnings(everything, THRESHOLDS)) == len(THRESHOLDS)


@pytest.mark.parametrize("text", ["empty", "empty=", "empty=two", "empty=1.5", "empty=nan"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="NAME=SHARE"):
        read_share(text)


def test_a_name_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'empty'"):
        read_thresholds({"emtpy": 0.1})


def test_run_warns_of_answers_that_were_cut_off(workplace: Workplace) -> None:
    arguments = (
        "run", "-m", "builtin:checkpoint", "-t", "toy-answer", "--tasks-dir", "plugins",
        "--limit", "4",
    )  # fmt: skip
    done = workplace(*arguments)
    assert " of 4 samples were cut off at their limit of tokens" in done.stderr
    quiet = workplace(*arguments, "--warn-above", "unfinished=1")
    assert "were cut off" not in quiet.stderr
    assert workplace(*arguments, "--warn-above", "unfinshed=1").returncode == 2
