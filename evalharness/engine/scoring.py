"""Scoring: log-probabilities of continuations, pack by pack."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from evalharness.engine.memory import in_smaller_pieces
from evalharness.engine.packs import PackRunner, Shares
from evalharness.engine.targets import target_scores, tokens_at_once_on
from evalharness.engine.trie import Limits, Pack, Query, plan
from evalharness.transformer.model import Transformer


@dataclass(frozen=True, slots=True)
class Score:
    """Sum of natural log-probabilities of a query's targets, and whether each was the likeliest.

    `computed_tokens` and `seconds` are this query's share of the packs that were computed for it.
    """

    query: int
    log_probability: float
    greedy: bool
    computed_tokens: int
    seconds: float


def score(
    model: Transformer, queries: Sequence[Query], limits: Limits = Limits()
) -> Iterator[Score]:
    """Yield the score of every query as soon as the pack in which it ends is computed."""

    def attempt(numbers: Sequence[int], divisor: int) -> Iterator[tuple[int, Score]]:
        smaller = replace(limits, pack_size=max(1, limits.pack_size // divisor))
        some = [queries[number] for number in numbers]
        for found in _score(model, some, smaller, divisor):
            yield numbers[found.query], replace(found, query=numbers[found.query])

    yield from in_smaller_pieces(len(queries), attempt)


def _score(
    model: Transformer, queries: Sequence[Query], limits: Limits, divisor: int
) -> Iterator[Score]:
    packs = plan(queries, limits)
    tokens_at_once = max(1, tokens_at_once_on(model.output.weight.device) // divisor)
    runner = PackRunner(model, packs)
    sums = Sums()
    started = time.perf_counter()
    waiting: tuple[Pack, Tensor, Tensor] | None = None
    for index, pack in enumerate(packs):
        values, greedy = target_scores(model, runner.hidden(index), pack, tokens_at_once)
        # A GPU computes this pack while the numbers of the one before are fetched and added up.
        if waiting is not None:
            yield from sums.add(*waiting, time.perf_counter() - started)
            started = time.perf_counter()
        waiting = (pack, values, greedy)
    if waiting is not None:
        yield from sums.add(*waiting, time.perf_counter() - started)


class Sums:
    """Adds up the targets of each query, which may lie in several packs."""

    def __init__(self) -> None:
        self._shares = Shares()
        self._log_probability: dict[int, float] = defaultdict(float)
        self._greedy: dict[int, bool] = defaultdict(lambda: True)

    def add(self, pack: Pack, values: Tensor, greedy: Tensor, seconds: float) -> Iterator[Score]:
        """Take the values (K,) of a pack's targets; yields the queries that end in the pack."""
        queries = pack.targets[:, 2].tolist()
        for query, value, best in zip(queries, values.tolist(), greedy.tolist(), strict=True):
            self._log_probability[query] += value
            self._greedy[query] &= best
        parts = self._shares.divide(pack, seconds)
        for query, part in zip(pack.ends[:, 1].tolist(), parts, strict=True):
            value, best = self._log_probability.pop(query, 0.0), self._greedy.pop(query, True)
            yield Score(query, value, best, *part)
