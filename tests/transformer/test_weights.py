"""What is wrong with a checkpoint folder is said by name, before any score is computed."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from evalharness.errors import DataError
from evalharness.transformer.config import read_config
from evalharness.transformer.weights import check_weights, weight_files
from tests.models import make_llama, make_model
from tests.transformer.comparison import difference, load, tokens_of


def test_sharded_checkpoint_is_read_whole(tmp_path: Path) -> None:
    theirs = make_llama(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    theirs.save_pretrained(str(tmp_path), max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    ours = load(tmp_path)
    assert torch.equal(ours.embedding.weight, theirs.model.embed_tokens.weight)


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


def change(folder: Path, alter: Callable[[dict[str, Tensor]], None]) -> None:
    file = folder / "model.safetensors"
    weights = load_file(file)
    alter(weights)
    save_file(weights, file)


@pytest.mark.parametrize("architecture", ["LlamaForCausalLM", "Phi3ForCausalLM", "GPT2LMHeadModel"])
def test_weights_are_checked_without_being_read(tmp_path: Path, architecture: str) -> None:
    """Values alone are found out when they are loaded; they are not looked at before."""
    make_model(tmp_path, architecture)

    def spoil(weights: dict[str, Tensor]) -> None:
        for weight in weights.values():
            weight.fill_(float("nan"))

    change(tmp_path, spoil)
    assert check_weights(tmp_path, read_config(tmp_path)) == [tmp_path / "model.safetensors"]
    with pytest.raises(DataError, match="NaN"):
        load(tmp_path)


def test_a_missing_weight_is_named_as_the_file_would(tmp_path: Path) -> None:
    make_model(tmp_path, "Phi3ForCausalLM")

    def leave_out(weights: dict[str, Tensor]) -> None:
        del weights["model.layers.1.self_attn.qkv_proj.weight"]

    change(tmp_path, leave_out)
    with pytest.raises(
        DataError, match=r"'model\.layers\.1\.self_attn\.qkv_proj\.weight'.*missing"
    ):
        load(tmp_path)


def test_a_fused_weight_of_another_size_is_named(tmp_path: Path) -> None:
    make_model(tmp_path, "Phi3ForCausalLM")

    def shorten(weights: dict[str, Tensor]) -> None:
        name = "model.layers.1.self_attn.qkv_proj.weight"
        weights[name] = weights[name][:-1].clone()

    change(tmp_path, shorten)
    with pytest.raises(DataError, match=r"qkv_proj\.weight' has the shape \(71, 36\)"):
        load(tmp_path)


@pytest.mark.parametrize(
    "name", ["score.weight", "model.layers.0.self_attn.q_proj.lora_A.weight", "model.bias"]
)
def test_an_unknown_weight_is_named(tmp_path: Path, name: str) -> None:
    """A head or an adapter that is left out in silence would give scores of another model."""
    make_llama(tmp_path)
    change(tmp_path, lambda weights: weights.update({name: torch.ones(2)}))
    with pytest.raises(DataError, match=name):
        load(tmp_path)


def test_a_bias_where_config_says_that_there_is_none_is_refused(tmp_path: Path) -> None:
    make_llama(tmp_path)
    name = "model.layers.0.self_attn.q_proj.bias"
    change(tmp_path, lambda weights: weights.update({name: torch.ones(36)}))
    with pytest.raises(DataError, match=f"{name}.*should not be there"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("architecture", "names"),
    [
        ("LlamaForCausalLM", ["model.layers.0.self_attn.rotary_emb.inv_freq"]),
        ("GPT2LMHeadModel", ["transformer.h.0.attn.bias", "transformer.h.0.attn.masked_bias"]),
        (
            "GPTNeoXForCausalLM",
            [
                "gpt_neox.layers.0.attention.bias",
                "gpt_neox.layers.0.attention.masked_bias",
                "gpt_neox.layers.0.attention.rotary_emb.inv_freq",
            ],
        ),
    ],
)
def test_constants_of_older_checkpoints_are_left_out(
    tmp_path: Path, architecture: str, names: list[str]
) -> None:
    theirs = make_model(tmp_path, architecture)
    change(tmp_path, lambda weights: weights.update({name: torch.ones(1) for name in names}))
    assert difference(load(tmp_path), theirs, tokens_of()) < 1e-4


@pytest.mark.parametrize(
    ("architecture", "old", "new"),
    [
        ("GPT2LMHeadModel", "transformer.", ""),
        ("GPTNeoXForCausalLM", "lm_head.", "embed_out."),
    ],
)
def test_names_of_older_checkpoints_are_known(
    tmp_path: Path, architecture: str, old: str, new: str
) -> None:
    theirs = make_model(tmp_path, architecture)

    def rename(weights: dict[str, Tensor]) -> None:
        for name in [name for name in weights if name.startswith(old)]:
            weights[name.replace(old, new, 1)] = weights.pop(name)

    change(tmp_path, rename)
    assert difference(load(tmp_path), theirs, tokens_of()) < 1e-4


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_weight_that_is_not_finite_is_named(tmp_path: Path, value: float) -> None:
    make_llama(tmp_path)

    def spoil(weights: dict[str, Tensor]) -> None:
        weights["model.layers.2.mlp.up_proj.weight"][3, 4] = value

    change(tmp_path, spoil)
    with pytest.raises(
        DataError, match=r"layers\.2\.mlp\.up_proj\.weight' has values that are NaN"
    ):
        load(tmp_path)


def test_a_weight_that_the_dtype_cannot_hold_is_named(tmp_path: Path) -> None:
    make_llama(tmp_path)

    def grow(weights: dict[str, Tensor]) -> None:
        weights["lm_head.weight"][3, 4] = 1e6

    change(tmp_path, grow)
    load(tmp_path, torch.bfloat16)
    with pytest.raises(DataError, match=r"lm_head\.weight' has values that torch\.float16 cannot"):
        load(tmp_path, torch.float16)


def test_a_quantised_weight_is_refused(tmp_path: Path) -> None:
    make_llama(tmp_path)

    def quantise(weights: dict[str, Tensor]) -> None:
        weights["lm_head.weight"] = weights["lm_head.weight"].to(torch.int8)

    change(tmp_path, quantise)
    with pytest.raises(DataError, match=r"lm_head\.weight' has the dtype torch\.int8"):
        load(tmp_path)


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps"), reason="only Linux tells")
@pytest.mark.parametrize("architecture", ["LlamaForCausalLM", "Phi3ForCausalLM", "GPT2LMHeadModel"])
def test_weights_of_the_wanted_dtype_stay_where_they_are_in_the_file(
    tmp_path: Path, architecture: str
) -> None:
    """A copy would take twice the memory; parts of fused matrices are views as well."""
    make_model(tmp_path, architecture)
    file = tmp_path / "model.safetensors"
    ours = load(tmp_path)
    mapped = ranges(file)
    for name, weight in ours.state_dict().items():
        inside = any(start <= weight.data_ptr() < stop for start, stop in mapped)
        assert inside, name


def ranges(file: Path) -> list[tuple[int, int]]:
    """Addresses at which a file is mapped into this process."""
    found = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(str(file)):
            start, _, stop = line.split()[0].partition("-")
            found.append((int(start, 16), int(stop, 16)))
    return found


def pickled(folder: Path, model: torch.nn.Module) -> Path:
    """The form of before safetensors, with the single file in its place."""
    (folder / "model.safetensors").unlink()
    file = folder / "pytorch_model.bin"
    torch.save(model.state_dict(), file)
    return file


@pytest.mark.parametrize("architecture", ["LlamaForCausalLM", "GPT2LMHeadModel"])
def test_pickled_weights_are_read(tmp_path: Path, architecture: str) -> None:
    theirs = make_model(tmp_path, architecture)
    pickled(tmp_path, theirs)
    assert difference(load(tmp_path), theirs, tokens_of()) < 1e-4


def test_pickled_weights_of_an_old_torch_are_read(tmp_path: Path) -> None:
    theirs = make_llama(tmp_path)
    file = pickled(tmp_path, theirs)
    torch.save(theirs.state_dict(), file, _use_new_zipfile_serialization=False)
    assert difference(load(tmp_path), theirs, tokens_of()) < 1e-4


def test_pickled_shards_are_read(tmp_path: Path) -> None:
    theirs = make_llama(tmp_path)
    pickled(tmp_path, theirs).unlink()
    weights = sorted(theirs.state_dict().items())
    index = {}
    for number, part in enumerate((weights[:10], weights[10:])):
        file = f"pytorch_model-{number}.bin"
        torch.save(dict(part), tmp_path / file)
        index.update(dict.fromkeys(dict(part), file))
    path = tmp_path / "pytorch_model.bin.index.json"
    path.write_text(json.dumps({"weight_map": index}))
    assert difference(load(tmp_path), theirs, tokens_of()) < 1e-4
    (tmp_path / "pytorch_model-1.bin").unlink()
    with pytest.raises(DataError, match=r"pytorch_model-1\.bin"):
        load(tmp_path)


class Hostile:
    """What runs code as soon as it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, ("was-here",)


