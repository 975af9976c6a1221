"""The tokenizer in a GGUF file as tokenizer.json and the settings beside it.

transformers' own reader makes it. What the reader does not take from a file is put right here:
how the text is cut before merging, as the file's name for it says (llama.cpp, llama-vocab.cpp).
"""

import contextlib
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers

from evalharness.errors import DataError, did_you_mean
from evalharness.transformer.gguf.reading import GgufFile

KINDS = ("gpt2", "llama")


@dataclass(frozen=True, slots=True)
class Cutting:
    """How a byte-level vocabulary cuts a text, before pairs are merged within each piece.

    patterns: regular expressions that are applied one after another; what they match, and what
        lies between, are pieces.
    composed: the text is brought into Unicode's composed form (NFC) first.
    whole_tokens: a piece that is a token itself is not merged together from its parts.
    starts: a text begins with the BOS token where the file does not say whether it does.
    """

    patterns: tuple[str, ...]
    composed: bool = False
    whole_tokens: bool = False
    starts: bool = False


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
DIGIT = r"\p{N}"
CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+"
LINES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
SIGNS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
SIGNS_AND_SLASHES = r" ?[^\s\p{L}\p{N}]+[\r\n/]*"
CL100K = rf"{CONTRACTION}|{WORD}|\p{{N}}{{1,3}}|{SIGNS}|{LINES}"
QWEN2 = rf"{CONTRACTION}|{WORD}|\p{{N}}|{SIGNS}|{LINES}"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
BEFORE_WORD = r"[^\r\n\p{L}\p{N}]?"
TEKKEN = (
    rf"{BEFORE_WORD}{UPPER}*{LOWER}+|{BEFORE_WORD}{UPPER}+{LOWER}*"
    rf"|\p{{N}}|{SIGNS_AND_SLASHES}|{LINES}"
)
O200K = (
    rf"{BEFORE_WORD}{UPPER}*{LOWER}+{CONTRACTION}?|{BEFORE_WORD}{UPPER}+{LOWER}*{CONTRACTION}?"
    rf"|\p{{N}}{{1,3}}|{SIGNS_AND_SLASHES}|{LINES}"
)

PLAIN_CUTTING = Cutting((GPT2,))
DIGITS_CUTTING = Cutting((DIGIT, GPT2))
NEOX_CUTTING = Cutting((GPT2,), composed=True)
CL100K_CUTTING = Cutting((CL100K,))
LLAMA3_CUTTING = Cutting((CL100K,), whole_tokens=True, starts=True)
QWEN2_CUTTING = Cutting((QWEN2,), composed=True)
TEKKEN_CUTTING = Cutting((TEKKEN,), whole_tokens=True, starts=True)
O200K_CUTTING = Cutting((O200K,))

# By tokenizer.ggml.pre; files from before that key say nothing, or "default".
CUTTINGS: Mapping[str, Cutting] = MappingProxyType(
    {
        **dict.fromkeys(("default", "gpt-2", "trillion", "mellum"), PLAIN_CUTTING),
        **dict.fromkeys(("smollm", "starcoder", "refact", "minerva-7b"), DIGITS_CUTTING),
        **dict.fromkeys(("olmo", "mpt"), NEOX_CUTTING),
        **dict.fromkeys(("dbrx", "smaug-bpe"), CL100K_CUTTING),
        **dict.fromkeys(("llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral"), LLAMA3_CUTTING),
        **dict.fromkeys(("qwen2", "deepseek-r1-qwen"), QWEN2_CUTTING),
        "tekken": TEKKEN_CUTTING,
        "gpt-4o": O200K_CUTTING,
    }
)
# Tokens that end a text, a turn of a chat or a message.
END_TOKENS = tuple(f"tokenizer.ggml.{name}_token_id" for name in ("eos", "eot", "eom"))


def write_tokenizer(file: GgufFile, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json, the chat template and generation_config.json.

    Raises DataError for a kind of tokenizer that is not known and for one that is damaged.
    """
    kind = file.value("tokenizer.ggml.model")
    if kind not in KINDS:
        raise DataError(
            f"{file.path}: tokenizers of the kind {kind!r} cannot be converted; known are "
            f"{', '.join(KINDS)}. Give the original checkpoint instead of this file."
        )
    cutting = _cutting(file) if kind == "gpt2" else None
    starts = file.metadata.get("tokenizer.ggml.add_bos_token", cutting is None or cutting.starts)
    ends = file.metadata.get("tokenizer.ggml.add_eos_token", False)
    try:
        tokenizer = _read(file.path)
        tokenizer.add_bos_token, tokenizer.add_eos_token = bool(starts), bool(ends)
        if cutting is not None:
            _cut(tokenizer.backend_tokenizer, cutting)
        elif file.metadata.get("tokenizer.ggml.add_space_prefix") is False:
            _without_first_space(tokenizer.backend_tokenizer)
        tokenizer.save_pretrained(str(folder))
    except Exception as error:  # many libraries are at work, on whatever the file holds
        raise DataError(
            f"{file.path}: the tokenizer cannot be converted ({type(error).__name__}: {error}). "
            "If other programs can read the file, give the original checkpoint instead."
        ) from None
    _write_settings(file, folder, tokenizer)


def _cutting(file: GgufFile) -> Cutting:
    name = file.metadata.get("tokenizer.ggml.pre", "default")
    if name not in CUTTINGS:
        raise DataError(
            f"{file.path}: it is not known how a tokenizer of the kind {name!r} cuts a text; known "
            f"are {', '.join(CUTTINGS)}.{did_you_mean(str(name), CUTTINGS)} Give the original "
            "checkpoint instead of this file."
        )
    return CUTTINGS[name]


def _read(path: Path) -> Any:
    """What transformers makes of the file, without the messages that are for its developers."""
    with (
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stderr(nowhere),
        warnings.catch_warnings(action="ignore"),
    ):
        from transformers import PreTrainedTokenizerFast

        return PreTrainedTokenizerFast.from_pretrained(str(path.parent), gguf_file=path.name)


def _cut(tokenizer: Tokenizer, cutting: Cutting) -> None:
    cuts = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in cutting.patterns]
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*cuts, letters])
    tokenizer.normalizer = normalizers.NFC() if cutting.composed else None
    tokenizer.model.ignore_merges = cutting.whole_tokens


def _without_first_space(tokenizer: Tokenizer) -> None:
    """SentencePiece without a space before the text; transformers' reader puts one there always."""
    tokenizer.normalizer = None
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )


def _write_settings(file: GgufFile, folder: Path, tokenizer: Any) -> None:
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    for name in ("is_local", "local_files_only"):  # of the reading, not of the tokenizer
        settings.pop(name, None)
    settings["add_bos_token"] = tokenizer.add_bos_token
    settings["add_eos_token"] = tokenizer.add_eos_token
    path.write_text(json.dumps(settings, indent=1, ensure_ascii=False), encoding="utf-8")
    ends = [file.metadata[key] for key in END_TOKENS if key in file.metadata]
    if ends:
        path = folder / "generation_config.json"
        path.write_text(json.dumps({"eos_token_id": sorted(set(ends))}), encoding="utf-8")
