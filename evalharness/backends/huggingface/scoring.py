"""Scoring with transformers' classes: packed tries where the probe allows it, else padded batches.

Packs have no stems here: what a pack sees is in its row. Keeping keys and values of a stem would
need each class's own cache, of which there are many kinds; a shared prefix is computed once a pack.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from evalharness.backends.huggingface.forward import Forward, padded, row_scores
from evalharness.backends.huggingface.packing import Layout, pack_scores
from evalharness.engine.memory import in_smaller_pieces
from evalharness.engine.scoring import Score, Sums
from evalharness.engine.trie import Limits, Query, plan

# Larger than what any stem could save.
_NO_STEMS = 1 << 40
# Tokens of a batch, padding included.
_TOKENS_ON_CPU, _TOKENS_ON_GPU = 2_048, 16_384


def score_packed(
    forward: Forward, layout: Layout, queries: Sequence[Query], pack_size: int
) -> Iterator[Score]:
    """Yield the score of every query; `layout` is what the probe has found to be right.

    Queries longer than a pack get packs of twice, four times, ... its size, so that no row is
    longer than its queries need; the longest come first: whether they fit in memory is known early.
    """

    def attempt(numbers: Sequence[int], divisor: int) -> Iterator[tuple[int, Score]]:
        for size, group in _by_size(queries, numbers, max(1, pack_size // divisor)):
            packs = plan(
                [queries[number] for number in group], Limits(size, minimum_stem=_NO_STEMS)
            )
            sums = Sums()
            for pack in packs:
                started = time.perf_counter()
                values, greedy = pack_scores(forward, layout, pack)
                for found in sums.add(pack, values, greedy, time.perf_counter() - started):
                    yield group[found.query], replace(found, query=group[found.query])

    yield from in_smaller_pieces(len(queries), attempt)


def _by_size(
    queries: Sequence[Query], numbers: Sequence[int], pack_size: int
) -> Iterator[tuple[int, list[int]]]:
    """Size of the packs, and the queries that are put into such packs; the largest first."""
    groups: dict[int, list[int]] = {}
    for number in numbers:
        size = pack_size
        while size < len(queries[number].tokens):
            size *= 2
        groups.setdefault(size, []).append(number)
    yield from sorted(groups.items(), reverse=True)


def score_padded(forward: Forward, queries: Sequence[Query], batch_size: int) -> Iterator[Score]:
    """Yield the score of every query, in batches of about equal length, filled up on the right:
    whatever a model's positions are, none of a text's tokens sees what is behind it.

    Queries of equal tokens are computed once.
    """
    budget = _TOKENS_ON_CPU if forward.device.type == "cpu" else _TOKENS_ON_GPU

    def attempt(numbers: Sequence[int], divisor: int) -> Iterator[tuple[int, Score]]:
        same: dict[tuple[int, ...], list[int]] = {}
        for number in numbers:
            same.setdefault(tuple(queries[number].tokens), []).append(number)
        rows = sorted(same.items(), key=lambda row: len(row[0]), reverse=True)
        for batch in batches(rows, max(1, batch_size // divisor), budget // divisor):
            yield from _score_batch(forward, queries, batch)

    yield from in_smaller_pieces(len(queries), attempt)


Row = tuple[tuple[int, ...], list[int]]
"""Tokens, and the numbers of the queries or jobs that have them."""


def batches(rows: Sequence[Row], most: int, budget: int) -> Iterator[Sequence[Row]]:
    """Rows in order of their length, the longest first, `budget` tokens or one row at a time."""
    start = 0
    while start < len(rows):
        count = max(1, min(most, budget // len(rows[start][0])))
        yield rows[start : start + count]
        start += count


def _score_batch(
    forward: Forward, queries: Sequence[Query], batch: Sequence[Row]
) -> Iterator[tuple[int, Score]]:
    started = time.perf_counter()
    tokens, mask = padded([row for row, _ in batch], forward.device, left=False)
    # (row, column, token) of each target, and how many each query has.
    asked: list[tuple[int, int, int]] = []
    counts: list[tuple[int, int, int]] = []
    for row, (own, numbers) in enumerate(batch):
        for place, number in enumerate(numbers):
            targets = queries[number].targets
            first = len(own) - len(targets)
            asked.extend((row, first + i, target) for i, target in enumerate(targets))
            counts.append((number, len(targets), len(own) if place == 0 else 0))
    columns = sorted({column for _, column, _ in asked}) or [0]
    values, greedy = _values(forward, tokens, mask, columns, asked)
    seconds = (time.perf_counter() - started) / len(counts)
    start = 0
    for number, count, computed in counts:
        own_values, own_greedy = values[start : start + count], greedy[start : start + count]
        start += count
        yield number, Score(number, sum(own_values), all(own_greedy), computed, seconds)


def _values(
    forward: Forward,
    tokens: torch.Tensor,
    mask: torch.Tensor,
    columns: list[int],
    asked: list[tuple[int, int, int]],
) -> tuple[list[float], list[bool]]:
    place_of = {column: place for place, column in enumerate(columns)}
    seen = {"attention_mask": mask} if forward.takes("attention_mask") else {}
    logits = forward.logits(tokens, torch.tensor(columns, device=tokens.device), **seen)
    rows = [row * len(columns) + place_of[column] for row, column, _ in asked]
    values, greedy = row_scores(
        logits.flatten(0, 1),
        torch.tensor(rows, dtype=torch.long, device=logits.device),
        torch.tensor([token for *_, token in asked], dtype=torch.long, device=logits.device),
    )
    return values.tolist(), greedy.tolist()
