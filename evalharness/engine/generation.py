"""Generation with continuous batching.

Prompts are prefilled packed, with shared prefixes computed once; then all of them are decoded
together, one token a step, each in a slot of one key/value cache. A slot that has finished takes
the next prompt.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from evalharness.engine.drawing import Draws, draws_of, next_tokens
from evalharness.engine.jobs import Continuation, Job
from evalharness.engine.memory import free_bytes, in_smaller_pieces
from evalharness.engine.packs import ComputedPack, PackRunner, Shares
from evalharness.engine.steps import steps_for
from evalharness.engine.stopping import Decode, Ending, Stopping
from evalharness.engine.trie import Integers, Limits, Pack, Query, plan
from evalharness.transformer.attention import SlotAttention
from evalharness.transformer.model import Transformer

# The share of the free memory that the key/value cache may take.
_CACHE_SHARE = 0.25
# A pack brings prompts for this share of the slots, so that few of them wait until they are free.
_REFILL_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Ends:
    """What ends a text, besides the job's own stop strings and its number of tokens.

    decode  turns tokens into text
    tokens  end a text, and are no part of it
    """

    decode: Decode
    tokens: frozenset[int]


@dataclass(slots=True)
class _Sequence:
    """A job that is being decoded; `length` positions of its slot are filled."""

    job: int
    length: int
    generated: list[int]
    draws: Draws | None
    stopping: Stopping
    computed_tokens: int = 0
    seconds: float = 0.0


def generate(
    model: Transformer,
    jobs: Sequence[Job],
    ends: Ends,
    *,
    slots: int = 64,
    limits: Limits = Limits(),
) -> Iterator[Continuation]:
    """Yield the continuation of every job as soon as it ends.

    slots: how many are decoded together, at most; fewer where memory is short.
    """

    def attempt(numbers: Sequence[int], divisor: int) -> Iterator[tuple[int, Continuation]]:
        smaller = replace(limits, pack_size=max(1, limits.pack_size // divisor))
        for group in _alike(jobs, numbers):
            some = [jobs[number] for number in group]
            for found in _generate(model, some, ends, max(1, slots // divisor), smaller):
                yield group[found.job], replace(found, job=group[found.job])

    yield from in_smaller_pieces(len(jobs), attempt)


def _alike(jobs: Sequence[Job], numbers: Sequence[int]) -> Iterator[list[int]]:
    """Jobs that may have equally many new tokens are decoded together, so that they end together.

    The longest come first: whether they fit in memory is known early.
    """
    groups: dict[int, list[int]] = {}
    for number in numbers:
        groups.setdefault(jobs[number].max_tokens, []).append(number)
    for _, group in sorted(groups.items(), reverse=True):
        yield group


def _generate(
    model: Transformer, jobs: Sequence[Job], ends: Ends, slots: int, limits: Limits
) -> Iterator[Continuation]:
    capacity = max(len(job.tokens) + job.max_tokens for job in jobs)
    slots = min(slots, len(jobs), _slots_that_fit(model, capacity))
    together = max(1, int(slots * _REFILL_SHARE))
    packs = plan([Query(job.tokens) for job in jobs], replace(limits, ends=together))
    decoder = _Decoder(model, jobs, ends, slots, capacity)
    runner, shares = PackRunner(model, packs), Shares()
    for index, pack in enumerate(packs):
        started = time.perf_counter()
        computed = runner.prefill(index)
        parts = shares.divide(pack, time.perf_counter() - started)
        # Equal prompts end in one place, which is not divided among packs: there may be many.
        for start in range(0, len(pack.ends), together):
            some = pack.ends[start : start + together]
            while decoder.free < len(some):
                decoder.step()
                yield from decoder.finished()
            new = decoder.prefill(pack, some, computed)
            for sequence, (tokens, seconds) in zip(new, parts[start:], strict=False):
                sequence.computed_tokens, sequence.seconds = tokens, seconds
            yield from decoder.finished()
    while decoder.busy:
        decoder.step()
        yield from decoder.finished()


def _slots_that_fit(model: Transformer, capacity: int) -> int:
    """How many sequences of `capacity` positions a part of the free memory holds; at least one."""
    config = model.config
    weight = model.embedding.weight
    position = 2 * config.layers * config.key_value_heads * config.head_width * weight.itemsize
    return max(1, int(free_bytes(weight.device) * _CACHE_SHARE) // (position * capacity))


class _Decoder:
    """The slots and their cache. Before a step the sequences stand in the first slots, gapless."""

    def __init__(
        self, model: Transformer, jobs: Sequence[Job], ends: Ends, slots: int, capacity: int
    ) -> None:
        self._model = model
        self._jobs = jobs
        self._ends = ends
        self._attention = SlotAttention(
            layers=model.config.layers,
            slots=slots,
            heads=model.config.key_value_heads,
            capacity=capacity,
            width=model.config.head_width,
            like=model.embedding.weight,
        )
        self._steps = steps_for(model, self._attention)
        self._slots: list[_Sequence | None] = [None] * slots

    @property
    def free(self) -> int:
        """How many slots hold no sequence."""
        return self._slots.count(None)

    @property
    def busy(self) -> bool:
        """Does any slot hold a sequence?"""
        return self.free < len(self._slots)

    @torch.inference_mode()
    def prefill(self, pack: Pack, ends: Integers, computed: ComputedPack) -> list[_Sequence]:
        """Give prompts that end in the pack a free slot each, and their first tokens.

        ends: (E, 2), some of the pack's ends.
        """
        new = []
        for place, number in ends.tolist():
            slot = self._slots.index(None)
            length = self._attention.fill(slot, computed.keys_values, pack.path(place).tolist())
            job = self._jobs[number]
            stopping = Stopping(job, self._ends.decode, self._ends.tokens)
            sequence = _Sequence(number, length, [], draws_of(job), stopping)
            self._slots[slot] = sequence
            new.append(sequence)
        logits = self._model.logits(computed.hidden[ends[:, 0]])
        self._append(new, next_tokens(logits, [sequence.draws for sequence in new]))
        return new

    def step(self) -> None:
        """Decode one token of every sequence."""
        started = time.perf_counter()
        active = self._close_gaps()
        logits = self._steps.run(
            [sequence.generated[-1] for sequence in active],
            [sequence.length for sequence in active],
        )
        self._append(active, next_tokens(logits, [sequence.draws for sequence in active]))
        share = (time.perf_counter() - started) / len(active)
        for sequence in active:
            sequence.length += 1
            sequence.seconds += share

    def finished(self) -> Iterator[Continuation]:
        """Take out the sequences that have ended."""
        for slot, sequence in enumerate(self._slots):
            ending = None if sequence is None else sequence.stopping.ending(sequence.generated)
            if sequence is not None and ending is not None:
                self._slots[slot] = None
                yield _continuation(sequence, ending)

    def _close_gaps(self) -> list[_Sequence]:
        """Move the last sequences into the gaps before them; returns all, in the order of slots."""
        last = len(self._slots) - 1
        for slot in range(len(self._slots)):
            while last > slot and self._slots[last] is None:
                last -= 1
            moved = self._slots[last]
            if last > slot and self._slots[slot] is None and moved is not None:
                self._attention.move(last, slot, moved.length)
                self._slots[slot], self._slots[last] = moved, None
        return [sequence for sequence in self._slots if sequence is not None]

    @staticmethod
    def _append(sequences: Sequence[_Sequence], tokens: Sequence[int]) -> None:
        for sequence, token in zip(sequences, tokens, strict=True):
            sequence.generated.append(token)


def _continuation(sequence: _Sequence, ending: Ending) -> Continuation:
    text, finish = ending
    return Continuation(
        job=sequence.job,
        text=text,
        finish=finish,
        generated_tokens=len(sequence.generated),
        computed_tokens=sequence.computed_tokens,
        seconds=sequence.seconds,
    )
