"""Scoring with each token masked alone: one copy of a text for each of its scored tokens.

Copies of all texts are computed together, in batches of about equal length.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evalharness.backends.huggingface.forward import (
    Forward,
    TargetLogits,
    agree,
    padded,
    row_scores,
)
from evalharness.backends.huggingface.scoring import Row, batches
from evalharness.engine.memory import in_smaller_pieces
from evalharness.engine.scoring import Score

# Tokens of a batch, padding included.
_TOKENS_ON_CPU, _TOKENS_ON_GPU = 2_048, 16_384
# Logits of a batch, which a model gives for each token, masked or not: 1 GiB in float32.
_LOGITS = 1 << 28


@dataclass(frozen=True, slots=True)
class MaskedQuery:
    """How likely is the token at a place of a text to a model that does not see it?

    tokens are those of the text as it is, shared by the queries of all its places.
    """

    tokens: tuple[int, ...]
    place: int

    @property
    def targets(self) -> tuple[int, ...]:
        return (self.tokens[self.place],)

    def masked(self, mask_token: int) -> list[int]:
        """The text with the mask in its place."""
        tokens = list(self.tokens)
        tokens[self.place] = mask_token
        return tokens


def score_masked(
    forward: Forward,
    queries: Sequence[MaskedQuery],
    mask_token: int,
    *,
    batch_size: int,
    padding: bool,
) -> Iterator[Score]:
    """Yield the score of every query; equal ones are computed once.

    padding: shorter texts may be filled up on the right; else texts of a batch are equally long.
    """
    budget = _TOKENS_ON_CPU if forward.device.type == "cpu" else _TOKENS_ON_GPU
    budget = min(budget, max(1, _LOGITS // forward.vocabulary_size))

    def attempt(numbers: Sequence[int], divisor: int) -> Iterator[tuple[int, Score]]:
        for rows in _alike(queries, numbers, padding):
            for batch in batches(rows, max(1, batch_size // divisor), budget // divisor):
                yield from _score_batch(forward, queries, batch, mask_token)

    yield from in_smaller_pieces(len(queries), attempt)


def _alike(
    queries: Sequence[MaskedQuery], numbers: Sequence[int], padding: bool
) -> Iterator[list[Row]]:
    """Rows that may be computed together, the longest first."""
    same: dict[MaskedQuery, list[int]] = {}
    for number in numbers:
        same.setdefault(queries[number], []).append(number)
    groups: dict[int, list[Row]] = {}
    for query, own in same.items():
        groups.setdefault(0 if padding else len(query.tokens), []).append((query.tokens, own))
    for _, rows in sorted(groups.items(), reverse=True):
        yield sorted(rows, key=lambda row: len(row[0]), reverse=True)


def _score_batch(
    forward: Forward, queries: Sequence[MaskedQuery], batch: Sequence[Row], mask_token: int
) -> Iterator[tuple[int, Score]]:
    started = time.perf_counter()
    asked = [queries[numbers[0]] for _, numbers in batch]
    logits = _logits(
        forward,
        [query.masked(mask_token) for query in asked],
        [query.place for query in asked],
    )
    targets = torch.tensor([query.targets[0] for query in asked], device=logits.device)
    rows = torch.arange(len(asked), device=logits.device)
    values, greedy = row_scores(TargetLogits(logits, rows, targets))
    found = list(zip(batch, values.tolist(), greedy.tolist(), strict=True))
    seconds = (time.perf_counter() - started) / sum(len(numbers) for _, numbers in batch)
    for (tokens, numbers), value, likeliest in found:
        for number in numbers:
            computed = len(tokens) if number == numbers[0] else 0
            yield number, Score(number, value, likeliest, computed, seconds)


def _logits(forward: Forward, rows: Sequence[Sequence[int]], places: Sequence[int]) -> Tensor:
    """Logits (B, V) at the place of each row."""
    tokens, mask = padded(rows, forward.device, left=False)
    seen = {"attention_mask": mask} if forward.takes("attention_mask") else {}
    return forward.logits_at(tokens, torch.tensor(places, device=tokens.device), **seen)


def padding_is_right(forward: Forward, mask_token: int) -> bool:
    """Is a token as likely in a text alone as beside a longer one, where padding fills it up?

    It is not where a class mixes all positions (FNet) or changes its attention with the length.
    """
    numbers = torch.Generator().manual_seed(0)
    long, short = (
        torch.randint(forward.vocabulary_size, (n,), generator=numbers).tolist() for n in (11, 4)
    )
    long[5] = short[2] = mask_token
    try:
        together = _logits(forward, [long, short], [5, 2])
    except Exception:  # a class that cannot take such a mask may fail in every way
        return False
    return agree(together[1:], _logits(forward, [short], [2]), forward.dtype)
