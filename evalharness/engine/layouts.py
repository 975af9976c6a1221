"""What each pack of a plan lays out. No torch here.

All packs of one forest (trees side by side, and the same stems above them) are laid out at once:

- A tree that fits into an empty pack, together with the path that leads to it, stays whole.
- A tree that does not fit is divided among packs, each of which needs the path to its part. If
  keeping that path saves enough, it becomes a stem: a pack of its own, whose keys and values are
  kept while the packs below it are computed. Else the path is laid out again in each of them.
- A path that is longer than a pack is cut at the size of a pack; what was cut off is a stem.

Trees go into packs in sorted order, but for trees that are taken early to fill what is left of a
pack. Below every stem there is again a forest. A forest's own packs come first, then each of its
stems, followed at once by all that is below that stem. So the stems that are needed at any time
lie on one path, and a kept pack that the next pack does not name is not needed again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from evalharness.engine.radix import Trie

# Trees that are looked at to fill what is left of a pack: enough to find one that nearly fits.
LOOK_AHEAD = 32


@dataclass(frozen=True, slots=True)
class Limits:
    """How large packs may become.

    pack_size      tokens in a pack
    ends           queries that may end in one pack
    minimum_stem   tokens that must be saved before a shared prefix is worth a pack of its own: a
                   short pack costs nearly as much as a longer one, since all weights are read
    """

    pack_size: int = 512
    ends: int = 1 << 30
    minimum_stem: int = 64


Span = tuple[int, int]
"""Nodes [first, after) in preorder: a whole tree, or a single node on the path to one."""


@dataclass(frozen=True, slots=True)
class Forest:
    """The trees of the nodes [first, after), which have the same stems above them.

    depth  tokens in those stems: what the nodes hold of lesser depth is computed already
    stems  the packs which they are, from the root down
    """

    first: int
    after: int
    depth: int = 0
    stems: tuple[int, ...] = ()


@dataclass(slots=True)
class Layout:
    """What a pack lays out.

    stop    for a stem the depth at which it ends, in the last node or at its end
    path    single nodes: those on the way to other spans, and leaves
    silent  those of them whose queries do not end here, but in an earlier pack or further down
    spans   all that is laid out, the path included, in no order
    tokens  how many there are
    ends    how many queries end
    """

    forest: Forest
    stop: int | None = None
    path: set[int] = field(default_factory=set)
    silent: list[int] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    tokens: int = 0
    ends: int = 0


def layouts(trie: Trie, limits: Limits) -> Iterator[Layout]:
    """The layout of every pack, in the order in which the packs must be computed.

    No more than `most_equal_ends` of the limits may end in one node of the trie.
    """
    return _Planner(trie, limits).layouts()


def most_equal_ends(limits: Limits) -> int:
    """Queries that may end in one node: half of what may end in a pack, rounded up.

    The other half is for those that end on the path to the node.
    """
    return limits.ends - limits.ends // 2


@dataclass(frozen=True, slots=True)
class _Stem:
    """The path from the depth of a forest to `stop`, which lies in `node` or is its end."""

    forest: Forest
    node: int
    stop: int


@dataclass(slots=True)
class _Large:
    """A node whose tree does not stay whole, and what needs the path to its end.

    pending  queries that end on the path and for which the first pack that needs it has room
    alone    these would be too many: the path is laid out for them before any tree that needs it
    stems    below the node; each takes the path along once
    tokens   of all else that is below the node
    ends     of the same
    """

    pending: int = 0
    alone: bool = False
    stems: int = 0
    tokens: int = 0
    ends: int = 0

    def packs(self, room: int, ends: int) -> int:
        """How many packs lay out the path, if each has room for so many tokens besides it."""
        return max(self.stems + -(-self.tokens // room), -(-self.ends // ends))


class _Planner:
    def __init__(self, trie: Trie, limits: Limits) -> None:
        self._limits = limits
        # Lists, since single items of arrays are slow to read.
        self._start: list[int] = trie.start.tolist()
        self._stop: list[int] = trie.stop.tolist()
        self._parent: list[int] = trie.parent.tolist()
        self._after: list[int] = trie.after.tolist()
        self._own: list[int] = trie.own.tolist()
        # Tokens and ends in all nodes before a node.
        self._tokens: list[int] = [0, *np.cumsum(trie.stop - trie.start).tolist()]
        self._ends: list[int] = [0, *np.cumsum(trie.own).tolist()]
        self._ended: set[int] = set()  # nodes of paths, when the queries in them have ended

    def layouts(self) -> Iterator[Layout]:
        number = 0
        forest = Forest(1, self._after[0])
        waiting: list[_Stem] = []
        while True:
            stems: list[_Stem] = []
            for layout in self._fill(forest, stems):
                yield layout
                number += 1
            waiting.extend(reversed(stems))
            if not waiting:
                return
            stem = waiting.pop()
            layout = Layout(stem.forest, stem.stop)
            self._add(layout, (stem.node, stem.node + 1))
            yield layout
            forest = self._below(stem, number)
            number += 1

    def _below(self, stem: _Stem, number: int) -> Forest:
        """The forest below a stem, which is pack `number`."""
        cut = stem.stop < self._stop[stem.node]
        first = stem.node if cut else stem.node + 1
        return Forest(first, self._after[stem.node], stem.stop, (*stem.forest.stems, number))

    # Which trees stay whole, and where stems are.

    def _parts(self, forest: Forest, stems: list[_Stem]) -> Iterator[Span]:
        """What has to be put into packs; the uppermost stems beside it are added to `stems`."""
        large, stops = self._large_nodes(forest)
        self._choose_stems(forest, large, stops)
        node = forest.first
        while node < forest.after:
            if node in stops:
                stems.append(_Stem(forest, node, stops[node]))
            elif node not in large:
                yield node, self._after[node]
            else:
                if large[node].alone:
                    yield node, node + 1
                node += 1  # which is its first child
                continue
            node = self._after[node]

    def _large_nodes(self, forest: Forest) -> tuple[dict[int, _Large], dict[int, int]]:
        """The nodes whose trees do not fit into a pack with the path to them, in preorder; and
        those of them that are too long for a pack themselves, each with the depth of its cut.

        What is below the latter is not looked at. The first large node is the forest's parent.
        """
        limits = self._limits
        large, stops = {self._parent[forest.first]: _Large()}, {}
        node = forest.first
        while node < forest.after:
            above, after = large[self._parent[node]], self._after[node]
            ends = self._ends[after] - self._ends[node]
            tokens = self._tokens[after] - self._tokens[node]
            length = self._start[node] + tokens - forest.depth
            if length <= limits.pack_size and above.pending + ends <= limits.ends:
                above.tokens += tokens
                above.ends += ends
            elif self._stop[node] - forest.depth >= limits.pack_size:
                stops[node] = forest.depth + limits.pack_size
                above.stems += 1
            else:
                pending = above.pending + self._own[node]
                alone = pending > limits.ends // 2
                large[node] = _Large(0 if alone else pending, alone, ends=self._own[node])
                after = node + 1
            node = after
        return large, stops

    def _choose_stems(
        self, forest: Forest, large: dict[int, _Large], stops: dict[int, int]
    ) -> None:
        """Add to `stops` the large nodes at whose ends a stem is worth it.

        From the leaves up, since what a stem saves depends on the stems that are below it anyway.
        """
        for node in list(large)[:0:-1]:
            found, above = large[node], large[self._parent[node]]
            length = self._stop[node] - forest.depth
            packs = found.packs(self._limits.pack_size - length, self._limits.ends)
            if length * (packs - 1) >= self._limits.minimum_stem:
                stops[node] = self._stop[node]
                above.stems += 1
                continue
            above.stems += found.stems
            above.ends += found.ends
            if found.tokens:
                above.tokens += found.tokens + self._stop[node] - self._start[node]

    # Filling packs.

    def _fill(self, forest: Forest, stems: list[_Stem]) -> Iterator[Layout]:
        """Put what is not below a stem into packs."""
        parts = self._parts(forest, stems)
        waiting: list[Span] = []
        layout = Layout(forest)
        while True:
            waiting.extend(islice(parts, max(0, LOOK_AHEAD - len(waiting))))
            if not waiting:
                break
            chosen = self._choose(layout, waiting)
            if chosen is not None:
                self._add(layout, waiting.pop(chosen))
            elif self._is_worth_dividing(layout, waiting[0]):
                waiting[:1] = self._children(waiting[0])
            else:
                yield layout
                layout = Layout(forest)
        if layout.spans:
            yield layout

    def _choose(self, layout: Layout, waiting: Sequence[Span]) -> int | None:
        """The first, if the pack has room for it; else the largest for which it has room and the
        path to which is laid out.
        """
        room = self._limits.pack_size - layout.tokens
        ends_room = self._limits.ends - layout.ends
        tokens, ends = self._needed(layout, waiting[0])
        if tokens <= room and ends <= ends_room:
            return 0
        best, most = None, 0
        for place, (first, after) in enumerate(waiting[:LOOK_AHEAD]):
            tokens = self._tokens[after] - self._tokens[first]
            if most < tokens <= room and self._ends[after] - self._ends[first] <= ends_room:
                parent = self._parent[first]
                if parent in layout.path or self._stop[parent] <= layout.forest.depth:
                    best, most = place, tokens
        return best

    def _is_worth_dividing(self, layout: Layout, span: Span) -> bool:
        """Is laying out the root of a tree here and again elsewhere cheaper than an unfilled pack?

        `minimum_stem` is what a pack costs besides its tokens; leaving a part of it unfilled costs
        as much in proportion.
        """
        root, after = span
        if not layout.spans or after == root + 1:
            return False
        limits = self._limits
        tokens, ends = self._needed(layout, (root, root + 1))
        room, ends_room = limits.pack_size - layout.tokens, limits.ends - layout.ends
        unfilled = min(room / limits.pack_size, ends_room / limits.ends)
        return tokens < room and ends < ends_room and tokens <= unfilled * limits.minimum_stem

    def _children(self, span: Span) -> list[Span]:
        """The trees below the root of a tree."""
        children = []
        child, after = span[0] + 1, span[1]
        while child < after:
            children.append((child, self._after[child]))
            child = self._after[child]
        return children

    def _needed(self, layout: Layout, span: Span) -> tuple[int, int]:
        """Tokens and ends that a span adds to a pack, with the path to it."""
        first, after = span
        tokens = self._tokens[after] - self._tokens[first]
        tokens -= max(0, layout.forest.depth - self._start[first])
        ends = self._ends[after] - self._ends[first]
        for node in self._missing(layout, self._parent[first]):
            tokens += self._stop[node] - max(self._start[node], layout.forest.depth)
            ends += 0 if node in self._ended else self._own[node]
        return tokens, ends

    def _missing(self, layout: Layout, node: int) -> Iterator[int]:
        """The nodes of the path to the end of a node that are not laid out, from the end up."""
        while node not in layout.path and self._stop[node] > layout.forest.depth:
            yield node
            node = self._parent[node]

    def _add(self, layout: Layout, span: Span) -> None:
        """Lay out a span and the path to it. Queries end where their node is first whole."""
        tokens, ends = self._needed(layout, span)
        layout.tokens += tokens
        layout.ends += ends
        first, after = span
        if after > first + 1:
            layout.spans.append(span)
            first = self._parent[first]
        for node in list(self._missing(layout, first)):
            layout.path.add(node)
            layout.spans.append((node, node + 1))
            if node in self._ended or (layout.stop is not None and layout.stop < self._stop[node]):
                layout.silent.append(node)
            else:
                self._ended.add(node)
