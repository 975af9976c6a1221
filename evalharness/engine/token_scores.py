"""Log-probabilities of single tokens, and the likeliest in their place, pack by pack.

The packs are those of scoring.py. This pass is apart from it, since the likeliest tokens cost time
that scores alone need not.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from evalharness.engine.memory import in_smaller_pieces
from evalharness.engine.packs import PackRunner
from evalharness.engine.targets import Likeliest, likeliest_tokens, tokens_at_once_on
from evalharness.engine.trie import Limits, Pack, Query, plan
from evalharness.transformer.model import Transformer

Scored = tuple[float, tuple[tuple[int, float], ...]]
"""The log-probability of a target; the likeliest tokens in its place with theirs."""


@dataclass(frozen=True, slots=True)
class QueryTokens:
    """The targets of a query, in their order."""

    query: int
    targets: tuple[Scored, ...]


def score_tokens(
    model: Transformer, queries: Sequence[Query], limits: Limits, alternatives: int
) -> Iterator[QueryTokens]:
    """Yield the targets of every query as soon as the pack in which it ends is computed.

    alternatives: how many of the likeliest tokens are named
    """

    def attempt(numbers: Sequence[int], divisor: int) -> Iterator[tuple[int, QueryTokens]]:
        smaller = replace(limits, pack_size=max(1, limits.pack_size // divisor))
        packs = plan([queries[number] for number in numbers], smaller)
        at_once = max(1, tokens_at_once_on(model.output.weight.device) // divisor)
        runner = PackRunner(model, packs)
        targets = TargetsOfQueries()
        for index, pack in enumerate(packs):
            found = likeliest_tokens(model, runner.hidden(index), pack, at_once, alternatives)
            for one in targets.add(pack, found):
                number = numbers[one.query]
                yield number, replace(one, query=number)

    yield from in_smaller_pieces(len(queries), attempt)


class TargetsOfQueries:
    """Puts the targets of each query in order, which may lie in several packs."""

    def __init__(self) -> None:
        self._found: dict[int, list[tuple[int, Scored]]] = defaultdict(list)

    def add(self, pack: Pack, found: Likeliest) -> Iterator[QueryTokens]:
        """Take what was found in a pack; yields the queries that end in it."""
        depths = pack.positions[pack.targets[:, 0]].tolist()
        numbers = pack.targets[:, 2].tolist()
        for query, depth, scored in zip(numbers, depths, found.scored(), strict=True):
            self._found[query].append((depth, scored))
        for query in pack.ends[:, 1].tolist():
            # A target is asked for after each depth once.
            own = sorted(self._found.pop(query, []), key=lambda one: one[0])
            yield QueryTokens(query, tuple(scored for _, scored in own))
