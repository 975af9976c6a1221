"""Where memory runs out, what was answered stays and the rest is tried in smaller pieces."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from evalharness.engine.generation import Ends, generate
from evalharness.engine.jobs import Job
from evalharness.engine.memory import in_smaller_pieces
from evalharness.engine.scoring import score
from evalharness.engine.trie import Limits, Query
from evalharness.errors import DataError
from evalharness.transformer.attention import Attention
from evalharness.transformer.config import read_config
from evalharness.transformer.model import Transformer
from evalharness.transformer.weights import load_transformer
from tests.models import make_llama


def test_each_piece_is_answered_once_and_only_the_rest_is_tried_again() -> None:
    tried: list[tuple[list[int], int]] = []

    def attempt(numbers: Sequence[int], divisor: int) -> Iterator[tuple[int, int]]:
        tried.append((list(numbers), divisor))
        for number in numbers:
            if number == 3 and divisor < 4:
                raise torch.OutOfMemoryError("too large")
            yield number, number * 10

    assert list(in_smaller_pieces(5, attempt)) == [0, 10, 20, 30, 40]
    assert tried == [([0, 1, 2, 3, 4], 1), ([3, 4], 2), ([3, 4], 4)]


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    def attempt(numbers: Sequence[int], divisor: int) -> Iterator[tuple[int, int]]:
        raise RuntimeError(f"shapes do not fit: {numbers} {divisor}")
        yield 0, 0

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        list(in_smaller_pieces(1, attempt))


def test_work_that_never_fits_ends_with_what_to_do() -> None:
    def attempt(numbers: Sequence[int], divisor: int) -> Iterator[tuple[int, int]]:
        raise RuntimeError(f"DefaultCPUAllocator: can't allocate memory {numbers} {divisor}")
        yield 0, 0

    with pytest.raises(DataError, match="max_length"):
        list(in_smaller_pieces(1, attempt))


class Small(Transformer):
    """A model in whose memory only a few tokens have room at a time."""

    room = 0

    def forward(self, tokens: Tensor, positions: Tensor, attention: Attention) -> Tensor:
        if tokens.numel() > self.room:
            raise torch.OutOfMemoryError(f"{tokens.numel()} tokens")
        return super().forward(tokens, positions, attention)


@pytest.fixture
def model(tmp_path: Path) -> Transformer:
    make_llama(tmp_path)
    return load_transformer(tmp_path, read_config(tmp_path), torch.float32, torch.device("cpu"))


def small(model: Transformer, room: int, monkeypatch: pytest.MonkeyPatch) -> Transformer:
    monkeypatch.setattr(Small, "room", room)
    monkeypatch.setattr(model, "__class__", Small)
    return model


QUERIES = [Query((5, number, *range(20, 20 + number % 7)), (9,)) for number in range(60, 100)]


def test_scores_are_the_same_after_running_out_of_memory(
    model: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {found.query: found.log_probability for found in score(model, QUERIES)}
    found = list(score(small(model, 40, monkeypatch), QUERIES, Limits(pack_size=512)))
    assert sorted(result.query for result in found) == list(range(len(QUERIES)))
    for result in found:
        assert result.log_probability == pytest.approx(expected[result.query], abs=1e-4)


def test_texts_are_the_same_after_running_out_of_memory(
    model: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [Job((5, number), 4 + number % 3) for number in range(60, 80)]
    ends = Ends(lambda tokens: " ".join(map(str, tokens)), frozenset())
    expected = {found.job: found.text for found in generate(model, jobs, ends)}
    found = generate(small(model, 8, monkeypatch), jobs, ends)
    assert {result.job: result.text for result in found} == expected
