"""LoRA adapters: what they compute, what they share with their base, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from evalharness.engine import generation
from evalharness.engine.cost import measure_pack_cost
from evalharness.engine.generation import Ends, generate
from evalharness.engine.jobs import Job
from evalharness.engine.steps import CapturedSteps, Steps
from evalharness.errors import DataError
from evalharness.transformer.adapters import adapted, read_adapter
from evalharness.transformer.attention import SlotAttention
from evalharness.transformer.config import read_config
from evalharness.transformer.families import FAMILIES
from evalharness.transformer.model import Transformer
from tests.adapters import make_adapter, merged, with_adapter, write_settings
from tests.models import make_model
from tests.transformer.comparison import difference, load, logits, tokens_of

LLAMA = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
TARGETS = {
    **dict.fromkeys(FAMILIES, LLAMA),
    "Phi3ForCausalLM": ("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
    "GPTNeoXForCausalLM": ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"),
    "GPT2LMHeadModel": ("c_attn", "c_proj", "c_fc"),
}
JOBS = [Job(tuple(range(60, 62 + number)), 3 + 5 * (number % 4)) for number in range(7)]
ENDS = Ends(lambda tokens: " ".join(map(str, tokens)), frozenset({7}))


def put_on(base: Transformer, adapter: Path) -> Transformer:
    return adapted(base, read_adapter(adapter, base.config))


@pytest.mark.parametrize("architecture", FAMILIES)
def test_every_family_with_an_adapter_equals_transformers_with_it(
    tmp_path: Path, architecture: str
) -> None:
    """Fused projections are divided, and GPT-2 stores its weights the other way round."""
    theirs = make_model(tmp_path / "base", architecture)
    make_adapter(tmp_path / "adapter", theirs, TARGETS[architecture])
    base = load(tmp_path / "base")
    plain = logits(base, tokens_of())
    ours = put_on(base, tmp_path / "adapter")
    assert (logits(ours, tokens_of()) - plain).abs().max() > 0.1
    assert difference(ours, with_adapter(theirs, tmp_path / "adapter"), tokens_of()) < 1e-4
    assert torch.equal(logits(base, tokens_of()), plain), "the base itself has changed"


@pytest.mark.parametrize(
    "settings",
    [
        {"use_rslora": True},
        {"r": 7, "lora_alpha": 3},
        {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"v_proj": 50, "q_proj": 1}},
        {"use_rslora": True, "rank_pattern": {"q_proj": 9}},
    ],
)
def test_updates_are_scaled_as_the_settings_say(tmp_path: Path, settings: dict[str, Any]) -> None:
    theirs = make_model(tmp_path / "base", "LlamaForCausalLM")
    make_adapter(tmp_path / "adapter", theirs, ("q_proj", "v_proj"), **settings)
    ours = put_on(load(tmp_path / "base"), tmp_path / "adapter")
    assert difference(ours, with_adapter(theirs, tmp_path / "adapter"), tokens_of()) < 1e-4


def test_a_name_with_a_caret_is_a_whole_name(tmp_path: Path) -> None:
    """As in PEFT, ^model.layers.1.self_attn.q_proj is that module only."""
    theirs = make_model(tmp_path / "base", "LlamaForCausalLM")
    name = "model.layers.1.self_attn.q_proj"
    make_adapter(
        tmp_path / "adapter", theirs, ("q_proj",), alpha_pattern={f"^{name}": 32, "^q_proj": 99}
    )
    ours = put_on(load(tmp_path / "base"), tmp_path / "adapter")
    tensors = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    tensors[f"base_model.model.{name}.lora_B.weight"] *= 2
    save_file(tensors, tmp_path / "adapter" / "adapter_model.safetensors")
    write_settings(tmp_path / "adapter", target_modules=["q_proj"])
    assert difference(ours, merged(theirs, tmp_path / "adapter"), tokens_of()) < 1e-4


def test_two_adapters_share_the_weights_of_their_base(tmp_path: Path) -> None:
    theirs = make_model(tmp_path / "base", "LlamaForCausalLM", tie_word_embeddings=True)
    base = load(tmp_path / "base")
    models = []
    for seed in range(2):
        make_adapter(tmp_path / f"{seed}", theirs, LLAMA, seed=seed)
        models.append(put_on(base, tmp_path / f"{seed}"))
    own = {weight.data_ptr() for weight in base.parameters()}
    for model in models:
        names = {name for name, w in model.named_parameters() if w.data_ptr() not in own}
        assert names
        assert all(name.endswith((".down", ".up")) for name in names)
        assert own <= {weight.data_ptr() for weight in model.parameters()}
    assert not torch.equal(*(logits(model, tokens_of()) for model in models))


@pytest.mark.parametrize("architecture", ["LlamaForCausalLM", "GPTNeoXForCausalLM"])
def test_decoding_with_an_adapter_writes_what_merged_weights_write(
    tmp_path: Path, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in captured steps, for which a CPU stands in."""
    theirs = make_model(tmp_path / "base", architecture)
    make_adapter(tmp_path / "adapter", theirs, TARGETS[architecture])
    ours = put_on(load(tmp_path / "base"), tmp_path / "adapter")
    merged(theirs, tmp_path / "adapter").save_pretrained(tmp_path / "base")
    expected = {one.job: one.text for one in generate(load(tmp_path / "base"), JOBS, ENDS)}
    assert {one.job: one.text for one in generate(ours, JOBS, ENDS, slots=3)} == expected

    def steps(model: Transformer, attention: SlotAttention) -> Steps:
        return CapturedSteps(model, attention, lambda compute: compute)

    monkeypatch.setattr(generation, "steps_for", steps)
    assert {one.job: one.text for one in generate(ours, JOBS, ENDS, slots=3)} == expected
    assert measure_pack_cost(ours).per_token > 0


