"""Scoring: log-probabilities of continuations, pack by pack."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from evalharness.engine.memory import in_smaller_pieces
from evalharness.engine.packs import PackRunner, Shares, on_device
from evalharness.engine.trie import Limits, Pack, Query, plan
from evalharness.transformer.model import Transformer

# Logits that are held at once: with a large vocabulary those of a whole pack would dominate the
# memory. 32 million numbers of float32 take 128 MB, and as much again for their softmax.
_LOGITS_AT_ONCE = 32_000_000


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
        for found in _score(model, some, smaller, _LOGITS_AT_ONCE // divisor):
            yield numbers[found.query], replace(found, query=numbers[found.query])

    yield from in_smaller_pieces(len(queries), attempt)


def _score(
    model: Transformer, queries: Sequence[Query], limits: Limits, logits_at_once: int
) -> Iterator[Score]:
    packs = plan(queries, limits)
    runner = PackRunner(model, packs)
    sums = _Sums()
    started = time.perf_counter()
    waiting: tuple[Pack, Tensor, Tensor] | None = None
    for index, pack in enumerate(packs):
        values, greedy = target_scores(model, runner.hidden(index), pack, logits_at_once)
        # A GPU computes this pack while the numbers of the one before are fetched and added up.
        if waiting is not None:
            yield from sums.add(*waiting, time.perf_counter() - started)
            started = time.perf_counter()
        waiting = (pack, values, greedy)
    if waiting is not None:
        yield from sums.add(*waiting, time.perf_counter() - started)


class _Sums:
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


@torch.inference_mode()
def target_scores(
    model: Transformer, hidden: Tensor, pack: Pack, logits_at_once: int = _LOGITS_AT_ONCE
) -> tuple[Tensor, Tensor]:
    """Log-probability (K,) of each target of a pack, and whether no other token is likelier (K,).

    hidden: (T, W). The output layer runs once for each place, however many targets it has.
    """
    order = np.argsort(pack.targets[:, 0], kind="stable")
    places, firsts, counts = np.unique(
        pack.targets[order, 0], return_index=True, return_counts=True
    )
    rows = on_device(np.repeat(np.arange(len(places)), counts), hidden.device)
    tokens = on_device(pack.targets[order, 1], hidden.device)
    chosen = hidden[on_device(places, hidden.device)]  # (P, W)
    bounds = np.append(firsts, len(order))
    values = torch.empty(len(order), dtype=torch.float32, device=hidden.device)
    greedy = torch.empty(len(order), dtype=torch.bool, device=hidden.device)
    at_once = max(1, logits_at_once // model.config.vocabulary_size)
    for start in range(0, len(places), at_once):
        part = slice(bounds[start], bounds[min(start + at_once, len(places))])
        logits = model.logits(chosen[start : start + at_once])
        log_probabilities = logits.log_softmax(-1)  # (rows, V)
        row = rows[part] - start
        values[part] = log_probabilities[row, tokens[part]]
        greedy[part] = values[part] >= log_probabilities.amax(-1)[row]
    back = on_device(np.argsort(order), hidden.device)
    return values[back], greedy[back]
