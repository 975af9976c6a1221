"""Responses on disk: the cache and the journal from which a killed run resumes are one file.

The key of a response is the content of its request and of the model, so that an overwritten
checkpoint misses and another split of the work hits.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from evalharness.canonical import canonical, fields_of
from evalharness.errors import DataError
from evalharness.records import (
    GenerationResponse,
    Keyed,
    LogLikelihoodResponse,
    MinK,
    Response,
    Stored,
    TokenScores,
)

_KINDS: Mapping[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind)
    for kind in (LogLikelihoodResponse, GenerationResponse, TokenScores, MinK)
}
_BODY = json.JSONEncoder(default=fields_of)
STORE_NAME = "responses.sqlite"
# Another process may be writing.
SECONDS_TO_WAIT = 60.0
_TABLE = (
    "CREATE TABLE IF NOT EXISTS responses "
    "(key TEXT PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID"
)
# SQLite takes a limited number of parameters in one statement.
_KEYS_AT_ONCE = 500


def request_key(fingerprint: str, request: Keyed) -> str:
    """sha256 over everything that the answer depends on: the model, and what it is asked."""
    content = {"model": fingerprint, "kind": type(request).__name__, **fields_of(request)}
    return hashlib.sha256(canonical(content)).hexdigest()


def _unusable(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} cannot be used as the store of responses: {error}. Move it away to compute the "
        "responses again, or choose another folder with -o."
    )


def _check_length(path: Path) -> None:
    """Notice a file that was cut off in its last page, at which SQLite would look when it needs it.

    A log beside the file means that another process writes, or was killed; SQLite mends that.
    Raises sqlite3.DatabaseError.
    """
    log = path.with_name(f"{path.name}-wal")
    if not path.exists() or log.exists():
        return
    with path.open("rb") as file:
        head = file.read(18)
    # https://www.sqlite.org/fileformat.html#page_size: two bytes at 16, in which 1 means 65,536.
    page_bytes = int.from_bytes(head[16:18], "big")
    if page_bytes == 1:
        page_bytes = 65536
    if head and (page_bytes == 0 or path.stat().st_size % page_bytes):
        raise sqlite3.DatabaseError("the file was cut off, or is no SQLite file")


class Responses:
    """A table of responses by key, to be read; where there is no file nothing is known."""

    def __init__(self, path: Path) -> None:
        """Open the file, if it is there, and change nothing. Raises DataError if it is no store."""
        self._path = path
        try:
            if not path.exists():
                self._connection = sqlite3.connect(":memory:")
                self._connection.execute(_TABLE)
                return
            # Nobody writes where this process may not; a log could not be opened there either.
            how = "mode=ro" if os.access(path.parent, os.W_OK) else "mode=ro&immutable=1"
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?{how}", uri=True, timeout=SECONDS_TO_WAIT
            )
            self._connection.execute("SELECT key, kind, body FROM responses LIMIT 1").fetchall()
        except (sqlite3.Error, OSError) as error:
            raise _unusable(path, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    def known(self, keys: Sequence[str]) -> dict[str, Response]:
        """The responses that are there. Raises DataError for one that cannot be read."""
        return self._read(keys)

    def token_scores(self, keys: Sequence[str]) -> dict[str, TokenScores | MinK]:
        """What is there of single tokens. Raises DataError for what cannot be read."""
        return self._read(keys)

    def kept(self, keys: Sequence[str]) -> set[str]:
        """Which of the keys are there. Raises DataError for a file that cannot be read."""
        return {key for key, _, _ in self._rows(keys, "key, NULL, NULL")}

    def _read(self, keys: Sequence[str]) -> dict[str, Any]:
        try:
            return {
                key: _KINDS[kind].validate_json(body)
                for key, kind, body in self._rows(keys, "key, kind, body")
            }
        except (KeyError, ValidationError) as error:
            raise self._unreadable(error) from None

    def _rows(self, keys: Sequence[str], columns: str) -> Iterator[tuple[str, str, str]]:
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = keys[start : start + _KEYS_AT_ONCE]
            marks = ",".join("?" * len(some))
            query = f"SELECT {columns} FROM responses WHERE key IN ({marks})"
            try:
                yield from self._connection.execute(query, some).fetchall()
            except sqlite3.Error as error:
                raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> DataError:
        return DataError(
            f"{self._path} holds a response that cannot be read ({error}). "
            "Move the file away to compute the responses again."
        )


class Store(Responses):
    """A table of responses by key. Two processes may use one file at once."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises DataError when it cannot be used as a store."""
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _check_length(path)
            # The journal writes from a thread of its own, never at the same time as others.
            self._connection = sqlite3.connect(
                path, timeout=SECONDS_TO_WAIT, check_same_thread=False
            )
            # A write-ahead log keeps every committed response when the process is killed.
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(_TABLE)
            self._probe()
        except (sqlite3.Error, OSError) as error:
            raise _unusable(path, error) from None

    def _probe(self) -> None:
        """Write and take back, so that a damaged or full store is known before any answer is."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("INSERT OR REPLACE INTO responses VALUES ('', '', '')")
            self._connection.execute("DELETE FROM responses WHERE key = ''")

    def add(self, responses: Iterable[tuple[str, Stored]]) -> None:
        """Keep responses; when this returns they survive the death of the process.

        Raises DataError when the disk is full or the file cannot be written.
        """
        # In the order of the table each of its pages is written once; keys come in none.
        rows = sorted(
            (key, type(response).__name__, _BODY.encode(response)) for key, response in responses
        )
        try:
            with self._connection:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO responses VALUES (?, ?, ?)", rows
                )
        except sqlite3.Error as error:
            raise DataError(f"{self._path}: responses cannot be written: {error}.") from None
