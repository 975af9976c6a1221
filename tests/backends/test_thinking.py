"""Thinking before an answer, by every backend that loads a checkpoint."""

import json
from pathlib import Path

import pytest
from transformers import AddedToken, AutoTokenizer

from evalharness.backends import open_backend
from evalharness.backends.huggingface.tokens import LibraryTokenizer, read_tokenizer
from evalharness.errors import UsageError
from evalharness.records import (
    Generation,
    GenerationResponse,
    Instance,
    LogLikelihood,
    Message,
    RollingLogLikelihood,
    Sample,
)
from evalharness.transformer.thinking import Thinking
from tests.models import THINKING_TEMPLATE, make_llama, make_thinker

pytestmark = pytest.mark.usefixtures("cache")

HELLO = (Message("user", "Hello"),)
SCHEMES = pytest.mark.parametrize("scheme", ["builtin", "hf"])


def written(spec: str, max_tokens: int = 6) -> GenerationResponse:
    """The answer to HELLO."""
    sample = Sample(id="sample", requests=(Generation(HELLO, max_tokens),))
    ((_, outcome),) = open_backend(spec).answer([Instance("task", sample, 0)])
    assert isinstance(outcome, GenerationResponse), outcome
    return outcome


def without_tokenizer_json(folder: Path) -> None:
    """The same tokenizer in the first form of GPT-2's, which only transformers reads."""
    values = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(values["model"]["vocab"]))
    merges = [" ".join(pair) for pair in values["model"]["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    added = {str(token.pop("id")): token for token in values["added_tokens"]}
    changed = {"tokenizer_class": "GPT2Tokenizer", "unk_token": "</s>"}
    path.write_text(json.dumps({**settings, **changed, "added_tokens_decoder": added}))


@pytest.mark.parametrize("library", [False, True])
def test_the_channels_of_an_answer_stay_in_its_text(tmp_path: Path, library: bool) -> None:
    """gpt-oss thinks in a channel; its special tokens were left out, and the thinking with the
    words "analysis" and "assistantfinal" was the answer.
    """
    make_llama(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(str(tmp_path))
    names = ("start", "end", "return", "channel", "message")
    tokenizer.add_tokens([AddedToken(f"<|{name}|>", special=True) for name in names])
    tokenizer.save_pretrained(str(tmp_path))
    if library:
        without_tokenizer_json(tmp_path)
    found = read_tokenizer(tmp_path, None, {}, trust_remote_code=False)
    assert isinstance(found, LibraryTokenizer) == library
    thought = "<|channel|>analysis<|message|>fox<|end|><|start|>assistant"
    (tokens,) = found.encode([f"{thought}<|channel|>final<|message|>dog<|return|>"])
    text = found.decode(tokens)
    assert text == ("<|channel|>analysis<|message|>foxassistant<|channel|>final<|message|>dog")
    assert found.thinking_marks is not None
    answer = Thinking(found.thinking_marks, opened=False).answer_in(text)
    assert answer is not None
    assert text[answer:] == "dog"


@SCHEMES
@pytest.mark.parametrize("special", [False, True])
def test_thinking_is_told_from_the_answer_and_kept(
    tmp_path: Path, scheme: str, special: bool
) -> None:
    """Models differ in whether the marks are special tokens, which texts are shown without."""
    make_thinker(tmp_path, special=special)
    outcome = written(f"{scheme}:{tmp_path}")
    assert outcome.text.startswith("</think>")
    assert not outcome.unfinished_thinking
    assert outcome.text[: outcome.thinking].rstrip() == "</think>"
    assert outcome.text[outcome.thinking :]


@pytest.mark.parametrize("special", [False, True])
def test_a_tokenizer_that_only_transformers_reads_keeps_the_marks(
    tmp_path: Path, special: bool
) -> None:
    make_thinker(tmp_path, special=special)
    expected = written(f"hf:{tmp_path}")
    without_tokenizer_json(tmp_path)
    tokenizer = read_tokenizer(tmp_path, None, {}, trust_remote_code=False)
    assert isinstance(tokenizer, LibraryTokenizer)
    ends = sorted(tokenizer.end_tokens)
    (tokens,) = tokenizer.encode(["<think>fox</think>"])
    assert tokenizer.decode([*tokens, *ends]) == "<think>fox</think>"
    found = written(f"hf:{tmp_path}")
    assert (found.text, found.thinking) == (expected.text, expected.thinking)


@SCHEMES
def test_thinking_that_the_limit_cuts_off_leaves_no_answer(tmp_path: Path, scheme: str) -> None:
    make_llama(tmp_path)
    (tmp_path / "chat_template.jinja").write_text(THINKING_TEMPLATE)
    outcome = written(f"{scheme}:{tmp_path}")
    assert outcome.unfinished_thinking
    assert outcome.thinking == len(outcome.text) > 0
    answered = written(f"{scheme}:{tmp_path}?thinking=off")
    assert (answered.thinking, answered.unfinished_thinking) == (0, False)


# builtin: reads tokenizer.json only.
@pytest.mark.parametrize(("scheme", "library"), [("builtin", False), ("hf", False), ("hf", True)])
def test_the_template_is_told_of_thinking_as_transformers_tells_it(
    tmp_path: Path, scheme: str, library: bool
) -> None:
    make_llama(tmp_path)
    (tmp_path / "chat_template.jinja").write_text(THINKING_TEMPLATE)
    theirs = AutoTokenizer.from_pretrained(str(tmp_path))
    if library:
        without_tokenizer_json(tmp_path)
    fingerprints = set()
    for option, variables in (
        ("", {}),
        ("?thinking=on", {"enable_thinking": True}),
        ("?thinking=off", {"enable_thinking": False}),
    ):
        backend = open_backend(f"{scheme}:{tmp_path}{option}")
        fingerprints.add(backend.model.fingerprint)
        assert backend.render(Generation(HELLO, 5)) == theirs.apply_chat_template(
            [{"role": "user", "content": "Hello"}],
            tokenize=False,
            add_generation_prompt=True,
            **variables,
        )
        assert backend.render(LogLikelihood("", "The fox")) == "<s>"
        assert backend.render(RollingLogLikelihood("The fox")) == "<s>The fox"
        assert backend.render(Generation("The fox", 5)) == "The fox"
    assert len(fingerprints) == 3


@SCHEMES
def test_thinking_that_no_template_looks_at_is_refused(tmp_path: Path, scheme: str) -> None:
    make_llama(tmp_path)
    with pytest.raises(UsageError, match=r"'thinking' has no effect.*enable_thinking"):
        open_backend(f"{scheme}:{tmp_path}?thinking=off")
