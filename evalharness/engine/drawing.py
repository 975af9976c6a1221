"""The next token of each sequence: the likeliest, or one drawn by the sequence's own generator."""

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from evalharness.engine.jobs import NO_TOKEN, Job
from evalharness.records import Sampling


class Draws:
    """The random numbers of one job, which depend on its prompt and its seed alone.

    Neither what else is in the batch nor the device's own generator has a part in them, so that
    every draw can be repeated on its own.
    """

    def __init__(self, sampling: Sampling, prompt: Sequence[int]) -> None:
        self.sampling = sampling
        self._generator = random.Random(f"{sampling.seed} {' '.join(map(str, prompt))}")

    def next(self) -> float:
        """A number in [0, 1)."""
        return self._generator.random()


def draws_of(job: Job) -> Draws | None:
    """The random numbers of a job, or None when it takes the likeliest tokens."""
    return None if job.sampling is None else Draws(job.sampling, job.tokens)


def next_tokens(logits: Tensor, draws: Sequence[Draws | None]) -> list[int]:
    """Logits (B, V) -> a token for each row; of equally likely ones the first.

    NO_TOKEN where the logits are no distribution: argmax would find NaN the largest of all.
    """
    likeliest = logits.argmax(-1, keepdim=True)
    valid = logits.gather(-1, likeliest).isfinite()
    tokens: list[int] = likeliest.where(valid, NO_TOKEN)[:, 0].tolist()
    drawn = [
        (row, draw)
        for row, draw in enumerate(draws)
        if draw is not None and tokens[row] != NO_TOKEN
    ]
    if drawn:
        rows = torch.tensor([row for row, _ in drawn], device=logits.device)
        found = sample(
            logits[rows],
            [draw.sampling for _, draw in drawn],
            [draw.next() for _, draw in drawn],
        )
        for (row, _), token in zip(drawn, found, strict=True):
            tokens[row] = token
    return tokens


def sample(logits: Tensor, how: Sequence[Sampling], numbers: Sequence[float]) -> list[int]:
    """Logits (B, V), a number in [0, 1) for each row -> the token where the cumulative probability
    passes that number.

    Only the nucleus counts: the likeliest tokens whose probabilities sum to top_p (Holtzman et al.
    2020). Tokens keep the order of the vocabulary, so that rounding, which may swap two nearly
    equal tokens in a sorted list, does not change a draw.
    """
    device = logits.device
    temperature = torch.tensor([one.temperature for one in how], device=device)[:, None]
    probabilities = (logits.float() / temperature).double().softmax(-1)
    top_p = torch.tensor([one.top_p for one in how], dtype=torch.float64, device=device)[:, None]
    if (top_p < 1).any():
        descending, order = probabilities.sort(stable=True, dim=-1, descending=True)
        # A token is outside when those before it reach top_p already.
        outside = descending.cumsum(-1) - descending >= top_p
        probabilities = probabilities.masked_fill(
            torch.zeros_like(outside).scatter(-1, order, outside), 0.0
        )
    cumulative = probabilities.cumsum(-1)
    wanted = torch.tensor(numbers, dtype=torch.float64, device=device)[:, None] * cumulative[:, -1:]
    # The first place whose cumulative probability is greater: never a token of probability 0.
    places = torch.searchsorted(cumulative, wanted, right=True)[:, 0]
    tokens: list[int] = places.clamp_(max=logits.shape[1] - 1).tolist()
    return tokens
