"""Scoring: log-probabilities of continuations, pack by pack."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from evalharness.engine.packs import PackRunner, Shares
from evalharness.engine.trie import Limits, Pack, Query, plan
from evalharness.transformer.model import Transformer

# Rows of the output layer computed at once: with a large vocabulary the logits of a whole pack
# would dominate the memory.
LOGIT_ROWS = 128


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
    packs = plan(queries, limits)
    runner = PackRunner(model, packs)
    shares = Shares()
    log_probability: dict[int, float] = defaultdict(float)
    greedy: dict[int, bool] = defaultdict(lambda: True)
    for index, pack in enumerate(packs):
        started = time.perf_counter()
        values, likeliest = target_scores(model, runner.run(index).hidden, pack)
        for query, value, best in zip(pack.targets[:, 2].tolist(), values, likeliest, strict=True):
            log_probability[query] += value
            greedy[query] &= best
        divided = shares.divide(pack, time.perf_counter() - started)
        for query, (tokens, seconds) in zip(pack.ends[:, 1].tolist(), divided, strict=True):
            yield Score(query, log_probability[query], greedy[query], tokens, seconds)


@torch.inference_mode()
def target_scores(model: Transformer, hidden: Tensor, pack: Pack) -> tuple[list[float], list[bool]]:
    """Log-probability of each target of a pack, and whether no other token is likelier.

    hidden: (T, W). The output layer runs once for each place, however many targets it has.
    """
    places, rows_of_targets = np.unique(pack.targets[:, 0], return_inverse=True)
    rows = torch.from_numpy(rows_of_targets)
    tokens = torch.from_numpy(pack.targets[:, 1])
    values = torch.empty(len(rows), dtype=torch.float32)
    likeliest = torch.empty(len(rows), dtype=torch.bool)
    for start in range(0, len(places), LOGIT_ROWS):
        chosen = torch.from_numpy(places[start : start + LOGIT_ROWS]).to(hidden.device)
        logits = model.logits(hidden[chosen])  # (rows, V)
        inside = (rows >= start) & (rows < start + LOGIT_ROWS)
        row = (rows[inside] - start).to(hidden.device)
        token = tokens[inside].to(hidden.device)
        values[inside] = (logits[row, token] - logits.logsumexp(-1)[row]).cpu()
        likeliest[inside] = (logits.argmax(-1)[row] == token).cpu()
    return values.tolist(), likeliest.tolist()
