"""Min-K% Prob as its paper defines it, and the parts of a task that it makes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.min_k import FAMILIAR, OTHERS, UNKNOWN, min_k, parts


def test_the_mean_of_the_least_likely_fifth() -> None:
    """Ten tokens: 20 % of them are two, -7 and -5, whose mean is -6."""
    tokens = [-0.5, -7.0, -1.0, -0.25, -5.0, -2.0, -0.125, -3.0, -0.75, -1.5]
    assert min_k(tokens) == -6.0
    # Of fourteen tokens 2.8 are rounded down to two, as int(len * 0.2) of the authors' script does.
    assert min_k([*tokens, -4.0, -4.0, -4.0, -4.0]) == -6.0
    # 40 % are four: -7, -5, -3, -2.
    assert min_k(tokens, percent=40) == -4.25


def test_a_short_text_has_at_least_one_token_and_an_empty_one_has_none() -> None:
    """The authors' script takes the mean of no tokens below five of them, which is no number."""
    assert min_k([-1.0, -3.0]) == -3.0
    assert min_k([]) is None


@given(st.lists(st.floats(-50, 0), min_size=1), st.integers(1, 99))
def test_it_lies_between_the_least_likely_token_and_the_mean_of_all(
    tokens: list[float], percent: int
) -> None:
    found = min_k(tokens, percent)
    assert found is not None
    assert min(tokens) - 1e-9 <= found <= sum(tokens) / len(tokens) + 1e-9
    assert min_k(tokens, 100) == pytest.approx(sum(tokens) / len(tokens))


def test_a_quarter_is_the_most_familiar() -> None:
    assert parts([-3.0, -1.0, None, -2.0, -4.0]) == [OTHERS, FAMILIAR, UNKNOWN, OTHERS, OTHERS]


@given(st.lists(st.none() | st.integers(-20, 0).map(float)))
def test_equal_samples_are_in_one_part_and_the_familiar_are_at_most_a_quarter(
    values: list[float | None],
) -> None:
    found = list(zip(values, parts(values), strict=True))
    known = [value for value in values if value is not None]
    familiar = [value for value, part in found if value is not None and part == FAMILIAR]
    others = [value for value, part in found if value is not None and part == OTHERS]
    assert len(familiar) + len(others) == len(known)
    assert 4 * len(familiar) <= len(known)
    assert not familiar or min(familiar) > max(others)
    assert all((part == UNKNOWN) == (value is None) for value, part in found)
