"""The tokenizer in a GGUF file as tokenizer.json, with its settings and chat template.

It is made as transformers' own reader makes it, but for three things that the reader does not do:
it cuts texts as the file says (`cutting`), puts a space before a text only where the file does not
forbid it, and has no tokens that the model has no embeddings for.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from evalharness.errors import DataError
from evalharness.transformer.gguf.cutting import cutting_of
from evalharness.transformer.gguf.reading import GgufFile

# Numbers of tokenizer.ggml.token_type.
CONTROL, USER_DEFINED = 3, 4
# The specification's names of tokens, and those of transformers.
NAMED_TOKENS = {"bos": "bos", "eos": "eos", "unknown": "unk", "padding": "pad"}
# Tokens that end a text, a turn of a chat or a message.
END_TOKENS = ("eos", "eot", "eom")
SPACE = "▁"
GEMMA = ("gemma2", "gemma3")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a file says of its tokens.

    special: tokens that stand for no text; whole: parts of a text that are always one token;
    named: the text of the tokens that transformers has a name for.
    """

    tokens: Sequence[str]
    special: Sequence[str]
    whole: Sequence[str]
    named: Mapping[str, str]

    @property
    def numbers(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}


def write_tokenizer(file: GgufFile, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json, the chat template and generation_config.json.

    Raises DataError for a kind of tokenizer that is not known and for one that is damaged.
    """
    kind = file.value("tokenizer.ggml.model")
    if kind not in ("gpt2", "llama"):
        raise DataError(
            f"{file.path}: tokenizers of the kind {kind!r} cannot be converted; known are gpt2 "
            "and llama. Give the original checkpoint instead of this file."
        )
    vocabulary = _vocabulary(file)
    starts = kind == "llama" or cutting_of(file).starts
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **{f"{name}_token": token for name, token in vocabulary.named.items()},
        "add_bos_token": _adds(file, vocabulary, "bos", starts),
        "add_eos_token": _adds(file, vocabulary, "eos", False),
        "clean_up_tokenization_spaces": False,
    }
    try:
        tokenizer = (_byte_level if kind == "gpt2" else _sentencepiece)(file, vocabulary)
        tokenizer.post_processor = _post_processor(vocabulary, settings)
        tokenizer.add_special_tokens(_added(vocabulary.special, special=True))
        tokenizer.add_tokens(_added(vocabulary.whole, special=False))
        tokenizer.save(str(folder / "tokenizer.json"))
    except DataError:
        raise
    except Exception as error:  # the library raises bare Exception
        raise DataError(f"{file.path}: its tokenizer is damaged: {error}.") from None
    _write_settings(file, folder, vocabulary, settings)


def _vocabulary(file: GgufFile) -> Vocabulary:
    stored = file.texts("tokenizer.ggml.tokens")
    tokens = [_spelled(token) for token in stored] if file.architecture in GEMMA else stored
    twice = [token for token, times in Counter(tokens).items() if times > 1]
    if twice:
        raise DataError(f"{file.path} is damaged: its tokenizer has {twice[0]!r} twice.")
    kinds = file.metadata.get("tokenizer.ggml.token_type", [0] * len(tokens))
    if not isinstance(kinds, list) or len(kinds) != len(tokens):
        raise DataError(
            f"{file.path} is damaged: tokenizer.ggml.token_type should be a list of {len(tokens)} "
            "types, one for each token."
        )
    typed = list(zip(tokens, stored, kinds, strict=True))
    numbers = {name: _number(file, key, tokens) for key, name in NAMED_TOKENS.items()}
    named = {name: tokens[number] for name, number in numbers.items() if number is not None}
    control = [token for token, _, kind in typed if kind == CONTROL]
    defined = [token for token, own, kind in typed if kind == USER_DEFINED and token == own]
    return Vocabulary(
        tokens=tokens,
        special=list(dict.fromkeys([*control, *named.values()])),
        whole=defined,
        named=named,
    )


def _number(file: GgufFile, key: str, tokens: Sequence[str]) -> int | None:
    """A number outside the vocabulary stands for no token, as in llama.cpp."""
    number = file.metadata.get(f"tokenizer.ggml.{key}_token_id")
    return number if isinstance(number, int) and number < len(tokens) else None


def _adds(file: GgufFile, vocabulary: Vocabulary, name: str, unsaid: bool) -> bool:
    said = file.metadata.get(f"tokenizer.ggml.add_{name}_token", unsaid)
    return bool(said) and name in vocabulary.named


def _byte_level(file: GgufFile, vocabulary: Vocabulary) -> Tokenizer:
    cutting = cutting_of(file)
    merges = (merge.partition(" ") for merge in file.texts("tokenizer.ggml.merges"))
    pairs = [(left, right) for left, _, right in merges]
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary.numbers, merges=pairs, ignore_merges=cutting.whole_tokens)
    )
    if cutting.composed:
        tokenizer.normalizer = normalizers.NFC()
    cuts = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in cutting.patterns]
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*cuts, letters])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentencepiece(file: GgufFile, vocabulary: Vocabulary) -> Tokenizer:
    """SentencePiece's BPE: the best token that two neighbours make together is made first.

    Gemma's scores are not in the order of its merges, but its tokens are.
    """
    is_gemma = file.architecture in GEMMA
    places = range(0, -len(vocabulary.tokens), -1)
    scores = places if is_gemma else file.value("tokenizer.ggml.scores")
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary.numbers,
            merges=_merges(vocabulary.tokens, scores),
            unk_token=vocabulary.named.get("unk"),
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    parts = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    spaces = normalizers.Replace(" ", SPACE)
    if not file.metadata.get("tokenizer.ggml.add_space_prefix", not is_gemma):
        tokenizer.normalizer = spaces
    elif file.architecture == "phi3":  # also before a text that begins with a space
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), spaces])
        parts.append(decoders.Strip(" ", 1, 0))
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        parts.append(decoders.Strip(" ", 1, 0))
    tokenizer.decoder = decoders.Sequence(parts)
    return tokenizer


def _spelled(token: str) -> str:
    """Tokens of spaces only are stored as such, where the vocabulary has SPACE for each.

    They come about by merging, and are not parts that are looked for in a text.
    """
    return SPACE * len(token) if token and not token.strip(" ") else token


def _merges(tokens: Sequence[str], scores: Sequence[float]) -> list[tuple[str, str]]:
    """Every way in which two tokens make a third, best first (transformers, generate_merges)."""
    known = set(tokens)
    found = [
        (-score, -cut, number, token[:cut], token[cut:])
        for number, (token, score) in enumerate(zip(tokens, scores, strict=True))
        for cut in range(1, len(token))
        if token[:cut] in known and token[cut:] in known
    ]
    return [(left, right) for *_, left, right in sorted(found)]


def _added(tokens: Sequence[str], special: bool) -> list[AddedToken]:
    return [AddedToken(token, normalized=False, special=special) for token in tokens]


def _post_processor(vocabulary: Vocabulary, settings: Mapping[str, Any]) -> Any:
    """What stands before and after each text."""
    before, after = (
        [vocabulary.named[name]] if settings[f"add_{name}_token"] else [] for name in ("bos", "eos")
    )
    numbers = vocabulary.numbers
    return processors.TemplateProcessing(
        single=[*before, "$A", *after],
        pair=[*before, "$A", *after, *(f"{token}:1" for token in before), "$B:1"]
        + [f"{token}:1" for token in after],
        special_tokens=[(token, numbers[token]) for token in {*before, *after}],
    )


def _write_settings(
    file: GgufFile, folder: Path, vocabulary: Vocabulary, settings: Mapping[str, Any]
) -> None:
    def write(name: str, content: Mapping[str, Any]) -> None:
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (folder / name).write_text(text, encoding="utf-8")

    write("tokenizer_config.json", settings)
    numbers = [_number(file, name, vocabulary.tokens) for name in END_TOKENS]
    ends = sorted({number for number in numbers if number is not None})
    if ends:
        write("generation_config.json", {"eos_token_id": ends})
    template = file.metadata.get("tokenizer.chat_template")
    if isinstance(template, str):
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8", newline="")
