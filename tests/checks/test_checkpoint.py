"""doctor --model finds what differs from transformers, and what a checkpoint lacks."""

import json
from pathlib import Path

import pytest
from tokenizers import processors
from transformers import LlamaForCausalLM

from evalharness.backends import open_backend
from evalharness.backends.builtin import BuiltinBackend
from evalharness.checks.checkpoint import (
    check_scores,
    check_texts,
    check_tokens,
    diagnose_model,
    load_reference,
)
from evalharness.checks.installation import Finding
from evalharness.errors import UsageError
from tests.adapters import make_adapter
from tests.encoder_models import make_masked, make_seq2seq
from tests.models import make_llama, make_model, make_tokenizer
from tests.workplace import Workplace


@pytest.fixture
def checkpoint(tmp_path: Path, cache: Path) -> Path:  # noqa: ARG001 - sets the cache folder
    folder = tmp_path / "checkpoint"
    make_llama(folder)
    return folder


def built_in(folder: Path) -> BuiltinBackend:
    backend = open_backend(f"builtin:{folder}?device=cpu")
    assert isinstance(backend, BuiltinBackend)
    return backend


def problems(spec: str) -> dict[str, str]:
    return {finding.name: finding.detail for finding in diagnose_model(spec) if not finding.ok}


@pytest.mark.parametrize("architecture", ["Gemma3ForCausalLM", "GPT2LMHeadModel"])
def test_a_sound_checkpoint_gives_what_transformers_gives(
    tmp_path: Path, cache: Path, architecture: str  # noqa: ARG001 - sets the cache folder
) -> None:  # fmt: skip
    make_model(tmp_path / "model", architecture, max_position_embeddings=512)
    findings = {one.name: one for one in diagnose_model(f"builtin:{tmp_path / 'model'}?device=cpu")}
    assert all(one.ok for one in findings.values()), findings
    assert findings["log-probabilities"].detail.startswith("20 texts are those of transformers")
    assert findings["greedy texts"].detail.startswith("20 texts are those of transformers")
    assert findings["batches of texts"].detail == "5 texts give the same"


def test_an_adapter_is_put_on_the_model_of_transformers_as_well(
    checkpoint: Path, tmp_path: Path
) -> None:
    """The base alone was compared, so that every adapter looked like a wrong transformer."""
    base = LlamaForCausalLM.from_pretrained(checkpoint)
    make_adapter(tmp_path / "adapter", base, ["q_proj", "down_proj"])
    backend = open_backend(f"builtin:{checkpoint}?device=cpu&adapter={tmp_path / 'adapter'}")
    assert isinstance(backend, BuiltinBackend)
    assert not next(check_scores(backend, load_reference(built_in(checkpoint)))).ok
    assert next(check_scores(backend, load_reference(backend))).ok


def test_another_model_is_told_by_scores_and_texts(checkpoint: Path, tmp_path: Path) -> None:
    """The checks must be able to fail."""
    make_llama(tmp_path / "other", seed=1)
    other = load_reference(built_in(tmp_path / "other"))
    backend = built_in(checkpoint)
    (of_scores,), (of_texts,) = check_scores(backend, other), check_texts(backend, other)
    assert not of_scores.ok
    assert not of_texts.ok
    own = load_reference(backend)
    assert next(check_scores(backend, own)).ok
    assert next(check_texts(backend, own)).ok


def test_another_tokenizer_is_told_by_the_tokens(checkpoint: Path, tmp_path: Path) -> None:
    make_llama(tmp_path / "other")
    path = tmp_path / "other" / "tokenizer.json"
    values = json.loads(path.read_text())
    values["model"]["merges"] = []
    path.write_text(json.dumps(values))
    (finding,) = check_tokens(
        built_in(checkpoint).tokenizer, load_reference(built_in(tmp_path / "other"))
    )
    assert finding == Finding("tokens", False, finding.detail)
    assert "texts differ: 'The lighthouse" in finding.detail


def test_a_doubled_bos_is_found(checkpoint: Path) -> None:
    tokenizer = make_tokenizer()
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> <s> $A", special_tokens=[("<s>", 0)]
    )
    tokenizer.save_pretrained(str(checkpoint))
    assert problems(f"builtin:{checkpoint}").keys() >= {"BOS", "chat template"}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% if %}", "cannot render"),
        ("Nobody asked.", "it leaves it out"),
        ("{{ bos_token }}{{ bos_token }}{{ messages[0].content }}", "BOS stands twice"),
    ],
)
def test_a_chat_template_that_does_not_work_is_found(
    checkpoint: Path, tmp_path: Path, template: str, message: str
) -> None:
    """An option's template is checked in place of the checkpoint's own."""
    path = tmp_path / "chat.jinja"
    path.write_text(template)
    found = problems(f"builtin:{checkpoint}?chat_template={path}")
    assert found.keys() == {"chat template"}
    assert message in found["chat template"]


def test_a_sound_template_of_an_option_is_compared_with_itself(
    checkpoint: Path, tmp_path: Path
) -> None:
    path = tmp_path / "chat.jinja"
    path.write_text("User: {{ messages[0].content }}\n")
    assert problems(f"builtin:{checkpoint}?chat_template={path}") == {}


@pytest.mark.parametrize(
    ("ends", "message"), [(9999, "9999 has no embedding"), ([], "no token ends a text")]
)
def test_end_tokens_that_end_nothing_are_found(
    checkpoint: Path, ends: object, message: str
) -> None:
    (checkpoint / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
    if ends == []:
        path = checkpoint / "tokenizer_config.json"
        values = json.loads(path.read_text())
        del values["eos_token"]
        path.write_text(json.dumps(values))
    assert message in problems(f"builtin:{checkpoint}")["special tokens"]


def test_a_checkpoint_that_cannot_be_used_is_a_finding(workplace: Workplace) -> None:
    (workplace.folder / "checkpoint" / "tokenizer.json").unlink()
    done = workplace("doctor", "--model", "builtin:checkpoint")
    assert done.returncode == 2
    assert done.stdout.startswith("PROBLEM checkpoint: checkpoint has no tokenizer.json")
    with pytest.raises(UsageError, match="unknown scheme"):
        list(diagnose_model("bultin:x"))


@pytest.mark.usefixtures("cache")
def test_masked_and_encoder_decoder_models_are_asked_what_they_can_answer(tmp_path: Path) -> None:
    """Each text was scored as a whole, and asked to be continued, whatever the kind of model."""
    make_masked(tmp_path / "bert", "BertForMaskedLM", max_position_embeddings=256)
    make_seq2seq(tmp_path / "t5", "T5", n_positions=256)
    masked = {one.name: one for one in diagnose_model(f"hf:{tmp_path / 'bert'}")}
    assert all(one.ok for one in masked.values()), masked
    assert masked["batches"].detail.startswith("5 texts give the same")
    assert "batches of texts" not in masked
    pairs = {one.name: one for one in diagnose_model(f"hf:{tmp_path / 't5'}")}
    assert all(one.ok for one in pairs.values()), pairs
    assert pairs["batches of texts"].detail == "5 texts give the same"


def test_a_model_that_computes_nothing_has_nothing_to_compare() -> None:
    assert problems("baseline:random") == {}
