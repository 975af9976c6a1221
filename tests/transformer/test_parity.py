"""The built-in transformer computes what transformers' own class computes."""

from pathlib import Path
from typing import Any

import pytest
import torch

from evalharness.errors import DataError
from evalharness.transformer.attention import causal_attention
from evalharness.transformer.config import read_config
from evalharness.transformer.weights import load_transformer
from tests.models import make_llama

CASES: dict[str, dict[str, Any]] = {
    "grouped queries": {},
    "tied embeddings": {"tie_word_embeddings": True},
    "one key/value head": {"num_key_value_heads": 1},
    "as many key/value heads as heads": {"num_key_value_heads": 6},
    "three query heads a group": {"num_attention_heads": 9, "num_key_value_heads": 3},
    "head width of its own": {"head_dim": 10},
    "another rope base": {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}},
}


@pytest.mark.parametrize("sizes", CASES.values(), ids=CASES.keys())
def test_logits_equal_transformers(tmp_path: Path, sizes: dict[str, Any]) -> None:
    theirs = make_llama(tmp_path, **sizes)
    config = read_config(tmp_path)
    ours = load_transformer(tmp_path, config, torch.float32, torch.device("cpu"))
    tokens = torch.randint(0, config.vocabulary_size, (2, 37), generator=torch.manual_seed(1))
    with torch.inference_mode():
        expected = theirs(tokens).logits
        positions = torch.arange(37).expand(2, -1)
        found = ours.logits(ours(tokens, positions, causal_attention(tokens)))
    assert (found - expected).abs().max() < 1e-4


def test_parameters_are_counted_as_transformers_does(tmp_path: Path) -> None:
    theirs = make_llama(tmp_path, tie_word_embeddings=True)
    assert read_config(tmp_path).parameters == theirs.num_parameters()


def test_sharded_checkpoint_is_read_whole(tmp_path: Path) -> None:
    theirs = make_llama(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    theirs.save_pretrained(str(tmp_path), max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    ours = load_transformer(tmp_path, read_config(tmp_path), torch.float32, torch.device("cpu"))
    assert torch.equal(ours.embedding.weight, theirs.model.embed_tokens.weight)


def load(folder: Path) -> None:
    load_transformer(folder, read_config(folder), torch.float32, torch.device("cpu"))


def test_missing_shard_is_named(tmp_path: Path) -> None:
    theirs = make_llama(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    theirs.save_pretrained(str(tmp_path), max_shard_size="20KB")
    shard = sorted(tmp_path.glob("*.safetensors"))[1]
    shard.unlink()
    with pytest.raises(DataError, match=shard.name):
        load(tmp_path)


def test_truncated_weights_are_refused(tmp_path: Path) -> None:
    make_llama(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"model\.safetensors is damaged"):
        load(tmp_path)


def test_weights_that_do_not_fit_the_config_are_named(tmp_path: Path) -> None:
    make_llama(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(
        config.read_text().replace('"intermediate_size": 50', '"intermediate_size": 51')
    )
    with pytest.raises(DataError, match=r"feed_forward\.down\.weight"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("LlamaForCausalLM", "LamaForCausalLM", "Did you mean 'LlamaForCausalLM'"),
        ('"hidden_size"', '"hidden"', "'hidden_size' is missing"),
        ('"attention_bias": false', '"attention_bias": true', "attention biases"),
        ('"rope_type": "default"', '"rope_type": "yarn"', "rope scaling"),
        ("{", "[", "not valid JSON"),
    ],
)
def test_what_the_model_cannot_do_is_refused_by_name(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    """A feature that is ignored instead of refused would give wrong scores without a word."""
    make_llama(tmp_path)
    config = tmp_path / "config.json"
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        read_config(tmp_path)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no config\.json"):
        read_config(tmp_path)