def test_a_pickled_adapter_is_read_and_nothing_in_it_runs(tmp_path: Path) -> None:
    theirs = make_model(tmp_path / "base", "LlamaForCausalLM")
    make_adapter(tmp_path / "adapter", theirs, LLAMA)
    base = load(tmp_path / "base")
    expected = logits(put_on(base, tmp_path / "adapter"), tokens_of())
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    pickled = file.with_suffix(".bin")
    torch.save(load_file(file), pickled)
    file.unlink()
    assert torch.equal(logits(put_on(base, tmp_path / "adapter"), tokens_of()), expected)
    torch.save({"base_model.model.x": print}, pickled)
    with pytest.raises(DataError, match=r"adapter_model\.bin .*would run code"):
        put_on(base, tmp_path / "adapter")


Alter = Callable[[dict[str, Tensor]], object]
Q0 = "base_model.model.model.layers.0.self_attn.q_proj"


def change(adapter: Path, alter: Alter) -> None:
    file = adapter / "adapter_model.safetensors"
    tensors = load_file(file)
    alter(tensors)
    save_file(tensors, file)


def spoil(value: float) -> Alter:
    return lambda tensors: tensors[f"{Q0}.lora_A.weight"].__setitem__((0, 0), value)


def add(name: str, *shape: int) -> Alter:
    return lambda tensors: tensors.__setitem__(name, torch.zeros(shape))


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    make_adapter(
        tmp_path / "adapter",
        make_model(tmp_path / "base", "LlamaForCausalLM"),
        ("q_proj", "v_proj"),
    )
    return tmp_path / "adapter"


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (spoil(float("nan")), rf"{Q0}\.lora_A\.weight.*NaN or infinite"),
        (spoil(float("inf")), rf"{Q0}\.lora_A\.weight.*NaN or infinite"),
        (lambda t: t.pop(f"{Q0}.lora_B.weight"), rf"{Q0}\.lora_B\.weight' is missing"),
        (
            lambda t: [t.pop(f"{Q0}.lora_{half}.weight") for half in "AB"],
            r"changes 'layers.0.self_attn.q_proj', but the file has no tensors for it",
        ),
        (add(f"{Q0}.lora_B.weight", 35, 4), "4? ?.*35 outputs.*36 to 36.*another base"),
        (add(f"{Q0}.lora_A.weight", 5, 36), r"shape \(5, 36\), but .* rank is 4"),
        (add(f"{Q0}.lora_A.weight", 4), r"should be a matrix.*\(4,\)"),
        (add(f"{Q0}.lora_magnitude_vector", 36), "belongs to DoRA"),
        (add(f"{Q0}.lora_B.bias", 36), r"is not a lora_A\.weight"),
        (add("base_model.model.model.embed_tokens.weight", 3, 36), "a weight of its own"),
        (add("base_model.model.model.embed_tokens.lora_embedding_A", 4, 9), "an embedding"),
        (lambda t: t.clear(), "holds no tensors"),
    ],
)
def test_tensors_that_do_not_fit_are_named(adapter: Path, alter: Alter, message: str) -> None:
    change(adapter, alter)
    with pytest.raises(DataError, match=rf"adapter_model\.safetensors.*{message}"):
        read_adapter(adapter, read_config(adapter.parent / "base"))


