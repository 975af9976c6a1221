"""What is wrong with a checkpoint folder is said by name, before any score is computed."""

from pathlib import Path

import pytest
import torch

from evalharness.errors import DataError
from evalharness.transformer.config import read_config
from evalharness.transformer.weights import load_transformer
from tests.models import make_llama


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
    with pytest.raises(DataError, match=r"mlp\.down_proj\.weight.* \(36, 51\).*\(36, 50\)"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("LlamaForCausalLM", "LamaForCausalLM", "Did you mean 'LlamaForCausalLM'"),
        ('"hidden_size"', '"hidden"', "'hidden_size' is missing"),
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
