"""Generation by transformers' generate(): its caches fit every class, our rules choose and stop.

generate() is asked for the likeliest token of scores in which a processor of ours has left one
token: the likeliest, or the one that is drawn by the request's own random numbers. So a draw
depends on the request alone, as with `builtin:`. Stop strings, end tokens and the number of tokens
are judged by the same code as there.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, StoppingCriteria

from evalharness.backends.huggingface.forward import Forward, agree, padded
from evalharness.backends.huggingface.scoring import Row, batches
from evalharness.engine.drawing import draws_of, next_tokens
from evalharness.engine.generation import Ends
from evalharness.engine.jobs import NO_TOKEN, Continuation, Job
from evalharness.engine.memory import in_smaller_pieces
from evalharness.engine.stopping import Ending, Stopping

# Tokens of the prompts of a batch, padding included.
_TOKENS_ON_CPU, _TOKENS_ON_GPU = 8_192, 65_536


def write(
    forward: Forward,
    jobs: Sequence[Job],
    ends: Ends,
    *,
    batch_size: int,
    padding: bool,
    decoder_start: tuple[int, ...] = (),
) -> Iterator[Continuation]:
    """Yield the continuation of every job when its batch is done.

    padding: shorter prompts may be filled up; else prompts of a batch are equally long
    decoder_start: what the decoder of an encoder-decoder model begins with, whose encoder reads the
        prompts; empty for a model that continues them itself
    """
    budget = _TOKENS_ON_CPU if forward.device.type == "cpu" else _TOKENS_ON_GPU

    def attempt(numbers: Sequence[int], divisor: int) -> Iterator[tuple[int, Continuation]]:
        groups: dict[tuple[int, int], list[Row]] = {}
        for number in numbers:
            job = jobs[number]
            length = 0 if padding else len(job.tokens)
            groups.setdefault((job.max_tokens, length), []).append((job.tokens, [number]))
        # Jobs that may have equally many new tokens end together; the longest come first.
        for _, rows in sorted(groups.items(), reverse=True):
            rows.sort(key=lambda row: len(row[0]), reverse=True)
            for batch in batches(rows, max(1, batch_size // divisor), budget // divisor):
                group = [number for _, (number,) in batch]
                some = [jobs[number] for number in group]
                for found in _write_batch(forward, some, ends, decoder_start):
                    yield group[found.job], replace(found, job=group[found.job])

    yield from in_smaller_pieces(len(jobs), attempt)


def _write_batch(
    forward: Forward, jobs: Sequence[Job], ends: Ends, decoder_start: tuple[int, ...]
) -> Iterator[Continuation]:
    started = time.perf_counter()
    texts = _Texts(jobs, ends)
    _generate(
        forward,
        [job.tokens for job in jobs],
        max(job.max_tokens for job in jobs),
        decoder_start,
        logits_processor=[_Choose(texts)],
        stopping_criteria=[_Stop(texts)],
    )
    share = (time.perf_counter() - started) / len(jobs)
    for number, job in enumerate(jobs):
        text, finish = texts.ending(number)
        yield Continuation(
            job=number,
            text=text,
            finish=finish,
            generated_tokens=len(texts.generated[number]),
            computed_tokens=len(job.tokens),
            seconds=share,
        )


@torch.inference_mode()
def _generate(
    forward: Forward,
    prompts: Sequence[Sequence[int]],
    max_tokens: int,
    decoder_start: tuple[int, ...],
    **how: Any,
) -> None:
    """Run generate() without any setting of the checkpoint's own, and without end tokens: a text
    that has ended is not looked at while others of its batch go on.
    """
    # What is continued must end where the text begins; what is encoded begins at its first place.
    tokens, mask = padded(prompts, forward.device, left=not decoder_start)
    start: dict[str, Any] = {}
    if decoder_start:
        start["decoder_input_ids"] = torch.tensor([decoder_start], device=forward.device).repeat(
            len(prompts), 1
        )
    # What generate() would fill gaps from: checkpoints bring penalties and the like.
    forward.model.generation_config = GenerationConfig()
    forward.model.generate(
        tokens,
        attention_mask=mask,
        generation_config=GenerationConfig(
            max_new_tokens=max_tokens,
            do_sample=False,
            num_beams=1,
            pad_token_id=0,
            decoder_start_token_id=decoder_start[0] if decoder_start else None,
        ),
        **start,
        **how,
    )


class _Texts:
    """What a batch has written so far, and which of its texts have ended."""

    def __init__(self, jobs: Sequence[Job], ends: Ends) -> None:
        self.generated: list[list[int]] = [[] for _ in jobs]
        self._draws = [draws_of(job) for job in jobs]
        self._stopping = [Stopping(job, ends.decode, ends.tokens) for job in jobs]
        self._endings: list[Ending | None] = [None] * len(jobs)

    def choose(self, logits: Tensor) -> list[int]:
        """Logits (B, V) -> the next token of each text, which is NO_TOKEN where none can be had."""
        going = [number for number, ending in enumerate(self._endings) if ending is None]
        chosen = next_tokens(logits[going], [self._draws[number] for number in going])
        tokens = [0] * len(self.generated)
        for number, token in zip(going, chosen, strict=True):
            self.generated[number].append(token)
            self._endings[number] = self._stopping[number].ending(self.generated[number])
            tokens[number] = token
        return tokens

    def ended(self) -> list[bool]:
        return [ending is not None for ending in self._endings]

    def ending(self, number: int) -> Ending:
        """Text and reason. Raises RuntimeError when generate() ended before the text did."""
        ending = self._endings[number]
        if ending is None:
            raise RuntimeError(f"text {number} of a batch was left without an end")
        return ending


class _Choose(LogitsProcessor):  # type: ignore[misc]
    """Leaves one token of each row: the one that is to come next."""

    def __init__(self, texts: _Texts) -> None:
        self._texts = texts

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # noqa: ARG002
        tokens = torch.tensor(self._texts.choose(scores), device=scores.device)
        return _only(tokens.masked_fill(tokens == NO_TOKEN, 0), scores)


class _Stop(StoppingCriteria):  # type: ignore[misc]
    """Ends the batch with the last of its texts."""

    def __init__(self, texts: _Texts) -> None:
        self._texts = texts

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:  # noqa: ARG002
        return torch.tensor(self._texts.ended(), device=input_ids.device)


def _only(tokens: Tensor, scores: Tensor) -> Tensor:
    """Scores (B, V) in which nothing but the token (B,) of each row can be chosen."""
    return torch.full_like(scores, -torch.inf).scatter_(1, tokens[:, None], 0.0)


def padding_is_right(forward: Forward, decoder_start: tuple[int, ...] = ()) -> bool:
    """Has a prompt the same next tokens alone and beside a longer one, where it is filled up?"""
    size = forward.vocabulary_size
    numbers = torch.Generator().manual_seed(0)
    long, short = (torch.randint(size, (n,), generator=numbers).tolist() for n in (11, 4))
    try:
        together = _logits(forward, [long, short], decoder_start)
    except Exception:  # a class that cannot take such a mask may fail in every way
        return False
    alone = _logits(forward, [short], decoder_start)
    return agree(together[:, 1], alone[:, 0], forward.dtype)


def _logits(
    forward: Forward, prompts: Sequence[Sequence[int]], decoder_start: tuple[int, ...]
) -> Tensor:
    """Logits (steps, B, V) of a few steps in which every text goes on with the same tokens."""
    seen = _Record([1, 2, 3])
    _generate(forward, prompts, 3, decoder_start, logits_processor=[seen])
    return torch.stack(seen.logits)


class _Record(LogitsProcessor):  # type: ignore[misc]
    """Keeps the logits of each step, and says how the texts go on."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = tokens
        self.logits: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.logits.append(scores.clone())
        token = self._tokens[len(self.logits) - 1]
        return _only(torch.full_like(input_ids[:, 0], token), scores)
