"""Planning: token lists become packs in which every shared prefix is computed once. No torch here.

All queries are sorted by their tokens into a radix trie: a node holds the tokens that all queries
below it share. Nodes are laid out one after the other in a pack, a single row without padding. A
token sees its ancestors only, and its position is its depth. A node that many packs need becomes a
pack of its own, a stem, whose keys and values are kept while the packs below it are computed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """Tokens to compute and, at places in them, next tokens whose probability is wanted.

    targets[i] is the token asked for after tokens[: len(tokens) - len(targets) + i + 1].
    """

    tokens: Tokens
    targets: Tokens = ()


Integers = NDArray[np.int64]


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

    def firsts(self) -> Integers:
        """(T,): for each place the start of the tree it stands in; trees do not see each other."""
        furthest = np.maximum.accumulate(self.reach)
        starts = np.flatnonzero(np.r_[True, furthest[:-1] <= np.arange(1, len(self.tokens))])
        lengths = np.diff(np.r_[starts, len(self.tokens)])
        return np.repeat(starts, lengths)


@dataclass(frozen=True, slots=True)
class Limits:
    """How large packs may become.

    pack_size      tokens in a pack; a single query that is longer gets a pack of its own
    ends           queries that may end in one pack
    minimum_stem   tokens that must be saved before a shared prefix is worth a pack of its own: a
                   short pack costs nearly as much as a longer one, since all weights are read
    """

    pack_size: int = 512
    ends: int = 1 << 30
    minimum_stem: int = 64


@dataclass(slots=True)
class _Node:
    depth: int  # tokens above this node
    tokens: Tokens
    children: list["_Node"] = field(default_factory=list)
    queries: list[int] = field(default_factory=list)  # that end here
    size: int = 0  # tokens of this node and all below it
    ends: int = 0  # queries that end here or below


def plan(queries: Sequence[Query], limits: Limits = Limits()) -> list[Pack]:
    """Packs in the order in which they must be computed; stems come before what needs them.

    Raises ValueError for a query without tokens or with more targets than tokens.
    """
    for index, query in enumerate(queries):
        if not query.tokens or len(query.targets) > len(query.tokens):
            raise ValueError(f"query {index} has no tokens, or fewer tokens than targets")
    planner = _Planner(queries, limits)
    planner.plan_below(build_trie([query.tokens for query in queries]))
    return planner.packs


def build_trie(sequences: Sequence[Tokens]) -> list[_Node]:
    """The top nodes of the radix trie over the sequences, in sorted order."""
    top = _Node(0, ())
    path = [top]  # from the top to the node where the last sequence ended
    previous: Tokens = ()
    for index in sorted(range(len(sequences)), key=sequences.__getitem__):
        sequence = sequences[index]
        shared = _shared_length(previous, sequence)
        previous = sequence
        while path[-1].depth >= shared and len(path) > 1:
            path.pop()
        last = path[-1]
        if last.depth + len(last.tokens) > shared:
            _split(last, shared)
        if shared < len(sequence):
            node = _Node(shared, sequence[shared:])
            last.children.append(node)
            path.append(node)
        path[-1].queries.append(index)
    _measure(top)
    return top.children


def _shared_length(first: Tokens, second: Tokens) -> int:
    """Length of the common prefix, by bisection: comparing slices is fast, single tokens is not."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _split(node: _Node, depth: int) -> None:
    """Cut a node so that it ends at `depth`; the rest becomes its only child."""
    cut = depth - node.depth
    rest = _Node(depth, node.tokens[cut:], node.children, node.queries)
    node.tokens, node.children, node.queries = node.tokens[:cut], [rest], []


def _measure(top: _Node) -> None:
    """Fill in sizes and ends from the leaves up, without recursion: chains can be deep."""
    order = [top]
    for node in order:
        order.extend(node.children)
    for node in reversed(order):
        node.size = len(node.tokens) + sum(child.size for child in node.children)
        node.ends = len(node.queries) + sum(child.ends for child in node.children)


