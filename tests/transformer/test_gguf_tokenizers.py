"""Tokenizers come out of a GGUF file as they went in, and as transformers reads them.

Oracles: the tokenizer that was written to the file, and transformers' own reader.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from evalharness.errors import DataError
from evalharness.transformer.gguf import converted
from evalharness.transformer.tokenizer import Tokenizer as OurTokenizer
from tests.gguf_files import byte_level, sentencepiece, write_gguf
from tests.models import CHAT_TEMPLATE, CORPUS

TEXTS = [
    "",
    "The quick brown fox jumps over the lazy dog.",
    " a  b   c\td",
    "one\ntwo\n\nthree\r\n\r\n  four \n",
    "Numbers: 1, 22, 333, 4444, 3.14; 2. \n\n3. x12y",
    "I'm, you'LL; don't stop--it's (really) over!!! ...",
    "日本語と中文，한국어; ümläuts, ñ, Ελληνικά",
    "👍🏽 family 👨‍👩‍👧 and ✅",
    "<s>[INST] hello </s>  <s>again<table></table>",
    "def f(x):\n    return x\n\n\n        # deep",
]
COMPOSED_ELSEWHERE = "e\u0301 u\u0308ber"  # accents apart from their letters


def convert(path: Path, digest: str = "0") -> Path:
    return converted(path, digest * 64, path.parent / "cache")


def model_for(architecture: str, tokens: int) -> transformers.PreTrainedModel:
    """The smallest model that such a tokenizer can belong to."""
    names = {"llama": "Llama", "gemma2": "Gemma2", "phi3": "Phi3", "qwen2": "Qwen2"}
    model_class = getattr(transformers, f"{names[architecture]}ForCausalLM")
    values = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4}
    torch.manual_seed(0)
    return model_class(
        model_class.config_class(vocab_size=tokens, pad_token_id=None, **values, **heads)
    )


def write(path: Path, entries: Mapping[str, Any], architecture: str = "llama") -> Path:
    write_gguf(path, model_for(architecture, len(entries["tokens"])), entries)
    return path


def theirs(path: Path) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast.from_pretrained(str(path.parent), gguf_file=path.name)


# --- Byte-level vocabularies ---------------------------------------------------------------------

ENTRIES = byte_level()
NUMBERS = {token: number for number, token in enumerate(ENTRIES["tokens"])}
PAIRS = [tuple(merge.split(" ")) for merge in ENTRIES["merges"]]
NAMED = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": None, "pad_token": None}
LETTERS = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
# As in the models' own tokenizer.json.
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def of_class(name: str) -> PreTrainedTokenizerFast:
    return getattr(transformers, name)(vocab=NUMBERS, merges=PAIRS, **NAMED)


def cut_by(*cuts: Any) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE(vocab=NUMBERS, merges=PAIRS))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(list(cuts))
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **NAMED)


ORIGINALS = {
    "gpt-2": of_class("GPT2Tokenizer"),
    "olmo": of_class("GPTNeoXTokenizer"),
    "qwen2": of_class("Qwen2Tokenizer"),
    "smollm": cut_by(
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)
    ),
    "llama-bpe": cut_by(pre_tokenizers.Split(Regex(LLAMA3), "isolated"), LETTERS),
    "dbrx": cut_by(pre_tokenizers.Split(Regex(LLAMA3), "isolated"), LETTERS),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The converted form of the same vocabulary, cut in each of these ways."""
    folder = tmp_path_factory.mktemp("tokenizers")
    return {
        pre: convert(write(folder / f"{pre}.gguf", {**ENTRIES, "pre": pre}), str(number))
        for number, pre in enumerate(ORIGINALS)
    }


@pytest.mark.parametrize("pre", ORIGINALS)
def test_a_byte_level_tokenizer_comes_out_as_it_went_in(
    folders: Mapping[str, Path], pre: str
) -> None:
    """Also where transformers' reader cuts another way: SmolLM's digits, Qwen's accents."""
    ours = Tokenizer.from_file(str(folders[pre] / "tokenizer.json"))
    original = ORIGINALS[pre]
    assert ours.get_vocab() == NUMBERS

    @settings(max_examples=50)
    @given(st.one_of(st.sampled_from([*TEXTS, COMPOSED_ELSEWHERE]), st.text(), mixed))
    def check(text: str) -> None:
        tokens = ours.encode(text, add_special_tokens=False).ids
        assert tokens == original(text, add_special_tokens=False).input_ids
        assert ours.decode(tokens) == original.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    check()


# Signs at whose meeting the ways of cutting differ.
mixed = st.text(st.sampled_from("ab'sS 1\n\r\t.!/日é👍"), max_size=12)


@pytest.mark.parametrize("pre", ["default", "dbrx", "tekken", "gpt-4o"])
def test_a_byte_level_tokenizer_equals_that_of_transformers_own_reader(
    tmp_path: Path, pre: str
) -> None:
    path = write(tmp_path / "tiny.gguf", {**ENTRIES, "pre": pre})
    ours = Tokenizer.from_file(str(convert(path) / "tokenizer.json"))
    expected = theirs(path)

    @given(st.one_of(st.sampled_from(TEXTS), st.text(), mixed))
    def check(text: str) -> None:
        tokens = ours.encode(text, add_special_tokens=False).ids
        assert tokens == expected(text, add_special_tokens=False).input_ids

    check()


