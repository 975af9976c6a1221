"""BOS stands in front exactly once, templates are sandboxed, damaged files are named."""

import json
from pathlib import Path

import pytest
from tokenizers import processors

from evalharness.errors import DataError
from evalharness.records import Message
from evalharness.transformer.tokenizer import Tokenizer
from tests.models import make_tokenizer

CHAT = (Message("system", "Be brief."), Message("user", "Hello"))


def save(folder: Path, *, adds_bos: bool = False, template: str | None = None) -> Tokenizer:
    tokenizer = make_tokenizer()
    if adds_bos:
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 0)]
        )
    if template is not None:
        tokenizer.chat_template = template
    tokenizer.save_pretrained(str(folder))
    return Tokenizer(folder)


def test_bos_is_added_once_where_the_model_uses_it(tmp_path: Path) -> None:
    tokens = save(tmp_path, adds_bos=True).encode(["The quick", "<s>The quick", ""])
    assert tokens[0][0] == 0
    assert tokens[0].count(0) == 1
    assert tokens[1] == tokens[0]
    assert tokens[2] == [0]


def test_no_bos_is_added_where_the_model_uses_none(tmp_path: Path) -> None:
    assert 0 not in save(tmp_path).encode(["The quick"])[0]


def test_a_chat_template_that_writes_bos_does_not_double_it(tmp_path: Path) -> None:
    tokenizer = save(tmp_path, adds_bos=True)
    text = tokenizer.render(CHAT)
    assert text.startswith("<s>[system]Be brief.")
    assert text.endswith("[assistant]")
    assert tokenizer.encode([text])[0].count(0) == 1


def test_rendering_equals_transformers(tmp_path: Path) -> None:
    ours = save(tmp_path).render(CHAT)
    theirs = make_tokenizer().apply_chat_template(
        [{"role": turn.role, "content": turn.content} for turn in CHAT],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert ours == theirs


def test_a_template_of_a_stranger_reaches_nothing(tmp_path: Path) -> None:
    hostile = "{{ messages.__class__.__mro__[1].__subclasses__() }}"
    with pytest.raises(DataError, match="cannot render"):
        save(tmp_path, template=hostile).render(CHAT)


def test_a_template_may_refuse_turns_with_its_own_words(tmp_path: Path) -> None:
    tokenizer = save(tmp_path, template="{{ raise_exception('no system turns') }}")
    with pytest.raises(DataError, match="no system turns"):
        tokenizer.render(CHAT)


def test_a_template_in_a_file_takes_the_place_of_the_models_own(tmp_path: Path) -> None:
    save(tmp_path)
    other = tmp_path / "other.jinja"
    other.write_text("{{ messages[-1].content }}")
    assert Tokenizer(tmp_path, other).render(CHAT) == "Hello"


def test_without_a_template_a_chat_cannot_be_rendered(tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    tokenizer = Tokenizer(tmp_path)
    assert not tokenizer.has_chat_template
    with pytest.raises(DataError, match="no chat template"):
        tokenizer.render(CHAT)


def test_every_end_token_of_the_generation_config_ends_a_text(tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [7, 9]}))
    assert Tokenizer(tmp_path).end_tokens == {1, 7, 9}


def test_decoding_leaves_special_tokens_out(tmp_path: Path) -> None:
    tokenizer = save(tmp_path)
    tokens = tokenizer.encode(["日本 fox"])[0]
    assert tokenizer.decode([*tokens, 1]) == "日本 fox"


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no tokenizer\.json"):
        Tokenizer(tmp_path)


def test_a_damaged_tokenizer_is_named(tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(DataError, match=r"tokenizer\.json cannot be read"):
        Tokenizer(tmp_path)
