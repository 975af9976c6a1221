"""Tokens and the likeliest in their place are those of one plain forward pass a request."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedModel

from evalharness.engine.scoring import score
from evalharness.engine.targets import likeliest_tokens
from evalharness.engine.token_scores import Scored, score_tokens
from evalharness.engine.trie import Limits, Query, plan
from evalharness.transformer.attention import Attention, causal_attention
from evalharness.transformer.config import read_config
from evalharness.transformer.model import Transformer
from evalharness.transformer.weights import load_transformer
from tests.models import make_model

FIVE = 5
CPU = torch.device("cpu")


class Checkpoint:
    """One checkpoint, as transformers and as the built-in transformer see it."""

    def __init__(self, folder: Path, architecture: str) -> None:
        self.theirs: PreTrainedModel = make_model(folder, architecture)
        self.ours: Transformer = load_transformer(folder, read_config(folder), torch.float32, CPU)


@pytest.fixture(scope="module", params=["LlamaForCausalLM", "Gemma2ForCausalLM"])
def checkpoint(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Checkpoint:
    """A plain one, and one with windows and soft caps."""
    return Checkpoint(tmp_path_factory.mktemp("model"), request.param)


def found(
    model: Transformer, queries: Sequence[Query], limits: Limits = Limits()
) -> list[tuple[Scored, ...]]:
    tokens = {one.query: one.targets for one in score_tokens(model, queries, limits, FIVE)}
    assert sorted(tokens) == list(range(len(queries)))
    return [tokens[index] for index in range(len(queries))]


def check(own: Sequence[Scored], query: Query, model: PreTrainedModel) -> None:
    """Against transformers' logits: log_softmax of the targets, topk at their places."""
    with torch.inference_mode():
        rows = model(torch.tensor([query.tokens])).logits[0].log_softmax(-1)
    rows = rows[len(query.tokens) - len(query.targets) :]
    assert len(own) == len(query.targets)
    for (value, likeliest), row, target in zip(own, rows, query.targets, strict=True):
        assert value == pytest.approx(float(row[target]), abs=1e-4)
        assert [one for _, one in likeliest] == pytest.approx(row.topk(FIVE).values, abs=1e-4)
        assert [one for _, one in likeliest] == pytest.approx(
            [float(row[token]) for token, _ in likeliest], abs=1e-4
        )


PARTS = st.lists(
    st.tuples(
        st.sampled_from([(), (5, 6, 7), tuple(range(2, 30))]),
        st.lists(st.integers(0, 300), min_size=1, max_size=8).map(tuple),
        st.integers(0, 40),
    ),
    min_size=1,
    max_size=10,
)
LIMITS = st.builds(Limits, pack_size=st.integers(1, 64), minimum_stem=st.integers(1, 40))


@settings(max_examples=20)
@given(PARTS, LIMITS)
def test_however_packed_tokens_are_those_of_one_forward_pass_and_add_up_to_the_score(
    checkpoint: Checkpoint,
    parts: list[tuple[tuple[int, ...], tuple[int, ...], int]],
    limits: Limits,
) -> None:
    """Targets of one query may lie in several packs, and in stems that others share."""
    queries = []
    for prefix, own, targets in parts:
        tokens = prefix + own
        asked = tokens[len(tokens) - min(targets, len(tokens)) :]
        queries.append(Query(tokens, tuple((token * 7) % 300 for token in asked)))
    sums = {one.query: one.log_probability for one in score(checkpoint.ours, queries, limits)}
    for index, scored in enumerate(found(checkpoint.ours, queries, limits)):
        check(scored, queries[index], checkpoint.theirs)
        assert sum(value for value, _ in scored) == pytest.approx(sums[index], abs=1e-4)


@given(st.integers(1, 60), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_any_part_of_the_vocabulary_at_once_gives_torchs_topk(
    checkpoint: Checkpoint, tokens_at_once: int, alternatives: int, seed: int
) -> None:
    """Parts may be smaller than the number of tokens that are wanted."""
    numbers = torch.Generator().manual_seed(seed)
    size = checkpoint.ours.config.vocabulary_size
    row = torch.randint(size, (9,), generator=numbers)
    (pack,) = plan([Query(tuple(row[:-1].tolist()), tuple(row[1:].tolist()))])
    tokens = row[None, :-1]
    with torch.inference_mode():
        hidden = checkpoint.ours(tokens, torch.arange(8)[None], causal_attention(tokens))[0]
        expected = checkpoint.ours.logits(hidden).log_softmax(-1)
    one = likeliest_tokens(checkpoint.ours, hidden, pack, tokens_at_once, alternatives)
    rows = expected[torch.tensor(pack.targets[:, 0])]
    targets = torch.tensor(pack.targets[:, 1:2])
    close = partial(torch.testing.assert_close, atol=5e-5, rtol=0)
    close(one.values, rows.gather(1, targets)[:, 0])
    close(one.alternatives[one.rows], rows.topk(alternatives).values)
    close(one.alternatives[one.rows], rows.gather(1, one.tokens[one.rows]))


class Small(Transformer):
    """A model in whose memory only a few tokens have room at a time."""

    def forward(self, tokens: Tensor, positions: Tensor, attention: Attention) -> Tensor:
        if tokens.numel() > 40:
            raise torch.OutOfMemoryError(f"{tokens.numel()} tokens")
        return super().forward(tokens, positions, attention)


def test_tokens_are_the_same_after_running_out_of_memory(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found before stays; a query that was cut by the lack of memory is whole again."""
    queries = [Query((5, number, *range(20, 20 + number % 7)), (9, 8)) for number in range(60, 99)]
    expected = found(checkpoint.ours, queries)
    monkeypatch.setattr(checkpoint.ours, "__class__", Small)
    again = found(checkpoint.ours, queries, Limits(pack_size=512))
    for own, other in zip(again, expected, strict=True):
        assert [value for value, _ in own] == pytest.approx([v for v, _ in other], abs=1e-4)
