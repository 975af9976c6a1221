"""An answer is in the store soon after it came, whether or not another one comes."""

import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from evalharness.errors import DataError
from evalharness.journal import Journal
from evalharness.records import Failure, LogLikelihoodResponse, Stored
from evalharness.store import Store

ANSWER = LogLikelihoodResponse(-1.0, 1, greedy=False)
# Far more than is needed: only a journal that never writes waits this long.
PATIENCE_SECONDS = 60.0


def stored(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        (count,) = connection.execute("SELECT count(*) FROM responses").fetchone()
    return int(count)


def test_an_answer_is_stored_although_the_next_one_does_not_come(tmp_path: Path) -> None:
    """A kill during a slow pack lost everything since the pack before it."""
    path = tmp_path / "responses.sqlite"
    with Store(path) as store, Journal(store, keep=True) as journal:
        journal.add("first", ANSWER)
        until = time.monotonic() + PATIENCE_SECONDS
        while not stored(path) and time.monotonic() < until:
            time.sleep(0.05)
        assert stored(path) == 1


def interrupted(store: Store) -> None:
    with Journal(store, keep=True) as journal:
        for number in range(100):
            journal.add(str(number), ANSWER)
        journal.add("failed", Failure("no answer"))
        raise KeyboardInterrupt


def test_answers_that_wait_are_stored_when_the_run_is_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "responses.sqlite"
    with Store(path) as store, pytest.raises(KeyboardInterrupt):
        interrupted(store)
    assert stored(path) == 100


class FullStore(Store):
    """A store on a disk that is full."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.tried = threading.Event()

    def add(self, responses: Iterable[tuple[str, Stored]]) -> None:
        self.tried.set()
        raise DataError(f"disk is full: {len(list(responses))} responses")


def answer_until_told(store: FullStore) -> None:
    with Journal(store, keep=True) as journal:
        journal.add("first", ANSWER)
        assert store.tried.wait(PATIENCE_SECONDS)


def test_an_error_of_writing_reaches_the_run(tmp_path: Path) -> None:
    """A thread that dies in silence would let hours of answers be computed and lost."""
    with (
        FullStore(tmp_path / "responses.sqlite") as store,
        pytest.raises(DataError, match="disk is full: 1"),
    ):
        answer_until_told(store)


class ClearedLate(threading.Event):
    """An event that is cleared right after the run has ended and set it for the last time."""

    def __init__(self, ended: threading.Event) -> None:
        super().__init__()
        self.ended = ended

    def clear(self) -> None:
        self.ended.set()
        self.set()
        super().clear()


def test_a_run_that_ends_while_answers_are_written_does_not_wait_forever(tmp_path: Path) -> None:
    """Its last signal was lost if it came half a second after an answer, and the run hung."""
    with Store(tmp_path / "responses.sqlite") as store:
        journal = Journal(store, keep=True)
        journal._some_wait = ClearedLate(journal._ended)
        with journal:
            journal.add("first", ANSWER)
            journal._thread.join(PATIENCE_SECONDS)
            assert not journal._thread.is_alive()
    assert stored(tmp_path / "responses.sqlite") == 1
