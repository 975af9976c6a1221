"""The radix trie of many token lists, in flat arrays. No torch here.

Three steps, each linear but for the sorting:

1. Every list becomes a string of bytes, four a token, most significant first: their order is that
   of the tokens, and bytes are compared and cut much faster than tuples of integers.
2. The strings are sorted. Lists with a common prefix are neighbours now, and all that has to be
   known of their trie is how many tokens each list shares with the list before it.
3. A walk from the last list to the first keeps the path to the current list on a stack. A node is
   complete when the walk leaves it, after all nodes below it: read backwards, the order in which
   nodes are completed has parents before children and siblings in sorted order (preorder), so
   that a node and all below it are neighbours too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Tokens = tuple[int, ...]

_TOKEN_BYTES = 4


@dataclass(frozen=True, slots=True, eq=False)
class Trie:
    """N token lists, sorted (rows), and the M nodes above them, in preorder.

    A node stands for the tokens at the depths [start, stop) of all rows below it. Node 0 is the
    root, which has no tokens and is its own parent.

    order      (N,): the number of the list that row i is
    rows       (N,): its tokens, as bytes
    start      (M,), the parent's stop
    stop       (M,)
    parent     (M,)
    after      (M,): nodes [i, after[i]) are node i and all below it
    first_row  (M,): rows [first_row[i], after_row[i]) run through node i;
    after_row  (M,)
    own        (M,): the first own[i] of them end there
    """

    order: Integers
    rows: list[bytes]
    start: Integers
    stop: Integers
    parent: Integers
    after: Integers
    first_row: Integers
    after_row: Integers
    own: Integers

    def text(self, row: int, start: int, stop: int) -> bytes:
        """The tokens of a row at the depths [start, stop), as bytes."""
        return self.rows[row][start * _TOKEN_BYTES : stop * _TOKEN_BYTES]


def tokens_of(text: bytes) -> Integers:
    """Bytes of a trie -> tokens (T,)."""
    return np.frombuffer(text, dtype=f">u{_TOKEN_BYTES}").astype(np.int64)


def build_trie(lists: Sequence[Tokens], ties: Sequence[Tokens], most_ends: int) -> Trie:
    """The trie of lists of one token or more.

    Equal lists are ordered by their `ties`, and end in one node. Where they are more than
    `most_ends`, that node has twins: their last token is there more than once.
    """
    texts = _as_bytes(lists)
    order = list(range(len(lists)))
    if len(lists) > most_ends:  # else equal lists cannot be parted, and their order is no matter
        order.sort(key=ties.__getitem__)
    order.sort(key=texts.__getitem__)
    rows = [texts[number] for number in order]
    walk = _Walk()
    after, shared, equal = b"", 0, 1
    for row in reversed(range(len(rows))):
        shared = _shared_length(rows[row], after, shared)
        length = len(rows[row]) // _TOKEN_BYTES
        if rows[row] == after:
            equal = equal + 1 if equal < most_ends else 1
            shared -= equal == 1
        else:
            equal = 1
        walk.step(row, length, shared)
        after = rows[row]
    walk.close(0, 0)
    return walk.trie(np.array(order, dtype=np.int64), rows)


def _as_bytes(lists: Sequence[Tokens]) -> list[bytes]:
    formats: dict[int, Struct] = {}
    texts = []
    for tokens in lists:
        length = len(tokens)
        if length not in formats:
            formats[length] = Struct(f">{length}I")
        texts.append(formats[length].pack(*tokens))
    return texts


def _shared_length(first: bytes, second: bytes, guess: int) -> int:
    """Tokens in the common prefix, by bisection: slices are compared at the speed of memory.

    The guess is tried first, since neighbours often part where the ones beside them did.
    """
    low, high = 0, min(len(first), len(second)) // _TOKEN_BYTES
    middle = min(guess, high)
    while low < high:
        start, stop = low * _TOKEN_BYTES, middle * _TOKEN_BYTES
        if first[start:stop] == second[start:stop]:
            low = middle
        else:
            high = middle - 1
        middle = (low + high + 1) // 2
    return low


class _Walk:
    """Builds nodes from the last row to the first. Nodes are numbered as they are found."""

    def __init__(self) -> None:
        self._stop = [0]
        self._parent = [0]
        self._first_row = [0]
        self._after_row = [0]
        self._own = [0]
        self._completed_before = [0]  # nodes that were complete before any node below this one
        self._open = [0]  # the path from the root to the current row's end
        self._completed: list[int] = []

    def step(self, row: int, length: int, shared: int) -> None:
        """Go to a row that has `length` tokens, `shared` of them in common with the row after."""
        self.close(row + 1, shared)
        if length > self._stop[self._open[-1]]:
            self._add(length, row + 1, len(self._completed))
        self._own[self._open[-1]] += 1

    def close(self, first_row: int, shared: int) -> None:
        """Complete what the row before `first_row` does not run through; branch where it left."""
        path, stop = self._open, self._stop
        below = -1
        while stop[path[-1]] > shared:
            below = path.pop()
            self._first_row[below] = first_row
            self._parent[below] = path[-1]
            self._completed.append(below)
        if stop[path[-1]] < shared:
            self._parent[below] = len(stop)
            self._add(shared, self._after_row[below], self._completed_before[below])

    def _add(self, stop: int, after_row: int, completed_before: int) -> None:
        self._open.append(len(self._stop))
        self._stop.append(stop)
        self._parent.append(0)
        self._first_row.append(0)
        self._after_row.append(after_row)
        self._own.append(0)
        self._completed_before.append(completed_before)

    def trie(self, order: Integers, rows: list[bytes]) -> Trie:
        """Number the nodes in preorder. Only the root may still be open."""
        self._after_row[0] = len(rows)
        found = np.array([*self._completed, 0], dtype=np.int64)[::-1]
        place = np.empty_like(found)
        place[found] = np.arange(len(found))
        stop = np.array(self._stop, dtype=np.int64)[found]
        parent = place[np.array(self._parent, dtype=np.int64)[found]]
        return Trie(
            order=order,
            rows=rows,
            start=stop[parent],
            stop=stop,
            parent=parent,
            after=len(found) - np.array(self._completed_before, dtype=np.int64)[found],
            first_row=np.array(self._first_row, dtype=np.int64)[found],
            after_row=np.array(self._after_row, dtype=np.int64)[found],
            own=np.array(self._own, dtype=np.int64)[found],
        )
