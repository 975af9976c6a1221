"""What the backend of transformers' classes loads, and what it refuses before any work."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from evalharness.backends import open_backend
from evalharness.backends.huggingface import quantisation
from evalharness.backends.huggingface.kinds import class_of
from evalharness.backends.huggingface.tokens import library_tokenizer
from evalharness.errors import DataError, UsageError
from evalharness.records import (
    Failure,
    Generation,
    GenerationResponse,
    Instance,
    LogLikelihood,
    LogLikelihoodResponse,
    Outcome,
    Request,
    Sample,
)
from tests.models import make_llama, make_model

pytestmark = pytest.mark.usefixtures("cache")

ASKED: list[Request] = [
    LogLikelihood("The quick", " brown fox"),
    LogLikelihood("", "Paris"),
    Generation("The", 6),
]


def ask(spec: str, requests: list[Request]) -> list[Outcome]:
    sample = Sample(id="sample", requests=tuple(requests))
    backend = open_backend(spec)
    asked = [Instance("task", sample, index) for index in range(len(requests))]
    outcomes = dict(backend.answer(asked))
    return [outcomes[index] for index in range(len(requests))]


def fingerprint(spec: str) -> str:
    return open_backend(spec).model.fingerprint


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    make_llama(folder)
    return folder


def agree(ours: list[Outcome], theirs: list[Outcome]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        if isinstance(one, LogLikelihoodResponse):
            assert isinstance(other, LogLikelihoodResponse)
            assert one.log_probability == pytest.approx(other.log_probability, abs=1e-4)
        else:
            assert isinstance(one, GenerationResponse)
            assert isinstance(other, GenerationResponse)
            assert one.text == other.text


# --- Bad checkpoints -----------------------------------------------------------------------------


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def leave_out(file: Path) -> None:
    weights = load_file(file)
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, file, metadata={"format": "pt"})


def shorten(file: Path) -> None:
    weights = load_file(file)
    weights["model.norm.weight"] = weights["model.norm.weight"][1:].clone()
    save_file(weights, file, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (truncate, "is damaged"),
        (leave_out, r"'model.layers.1.mlp.up_proj.weight' is missing"),
        (shorten, r"'model.norm.weight' should have the shape \(36,\), but its shape is \(35,\)"),
        (Path.unlink, "no weights to load"),
    ],
)
def test_damaged_weights_are_refused_before_any_work(
    checkpoint: Path, spoil: Callable[[Path], object], message: str
) -> None:
    """Missing weights, which transformers itself fills with random numbers, are named."""
    spoil(checkpoint / "model.safetensors")
    with pytest.raises(DataError, match=message):
        open_backend(f"hf:{checkpoint}")


def test_a_missing_shard_is_named_before_any_work(checkpoint: Path) -> None:
    AutoModelForCausalLM.from_pretrained(str(checkpoint)).save_pretrained(
        str(checkpoint), max_shard_size="100KB"
    )
    (checkpoint / "model.safetensors").unlink()
    shards = sorted(checkpoint.glob("model-*.safetensors"))
    assert len(shards) > 1
    agree(ask(f"hf:{checkpoint}", ASKED), ask(f"builtin:{checkpoint}", ASKED))
    shards[1].unlink()
    with pytest.raises(DataError, match=f"'{shards[1].name}', which is not there"):
        open_backend(f"hf:{checkpoint}")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_when_loaded(
    checkpoint: Path, value: float
) -> None:
    weights = load_file(checkpoint / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][3, 3] = value
    save_file(weights, checkpoint / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"layers.1.mlp.up_proj.* NaN or infinite"):
        ask(f"hf:{checkpoint}", ASKED)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_probabilities_that_are_not_numbers_are_failures(checkpoint: Path, dtype: str) -> None:
    """Weights that are finite may overflow: no text and no score may come of it."""
    file = checkpoint / "model.safetensors"
    weights = load_file(file)
    for name in weights:
        if "norm" not in name:
            weights[name] *= 60_000 / weights[name].abs().max()
    if dtype == "float32":
        weights["lm_head.weight"] *= 1e30
        weights["model.norm.weight"] *= 1e30
    save_file(weights, file, metadata={"format": "pt"})
    for outcome in ask(f"hf:{checkpoint}?dtype={dtype}", ASKED):
        assert isinstance(outcome, Failure)
        assert "not numbers" in outcome.error


def test_pickled_weights_are_read_and_nothing_in_them_runs(
    checkpoint: Path, tmp_path: Path
) -> None:
    expected = ask(f"hf:{checkpoint}", ASKED)
    model = make_llama(checkpoint)
    (checkpoint / "model.safetensors").unlink()
    torch.save(model.state_dict(), checkpoint / "pytorch_model.bin")
    agree(ask(f"hf:{checkpoint}", ASKED), expected)

    class Harmful:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"model.norm.weight": Harmful()}, checkpoint / "pytorch_model.bin")
    with pytest.raises(DataError, match="holds more than tensors"):
        open_backend(f"hf:{checkpoint}")
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_that_is_overwritten_before_it_is_loaded_is_refused(checkpoint: Path) -> None:
    backend = open_backend(f"hf:{checkpoint}")
    make_llama(checkpoint, seed=1)
    sample = Sample(id="sample", requests=(ASKED[0],))
    with pytest.raises(DataError, match=r"model.safetensors changed while .* Run again"):
        list(backend.answer([Instance("task", sample, 0)]))


def test_a_tokenizer_of_another_model_is_refused_before_any_work(checkpoint: Path) -> None:
    change(checkpoint / "config.json", vocab_size=5)
    with pytest.raises(DataError, match="do not belong together"):
        open_backend(f"hf:{checkpoint}")


def test_an_unknown_type_of_model_is_named(checkpoint: Path) -> None:
    change(checkpoint / "config.json", model_type="lama", architectures=["LamaForCausalLM"])
    with pytest.raises(DataError, match=r"config\.json.*lama"):
        open_backend(f"hf:{checkpoint}")


def test_a_class_that_writes_no_texts_is_named_with_what_hf_knows(checkpoint: Path) -> None:
    change(checkpoint / "config.json", architectures=["LlamaForSequenceClassification"])
    with pytest.raises(DataError, match=r"'LlamaForSequenceClassification'.*AutoModelForCausalLM"):
        open_backend(f"hf:{checkpoint}")


def test_values_that_no_config_can_have_are_an_error_that_names_the_file(checkpoint: Path) -> None:
    change(checkpoint / "config.json", num_hidden_layers="three\x1b[31m")
    with pytest.raises(DataError, match=r"config\.json") as caught:
        open_backend(f"hf:{checkpoint}")
    assert "\x1b" not in str(caught.value)


# --- Code of strangers ---------------------------------------------------------------------------


@pytest.fixture
def own_class(checkpoint: Path) -> Path:
    """A checkpoint whose class is in a Python file that it brings."""
    (checkpoint / "own_model.py").write_text(
        "from pathlib import Path\n"
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        f"Path({str(checkpoint / 'ran')!r}).touch()\n"
        "class OwnConfig(LlamaConfig):\n"
        "    model_type = 'own'\n"
        "class OwnForCausalLM(LlamaForCausalLM):\n"
        "    config_class = OwnConfig\n"
    )
    change(
        checkpoint / "config.json",
        model_type="own",
        architectures=["OwnForCausalLM"],
        auto_map={
            "AutoConfig": "own_model.OwnConfig",
            "AutoModelForCausalLM": "own_model.OwnForCausalLM",
        },
    )
    return checkpoint


def test_a_class_of_the_checkpoints_own_is_refused_by_name_and_not_run(own_class: Path) -> None:
    with pytest.raises(DataError, match=r"'OwnForCausalLM'.*'own_model\.py'.*trust_remote_code"):
        open_backend(f"hf:{own_class}")
    assert not (own_class / "ran").exists()


def test_a_class_of_the_checkpoints_own_runs_where_it_is_asked_for(
    own_class: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(own_class.parent / "modules")
    )
    asked = f"hf:{own_class}?trust_remote_code=true"
    found = ask(asked, ASKED)
    assert (own_class / "ran").exists()
    plain = own_class.parent / "plain"
    make_llama(plain)
    agree(found, ask(f"hf:{plain}", ASKED))
    before = fingerprint(asked)
    with (own_class / "own_model.py").open("a") as file:
        file.write("# another\n")
    assert fingerprint(asked) != before


def test_a_file_beside_a_class_that_transformers_has_is_not_run(checkpoint: Path) -> None:
    """As many checkpoints of the hub are: their class came to transformers later."""
    (checkpoint / "own_model.py").write_text("raise SystemExit")
    change(
        checkpoint / "config.json",
        auto_map={"AutoModelForCausalLM": "own_model.LlamaForCausalLM"},
    )
    assert len(ask(f"hf:{checkpoint}", ASKED)) == len(ASKED)


# --- Options and fingerprint ---------------------------------------------------------------------


def test_what_changes_answers_changes_the_fingerprint(checkpoint: Path, tmp_path: Path) -> None:
    template = tmp_path / "other.jinja"
    template.write_text("{{ messages[0].content }}")
    specs = [
        f"hf:{checkpoint}",
        f"builtin:{checkpoint}",
        f"hf:{checkpoint}?dtype=bfloat16",
        f"hf:{checkpoint}?max_length=100",
        f"hf:{checkpoint}?chat_template={template}",
    ]
    found = [fingerprint(spec) for spec in specs]
    template.write_text("{{ messages[-1].content }}")
    found.append(fingerprint(specs[-1]))
    make_llama(checkpoint, seed=1)
    found.append(fingerprint(specs[0]))
    assert len(set(found)) == len(found)


def test_how_the_work_is_divided_changes_neither_fingerprint_nor_name(checkpoint: Path) -> None:
    plain = open_backend(f"hf:{checkpoint}").model
    model = open_backend(f"hf:{checkpoint}?batch_size=2&device=cpu").model
    assert (model.fingerprint, model.name) == (plain.fingerprint, plain.name)


def test_the_record_says_what_the_model_is(tmp_path: Path) -> None:
    saved = make_model(tmp_path, "GPT2LMHeadModel")
    model = open_backend(f"hf:{tmp_path}").model
    assert model.architecture == "GPT2LMHeadModel"
    assert model.parameters == saved.num_parameters()
    assert (model.max_length, model.dtype, model.device) == (256, "float32", "cpu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("dtype=int8", "'dtype'"),
        ("adaptor=x", "Did you mean 'adapter'"),
        ("max_length=300", "trained for 256"),
        ("device=cpu&device_map=auto", "not both"),
        ("device_map=everywhere", "'device_map'"),
        ("batch_size=0", "'batch_size'"),
    ],
)
def test_options_that_do_not_fit_are_refused(checkpoint: Path, options: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_backend(f"hf:{checkpoint}?{options}")


def test_a_device_map_gives_the_same_answers(checkpoint: Path) -> None:
    agree(ask(f"hf:{checkpoint}?device_map=auto", ASKED), ask(f"hf:{checkpoint}", ASKED))


def test_longrope_keeps_to_its_original_context(tmp_path: Path) -> None:
    """A long text beside a short one would change the frequencies of both."""
    make_model(
        tmp_path, "Phi3ForCausalLM", max_position_embeddings=256,
        original_max_position_embeddings=64,
        rope_parameters={"rope_type": "longrope", "rope_theta": 10_000.0,
                         "short_factor": [1.0] * 3, "long_factor": [4.0] * 3},
    )  # fmt: skip
    assert open_backend(f"hf:{tmp_path}").model.max_length == 64
    with pytest.raises(UsageError, match="trained for 64 positions with one set"):
        open_backend(f"hf:{tmp_path}?max_length=256")


def test_a_tokenizer_without_tokenizer_json_is_read_by_transformers(tmp_path: Path) -> None:
    """GPT-2's first form: vocab.json and merges.txt. The same texts become the same tokens."""
    make_model(tmp_path, "GPT2LMHeadModel")
    expected = ask(f"hf:{tmp_path}", ASKED)
    values = json.loads((tmp_path / "tokenizer.json").read_text())
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "vocab.json").write_text(json.dumps(values["model"]["vocab"]))
    merges = [" ".join(pair) for pair in values["model"]["merges"]]
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    change(tmp_path / "tokenizer_config.json", tokenizer_class="GPT2Tokenizer", unk_token="</s>")
    agree(ask(f"hf:{tmp_path}", ASKED), expected)
    before = fingerprint(f"hf:{tmp_path}")
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    assert fingerprint(f"hf:{tmp_path}") != before


