"""Equal values have one spelling, different ones another."""

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.canonical import canonical
from evalharness.records import Generation, LogLikelihood, Message, Request, Sampling

PROMPTS = st.one_of(
    st.text(max_size=9),
    st.lists(st.builds(Message, st.sampled_from(["user", "system"]), st.text(max_size=9))).map(
        tuple
    ),
)
SAMPLING = st.builds(Sampling, st.floats(0.1, 2), st.floats(0.1, 1), st.integers())
REQUESTS = st.one_of(
    st.builds(LogLikelihood, st.text(max_size=9), st.text(max_size=9), st.just(("a\n", "b"))),
    st.builds(Generation, PROMPTS, st.integers(), st.just(("\n",)), st.just(()), SAMPLING),
    st.builds(Generation, PROMPTS, st.integers()),
)


@given(REQUESTS)
def test_a_dataclass_is_spelled_as_its_fields_all_the_way_down(request: Request) -> None:
    plain = json.dumps(asdict(request), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert canonical(request) == plain.encode()


def test_the_order_of_keys_does_not_matter_and_halves_of_pairs_are_kept_apart() -> None:
    assert canonical({"b": 1, "a": 2}) == canonical({"a": 2, "b": 1})
    assert len({canonical(text) for text in ("\ud800", "\ud801", "?", "\ufffd")}) == 4


def test_what_json_has_not_is_a_type_error() -> None:
    """A set has no order, and would be spelled another way in the next process."""
    with pytest.raises(TypeError, match="set cannot be written"):
        canonical([{1, 2}])
