"""Draws follow the model's distribution and depend on nothing but prompt and seed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from evalharness.engine.drawing import draws_of, next_tokens, sample
from evalharness.engine.jobs import NO_TOKEN, Job
from evalharness.records import Sampling


def test_draws_have_the_probabilities_of_a_softmax_at_the_temperature() -> None:
    logits = torch.tensor([2.0, 0.0, -1.0, 1.0, 0.5])
    expected = (logits.double() / 1.5).softmax(-1)
    number = 20_000
    counts = torch.zeros(5, dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    numbers = torch.rand(number, generator=generator).tolist()
    for token in sample(logits.expand(number, -1), [Sampling(1.5)] * number, numbers):
        counts[token] += 1
    assert chisquare(counts.numpy(), (expected * number).numpy()).pvalue > 0.001


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=12), st.floats(0.05, 1), st.floats(0, 0.999))
def test_only_the_nucleus_is_drawn_from(logits: list[float], top_p: float, number: float) -> None:
    """The nucleus is the smallest set of likeliest tokens that reaches top_p (Holtzman 2020)."""
    probabilities = torch.tensor(logits).double().softmax(-1)
    (token,) = sample(torch.tensor([logits]), [Sampling(1.0, top_p)], [number])
    likelier = probabilities[probabilities > probabilities[token] + 1e-9].sum()
    assert likelier < top_p + 1e-6


@given(st.floats(0, 0.9999999))
def test_an_impossible_token_is_never_drawn(number: float) -> None:
    logits = torch.tensor([[float("-inf"), 0.0, float("-inf"), 0.0, float("-inf")]])
    assert sample(logits, [Sampling(0.7)], [number])[0] in {1, 3}


def test_a_low_temperature_takes_the_likeliest() -> None:
    logits = torch.randn(20, 50, generator=torch.Generator().manual_seed(0))
    found = sample(logits, [Sampling(1e-6)] * 20, [0.37] * 20)
    assert found == logits.argmax(-1).tolist()


def test_a_draw_does_not_depend_on_its_neighbours() -> None:
    logits = torch.randn(6, 40, generator=torch.Generator().manual_seed(2))
    jobs = [Job((1, 2, row), 5, sampling=Sampling(1.0, seed=row % 2)) for row in range(6)]
    together = next_tokens(logits, [draws_of(job) for job in jobs])
    alone = [next_tokens(logits[row : row + 1], [draws_of(job)])[0] for row, job in enumerate(jobs)]
    assert together == alone


def test_greedy_rows_stay_greedy_beside_drawn_ones() -> None:
    logits = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    drawn = draws_of(Job((1,), 1, sampling=Sampling(100.0)))
    assert next_tokens(logits, [None, drawn])[0] == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_token_is_chosen_where_a_logit_is_not_a_number(value: float) -> None:
    """NaN is the largest to argmax, so that its token was taken for the likeliest one."""
    logits = torch.tensor([[0.0, value, 1.0], [0.0, -float("inf"), 1.0], [-float("inf")] * 3])
    drawn = draws_of(Job((1,), 1, sampling=Sampling(1.0)))
    assert next_tokens(logits, [None, None, None]) == [NO_TOKEN, 2, NO_TOKEN]
    assert next_tokens(logits, [drawn, None, drawn]) == [NO_TOKEN, 2, NO_TOKEN]


def test_seeds_and_prompts_give_other_draws() -> None:
    def first(prompt: tuple[int, ...], seed: int) -> float:
        draws = draws_of(Job(prompt, 1, sampling=Sampling(1.0, seed=seed)))
        assert draws is not None
        return draws.next()

    assert len({first((1, 2), 0), first((1, 2), 1), first((12,), 0), first((1,), 0)}) == 4
    assert first((1, 2), 0) == first((1, 2), 0)


@pytest.mark.parametrize(
    ("temperature", "top_p"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 0.0), (1.0, 1.1)]
)
def test_values_that_make_no_distribution_are_refused(temperature: float, top_p: float) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        Sampling(temperature, top_p)
