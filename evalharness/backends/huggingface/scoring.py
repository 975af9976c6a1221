"""Scoring with transformers' classes: packed tries where the probe allows it, else padded batches.

Packs have no stems here: what a pack sees is in its row. Keeping keys and values of a stem would
need each class's own cache, of which there are many kinds; a shared prefix is computed once a pack.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from evalharness.backends.huggingface.forward import (
    Forward,
    TargetLogits,
    alike,
    padded,
    row_scores,
)
from evalharness.backends.huggingface.packing import Layout, pack_logits
from evalharness.engine.memory import in_smaller_pieces
from evalharness.engine.scoring import Score, Sums
from evalharness.engine.trie import Limits, Pack, Query, plan

# Larger than what any stem could save.
_NO_STEMS = 1 << 40
# Tokens of a batch, padding included.
_TOKENS_ON_CPU, _TOKENS_ON_GPU = 2_048, 16_384


def sees_no_later_tokens(forward: Forward) -> bool:
    """Does what follows a token depend on the tokens before it alone?

    Else a text that is given as a whole would have a part in its own score.
    """
    numbers = torch.Generator().manual_seed(0)
    tokens = torch.randint(forward.vocabulary_size, (1, 8), generator=numbers)
    tokens, columns = tokens.to(forward.device), torch.arange(4, device=forward.device)
    whole, beginning = forward.logits(tokens, columns), forward.logits(tokens[:, :4], columns)
    return alike(whole, beginning)


def score_packed(
    forward: Forward, layout: Layout, queries: Sequence[Query], pack_size: int
) -> Iterator[Score]:
    """Yield the score of every query; `layout` is what the probe has found to be right.

    Queries longer than a pack get packs of twice, four times, ... its size, so that no row is
    longer than its queries need; the longest come first: whether they fit in memory is known early.
    """

    def attempt(numbers: Sequence[int], divisor: int) -> Iterator[tuple[int, Score]]:
        for group, packs in packs_by_size(queries, numbers, max(1, pack_size // divisor)):
            sums = Sums()
            for pack in packs:
                started = time.perf_counter()
                values, greedy = row_scores(pack_logits(forward, layout, pack))
                for found in sums.add(pack, values, greedy, time.perf_counter() - started):
                    yield group[found.query], replace(found, query=group[found.query])

    yield from in_smaller_pieces(len(queries), attempt)


def packs_by_size(
    queries: Sequence[Query], numbers: Sequence[int], pack_size: int
) -> Iterator[tuple[list[int], list[Pack]]]:
    """Some of the queries, and their packs, in which they have the places that they have among
    these; the largest packs first.
    """
    groups: dict[int, list[int]] = {}
    for number in numbers:
        size = pack_size
        while size < len(queries[number].tokens):
            size *= 2
        groups.setdefault(size, []).append(number)
    for size, group in sorted(groups.items(), reverse=True):
        some = [queries[number] for number in group]
        yield group, plan(some, Limits(size, minimum_stem=_NO_STEMS))


def score_padded(forward: Forward, queries: Sequence[Query], batch_size: int) -> Iterator[Score]:
    """Yield the score of every query, in batches of about equal length, filled up on the right:
    whatever a model's positions are, none of a text's tokens sees what is behind it.

    Queries of equal tokens are computed once.
    """

    def attempt(numbers: Sequence[int], divisor: int) -> Iterator[tuple[int, Score]]:
        for batch in padded_batches(forward, queries, numbers, batch_size, divisor):
            yield from _score_batch(forward, queries, batch)

    yield from in_smaller_pieces(len(queries), attempt)


Row = tuple[tuple[int, ...], list[int]]
"""Tokens, and the numbers of the queries or jobs that have them."""


def padded_batches(
    forward: Forward,
    queries: Sequence[Query],
    numbers: Sequence[int],
    batch_size: int,
    divisor: int,
) -> Iterator[Sequence[Row]]:
    """Some of the queries in batches; a divisor makes them as much smaller."""
    budget = _TOKENS_ON_CPU if forward.device.type == "cpu" else _TOKENS_ON_GPU
    same: dict[tuple[int, ...], list[int]] = {}
    for number in numbers:
        same.setdefault(tuple(queries[number].tokens), []).append(number)
    rows = sorted(same.items(), key=lambda row: len(row[0]), reverse=True)
    return batches(rows, max(1, batch_size // divisor), budget // divisor)


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
    values, greedy = (one.tolist() for one in row_scores(batch_logits(forward, queries, batch)))
    seconds = (time.perf_counter() - started) / sum(len(numbers) for _, numbers in batch)
    start = 0
    for own, numbers in batch:
        for place, number in enumerate(numbers):
            stop = start + len(queries[number].targets)
            total, likeliest = sum(values[start:stop]), all(greedy[start:stop])
            yield number, Score(number, total, likeliest, 0 if place else len(own), seconds)
            start = stop


def batch_logits(forward: Forward, queries: Sequence[Query], batch: Sequence[Row]) -> TargetLogits:
    """The logits after which the targets are asked for, by row, query and target."""
    tokens, mask = padded([row for row, _ in batch], forward.device, left=False)
    # (row, column, token) of each target.
    asked = [
        (row, len(own) - len(queries[number].targets) + i, target)
        for row, (own, numbers) in enumerate(batch)
        for number in numbers
        for i, target in enumerate(queries[number].targets)
    ]
    columns = sorted({column for _, column, _ in asked}) or [0]
    place_of = {column: place for place, column in enumerate(columns)}
    seen = {"attention_mask": mask} if forward.takes("attention_mask") else {}
    logits = forward.logits(tokens, torch.tensor(columns, device=tokens.device), **seen)
    rows = [row * len(columns) + place_of[column] for row, column, _ in asked]
    return TargetLogits(
        logits.flatten(0, 1),
        torch.tensor(rows, dtype=torch.long, device=logits.device),
        torch.tensor([token for *_, token in asked], dtype=torch.long, device=logits.device),
    )