def test_a_folder_without_any_tokenizer_is_refused_before_any_work(checkpoint: Path) -> None:
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (checkpoint / file).unlink()
    with pytest.raises(DataError, match="tokenizer"):
        open_backend(f"hf:{checkpoint}")


@pytest.mark.parametrize(
    ("config", "name"), [("BertConfig", "BertTokenizer"), ("T5Config", "T5Tokenizer")]
)
def test_a_tokenizer_of_special_tokens_alone_is_refused(
    tmp_path: Path, config: str, name: str
) -> None:
    """Transformers 5 makes one where the files are missing, to which every text is unknown."""
    getattr(transformers, config)().save_pretrained(str(tmp_path))
    with pytest.raises(DataError, match=f"{name}, are missing: it has special tokens alone"):
        library_tokenizer(tmp_path, trust_remote_code=False)


def test_a_model_without_a_layer_that_predicts_words_is_said_to_be_one() -> None:
    """It was taken for a slip in the name: "Did you mean 'BertLMHeadModel'?"."""
    config = transformers.BertConfig(architectures=["BertModel"])
    with pytest.raises(DataError, match=r"'BertModel' is none.*no layer that predicts words"):
        class_of(config, "config.json")


# --- Quantised checkpoints -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "package"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, "gptqmodel"),
        ({"quant_method": "awq", "bits": 4}, "gptqmodel"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes"),
        ({"load_in_8bit": True}, "bitsandbytes"),
        ({"quant_method": "compressed-tensors"}, "compressed-tensors"),
    ],
)
def test_a_quantised_checkpoint_names_the_package_that_it_needs(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], package: str
) -> None:
    monkeypatch.setattr(quantisation, "find_spec", lambda _: None)
    change(checkpoint / "config.json", quantization_config=settings)
    with pytest.raises(DataError, match=f"pip install {package}"):
        open_backend(f"hf:{checkpoint}")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (None, "None"),
        ({}, "None"),
        ({"quant_method": "fp8"}, "fp8"),
        ({"quant_method": "gptq", "bits": 4}, "gptq, 4 bits"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "bitsandbytes, 8 bits"),
        ({"load_in_4bit": True}, "bitsandbytes, 4 bits"),
    ],
)
def test_how_weights_are_quantised_is_read_from_the_configuration(settings: Any, said: str) -> None:
    config = transformers.LlamaConfig()
    config.quantization_config = settings
    assert str(quantisation.quantisation_of(config)) == said


