"""The store gives back what was put in, keyed by content, and survives being killed."""

import multiprocessing
import os
import signal
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.errors import DataError
from evalharness.records import (
    Cost,
    Generation,
    GenerationResponse,
    Keyed,
    LogLikelihood,
    LogLikelihoodResponse,
    Message,
    MinK,
    MinKOf,
    PseudoLogLikelihood,
    Response,
    RollingLogLikelihood,
    Sampling,
    Stored,
    TokenScore,
    TokenScores,
    TokensOf,
)
from evalharness.store import Responses, Store, request_key

ANSWER = GenerationResponse("text", "stop", cost=Cost(0.5, 10, 5, 3))

REQUESTS: list[Keyed] = [
    LogLikelihood("a", "b"),
    LogLikelihood("ab", ""),
    LogLikelihood("", "ab"),
    LogLikelihood("a", "b", ("c",)),
    LogLikelihood("a", "b", ("c", "d")),
    LogLikelihood("a", "b", ("cd",)),
    LogLikelihood("ca", "b"),
    Generation("a", 5),
    Generation("a", 6),
    Generation("a", 5, ("\n",)),
    Generation("a", 5, shots=("\n",)),
    *(
        Generation("a", 5, sampling=sampling)
        for sampling in (Sampling(1.0), Sampling(2.0), Sampling(1.0, 0.5), Sampling(1.0, seed=1))
    ),
    Generation((Message("user", "a"),), 5),
    Generation((Message("system", "a"),), 5),
    RollingLogLikelihood("ab"),
    RollingLogLikelihood("a"),
    PseudoLogLikelihood("ab"),
    PseudoLogLikelihood("a"),
    PseudoLogLikelihood("ab", span=(0, 1)),
    PseudoLogLikelihood("ab", span=(1, 2)),
    PseudoLogLikelihood("ab", shared_with="a"),
    PseudoLogLikelihood("ab", shared_with="b"),
    TokensOf(LogLikelihood("a", "b")),
    TokensOf(LogLikelihood("a", "b"), alternatives=3),
    TokensOf(LogLikelihood("ab", "")),
    TokensOf(RollingLogLikelihood("ab")),
    MinKOf("ab", 20),
    MinKOf("ab", 30),
    MinKOf("a", 20),
]


def test_every_part_of_a_request_and_the_model_enter_the_key() -> None:
    """Guards against the cache that serves another model's answers."""
    keys = {request_key(model, request) for model in ("x", "y") for request in REQUESTS}
    assert len(keys) == 2 * len(REQUESTS)


COSTS = st.builds(Cost, st.floats(0, 1e6), st.integers(0), st.integers(0), st.integers(0))
RESPONSES = st.one_of(
    st.builds(
        LogLikelihoodResponse,
        st.floats(allow_nan=False, allow_infinity=False),
        st.integers(1, 100),
        st.booleans(),
        st.booleans(),
        st.integers(0, 9),
        COSTS,
    ),
    st.builds(
        GenerationResponse,
        st.text(),
        st.sampled_from(["stop", "end", "length"]),
        st.booleans(),
        st.integers(0, 9),
        COSTS,
    ),
)


LOG_PROBABILITIES = st.floats(max_value=0, allow_nan=False, allow_infinity=False)
TOKENS = st.builds(
    TokenScore,
    st.text(),
    LOG_PROBABILITIES,
    st.lists(st.tuples(st.text(), LOG_PROBABILITIES), max_size=5).map(tuple),
)


@given(st.lists(TOKENS, max_size=4).map(tuple), st.none() | LOG_PROBABILITIES)
def test_tokens_come_back_equal(
    tmp_path_factory: pytest.TempPathFactory,
    tokens: tuple[TokenScore, ...],
    familiarity: float | None,
) -> None:
    kept: dict[str, Stored] = {"tokens": TokenScores(tokens), "min_k": MinK(familiarity)}
    with Store(tmp_path_factory.mktemp("store") / "responses.sqlite") as store:
        store.add(kept.items())
        assert store.kept(["tokens", "other", "min_k"]) == kept.keys()
        assert store.token_scores(["tokens", "other", "min_k"]) == kept


