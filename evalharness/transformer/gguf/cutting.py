"""How byte-level vocabularies cut a text into pieces, by the names that GGUF has for it, as data.

The names, and what goes with them, are those of llama.cpp (llama-vocab.cpp); the expressions are
those of the tokenizer.json of the models that the names stand for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from evalharness.errors import DataError, did_you_mean
from evalharness.transformer.gguf.reading import GgufFile


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


def cutting_of(file: GgufFile) -> Cutting:
    """Raises DataError for a name that is not known: a wrong guess would be seen in no error."""
    name = file.metadata.get("tokenizer.ggml.pre", "default")
    if name not in CUTTINGS:
        raise DataError(
            f"{file.path}: it is not known how a tokenizer of the kind {name!r} cuts a text; known "
            f"are {', '.join(CUTTINGS)}.{did_you_mean(str(name), CUTTINGS)} Give the original "
            "checkpoint instead of this file."
        )
    return CUTTINGS[name]
