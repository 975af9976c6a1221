"""Scoring with encoder-decoder models: targets given their sources, each source encoded once."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from evalharness.backends.huggingface.forward import (
    Forward,
    TargetLogits,
    agree,
    alike,
    padded,
    row_scores,
)
from evalharness.engine.memory import in_smaller_pieces
from evalharness.engine.scoring import Score

# Tokens of a batch, sources and targets, padding included.
_TOKENS_ON_CPU, _TOKENS_ON_GPU = 2_048, 16_384


@dataclass(frozen=True, slots=True)
class TargetQuery:
    """How likely are the targets, one after the other, to a decoder that reads the source?

    start  what the decoder begins with; it is given and not scored
    """

    source: tuple[int, ...]
    start: tuple[int, ...]
    targets: tuple[int, ...]

    @property
    def decoded(self) -> tuple[int, ...]:
        """What the decoder is given: the last target is asked for, and never read."""
        return (*self.start, *self.targets[:-1])

    @property
    def tokens(self) -> tuple[int, ...]:
        return (*self.source, *self.decoded)


@dataclass(frozen=True, slots=True)
class BatchSize:
    """How many texts are computed together at most, and how many tokens, padding included."""

    texts: int
    tokens: int

    @classmethod
    def of(cls, forward: Forward, batch_size: int, divisor: int) -> "BatchSize":
        """divisor: by how much smaller a batch must be, since the memory ran out."""
        budget = _TOKENS_ON_CPU if forward.device.type == "cpu" else _TOKENS_ON_GPU
        return cls(max(1, batch_size // divisor), budget // divisor)


def score_targets(
    forward: Forward, queries: Sequence[TargetQuery], *, batch_size: int, padding: bool
) -> Iterator[Score]:
    """Yield the score of every query.

    padding: shorter texts may be filled up on the right; else texts of a batch are equally long.
    """

    def attempt(numbers: Sequence[int], divisor: int) -> Iterator[tuple[int, Score]]:
        size = BatchSize.of(forward, batch_size, divisor)
        for batch in target_batches(queries, numbers, size, padding):
            for score in _score_batch(forward, [queries[number] for number in batch]):
                number = batch[score.query]
                yield number, replace(score, query=number)

    yield from in_smaller_pieces(len(queries), attempt)


def target_batches(
    queries: Sequence[TargetQuery], numbers: Sequence[int], size: BatchSize, padding: bool
) -> Iterator[list[int]]:
    """Numbers of queries that are computed together: equal sources, then sources of about equal
    length, the longest first.
    """

    def order(number: int) -> tuple[int, tuple[int, ...], int]:
        query = queries[number]
        return -len(query.source), query.source, -len(query.targets)

    batch: list[int] = []
    sizes = (0, 0)
    for number in sorted(numbers, key=order):
        own = (len(queries[number].source), len(queries[number].decoded))
        larger = (max(sizes[0], own[0]), max(sizes[1], own[1]))
        full = len(batch) == size.texts or (len(batch) + 1) * sum(larger) > size.tokens
        if batch and (full or (own != sizes and not padding)):
            yield batch
            batch, larger = [], own
        batch.append(number)
        sizes = larger
    if batch:
        yield batch


def _score_batch(forward: Forward, batch: Sequence[TargetQuery]) -> Iterator[Score]:
    started = time.perf_counter()
    values, greedy = row_scores(target_logits(forward, batch))
    found = list(zip(values.tolist(), greedy.tolist(), strict=True))
    seconds = (time.perf_counter() - started) / len(batch)
    first, encoded = 0, set()
    for number, query in enumerate(batch):
        own = found[first : first + len(query.targets)]
        first += len(own)
        computed = len(query.decoded) + (0 if query.source in encoded else len(query.source))
        encoded.add(query.source)
        total = sum(value for value, _ in own)
        yield Score(number, total, all(likeliest for _, likeliest in own), computed, seconds)


def target_logits(forward: Forward, batch: Sequence[TargetQuery]) -> TargetLogits:
    """The logits after which the targets are asked for: those of each query, in order."""
    places = [
        (row, len(query.start) - 1 + i, target)
        for row, query in enumerate(batch)
        for i, target in enumerate(query.targets)
    ]
    logits = _logits(forward, batch)
    rows = [row * logits.shape[1] + column for row, column, _ in places]
    return TargetLogits(
        logits.flatten(0, 1),
        torch.tensor(rows, device=logits.device),
        torch.tensor([target for *_, target in places], device=logits.device),
    )


@torch.inference_mode()
def _logits(forward: Forward, batch: Sequence[TargetQuery]) -> Tensor:
    """Logits (B, T, V) after each token that the decoder is given."""
    sources = list(dict.fromkeys(query.source for query in batch))
    place_of = {source: place for place, source in enumerate(sources)}
    tokens, mask = padded(sources, forward.device, left=False)
    encoded: Any = forward.model.get_encoder()(
        input_ids=tokens, attention_mask=mask, return_dict=True
    )
    hidden = encoded.last_hidden_state
    own = torch.tensor([place_of[query.source] for query in batch], device=hidden.device)
    encoded.last_hidden_state = hidden[own]
    decoded, _ = padded([query.decoded for query in batch], forward.device, left=False)
    found = forward.model(
        encoder_outputs=encoded,
        attention_mask=mask[own.to(mask.device)],
        decoder_input_ids=decoded,
        use_cache=False,
    )
    return found.logits  # type: ignore[no-any-return]


def padding_keeps_scores(forward: Forward, start: tuple[int, ...]) -> bool:
    """Is a target as likely alone as beside a longer one, where padding fills up both?"""
    long, short = _probe(forward, start, 11, 7), _probe(forward, start, 4, 3)
    try:
        together = _logits(forward, [long, short])
    except Exception:  # a class that cannot take such a mask may fail in every way
        return False
    alone = _logits(forward, [short])
    return agree(together[1:, : alone.shape[1]], alone, forward.dtype)


def decoder_sees_no_later_tokens(forward: Forward, start: tuple[int, ...]) -> bool:
    """Does what follows a token depend on the tokens before it alone?

    Else a target that is given as a whole would have a part in its own score.
    """
    whole = _probe(forward, start, 5, 6)
    beginning = replace(whole, targets=whole.targets[:3])
    expected = _logits(forward, [beginning])
    return alike(_logits(forward, [whole])[:, : expected.shape[1]], expected)


def _probe(forward: Forward, start: tuple[int, ...], source: int, targets: int) -> TargetQuery:
    """Random tokens, the same for the same numbers of them."""
    numbers = torch.Generator().manual_seed(source)
    size = (source + targets,)
    tokens = torch.randint(forward.vocabulary_size, size, generator=numbers).tolist()
    return TargetQuery(tuple(tokens[:source]), start, tuple(tokens[source:]))
