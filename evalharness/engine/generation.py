"""Greedy generation with continuous batching.

Prompts are prefilled packed, with shared prefixes computed once; then all of them are decoded
together, one token a step, each in a slot of one key/value cache. A slot that has finished takes
the next prompt.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from evalharness.engine.packs import ComputedPack, PackRunner, Shares
from evalharness.engine.trie import Integers, Limits, Pack, Query, plan
from evalharness.transformer.attention import KeysValues, SlotAttention
from evalharness.transformer.model import Transformer

# Positions that all slots together may hold: what bounds the memory of the cache.
CACHE_POSITIONS = 32_768


@dataclass(frozen=True, slots=True)
class Job:
    """A prompt to continue, until an end token, a stop string or `max_tokens` new tokens."""

    tokens: tuple[int, ...]
    max_tokens: int
    stop: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Continuation:
    """The text that continues a job's prompt, cut before the first stop string."""

    job: int
    text: str
    finish: Literal["stop", "end", "length"]
    generated_tokens: int
    computed_tokens: int
    seconds: float


@dataclass(slots=True)
class _Slot:
    """A job that is being decoded; `length` positions of its slot are filled."""

    job: int
    length: int
    generated: list[int]
    computed_tokens: int = 0
    seconds: float = 0.0


def generate(
    model: Transformer,
    jobs: Sequence[Job],
    *,
    decode: Callable[[Sequence[int]], str],
    end_tokens: frozenset[int],
    slots: int = 32,
    pack_size: int = 512,
) -> Iterator[Continuation]:
    """Yield the continuation of every job as soon as it ends; `decode` turns tokens into text."""
    if not jobs:
        return
    capacity = max(len(job.tokens) + job.max_tokens for job in jobs)
    slots = max(1, min(slots, CACHE_POSITIONS // capacity))
    packs = plan([Query(job.tokens) for job in jobs], Limits(pack_size=pack_size, ends=slots))
    # Equal prompts end in one node, which is not divided among packs.
    slots = max(slots, *(len(pack.ends) for pack in packs))
    decoder = _Decoder(model, jobs, slots, capacity)
    runner, shares = PackRunner(model, packs), Shares()
    for index, pack in enumerate(packs):
        while len(decoder.active) + len(pack.ends) > slots:
            decoder.step()
            yield from decoder.finished(decode, end_tokens)
        started = time.perf_counter()
        new = decoder.prefill(pack, runner.run(index))
        for slot, share in zip(
            new, shares.divide(pack, time.perf_counter() - started), strict=True
        ):
            slot.computed_tokens, slot.seconds = share
        yield from decoder.finished(decode, end_tokens)
    while decoder.active:
        decoder.step()
        yield from decoder.finished(decode, end_tokens)


class _Decoder:
    """The slots and their cache. Active slots stand first, without a gap."""

    def __init__(self, model: Transformer, jobs: Sequence[Job], slots: int, capacity: int) -> None:
        config = model.config
        self._model = model
        self._jobs = jobs
        self._attention = SlotAttention(
            config.layers,
            slots,
            config.key_value_heads,
            capacity,
            config.head_width,
            like=model.embedding.weight,
        )
        self.active: list[_Slot] = []

    @torch.inference_mode()
    def prefill(self, pack: Pack, computed: ComputedPack) -> list[_Slot]:
        """Give every prompt that ends in the pack a slot, and its first token."""
        if not len(pack.ends):
            return []
        first_tokens = self._likeliest(computed.hidden[pack.ends[:, 0]])
        for (place, job), token in zip(pack.ends.tolist(), first_tokens, strict=True):
            sequence = _sequence(computed.keys_values, pack.path(place))
            self._attention.fill(len(self.active), sequence)
            self.active.append(_Slot(job, sequence[0][0].shape[2], [token]))
        return self.active[-len(pack.ends) :]

    @torch.inference_mode()
    def step(self) -> None:
        """Decode one token in every active slot."""
        started = time.perf_counter()
        device = self._model.embedding.weight.device
        lengths = [slot.length for slot in self.active]
        self._attention.begin_step(lengths)
        hidden = self._model(
            torch.tensor([[slot.generated[-1]] for slot in self.active], device=device),
            torch.tensor([[length] for length in lengths], device=device),
            self._attention,
        )
        tokens = self._likeliest(hidden[:, 0])
        share = (time.perf_counter() - started) / len(tokens)
        for slot, token in zip(self.active, tokens, strict=True):
            slot.generated.append(token)
            slot.length += 1
            slot.seconds += share

    def finished(
        self, decode: Callable[[Sequence[int]], str], end_tokens: frozenset[int]
    ) -> Iterator[Continuation]:
        """Take out the slots that have ended; the last active one moves into each gap."""
        for place in reversed(range(len(self.active))):
            slot = self.active[place]
            ended = _ended(slot.generated, self._jobs[slot.job], decode, end_tokens)
            if ended is None:
                continue
            last = self.active.pop()
            if last is not slot:
                self.active[place] = last
                self._attention.move(len(self.active), place, last.length)
            text, finish = ended
            yield Continuation(
                slot.job, text, finish, len(slot.generated), slot.computed_tokens, slot.seconds
            )

    def _likeliest(self, hidden: Tensor) -> list[int]:
        """(B, W) -> the likeliest next token of each row; of equal ones the first."""
        return self._model.logits(hidden).argmax(-1).tolist()


def _sequence(stems: Sequence[KeysValues], places: Integers) -> KeysValues:
    """Keys and values of one whole prompt: all of the stems, then its own places of the pack."""
    *above, own = stems
    return [
        (
            torch.cat([stem[layer][0] for stem in above] + [keys[:, :, places]], dim=2),
            torch.cat([stem[layer][1] for stem in above] + [values[:, :, places]], dim=2),
        )
        for layer, (keys, values) in enumerate(own)
    ]


def _ended(
    generated: Sequence[int],
    job: Job,
    decode: Callable[[Sequence[int]], str],
    end_tokens: frozenset[int],
) -> tuple[str, Literal["stop", "end", "length"]] | None:
    """The final text and why it ended, or None when decoding goes on."""
    if generated[-1] in end_tokens:
        return cut(decode(generated[:-1]), job.stop)[0], "end"
    text, stopped = cut(decode(generated), job.stop) if job.stop else ("", False)
    if stopped:
        return text, "stop"
    if len(generated) >= job.max_tokens:
        return decode(generated), "length"
    return None


def cut(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """The text before the first stop string in it, and whether there was one."""
    places = [place for mark in stop if (place := text.find(mark)) >= 0]
    return (text[: min(places)], True) if places else (text, False)