@given(response=RESPONSES)
def test_a_response_comes_back_equal(
    tmp_path_factory: pytest.TempPathFactory, response: Response
) -> None:
    with Store(tmp_path_factory.mktemp("store") / "responses.sqlite") as store:
        store.add([("key", response)])
        assert store.known(["key", "other"]) == {"key": response}


def test_more_keys_than_sqlite_takes_at_once(tmp_path: Path) -> None:
    keys = [f"key {number}" for number in range(2500)]
    with Store(tmp_path / "responses.sqlite") as store:
        store.add((key, ANSWER) for key in keys)
        assert store.known(keys).keys() == set(keys)


def _write_and_die(path: Path) -> None:
    store = Store(path)
    store.add([("kept", ANSWER)])
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_was_added_survives_sigkill(tmp_path: Path) -> None:
    path = tmp_path / "responses.sqlite"
    process = multiprocessing.get_context("spawn").Process(target=_write_and_die, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with Store(path) as store:
        assert store.known(["kept"]) == {"kept": ANSWER}


def test_two_stores_on_one_file_see_each_others_responses(tmp_path: Path) -> None:
    path = tmp_path / "responses.sqlite"
    with Store(path) as first, Store(path) as second:
        first.add([("a", ANSWER)])
        second.add([("b", ANSWER)])
        assert first.known(["a", "b"]).keys() == second.known(["a", "b"]).keys() == {"a", "b"}


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "responses.sqlite"
    path.write_bytes(b"not a database, but long enough to be read as the head of one" * 20)
    with pytest.raises(DataError, match=r"responses\.sqlite cannot be used"):
        Store(path)


@pytest.mark.parametrize("body", ["{", '{"text": 1}', '{"txt": "a", "finish": "stop"}'])
def test_a_damaged_response_is_an_error_and_not_an_answer(tmp_path: Path, body: str) -> None:
    path = tmp_path / "responses.sqlite"
    with Store(path) as store:
        store.add([("key", ANSWER)])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE responses SET body = ?", (body,))
    with Store(path) as store, pytest.raises(DataError, match="cannot be read"):
        store.known(["key"])


@pytest.mark.parametrize("left", [1 / 2, 0.9999, 0.01])
def test_a_store_that_was_cut_off_is_refused_when_it_is_opened(tmp_path: Path, left: float) -> None:
    """It was noticed when the first responses were written: after the inference."""
    path = tmp_path / "responses.sqlite"
    with Store(path) as store:
        store.add((f"key {number}", ANSWER) for number in range(2000))
    os.truncate(path, int(path.stat().st_size * left))
    with pytest.raises(DataError, match=r"cannot be used as the store.*Move it away"):
        Store(path)


def test_a_store_to_read_is_not_made_where_there_is_none(tmp_path: Path) -> None:
    """A dry run made the folder and the file, and failed where it may not write."""
    path = tmp_path / "new" / "responses.sqlite"
    with Responses(path) as responses:
        assert responses.known(["key"]) == {}
    assert not list(tmp_path.iterdir())


def test_a_store_to_read_sees_what_another_process_is_writing(tmp_path: Path) -> None:
    path = tmp_path / "responses.sqlite"
    with Store(path) as store:
        store.add([("key", ANSWER)])
        with Responses(path) as responses:
            assert responses.known(["key"]) == {"key": ANSWER}
    with Responses(path) as responses:
        assert responses.known(["key"]) == {"key": ANSWER}


def test_opening_leaves_nothing_of_its_own_in_the_store(tmp_path: Path) -> None:
    path = tmp_path / "responses.sqlite"
    with Store(path) as store:
        assert store.known([""]) == {}