@pytest.mark.parametrize(("method", "advice"), [("gpqt", "Did you mean 'gptq'"), (5, "Update")])
def test_a_method_that_nobody_knows_is_refused_before_any_work(
    checkpoint: Path, method: Any, advice: str
) -> None:
    """Transformers loads such weights as if they were not quantised, with a warning."""
    change(checkpoint / "config.json", quantization_config={"quant_method": method})
    with pytest.raises(DataError, match=f"'{method}', which transformers does not know.*{advice}"):
        open_backend(f"hf:{checkpoint}")


def test_quantisation_without_a_method_is_said_to_have_none(checkpoint: Path) -> None:
    """It was called 'None', as if that were a method which a newer transformers might know."""
    change(checkpoint / "config.json", quantization_config={"bits": 4})
    with pytest.raises(DataError, match=r"names no quant_method.*Fetch"):
        open_backend(f"hf:{checkpoint}")


def test_the_record_of_a_model_says_how_its_weights_are_quantised(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of two models called both float32, and one had lost most of its bits."""
    monkeypatch.setattr(quantisation, "find_spec", lambda _: object())
    assert open_backend(f"hf:{checkpoint}").model.quantisation == ""
    change(checkpoint / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    assert open_backend(f"hf:{checkpoint}").model.quantisation == "gptq, 4 bits"


def test_what_transformers_says_of_a_quantised_checkpoint_is_one_paragraph(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package seems to be there and is not what transformers needs."""
    monkeypatch.setattr(quantisation, "find_spec", lambda _: object())
    change(checkpoint / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(DataError, match=r"transformers cannot load LlamaForCausalLM: .+") as caught:
        ask(f"hf:{checkpoint}", ASKED)
    assert "\n" not in str(caught.value)


# --- Adapters ------------------------------------------------------------------------------------


def make_adapter(base: Path, folder: Path, seed: int = 0, **values: Any) -> Any:
    """Save a random LoRA adapter of the base; returns peft's own model with it."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(str(base), dtype=torch.float32)
    config = LoraConfig(**{
        "r": 3, "lora_alpha": 5, "target_modules": ["q_proj", "v_proj", "down_proj"], **values,
    })  # fmt: skip
    adapted = get_peft_model(model, config)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_" in name:
                weight.copy_(0.3 * torch.randn(weight.shape))
    adapted.save_pretrained(str(folder))
    return adapted


@pytest.mark.parametrize(
    "values", [{}, {"use_rslora": True}, {"use_dora": True}, {"modules_to_save": ["lm_head"]}]
)
def test_an_adapter_gives_the_answers_of_pefts_merged_model(
    checkpoint: Path, tmp_path: Path, values: dict[str, Any]
) -> None:
    make_adapter(checkpoint, tmp_path / "adapter", **values)
    base = AutoModelForCausalLM.from_pretrained(str(checkpoint), dtype=torch.float32)
    merged = tmp_path / "merged"
    make_llama(merged)
    PeftModel.from_pretrained(base, str(tmp_path / "adapter")).merge_and_unload().save_pretrained(
        str(merged)
    )
    found = ask(f"hf:{checkpoint}?adapter={tmp_path / 'adapter'}", ASKED)
    agree(found, ask(f"hf:{merged}", ASKED))
    plain = ask(f"hf:{checkpoint}", ASKED)
    assert isinstance(found[0], LogLikelihoodResponse)
    assert isinstance(plain[0], LogLikelihoodResponse)
    assert abs(found[0].log_probability - plain[0].log_probability) > 0.1


def test_an_adapter_changes_fingerprint_and_name(checkpoint: Path, tmp_path: Path) -> None:
    spec = f"hf:{checkpoint}?adapter={tmp_path / 'adapter'}"
    found = {fingerprint(f"hf:{checkpoint}")}
    for seed in range(2):
        make_adapter(checkpoint, tmp_path / "adapter", seed=seed)
        found.add(fingerprint(spec))
    assert len(found) == 3
    assert "adapter" in open_backend(spec).model.name


def spoil_adapter(folder: Path, change_weights: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    weights = load_file(folder / "adapter_model.safetensors")
    change_weights(weights)
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def first(weights: dict[str, torch.Tensor]) -> str:
    return min(weights)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda weights: weights.pop(first(weights)), "is missing"),
        (
            lambda weights: weights.update({first(weights): torch.ones(2, 2)}),
            "should have the shape",
        ),
        (lambda weights: weights.update({"more": torch.ones(2)}), "no place for the weight 'more'"),
        (lambda weights: weights[first(weights)].fill_(float("nan")), "NaN"),
    ],
)
def test_a_damaged_adapter_is_refused_before_any_work(
    checkpoint: Path, tmp_path: Path, spoil: Any, message: str
) -> None:
    """A missing part, which peft itself leaves as it was made, so that it does nothing."""
    make_adapter(checkpoint, tmp_path / "adapter")
    spoil_adapter(tmp_path / "adapter", spoil)
    with pytest.raises(DataError, match=message):
        open_backend(f"hf:{checkpoint}?adapter={tmp_path / 'adapter'}")


def test_an_adapter_for_another_base_is_refused_before_any_work(
    checkpoint: Path, tmp_path: Path
) -> None:
    make_llama(tmp_path / "wider", hidden_size=48)
    make_model(tmp_path / "other", "GPT2LMHeadModel")
    make_adapter(tmp_path / "wider", tmp_path / "adapter")
    with pytest.raises(DataError, match=r"does not fit .* shape .* made for '.*wider'"):
        open_backend(f"hf:{checkpoint}?adapter={tmp_path / 'adapter'}")
    with pytest.raises(DataError, match=r"does not fit the model: .*made for '.*wider'"):
        open_backend(f"hf:{tmp_path / 'other'}?adapter={tmp_path / 'adapter'}")


def test_a_folder_that_is_no_adapter_is_named(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        open_backend(f"hf:{checkpoint}?adapter={tmp_path / 'nowhere'}")
    make_adapter(checkpoint, tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_model.safetensors").unlink()
    with pytest.raises(
        DataError, match=r"should hold adapter_config\.json and adapter_model\.safetensors"
    ):
        open_backend(f"hf:{checkpoint}?adapter={tmp_path / 'adapter'}")


def test_nothing_in_a_pickled_adapter_runs(checkpoint: Path, tmp_path: Path) -> None:
    make_adapter(checkpoint, tmp_path / "adapter")
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    weights = load_file(path)
    expected = ask(f"hf:{checkpoint}?adapter={tmp_path / 'adapter'}", ASKED)
    path.unlink()
    torch.save(weights, path.with_suffix(".bin"))
    agree(ask(f"hf:{checkpoint}?adapter={tmp_path / 'adapter'}", ASKED), expected)

    class Harmful:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({**weights, "harm": Harmful()}, path.with_suffix(".bin"))
    with pytest.raises(DataError, match="holds more than tensors"):
        open_backend(f"hf:{checkpoint}?adapter={tmp_path / 'adapter'}")
    assert not (tmp_path / "ran").exists()


def test_an_unknown_type_of_adapter_is_named(checkpoint: Path, tmp_path: Path) -> None:
    make_adapter(checkpoint, tmp_path / "adapter")
    change(tmp_path / "adapter" / "adapter_config.json", peft_type="LORAX")
    with pytest.raises(DataError, match="LORAX"):
        open_backend(f"hf:{checkpoint}?adapter={tmp_path / 'adapter'}")


def test_learned_prompt_tokens_are_refused_by_name(checkpoint: Path, tmp_path: Path) -> None:
    make_adapter(checkpoint, tmp_path / "adapter")
    path = tmp_path / "adapter" / "adapter_config.json"
    path.write_text(json.dumps({
        "peft_type": "PROMPT_TUNING", "task_type": "CAUSAL_LM", "num_virtual_tokens": 3,
        "base_model_name_or_path": "base",
    }))  # fmt: skip
    with pytest.raises(DataError, match="PROMPT_TUNING"):
        open_backend(f"hf:{checkpoint}?adapter={tmp_path / 'adapter'}")