def test_a_pickle_that_runs_code_is_refused_and_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = pickled(tmp_path, make_llama(tmp_path))
    torch.save({"lm_head.weight": Hostile()}, file)
    with pytest.raises(DataError, match="more than tensors"):
        load(tmp_path)
    assert not (tmp_path / "was-here").exists()


@pytest.mark.parametrize("size", [0, 100, 20_000])
def test_truncated_pickles_are_refused(tmp_path: Path, size: int) -> None:
    file = pickled(tmp_path, make_llama(tmp_path))
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(DataError, match=r"pytorch_model\.bin is damaged"):
        load(tmp_path)


def test_safetensors_are_preferred_and_copies_beside_them_not_read(tmp_path: Path) -> None:
    """Some repositories hold the weights twice: for transformers and in their maker's own form."""
    theirs = make_llama(tmp_path)
    torch.save({}, tmp_path / "pytorch_model.bin")
    save_file({"layers.0.wq": torch.ones(1)}, tmp_path / "consolidated.safetensors")
    assert weight_files(tmp_path) == [tmp_path / "model.safetensors"]
    assert difference(load(tmp_path), theirs, tokens_of()) < 1e-4


def test_a_damaged_index_is_named(tmp_path: Path) -> None:
    make_llama(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": 3}')
    with pytest.raises(DataError, match=r"model\.safetensors\.index\.json is damaged"):
        load(tmp_path)


@pytest.mark.parametrize("outside", [False, True], ids=["upwards", "absolute"])
def test_weights_outside_the_folder_are_refused(tmp_path: Path, outside: bool) -> None:
    """The fingerprint is of the files of the folder: those of another one could change unseen."""
    theirs = make_llama(tmp_path / "ok")
    folder = tmp_path / "checkpoint"
    make_llama(folder)
    (folder / "model.safetensors").unlink()
    file = f"{tmp_path}/ok/model.safetensors" if outside else "../ok/model.safetensors"
    index = {"weight_map": dict.fromkeys(theirs.state_dict(), file)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(DataError, match=r"ok/model\.safetensors', which is outside the folder"):
        load(folder)


def test_weights_that_are_links_are_read(tmp_path: Path) -> None:
    """The cache of the hub keeps files apart from the folders that name them."""
    theirs = make_llama(tmp_path / "checkpoint")
    file = tmp_path / "checkpoint" / "model.safetensors"
    file.rename(tmp_path / "blob")
    file.symlink_to("../blob")
    assert difference(load(tmp_path / "checkpoint"), theirs, tokens_of()) < 1e-4


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "model.safetensors.index.json"]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    """What the operating system says was called a defect of evalharness."""
    make_llama(tmp_path)
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=rf"{name} cannot be read"):
        load(tmp_path)


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    make_llama(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"no \*\.safetensors file and no pytorch_model\.bin"):
        load(tmp_path)
