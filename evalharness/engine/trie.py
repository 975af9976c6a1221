"""Planning: token lists become packs in which every shared prefix is computed once. No torch here.

All queries are sorted by their tokens into a radix trie (radix.py): a node holds the tokens that
all queries below it share. It is decided which of its nodes each pack lays out (layouts.py). Nodes
are laid out one after the other in a single row without padding: a token sees its ancestors only,
and its position is its depth. Here rows become arrays, a few operations for a whole pack.

Everything is linear in the tokens and in the queries, but for sorting them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise

import numpy as np

from evalharness.engine.layouts import Layout, Limits, layouts, most_equal_ends
from evalharness.engine.radix import Integers, Tokens, Trie, build_trie, tokens_of

__all__ = ["Integers", "Limits", "Pack", "Query", "Tokens", "plan"]

# Packs that become arrays together: an operation on a short array costs as much as on a longer one.
BATCH = 64


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
    remaining = layouts(trie, limits)
    packs: list[Pack] = []
    while batch := list(islice(remaining, BATCH)):
        packs.extend(builder.build(batch))
    return packs


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """N nodes of the packs of a batch, in one line: pack after pack, in preorder.

    pack    (N,), its number in the batch
    node    (N,)
    top     (N,): the depth of the stems above the pack
    start   (N,): the depths [start, stop) of the node are in the pack
    stop    (N,)
    place   (N,): where in its pack the node starts
    own     (N,): how many queries end there
    """

    pack: Integers
    node: Integers
    top: Integers
    start: Integers
    stop: Integers
    place: Integers
    own: Integers

    @classmethod
    def of(cls, trie: Trie, batch: Sequence[Layout]) -> "_Line":
        spans = np.array(
            [(pack, *span) for pack, layout in enumerate(batch) for span in sorted(layout.spans)]
        )
        pack = spans[:, 0].repeat(spans[:, 2] - spans[:, 1])
        node = _ranges(spans[:, 1], spans[:, 2])
        top = np.array([layout.forest.depth for layout in batch])[pack]
        start, stop = np.maximum(trie.start[node], top), trie.stop[node]
        first = pack.searchsorted(np.arange(len(batch)))
        for number, layout in enumerate(batch):
            if layout.stop is not None:  # the stem's last node, which is the pack's, is cut
                last = pack.searchsorted(number, side="right") - 1
                stop[last] = layout.stop
        before = (stop - start).cumsum() - (stop - start)
        line = cls(pack, node, top, start, stop, before - before[first][pack], trie.own[node])
        for number, layout in enumerate(batch):
            if layout.silent:
                line.own[line.find(trie, np.array(layout.silent), number)] = 0
        return line

    def find(self, trie: Trie, nodes: Integers, packs: Integers | int) -> Integers:
        """Where some nodes of some packs are in the line, or would be."""
        size = len(trie.stop) + 1
        return (self.pack * size + self.node).searchsorted(packs * size + nodes)


class _PackBuilder:
    """Makes packs of layouts."""

    def __init__(self, trie: Trie, queries: Sequence[Query]) -> None:
        self._trie = trie
        lengths = np.array([len(query.tokens) for query in queries], dtype=np.int64)
        counts = np.array([len(query.targets) for query in queries], dtype=np.int64)
        self._targets = np.fromiter(
            chain.from_iterable(query.targets for query in queries), np.int64, counts.sum()
        )
        # Of each row of the trie: the depth of its first target, and the place in _targets of what
        # would be the target of depth 0.
        self._first = (lengths - counts)[trie.order]
        self._offset = (np.cumsum(counts) - lengths)[trie.order]

    def build(self, batch: Sequence[Layout]) -> Iterator[Pack]:
        """The packs of some layouts."""
        trie, line = self._trie, _Line.of(self._trie, batch)
        lengths = line.stop - line.start
        first_row = trie.first_row[line.node]
        texts = map(trie.text, first_row.tolist(), line.start.tolist(), line.stop.tolist())
        pack = line.pack.repeat(lengths)
        rows, at = _ranges(first_row, first_row + line.own), _numbers(line.own)
        ends = _columns(line.place[at] + lengths[at] - 1, trie.order[rows])
        targets, pack_of_target = self._targets_of(line, *self._asked(line, batch, rows, at))
        arrays = zip(
            _divided(tokens_of(b"".join(texts)), pack, len(batch)),
            _divided(_ranges(line.start, line.stop), pack, len(batch)),
            _divided(self._reach(line).repeat(lengths), pack, len(batch)),
            _divided(targets, pack_of_target, len(batch)),
            _divided(ends, line.pack[at], len(batch)),
            strict=True,
        )
        for layout, found in zip(batch, arrays, strict=True):
            yield Pack(layout.forest.stems, layout.stop is not None, *found)

    def _reach(self, line: _Line) -> Integers:
        """(N,): the place in its pack where the tree of each node ends."""
        after = line.find(self._trie, self._trie.after[line.node], line.pack) - 1
        return line.place[after] + (line.stop - line.start)[after]

    def _asked(
        self, line: _Line, batch: Sequence[Layout], rows: Integers, at: Integers
    ) -> tuple[Integers, Integers]:
        """Rows whose targets are asked for, and where in the line the last of these targets is.

        These are the rows that end there; in a stem also those that go on below it.
        """
        stems = [number for number, layout in enumerate(batch) if layout.stop is not None]
        last = line.pack.searchsorted(stems, side="right") - 1
        node = line.node[last]
        ended = np.where(line.stop[last] == self._trie.stop[node], self._trie.own[node], 0)
        first, after = self._trie.first_row[node] + ended, self._trie.after_row[node]
        return (
            np.concatenate((rows, _ranges(first, after))),
            np.concatenate((at, last.repeat(after - first))),
        )

    def _targets_of(self, line: _Line, rows: Integers, at: Integers) -> tuple[Integers, Integers]:
        """Targets (K, 3) of all packs, and the pack of each: climb from the last node of each row
        towards the root, as far as the row has targets.
        """
        parent = line.find(self._trie, self._trie.parent[line.node], line.pack)
        found = [np.empty((0, 4), dtype=np.int64)]
        first = np.maximum(self._first[rows], line.top[at])
        while rows.size:
            asked = first < line.stop[at]
            rows, at, first = rows[asked], at[asked], first[asked]
            upper = np.maximum(first, line.start[at])
            counts = line.stop[at] - upper
            depths = _ranges(upper, line.stop[at])
            place = (line.place[at] - line.start[at]).repeat(counts) + depths
            target = self._targets[self._offset[rows].repeat(counts) + depths]
            query = self._trie.order[rows].repeat(counts)
            found.append(_columns(place, target, query, line.pack[at].repeat(counts)))
            above = first < line.start[at]
            rows, at, first = rows[above], parent[at[above]], first[above]
        targets = np.concatenate(found)
        targets = targets[targets[:, 3].argsort(kind="stable")]
        return targets[:, :3], targets[:, 3]


def _divided(values: Integers, packs: Integers, count: int) -> list[Integers]:
    """The values of each of `count` packs; `packs` says, in order, to which each belongs."""
    bounds = packs.searchsorted(np.arange(count + 1)).tolist()
    return [values[start:stop] for start, stop in pairwise(bounds)]


def _numbers(counts: Integers) -> Integers:
    """0 as often as the first count says, then 1 as often as the second says, and so on."""
    return np.arange(len(counts)).repeat(counts)


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
