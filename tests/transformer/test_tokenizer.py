"""BOS stands in front exactly once, templates are sandboxed, damaged files are named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as FastTokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from evalharness.errors import DataError
from evalharness.records import Message
from evalharness.transformer.tokenizer import Tokenizer
from tests.models import make_tokenizer

QUESTION = "Hello"
CHAT = (Message("system", "Be brief."), Message("user", QUESTION))


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


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tokenizer_config.json", '{"added_tokens_decoder": [1]}', "'added_tokens_decoder'"),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"x": {}}}', "'added_tokens_decoder'"),
        ("tokenizer_config.json", '{"bos_token": 3}', "'bos_token' should be a text"),
        ("tokenizer_config.json", '{"eos_token": ["</s>"]}', "'eos_token' should be a text"),
        ("generation_config.json", '{"eos_token_id": "</s>"}', "'eos_token_id' should be the num"),
        ("generation_config.json", '{"eos_token_id": [1, null]}', "'eos_token_id' should be the n"),
        ("generation_config.json", "{", "not valid JSON"),
        ("chat_template.jinja", b"\xff\xfe", "UTF-8"),
    ],
)
def test_files_of_another_form_are_named(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    """Each of them ended the run with a traceback, or was taken for something else."""
    save(tmp_path)
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=f"{name}.*{message}"):
        Tokenizer(tmp_path)


TEXTS = [
    "The quick brown fox",
    " two  spaces ",
    "",
    "<s>The quick",
    "fox<s> in the middle</s>",
    "日本語 ümläut 🙂",
    "line\n\tbreak",
]


def pieces() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A byte-pair vocabulary in the manner of SentencePiece: ▁ for a space, bytes for the rest."""
    vocabulary = {name: number for number, name in enumerate(("<unk>", "<s>", "</s>"))}
    for byte in range(256):
        vocabulary[f"<0x{byte:02X}>"] = len(vocabulary)
    for letter in "▁abcdefghijklmnopqrstuvwxyzTQ":
        vocabulary[letter] = len(vocabulary)
    merges = [("T", "h"), ("Th", "e"), ("▁", "The"), ("▁", "f"), ("o", "x"), ("▁f", "ox")]
    for first, second in merges:
        vocabulary[first + second] = len(vocabulary)
    return vocabulary, merges


def byte_pairs() -> FastTokenizer:
    vocabulary, merges = pieces()
    return FastTokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )


def llama2() -> FastTokenizer:
    tokenizer = byte_pairs()
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return tokenizer


def gemma() -> FastTokenizer:
    tokenizer = byte_pairs()
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return tokenizer


def unigram() -> FastTokenizer:
    vocabulary, _ = pieces()
    scored = [(piece, -float(number) / 9) for number, piece in enumerate(vocabulary)]
    tokenizer = FastTokenizer(models.Unigram(scored, unk_id=0, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    return tokenizer


def byte_level() -> FastTokenizer:
    tokenizer: FastTokenizer = make_tokenizer().backend_tokenizer
    return tokenizer


def start(tokenizer: FastTokenizer) -> None:
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )


KINDS: dict[str, Callable[[], FastTokenizer]] = {
    "llama 2": llama2,
    "gemma": gemma,
    "unigram": unigram,
    "byte level": byte_level,
}


def save_kind(folder: Path, tokenizer: FastTokenizer, **settings: Any) -> None:
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in ("<s>", "</s>")])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>"
    ).save_pretrained(str(folder))
    add_settings(folder, **settings)


def add_settings(folder: Path, **settings: Any) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


@pytest.mark.parametrize("adds_bos", [False, True])
@pytest.mark.parametrize("setting", [None, False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_tokens_and_texts_equal_those_of_transformers(
    tmp_path: Path, kind: str, setting: bool | None, adds_bos: bool
) -> None:
    """tokenizer.json decides whether there is a BOS, whatever `add_bos_token` beside it says."""
    tokenizer = KINDS[kind]()
    if adds_bos:
        start(tokenizer)
    save_kind(tmp_path, tokenizer, **({} if setting is None else {"add_bos_token": setting}))
    ours, theirs = Tokenizer(tmp_path), AutoTokenizer.from_pretrained(str(tmp_path))
    for text, tokens in zip(TEXTS, ours.encode(TEXTS), strict=True):
        expected = theirs(text).input_ids
        # Only here a BOS of the text's own is not doubled.
        assert tokens == (expected[1:] if adds_bos and text.startswith("<s>") else expected)
        assert ours.decode(tokens) == theirs.decode(expected, skip_special_tokens=True)


def test_tokens_that_were_added_later_are_known(tmp_path: Path) -> None:
    save_kind(tmp_path, llama2())
    known = Tokenizer(tmp_path).vocabulary_size
    token = {
        "content": "<|im_end|>",
        "lstrip": False,
        "normalized": False,
        "rstrip": False,
        "single_word": False,
        "special": True,
    }
    add_settings(tmp_path, added_tokens_decoder={str(known): token}, eos_token="<|im_end|>")
    ours, theirs = Tokenizer(tmp_path), AutoTokenizer.from_pretrained(str(tmp_path))
    text = "The fox<|im_end|>"
    assert ours.encode([text])[0] == theirs(text).input_ids
    assert ours.end_tokens == {known}
    assert theirs.eos_token_id == known


def test_special_tokens_may_be_in_a_file_of_their_own(tmp_path: Path) -> None:
    save_kind(tmp_path, llama2())
    (tmp_path / "tokenizer_config.json").write_text("{}")
    names = {"bos_token": {"content": "<s>", "lstrip": False}, "eos_token": "</s>"}
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(names))
    tokenizer = Tokenizer(tmp_path)
    assert tokenizer.start_token == 1
    assert tokenizer.end_tokens == {2}


def test_without_names_the_special_tokens_are_those_of_the_config(tmp_path: Path) -> None:
    """The first GPT-2 has no names of special tokens in its files."""
    save_kind(tmp_path, llama2())
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(DataError, match="neither a bos_token nor an eos_token"):
        Tokenizer(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"bos_token_id": 5, "eos_token_id": [6, 7]}))
    tokenizer = Tokenizer(tmp_path)
    assert tokenizer.start_token == 5
    assert tokenizer.end_tokens == {6, 7}


