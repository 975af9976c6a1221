"""Log-probabilities of targets while the vocabulary goes by in parts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evalharness.engine.targets import target_scores
from evalharness.engine.trie import Query, plan
from evalharness.transformer.attention import causal_attention
from evalharness.transformer.config import read_config
from evalharness.transformer.model import Transformer
from evalharness.transformer.weights import load_transformer
from tests.models import make_llama


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Transformer:
    folder: Path = tmp_path_factory.mktemp("llama")
    make_llama(folder)
    return load_transformer(folder, read_config(folder), torch.float32, torch.device("cpu"))


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_any_part_of_the_vocabulary_at_once_gives_what_torchs_log_softmax_gives(
    model: Transformer, tokens_at_once: int, seed: int
) -> None:
    size = model.config.vocabulary_size
    row = np.random.default_rng(seed).integers(0, size, 9).tolist()
    (pack,) = plan([Query(tuple(row[:-1]), tuple(row[1:]))])
    tokens = torch.tensor([row[:-1]])
    with torch.inference_mode():
        hidden = model(tokens, torch.arange(8)[None], causal_attention(tokens))[0]
        expected = model.output(hidden).log_softmax(-1)
    values, greedy = target_scores(model, hidden, pack, tokens_at_once)
    order = torch.tensor(pack.targets[:, 0])
    targets = torch.tensor(row[1:])
    # 320 sums, each rounded to 6e-8 of about 10. No model is scored by one token at a time.
    torch.testing.assert_close(values, expected[order, targets[order]], atol=2e-4, rtol=0)
    assert greedy.tolist() == (expected.argmax(-1) == targets)[order].tolist()
