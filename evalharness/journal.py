"""Answers on their way to the store, kept in time whatever ends the run."""

import threading

from evalharness.records import Failure, Stored
from evalharness.store import Store

# A response waits no longer than this, so that a killed run loses no more than that.
SECONDS_BEFORE_WRITE = 0.5


class Journal:
    """Writes responses to the store from a thread of its own, and the rest when the run ends.

    The next response may be minutes away, so that writing cannot wait for it. While the context is
    open nobody else may use the store's connection. An error of the thread is raised by the next
    `add`, or at the end.
    """

    def __init__(self, store: Store, *, keep: bool) -> None:
        self._store = store
        self._keep = keep
        self._waiting: list[tuple[str, Stored]] = []
        self._lock = threading.Lock()
        self._some_wait = threading.Event()
        self._ended = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._write_in_time, name="journal", daemon=True)

    def __enter__(self) -> "Journal":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._some_wait.set()
        self._thread.join()
        self._raise_error()
        self._write()

    def add(self, key: str, outcome: Stored | Failure) -> None:
        """Failures are not kept: they are tried again by the next run."""
        self._raise_error()
        if self._keep and not isinstance(outcome, Failure):
            with self._lock:
                self._waiting.append((key, outcome))
            self._some_wait.set()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _write_in_time(self) -> None:
        # The run may end just before `_some_wait` is cleared, which then nobody sets again.
        while not self._ended.is_set():
            self._some_wait.wait()
            if self._ended.wait(SECONDS_BEFORE_WRITE):
                return
            self._some_wait.clear()
            try:
                self._write()
            except Exception as error:
                self._error = error
                return

    def _write(self) -> None:
        with self._lock:
            some, self._waiting = self._waiting, []
        if some:
            self._store.add(some)