def test_a_module_that_is_changed_under_two_names_is_refused(adapter: Path) -> None:
    """Checkpoints may leave the prefix out; which of the two is meant nobody knows."""
    name = "base_model.model.layers.0.self_attn.q_proj"
    for half, shape in (("A", (4, 36)), ("B", (36, 4))):
        change(adapter, add(f"{name}.lora_{half}.weight", *shape))
    with pytest.raises(DataError, match="twice, under two names"):
        read_adapter(adapter, read_config(adapter.parent / "base"))


@pytest.mark.parametrize(
    ("module", "hint"),
    [
        ("model.layers.3.self_attn.q_proj", "layers.2.self_attn.q_proj"),
        ("model.layers.0.self_attn.q_prj", "layers.0.self_attn.q_proj"),
        ("transformer.h.0.attn.c_attn", ""),
        ("lm_head", ""),
        ("model.layers.0.input_layernorm", ""),
    ],
)
def test_modules_that_the_base_lacks_are_named(adapter: Path, module: str, hint: str) -> None:
    """A base with other layers, another family, and what is not a projection."""
    for half, shape in (("A", (4, 36)), ("B", (36, 4))):
        change(adapter, add(f"base_model.model.{module}.lora_{half}.weight", *shape))
    with pytest.raises(DataError, match=rf"'{module}'.*another base") as found:
        read_adapter(adapter, read_config(adapter.parent / "base"))
    if hint:
        assert "Did you mean" in str(found.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"peft_type": "IA3"}, "IA3"),
        ({"use_dora": True}, "DoRA"),
        ({"bias": "all"}, "bias='all'"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"init_lora_weights": "pissa"}, "pissa.*changes the base"),
        ({"trainable_token_indices": [3]}, "trainable_token_indices"),
        ({"layer_replication": [[0, 1]]}, "layer_replication"),
        ({"a_later_feature": 3}, "a_later_feature=3"),
        ({"alpha_pattern": {"(a+)+$": 3}}, r"the pattern '\(a\+\)\+\$' in alpha_pattern"),
        ({"alpha_pattern": {"q_proj": "x"}}, "alpha_pattern: 'q_proj' should be a positive number"),
        ({"rank_pattern": {"q_proj": 1.5}}, "'q_proj' should be a positive whole number"),
        ({"r": 0}, "'r' should be a positive whole number"),
        ({"lora_alpha": float("inf")}, "'lora_alpha' should be a positive number"),
        ({"lora_alpha": 10**400}, "'lora_alpha' should be a positive number"),
        ({"lora_alpha": 1e300}, "lora_B.weight' times the scale"),
        ({"target_modules": ["q_proj"]}, "v_proj', which target_modules"),
        ({"layers_to_transform": [0]}, "which target_modules"),
        ({"layers_to_transform": 1.5}, "layers_to_transform"),
    ],
)
def test_settings_that_would_change_answers_are_refused(
    adapter: Path, settings: dict[str, Any], message: str
) -> None:
    write_settings(adapter, **{"target_modules": ["q_proj", "v_proj"], **settings})
    with pytest.raises(DataError, match=message):
        read_adapter(adapter, read_config(adapter.parent / "base"))


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"r": 1' + "0" * 5000 + "}", "[]"])
def test_damaged_settings_are_named(adapter: Path, text: str) -> None:
    (adapter / "adapter_config.json").write_text(text)
    with pytest.raises(DataError, match=r"adapter_config\.json"):
        read_adapter(adapter, read_config(adapter.parent / "base"))


def test_an_update_that_the_dtype_cannot_hold_is_refused(adapter: Path) -> None:
    change(adapter, lambda tensors: tensors[f"{Q0}.lora_B.weight"].fill_(60_000))
    base = load(adapter.parent / "base", torch.float16)
    with pytest.raises(DataError, match="cannot hold; choose another dtype"):
        put_on(base, adapter)


def test_modules_named_by_a_pattern_are_those_of_the_file(adapter: Path) -> None:
    """The pattern is a stranger's, and such patterns can take for ever."""
    write_settings(adapter, target_modules=r"(.*)*(q|v)_proj")
    found = read_adapter(adapter, read_config(adapter.parent / "base"))
    assert len(found.updates) == 6
    assert json.loads((adapter / "adapter_config.json").read_text())["r"] == 4
