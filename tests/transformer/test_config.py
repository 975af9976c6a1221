"""config.json is read as transformers reads it, in newer and older forms, or refused by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM

from evalharness.errors import DataError, UsageError
from evalharness.transformer.config import TransformerConfig, read_config
from evalharness.transformer.families import FAMILIES
from evalharness.transformer.weights import load_transformer
from tests.models import make_model
from tests.transformer.comparison import LONGROPE, difference, rope, tokens_of

Values = dict[str, Any]


def rewrite(folder: Path, change: Callable[[Values], None]) -> None:
    path = folder / "config.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def in_older_form(values: Values) -> None:
    """What transformers 4 wrote in place of rope_parameters."""
    parameters = values.pop("rope_parameters")
    values["rope_theta"] = parameters.pop("rope_theta")
    values["rope_scaling"] = {"type": parameters.pop("rope_type"), **parameters}


def gemma3_in_older_form(values: Values) -> None:
    parameters = values.pop("rope_parameters")
    values["rope_theta"] = parameters["full_attention"].pop("rope_theta")
    values["rope_local_base_freq"] = parameters["sliding_attention"]["rope_theta"]
    values["rope_scaling"] = parameters["full_attention"]
    del values["layer_types"]
    values["sliding_window_pattern"] = 2


def neox_in_older_form(values: Values) -> None:
    parameters = values.pop("rope_parameters")
    values["rotary_emb_base"] = parameters["rope_theta"]
    values["rotary_pct"] = parameters["partial_rotary_factor"]


def phi3_in_older_form(values: Values) -> None:
    in_older_form(values)
    values["rope_scaling"]["type"] = "su"
    del values["rope_scaling"]["partial_rotary_factor"]


OLDER: dict[str, tuple[str, Values, Callable[[Values], None]]] = {
    "linear": ("LlamaForCausalLM", rope(rope_type="linear", factor=3.0), in_older_form),
    "yarn": (
        "Qwen2ForCausalLM",
        rope(rope_type="yarn", factor=4.0, original_max_position_embeddings=64),
        in_older_form,
    ),
    "gemma3": (
        "Gemma3ForCausalLM",
        {
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 9000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 70.0},
            }
        },
        gemma3_in_older_form,
    ),
    "gpt-neox": (
        "GPTNeoXForCausalLM",
        rope(rope_type="default", partial_rotary_factor=0.6),
        neox_in_older_form,
    ),
    "phi3": (
        "Phi3ForCausalLM",
        {"original_max_position_embeddings": 64, **rope(**LONGROPE)},
        phi3_in_older_form,
    ),
}


@pytest.mark.parametrize(("architecture", "sizes", "change"), OLDER.values(), ids=OLDER.keys())
def test_the_older_form_of_a_config_gives_the_logits_that_transformers_gives_it(
    tmp_path: Path, architecture: str, sizes: Values, change: Callable[[Values], None]
) -> None:
    make_model(tmp_path, architecture, **sizes)
    rewrite(tmp_path, change)
    theirs = AutoModelForCausalLM.from_pretrained(str(tmp_path), attn_implementation="eager")
    ours = load_transformer(tmp_path, read_config(tmp_path), torch.float32, torch.device("cpu"))
    assert difference(ours, theirs, tokens_of()) < 1e-4


@pytest.mark.parametrize("architecture", FAMILIES)
def test_keys_that_a_config_lacks_have_the_defaults_of_transformers(architecture: str) -> None:
    family = FAMILIES[architecture]
    theirs = getattr(transformers, architecture).config_class()
    elsewhere = {"rope_theta", "partial_rotary_factor", "rotary_pct", "rope_local_base_freq"}
    compared = family.defaults.keys() - elsewhere - {"sliding_window_pattern", "head_dim"}
    for key in compared:
        own = family.keys.get(key, key)
        expected = getattr(theirs, own, None)
        default = family.defaults[key]
        if default is None and key in ("num_key_value_heads", "layer_types"):
            continue  # filled from other values, as the other tests show
        if key == "sliding_window" and getattr(theirs, "use_sliding_window", None) is False:
            expected = type(theirs)(use_sliding_window=True).sliding_window
        assert default == expected, own


@pytest.mark.parametrize("architecture", FAMILIES)
def test_a_config_with_what_transformers_has_by_default_left_out_is_read_the_same(
    tmp_path: Path, architecture: str
) -> None:
    """Older versions wrote only what differed from the defaults."""
    model_class = getattr(transformers, architecture)
    config = model_class.config_class()
    config.architectures = [architecture]
    config.save_pretrained(str(tmp_path))
    whole = read_config(tmp_path)
    family = FAMILIES[architecture]
    needed = {"num_key_value_heads"}

    def leave_out(values: Values) -> None:
        for key in (*family.defaults.keys() - needed, "rope_parameters"):
            values.pop(family.keys.get(key, key), None)

    rewrite(tmp_path, leave_out)
    assert read_config(tmp_path) == whole


def longrope(folder: Path) -> transformers.PreTrainedModel:
    sizes = {"original_max_position_embeddings": 64, **rope(**LONGROPE)}
    return make_model(folder, "Phi3ForCausalLM", **sizes)


def test_longrope_uses_the_original_context_unless_a_longer_one_is_asked_for(
    tmp_path: Path,
) -> None:
    """The context decides for all texts: a choice by each text would depend on its batch."""
    theirs = longrope(tmp_path)
    short, long = read_config(tmp_path), read_config(tmp_path, 256)
    assert (short.max_length, long.max_length) == (64, 256)
    cpu = torch.device("cpu")
    fitting = load_transformer(tmp_path, short, torch.float32, cpu)
    assert difference(fitting, theirs, tokens_of(64)) < 1e-4
    extended = load_transformer(tmp_path, long, torch.float32, cpu)
    assert difference(extended, theirs, tokens_of(65)) < 1e-4
    assert difference(extended, theirs, tokens_of(64)) > 1e-2


def test_a_context_longer_than_trained_is_refused(tmp_path: Path) -> None:
    make_model(tmp_path, "LlamaForCausalLM")
    with pytest.raises(UsageError, match="300, but the model was trained for 256"):
        read_config(tmp_path, 300)
    assert read_config(tmp_path, 100).max_length == 100


REFUSED: dict[str, tuple[str, Values, str]] = {
    "architecture": (
        "LlamaForCausalLM",
        {"architectures": ["LamaForCausalLM"]},
        "Did you mean 'LlamaForCausalLM'.*hf:REF",
    ),
    "no architecture": ("LlamaForCausalLM", {"architectures": None}, "none named"),
    "classifier": (
        "LlamaForCausalLM",
        {"architectures": ["LlamaForSequenceClassification"]},
        "LlamaForSequenceClassification",
    ),
    "quantised": (
        "LlamaForCausalLM",
        {"quantization_config": {"quant_method": "gptq"}},
        r"quantised weights \('gptq'\)",
    ),
    "rope type": (
        "LlamaForCausalLM",
        rope(rope_type="yarm", factor=2.0),
        "rope type 'yarm'.*Did you mean 'yarn'",
    ),
    "rope parameter": (
        "LlamaForCausalLM",
        rope(rope_type="default", mrope_section=[1, 1, 1]),
        "'mrope_section'",
    ),
    "missing factor": ("LlamaForCausalLM", rope(rope_type="linear"), "'factor' is missing"),
    "partly rotated": (
        "LlamaForCausalLM",
        rope(rope_type="default", partial_rotary_factor=0.5),
        "a part of each head",
    ),
    "odd heads": ("LlamaForCausalLM", {"head_dim": 7}, "head of width 7"),
    "activation": ("LlamaForCausalLM", {"hidden_act": "sillu"}, "Did you mean 'silu'"),
    "window of another family": ("LlamaForCausalLM", {"sliding_window": 8}, "'sliding_window'"),
    "layer types of another family": (
        "MistralForCausalLM",
        {"layer_types": ["full_attention"] * 3},
        "'layer_types'",
    ),
    "bias of another family": ("MistralForCausalLM", {"attention_bias": True}, "'attention_bias'"),
    "bias that is always there": (
        "Qwen2ForCausalLM",
        {"attention_bias": False},
        "'attention_bias' as False",
    ),
    "layer type": (
        "Qwen3ForCausalLM",
        {"layer_types": ["full_attention", "chunked_attention", "full_attention"]},
        "layer type 'chunked_attention'",
    ),
    "layers without a type": ("Qwen3ForCausalLM", {"layer_types": ["full_attention"]}, "3 kinds"),
    "sliding layers without sliding": (
        "Qwen2ForCausalLM",
        {"layer_types": ["sliding_attention"] * 3},
        "'use_sliding_window' should be true",
    ),
    "both directions": (
        "Gemma3ForCausalLM",
        {"use_bidirectional_attention": True},
        "'use_bidirectional_attention'",
    ),
    "soft cap that transformers ignores": (
        "Gemma3ForCausalLM",
        {"attn_logit_softcapping": 50.0},
        "'attn_logit_softcapping'",
    ),
    "cross-attention": ("GPT2LMHeadModel", {"add_cross_attention": True}, "'add_cross_attention'"),
    "factors of another width": (
        "Phi3ForCausalLM",
        rope(**{**LONGROPE, "short_factor": [1.0]}),
        "'short_factor' should be a list of 3 numbers",
    ),
    "heads that cannot be shared": (
        "LlamaForCausalLM",
        {"num_key_value_heads": 4},
        "'num_key_value_heads' should be a number that divides 6",
    ),
    "no size": ("LlamaForCausalLM", {"hidden_size": None}, "'hidden_size' should be a positive"),
    "text for a number": ("LlamaForCausalLM", {"vocab_size": "320"}, "'vocab_size'.*'320'"),
}


@pytest.mark.parametrize(
    ("architecture", "values", "message"), REFUSED.values(), ids=REFUSED.keys()
)
def test_what_the_model_cannot_do_is_refused_by_name(
    tmp_path: Path, architecture: str, values: Values, message: str
) -> None:
    """A feature that is ignored instead of refused would give wrong scores without a word."""
    make_model(tmp_path, architecture)
    rewrite(tmp_path, lambda config: config.update(values))
    with pytest.raises(DataError, match=f"config.json.*{message}"):
        read_config(tmp_path)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    make_model(tmp_path, "LlamaForCausalLM")

    def leave_out(values: Values) -> None:
        del values["hidden_size"]

    rewrite(tmp_path, leave_out)
    with pytest.raises(DataError, match="'hidden_size' is missing"):
        read_config(tmp_path)


@pytest.mark.parametrize("text", ["[", "[]"])
def test_a_damaged_config_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(DataError, match=r"config\.json (is not valid JSON|should hold)"):
        read_config(tmp_path)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' + "9" * 5_000 + "}"])
def test_json_that_python_cannot_hold_is_named(tmp_path: Path, text: str) -> None:
    """Whoever nests lists ten thousand deep got a traceback."""
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(DataError, match=r"config\.json is not valid JSON: .*Fetch or save it"):
        read_config(tmp_path)


def test_a_pointer_of_git_lfs_is_told_from_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:")
    with pytest.raises(DataError, match="git lfs pull"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("architectures", "LlamaForCausalLM", "should be a list of names"),
        ("num_hidden_layers", 10**9, "should be at most 10000"),
    ],
)
def test_a_value_of_another_kind_is_refused(
    tmp_path: Path, key: str, value: object, message: str
) -> None:
    """A class in no list was taken for one of the name 'L'; 10^9 layers were planned for hours."""
    make_model(tmp_path, "LlamaForCausalLM")
    rewrite(tmp_path, lambda values: values.update({key: value}))
    with pytest.raises(DataError, match=f"{key}' {message}"):
        read_config(tmp_path)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no config\.json"):
        read_config(tmp_path)


def test_a_config_can_be_a_key(tmp_path: Path) -> None:
    """Frozen through and through: what is computed from it can be kept by it."""
    make_model(tmp_path, "Gemma3ForCausalLM")
    config = read_config(tmp_path)
    kept: dict[TransformerConfig, int] = {config: 1}
    assert kept[read_config(tmp_path)] == 1