def test_a_piece_that_is_a_token_itself_is_not_merged_from_parts(tmp_path: Path) -> None:
    """Llama 3 has tokens that no merges lead to."""
    entries = {**ENTRIES, "tokens": [*ENTRIES["tokens"], "Ġxyzw"], "token_type": [1] * 321}
    number = len(entries["tokens"]) - 1
    for name, expected in (("llama-bpe", True), ("dbrx", False)):
        path = write(tmp_path / f"{name}.gguf", {**entries, "pre": name})
        tokenizer = Tokenizer.from_file(str(convert(path, str(expected)[0]) / "tokenizer.json"))
        assert (tokenizer.encode("a xyzw", add_special_tokens=False).ids[-1] == number) == expected


# --- SentencePiece vocabularies ------------------------------------------------------------------

PIECES = sentencepiece(CORPUS * 3 + TEXTS)
GEMMA_PIECES = sentencepiece(
    CORPUS * 3 + TEXTS, ["\n\n", "  ", "   ", "<table>", "</table>"], add_space_prefix=False
)


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "phi3", "gemma2"])
def test_a_sentencepiece_tokenizer_equals_that_of_transformers_own_reader(
    tmp_path: Path, architecture: str
) -> None:
    entries = GEMMA_PIECES if architecture == "gemma2" else PIECES
    path = write(tmp_path / "tiny.gguf", entries, architecture)
    ours = Tokenizer.from_file(str(convert(path) / "tokenizer.json"))
    expected = theirs(path)

    @given(st.one_of(st.sampled_from(TEXTS), st.text(), mixed))
    def check(text: str) -> None:
        tokens = ours.encode(text).ids
        assert tokens == expected(text).input_ids
        assert ours.decode(tokens) == expected.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    check()


def test_no_space_is_put_before_a_text_where_the_file_forbids_it(tmp_path: Path) -> None:
    """Transformers' reader puts it there always."""
    path = write(tmp_path / "tiny.gguf", {**PIECES, "add_space_prefix": False})
    ours = Tokenizer.from_file(str(convert(path) / "tokenizer.json"))
    merges = json.loads(theirs(path).backend_tokenizer.to_str())["model"]["merges"]
    numbers = {token: number for number, token in enumerate(PIECES["tokens"])}
    expected = transformers.LlamaTokenizer(
        vocab=numbers, merges=[tuple(pair) for pair in merges], add_prefix_space=False
    )
    for text in TEXTS:
        tokens = ours.encode(text, add_special_tokens=False).ids
        assert tokens == expected(text, add_special_tokens=False).input_ids
        assert ours.decode(tokens) == expected.decode(tokens, skip_special_tokens=True)


# --- Settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "starts", "ends"),
    [
        (ENTRIES, False, False),
        ({**ENTRIES, "add_bos_token": True}, True, False),
        ({**ENTRIES, "add_bos_token": True, "add_eos_token": True}, True, True),
        ({**ENTRIES, "pre": "llama-bpe"}, True, False),  # as in llama.cpp, where nothing is said
        ({**ENTRIES, "pre": "llama-bpe", "add_bos_token": False}, False, False),
        (PIECES, True, False),
        ({**PIECES, "add_bos_token": False, "add_eos_token": True}, False, True),
    ],
)
def test_what_stands_before_and_after_a_text_is_kept(
    tmp_path: Path, entries: Mapping[str, Any], starts: bool, ends: bool
) -> None:
    folder = convert(write(tmp_path / "tiny.gguf", entries))
    values = json.loads((folder / "tokenizer_config.json").read_text())
    assert (values["add_bos_token"], values["add_eos_token"]) == (starts, ends)
    bos, eos = entries["bos_token_id"], entries["eos_token_id"]
    again = AutoTokenizer.from_pretrained(str(folder))
    inner = again("The fox", add_special_tokens=False).input_ids
    assert again("The fox").input_ids == [bos] * starts + inner + [eos] * ends
    assert (again.bos_token_id, again.eos_token_id) == (bos, eos)
    assert len(again) == len(entries["tokens"])
    assert OurTokenizer(folder).encode(["The fox"]) == [[bos] * starts + inner]


def test_template_and_end_tokens_are_kept(tmp_path: Path) -> None:
    """A chat model ends a turn with another token than a text."""
    path = write(tmp_path / "tiny.gguf", {**ENTRIES, "eot_token_id": 7, "eom_token_id": 1})
    folder = convert(path)
    tokenizer = OurTokenizer(folder)
    assert tokenizer.end_tokens == {ENTRIES["eos_token_id"], 7}
    assert tokenizer.start_token == ENTRIES["bos_token_id"]
    assert tokenizer.has_chat_template
    assert AutoTokenizer.from_pretrained(str(folder)).chat_template == CHAT_TEMPLATE


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({**ENTRIES, "pre": "smolm"}, r"'smolm' cuts a text.* Did you mean 'smollm'\?"),
        ({**ENTRIES, "model": "rwkv"}, "of the kind 'rwkv' cannot be converted"),
        ({**ENTRIES, "tokens": ["a"] * 320}, "its tokenizer has 'a' twice"),
        ({**ENTRIES, "token_type": [1] * 7}, "should be a list of 320 types"),
        ({**ENTRIES, "merges": ["Ġ nowhere"]}, "its tokenizer is damaged"),
        ({**ENTRIES, "merges": [1, 2]}, r"'tokenizer\.ggml\.merges' should be a list of texts"),
        ({**PIECES, "scores": [0.5, 1.0]}, "its tokenizer is damaged"),
    ],
)
def test_a_tokenizer_that_cannot_be_kept_is_refused_with_its_reason(
    tmp_path: Path, entries: Mapping[str, Any], message: str
) -> None:
    path = write(tmp_path / "tiny.gguf", entries)
    with pytest.raises(DataError, match=rf"tiny\.gguf.*{message}"):
        convert(path)
