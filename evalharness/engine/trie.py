"""Planning: token lists become packs in which every shared prefix is computed once. No torch here.

All queries are sorted by their tokens into a radix trie (radix.py): a node holds the tokens that
all queries below it share. It is decided which of its nodes each pack lays out (layouts.py). Nodes
are laid out one after the other in a single row without padding: a token sees its ancestors only,
and its position is its depth. Here rows become arrays, a few operations for a whole pack.

Everything is linear in the tokens and in the queries, but for sorting them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from evalharness.engine.layouts import Layout, Limits, layouts, most_equal_ends
from evalharness.engine.radix import Integers, Tokens, Trie, build_trie, tokens_of

__all__ = ["Integers", "Limits", "Pack", "Query", "Tokens", "plan"]


@dataclass(frozen=True, slots=True)
class Query:
    """Tokens to compute and, at places in them, next tokens whose probability is wanted.

    targets[i] is the token asked for after tokens[: len(tokens) - len(targets) + i + 1].
    """

    tokens: Tokens
    targets: Tokens = ()


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """One row of T tokens to compute: parts of the trie, laid out depth first, without padding.

    stems      earlier packs, from the root down, whose every token is seen by every token of this
    kept       later packs name this one as a stem
    tokens     (T,)
    positions  (T,), the depth of each token in its own text
    reach      (T,): place i is seen by the places [i, reach[i]), which are all that is below it
    targets    (K, 3): the place after which, the token of which, and the query for which a
               probability is wanted
    ends       (E, 2): the place of a query's last token, and the query
    """

    stems: tuple[int, ...]
    kept: bool
    tokens: Integers
    positions: Integers
    reach: Integers
    targets: Integers
    ends: Integers

    def path(self, place: int) -> Integers:
        """All places of this pack that `place` sees, itself included, from the top down."""
        return np.flatnonzero(self.reach[: place + 1] > place)


def plan(queries: Sequence[Query], limits: Limits = Limits()) -> list[Pack]:
    """Packs in the order in which they must be computed; stems come before what needs them.

    Raises ValueError for a query without tokens or with more targets than tokens.
    """
    for index, query in enumerate(queries):
        if not query.tokens or len(query.targets) > len(query.tokens):
            raise ValueError(f"query {index} has no tokens, or fewer tokens than targets")
    if not queries:
        return []
    trie = build_trie(
        [query.tokens for query in queries],
        [query.targets for query in queries],
        most_equal_ends(limits),
    )
    builder = _PackBuilder(trie, queries)
    return [builder.build(layout) for layout in layouts(trie, limits)]


class _PackBuilder:
    """Makes packs of layouts."""

    def __init__(self, trie: Trie, queries: Sequence[Query]) -> None:
        self._trie = trie
        lengths = np.array([len(query.tokens) for query in queries], dtype=np.int64)
        counts = np.array([len(query.targets) for query in queries], dtype=np.int64)
        self._targets = np.fromiter(
            chain.from_iterable(query.targets for query in queries), np.int64, counts.sum()
        )
        # Of each row: its length, the depth of its first target, the place in _targets of what
        # would be the target of depth 0.
        self._length = lengths[trie.order]
        self._first = (lengths - counts)[trie.order]
        self._offset = (np.cumsum(counts) - lengths)[trie.order]

    def build(self, layout: Layout) -> Pack:
        trie, forest = self._trie, layout.forest
        spans = np.array(sorted(layout.spans), dtype=np.int64)
        nodes = _ranges(spans[:, 0], spans[:, 1])
        start, stop = np.maximum(trie.start[nodes], forest.depth), trie.stop[nodes]
        if layout.stop is not None:
            stop = np.minimum(stop, layout.stop)
        lengths = stop - start
        places = np.concatenate(([0], np.cumsum(lengths)))  # where each node starts
        texts = map(trie.text, trie.first_row[nodes].tolist(), start.tolist(), stop.tolist())
        reach = places[nodes.searchsorted(trie.after[nodes])]
        own = trie.own[nodes]
        own[nodes.searchsorted(layout.silent)] = 0
        rows = _ranges(trie.first_row[nodes], trie.first_row[nodes] + own)
        at = np.arange(len(nodes)).repeat(own)
        asked = self._asked(layout, nodes, rows, at)
        return Pack(
            stems=forest.stems,
            kept=layout.stop is not None,
            tokens=tokens_of(b"".join(texts)),
            positions=_ranges(start, stop),
            reach=reach.repeat(lengths),
            targets=self._targets_of(asked, nodes, start, places),
            ends=_columns(places[at + 1] - 1, trie.order[rows]),
        )

    def _asked(self, layout: Layout, nodes: Integers, rows: Integers, at: Integers) -> Integers:
        """(4, A): a row whose targets are asked for at depths [first, after), the node that holds
        the last of these depths, first, and after.

        These are the rows that end here; of a stem also those that go on below it.
        """
        trie, after = self._trie, self._length[rows]
        if layout.stop is not None:
            last = nodes[-1]
            ended = trie.own[last] if layout.stop == trie.stop[last] else 0
            below = np.arange(trie.first_row[last] + ended, trie.after_row[last])
            rows = np.concatenate((rows, below))
            at = np.concatenate((at, np.full_like(below, len(nodes) - 1)))
            after = np.concatenate((after, np.full_like(below, layout.stop)))
        first = np.maximum(self._first[rows], layout.forest.depth)
        return np.array((rows, at, first, after))[:, first < after]

    def _targets_of(
        self, asked: Integers, nodes: Integers, start: Integers, places: Integers
    ) -> Integers:
        """(K, 3): climb from the node of each row towards the root, as far as it has targets."""
        parent = nodes.searchsorted(self._trie.parent[nodes])
        found = []
        while asked.size:
            rows, at, first, after = asked
            upper = np.maximum(first, start[at])
            counts = after - upper
            depths = _ranges(upper, after)
            place = (places[at] - start[at]).repeat(counts) + depths
            target = self._targets[self._offset[rows].repeat(counts) + depths]
            found.append(_columns(place, target, self._trie.order[rows].repeat(counts)))
            asked = np.array((rows, parent[at], first, upper))[:, first < upper]
        return np.concatenate(found) if found else np.empty((0, 3), dtype=np.int64)


def _columns(*columns: Integers) -> Integers:
    """(rows, columns), stored row by row."""
    rows: Integers = np.array(columns).T.copy()
    return rows


def _ranges(starts: Integers, stops: Integers) -> Integers:
    """The integers of each range [start, stop), one range after the other."""
    lengths = stops - starts
    ends = lengths.cumsum()
    found: Integers = (stops - ends).repeat(lengths)
    found += np.arange(len(found))
    return found