def test_without_a_bos_a_text_starts_with_the_token_that_ends_one(tmp_path: Path) -> None:
    save_kind(tmp_path, llama2(), bos_token=None)
    (tmp_path / "config.json").write_text(json.dumps({"bos_token_id": 5, "eos_token_id": 6}))
    tokenizer = Tokenizer(tmp_path)
    assert tokenizer.start_token == 2
    assert tokenizer.end_tokens == {2, 6}


# A template that leaves out what it is given is refused.
SHOWN = "{{ messages[-1].content }}"
TEMPLATES = {
    "generation block": (
        "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% else %}"
        "{% generation %}{{ m.content }}!{% endgeneration %}{% endif %}{% endfor %}"
    ),
    "date": "{{ strftime_now('%Y') }}",
    "date where it is there": "{% if strftime_now is defined %}yes{% else %}no{% endif %}",
    "json": "{{ messages | tojson }}|{{ {'b': '<ü>', 'a': 1} | tojson(indent=2, sort_keys=True) }}",
    "escaped json": "{{ messages | tojson(ensure_ascii=True) }}",
    "loop control": (
        "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}x{% endfor %}"
    ),
    "no tools": (
        "{% if tools is not none %}tools{% endif %}{% if documents is none %}none{% endif %}"
    ),
    "namespace": (
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}"
        "{% endfor %}{{ ns.n }}"
    ),
    "special tokens": "{{ bos_token }}{{ eos_token }}{{ unk_token }}{{ pad_token }}",
    "blocks": (
        "{%- for m in messages -%}\n  {% if true %}\n    {{ m.content }}\n  {% endif %}\n"
        "{% endfor %}"
    ),
}


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES.keys())
def test_a_template_may_use_what_transformers_offers_it(tmp_path: Path, template: str) -> None:
    save_kind(tmp_path, llama2(), chat_template=template + SHOWN, unk_token="<unk>")
    theirs = AutoTokenizer.from_pretrained(str(tmp_path)).apply_chat_template(
        [{"role": turn.role, "content": turn.content} for turn in CHAT],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert Tokenizer(tmp_path).render(CHAT) == theirs


@pytest.mark.parametrize("template", ["{{ messages[9].content }}", "{{ 1 / 0 }}", "{% if %}"])
def test_a_broken_template_fails_in_its_own_name(tmp_path: Path, template: str) -> None:
    save_kind(tmp_path, llama2(), chat_template=template)
    tokenizer = Tokenizer(tmp_path)
    assert tokenizer.encode(["The"])
    with pytest.raises(DataError, match="chat template cannot render"):
        tokenizer.render(CHAT)


NAMED = [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "chat" + SHOWN}]


def test_the_default_of_several_templates_is_taken(tmp_path: Path) -> None:
    save_kind(tmp_path, llama2(), chat_template=NAMED)
    assert Tokenizer(tmp_path).render(CHAT) == f"chat{QUESTION}"


def test_several_templates_without_a_default_ask_for_a_choice(tmp_path: Path) -> None:
    save_kind(tmp_path, llama2(), chat_template=NAMED[:1])
    with pytest.raises(DataError, match=r"tool_use.*chat_template"):
        Tokenizer(tmp_path)
    file = tmp_path / "mine.jinja"
    file.write_text("mine" + SHOWN)
    assert Tokenizer(tmp_path, file).render(CHAT) == f"mine{QUESTION}"


def test_a_template_in_a_file_of_its_own_comes_before_others(tmp_path: Path) -> None:
    save_kind(tmp_path, llama2())
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": "processor" + SHOWN}))
    assert Tokenizer(tmp_path).render(CHAT) == f"processor{QUESTION}"
    add_settings(tmp_path, chat_template="settings" + SHOWN)
    assert Tokenizer(tmp_path).render(CHAT) == f"settings{QUESTION}"
    folder = tmp_path / "additional_chat_templates"
    folder.mkdir()
    (folder / "default.jinja").write_text("additional" + SHOWN)
    assert Tokenizer(tmp_path).render(CHAT) == f"additional{QUESTION}"
    (tmp_path / "chat_template.jinja").write_text("file" + SHOWN)
    assert Tokenizer(tmp_path).render(CHAT) == f"file{QUESTION}"