def _queries_below(node: _Node) -> Iterator[int]:
    """Queries that end in this node or below it."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield from current.queries
        waiting.extend(current.children)


_Forest = tuple[list[_Node], tuple[int, ...]]
"""Nodes that stand side by side, and the stems above them."""


class _Planner:
    """Walks the trie and lays its nodes out in packs."""

    def __init__(self, queries: Sequence[Query], limits: Limits) -> None:
        self._queries = queries
        self._limits = limits
        self.packs: list[Pack] = []

    def plan_below(self, top: list[_Node]) -> None:
        """Plan a forest and, after it, the forests below the stems that were found in it."""
        waiting: list[_Forest] = [(top, ())]
        while waiting:
            forest, stems = waiting.pop()
            waiting.extend(reversed(self._plan_forest(forest, stems)))

    def _plan_forest(self, forest: list[_Node], stems: tuple[int, ...]) -> list[_Forest]:
        below: list[_Forest] = []
        builder = _PackBuilder(stems, self._queries)
        walk: list[tuple[_Node, tuple[_Node, ...]]] = [(node, ()) for node in reversed(forest)]
        while walk:
            node, ancestors = walk.pop()
            path = (*ancestors, node)
            if self._is_stem(path):
                stem = _PackBuilder(stems, self._queries)
                stem.add_stem(path)
                self.packs.append(stem.build(kept=True))
                below.append((node.children, (*stems, len(self.packs) - 1)))
                continue
            if node.queries:
                if builder.tokens and not self._fits(builder, path):
                    self.packs.append(builder.build(kept=False))
                    builder = _PackBuilder(stems, self._queries)
                builder.add_path(path)
            walk.extend((child, path) for child in reversed(node.children))
        if builder.tokens:
            self.packs.append(builder.build(kept=False))
        return below

    def _is_stem(self, path: tuple[_Node, ...]) -> bool:
        """Would so many packs compute this path again that keeping it saves enough?"""
        node = path[-1]
        if not node.children:
            return False
        packs = max(
            -(-(node.size - len(node.tokens)) // self._limits.pack_size),
            -(-node.ends // self._limits.ends),
        )
        length = sum(len(step.tokens) for step in path)
        return length * (packs - 1) >= self._limits.minimum_stem

    def _fits(self, builder: "_PackBuilder", path: tuple[_Node, ...]) -> bool:
        return (
            len(builder.tokens) + builder.missing(path) <= self._limits.pack_size
            and len(builder.ends) + len(path[-1].queries) <= self._limits.ends
        )


class _PackBuilder:
    """A pack that grows path by path."""

    def __init__(self, stems: tuple[int, ...], queries: Sequence[Query]) -> None:
        self.tokens: list[int] = []
        self.ends: list[tuple[int, int]] = []
        self._stems = stems
        self._queries = queries
        self._positions: list[int] = []
        self._segments: list[tuple[int, int, int]] = []  # start, stop, parent
        self._targets: list[tuple[int, int, int]] = []
        self._segment_of: dict[int, int] = {}  # id of a node -> its segment

    def missing(self, path: Sequence[_Node]) -> int:
        """Tokens of those nodes that are not in the pack yet."""
        return sum(len(node.tokens) for node in path if id(node) not in self._segment_of)

    def add_path(self, path: Sequence[_Node]) -> None:
        """Lay out a path, and ask for the targets of the queries that end with it."""
        self._lay_out(path)
        self._ask(path, path[-1].queries)

    def add_stem(self, path: Sequence[_Node]) -> None:
        """Lay out a path, and ask for the targets in it of every query that goes through it."""
        self._lay_out(path)
        self._ask(path, list(_queries_below(path[-1])))

    def build(self, *, kept: bool) -> Pack:
        return Pack(
            stems=self._stems,
            kept=kept,
            tokens=np.array(self.tokens, dtype=np.int64),
            positions=np.array(self._positions, dtype=np.int64),
            reach=self._reach(),
            targets=np.array(self._targets, dtype=np.int64).reshape(-1, 3),
            ends=np.array(self.ends, dtype=np.int64).reshape(-1, 2),
        )

    def _reach(self) -> Integers:
        reach = np.empty(len(self.tokens), dtype=np.int64)
        stops = [stop for _, stop, _ in self._segments]
        for index in reversed(range(len(self._segments))):
            start, stop, parent = self._segments[index]
            reach[start:stop] = stops[index]
            if parent >= 0:
                stops[parent] = max(stops[parent], stops[index])
        return reach

    def _lay_out(self, path: Sequence[_Node]) -> None:
        parent = -1
        for node in path:
            if id(node) not in self._segment_of:
                start, stop = len(self.tokens), len(self.tokens) + len(node.tokens)
                self.tokens.extend(node.tokens)
                self._positions.extend(range(node.depth, node.depth + len(node.tokens)))
                self._segment_of[id(node)] = len(self._segments)
                self._segments.append((start, stop, parent))
            parent = self._segment_of[id(node)]
        last = self._segments[parent][1] - 1
        self.ends.extend((last, query) for query in path[-1].queries)

    def _ask(self, path: Sequence[_Node], queries: Sequence[int]) -> None:
        """Note the targets that lie on the path; those above it were asked for by its stems."""
        for number in queries:
            query = self._queries[number]
            first = len(query.tokens) - len(query.targets)
            for node in reversed(path):
                stop = node.depth + len(node.tokens)
                if stop <= first:
                    break
                start = self._segments[self._segment_of[id(node)]][0]
                self._targets.extend(
                    (start + depth - node.depth, query.targets[depth - first], number)
                    for depth in range(max(first, node.depth), min(stop, len(query.tokens)))
                )
