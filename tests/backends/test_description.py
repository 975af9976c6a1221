"""models show: what a model is, from its files alone."""

import hashlib
import json
from pathlib import Path

import pytest
from transformers import LlamaForCausalLM

from evalharness.backends.description import describe, licence_of
from tests.gguf_files import write_gguf
from tests.models import make_llama
from tests.workplace import Workplace


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: apache-2.0\ntags: [a]\n---\n# Model", "apache-2.0"),
        ("---\nlicense: [mit, cc-by-4.0]\n---\n", "mit, cc-by-4.0"),
        ("---\nlicense: other\nlicense_name: gemma\n---\n", "other (gemma)"),
        ("---\nlicense: {a: b}\n---\n", ""),
        ("---\nlicense: [\n---\n", ""),
        ("---\n- license\n---\n", ""),
        ("license: mit\n", ""),
        ("Words first\n---\nlicense: mit\n---\n", ""),
        ("---\nlicense: mit\n", ""),
        ("", ""),
    ],
)
def test_the_licence_is_what_the_card_says(tmp_path: Path, card: str, licence: str) -> None:
    (tmp_path / "README.md").write_text(card)
    assert licence_of(str(tmp_path), tmp_path) == licence


def test_the_licence_is_what_the_catalogue_says(tmp_path: Path) -> None:
    assert licence_of("smollm2-135m-instruct", tmp_path) == "Apache-2.0"


def test_the_licence_is_what_a_gguf_file_says(tmp_path: Path) -> None:
    make_llama(tmp_path / "model")
    model = LlamaForCausalLM.from_pretrained(tmp_path / "model")
    path = tmp_path / "model.gguf"
    write_gguf(path, model, settings={"general.license": "mit"})
    assert licence_of(str(path), tmp_path) == "mit"


@pytest.mark.usefixtures("cache")
def test_a_licence_that_is_not_stated_is_none(tmp_path: Path) -> None:
    make_llama(tmp_path / "checkpoint")
    assert describe(f"builtin:{tmp_path / 'checkpoint'}").licence == ""


@pytest.mark.usefixtures("cache")
def test_both_ways_to_run_a_checkpoint_tell_its_files_and_licence(tmp_path: Path) -> None:
    """Models show told them for builtin: only."""
    make_llama(tmp_path)
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    built_in, theirs = describe(f"builtin:{tmp_path}"), describe(f"hf:{tmp_path}")
    assert theirs.licence == built_in.licence == "mit"
    assert theirs.files == built_in.files
    assert theirs.folder == tmp_path


def test_a_checkpoint_is_shown_with_its_fingerprint_and_files(workplace: Workplace) -> None:
    folder = workplace.folder / "checkpoint"
    (folder / "README.md").write_text("---\nlicense: mit\x1b[2J\n---\n")
    done = workplace("models", "show", "builtin:checkpoint?dtype=bfloat16", "--format", "json")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["architecture"] == "LlamaForCausalLM"
    assert shown["context_length"] == 512
    assert shown["dtype"] == "bfloat16"
    assert shown["chat_template"] is True
    names = {file["name"] for file in shown["files"]}
    assert {"config.json", "tokenizer.json", "model.safetensors", "chat_template.jinja"} <= names
    for file in shown["files"]:
        content = (folder / file["name"]).read_bytes()
        assert file["bytes"] == len(content)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
    (run,) = workplace.run("--limit", "1", model="builtin:checkpoint?dtype=bfloat16")
    assert run["model"]["fingerprint"] == shown["fingerprint"]
    table = workplace("models", "show", "builtin:checkpoint")
    assert "licence:        not stated" in table.stdout  # a control character is no YAML
    assert f"parameters:     {shown['parameters']:,}" in table.stdout
    assert "quantisation:   none" in table.stdout


def test_the_catalogue_is_listed_with_licences(workplace: Workplace) -> None:
    done = workplace("models", "list")
    assert done.returncode == 0, done.stderr
    assert "builtin:smollm2-135m-instruct  Apache-2.0" in done.stdout
    assert "accept_licence=gemma" in done.stdout
    rows = json.loads(workplace("models", "list", "--format", "json").stdout)
    assert {row["name"] for row in rows} == {"smollm2-135m-instruct", "gemma-3-270m"}


def test_what_is_no_model_is_a_users_mistake(workplace: Workplace) -> None:
    done = workplace("models", "show", "builtin:chekpoint")
    assert done.returncode == 2
    assert "Did you mean 'checkpoint'?" in done.stderr
    assert "fingerprint:" in workplace("models", "show", "baseline:random").stdout
