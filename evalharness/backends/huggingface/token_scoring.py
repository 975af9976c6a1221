"""Log-probabilities of single tokens by transformers' classes: the batches are those of scores."""

from collections.abc import Iterator, Sequence

from evalharness.backends.huggingface.forward import Forward, row_likeliest
from evalharness.backends.huggingface.packing import Layout, pack_logits
from evalharness.backends.huggingface.scoring import batch_logits, packs_by_size, padded_batches
from evalharness.backends.huggingface.seq2seq_scoring import (
    BatchSize,
    TargetQuery,
    target_batches,
    target_logits,
)
from evalharness.engine.memory import in_smaller_pieces
from evalharness.engine.targets import Likeliest
from evalharness.engine.token_scores import QueryTokens, TargetsOfQueries
from evalharness.engine.trie import Query
from evalharness.records import ALTERNATIVES

_Found = Iterator[tuple[int, QueryTokens]]


def packed_tokens(
    forward: Forward, layout: Layout, queries: Sequence[Query], pack_size: int
) -> Iterator[QueryTokens]:
    """Yield the targets of every query; see score_packed."""

    def attempt(numbers: Sequence[int], divisor: int) -> _Found:
        for group, packs in packs_by_size(queries, numbers, max(1, pack_size // divisor)):
            targets = TargetsOfQueries()
            for pack in packs:
                found = row_likeliest(pack_logits(forward, layout, pack), ALTERNATIVES)
                for one in targets.add(pack, found):
                    yield group[one.query], QueryTokens(group[one.query], one.targets)

    yield from in_smaller_pieces(len(queries), attempt)


def padded_tokens(
    forward: Forward, queries: Sequence[Query], batch_size: int
) -> Iterator[QueryTokens]:
    """Yield the targets of every query; see score_padded."""

    def attempt(numbers: Sequence[int], divisor: int) -> _Found:
        for batch in padded_batches(forward, queries, numbers, batch_size, divisor):
            found = row_likeliest(batch_logits(forward, queries, batch), ALTERNATIVES)
            yield from _divided(found, queries, [one for _, own in batch for one in own])

    yield from in_smaller_pieces(len(queries), attempt)


def decoded_tokens(
    forward: Forward, queries: Sequence[TargetQuery], *, batch_size: int, padding: bool
) -> Iterator[QueryTokens]:
    """Yield the targets of every query; see score_targets."""

    def attempt(numbers: Sequence[int], divisor: int) -> _Found:
        size = BatchSize.of(forward, batch_size, divisor)
        for batch in target_batches(queries, numbers, size, padding):
            logits = target_logits(forward, [queries[number] for number in batch])
            yield from _divided(row_likeliest(logits, ALTERNATIVES), queries, batch)

    yield from in_smaller_pieces(len(queries), attempt)


def _divided(
    found: Likeliest, queries: Sequence[Query] | Sequence[TargetQuery], numbers: Sequence[int]
) -> _Found:
    """The targets of each of these queries, which follow one another."""
    scored, start = tuple(found.scored()), 0
    for number in numbers:
        stop = start + len(queries[number].targets)
        yield number, QueryTokens(number, scored[start:stop])
        start = stop
