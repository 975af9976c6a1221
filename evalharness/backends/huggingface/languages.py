"""How encoder-decoder models of several languages are told what they read and what they write."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalharness.backends.huggingface.loading import FoundModel
from evalharness.backends.huggingface.options import refuse_options
from evalharness.errors import DataError, UsageError, did_you_mean
from evalharness.transformer.chat import read_json

# Classes whose decoder begins with the last token of a target, which is its language.
_WRAPPING = ("mbart", "plbart")
_SHOWN = 3  # codes named in an error


@dataclass(frozen=True, slots=True)
class Direction:
    """What a model is told besides the text.

    before         text that is put before every source
    writing_start  what the decoder begins with where it writes a text
    scoring_start  what stands before a target in training; it is given, and never scored
    languages      tokens that name a language, and are no part of a text

    The last two differ where a decoder was trained to begin with a token that it is not made to
    write, such as <s> of some BART models.
    """

    before: str
    writing_start: tuple[int, ...]
    scoring_start: tuple[int, ...]
    languages: frozenset[int] = frozenset()

    @property
    def has_languages(self) -> bool:
        """Is the model told which language to write?"""
        return bool(self.languages or self.before)


def direction_of(found: FoundModel, tokenizer: Any) -> Direction:
    """The direction that the options ask for; the tokenizer, transformers' own, is set to it.

    A checkpoint whose tokenizer_config.json names both languages (`src_lang`, `tgt_lang`), as one
    that was fine-tuned for one direction may, needs no options. Raises UsageError for a language
    that is missing, not known, or of no use to this model.
    """
    marks = getattr(tokenizer, "supported_language_codes", None)
    if marks:
        return _marked(found, [mark.removeprefix(">>").removesuffix("<<") for mark in marks])
    if hasattr(tokenizer, "set_tgt_lang_special_tokens"):
        return _coded(found, tokenizer)
    refuse_options(
        found.spec,
        ("source_language", "target_language"),
        f"the tokenizer of {found.architecture} has no codes of languages; such a model has one "
        "direction, or is told in the prompt what to do",
    )
    start, forced = _decoder_start(found), _named(found, "forced_bos_token_id")
    written = (start,) if forced is None else (start, forced)
    first = _before_targets(tokenizer)
    return Direction("", written, (start, *first) if first else written)


def _before_targets(tokenizer: Any) -> list[int]:
    """Special tokens that the tokenizer puts before a target."""
    whole, text = (
        tokenizer(text_target="a", add_special_tokens=special)["input_ids"]
        for special in (True, False)
    )
    first = next(i for i in range(len(whole)) if whole[i : i + len(text)] == text)
    return list(whole[:first])


def _marked(found: FoundModel, codes: list[str]) -> Direction:
    """As Marian's models with several targets: a mark such as >>deu<< stands before the source."""
    refuse_options(
        found.spec,
        ("source_language",),
        f"{found.architecture} finds out itself what language it reads",
    )
    target = _language(found, "target_language", None, codes)
    start = (_decoder_start(found),)
    return Direction(f">>{target}<< ", start, start)


def _coded(found: FoundModel, tokenizer: Any) -> Direction:
    """As mBART, M2M100 and NLLB: languages are special tokens, which the tokenizer puts around a
    source, and the first token of a target.
    """
    codes = language_codes(tokenizer)
    settings = read_json(found.folder / "tokenizer_config.json")
    own = (settings.get("src_lang"), settings.get("tgt_lang"))
    # save_pretrained writes a source that nobody chose: only both are a direction.
    named = own if all(isinstance(code, str) for code in own) else (None, None)
    source = _language(found, "source_language", named[0], codes)
    target = _language(found, "target_language", named[1], codes)
    tokenizer.src_lang, tokenizer.tgt_lang = source, target
    language = codes[target]
    labels = tokenizer(text_target="a")["input_ids"]
    wraps = labels[-1] == language and found.config.model_type in _WRAPPING
    start = (language,) if wraps else (_decoder_start(found), language)
    return Direction("", start, start, frozenset(codes.values()))


def language_codes(tokenizer: Any) -> dict[str, int]:
    """The number of the token of each language, by the code that the tokenizer calls it."""
    named = getattr(tokenizer, "lang_code_to_id", {})
    # NLLB has no other list, and fine-tuned tokenizers have languages of their own.
    added = {} if hasattr(tokenizer, "lang_code_to_token") else _added(tokenizer)
    known = {**added, **named}
    return {code: number for code, number in known.items() if number != tokenizer.unk_token_id}


def _added(tokenizer: Any) -> dict[str, int]:
    texts = [str(token) for token in tokenizer.extra_special_tokens]
    return {
        text: tokenizer.convert_tokens_to_ids(text) for text in texts if not text.startswith("<")
    }


def _language(
    found: FoundModel, option: str, named: object, codes: Mapping[str, int] | list[str]
) -> str:
    """The code that the option gives, or else the checkpoint. Raises UsageError for a wrong one."""
    given = getattr(found.options, option)
    code = named if given is None else given
    where = f"model {found.spec.text!r}: "
    some = ", ".join(list(codes)[:_SHOWN])
    if not isinstance(code, str):
        raise UsageError(
            f"{where}{found.architecture} has several languages, and needs {option}=CODE, one of "
            f"the {len(codes)} codes of its tokenizer, such as {some}."
        )
    if code not in codes:
        raise UsageError(
            f"{where}{option}={code}: the tokenizer has no such language; it has {len(codes)}, "
            f"such as {some}.{_nearest(code, codes)}"
        )
    return code


def _nearest(code: str, codes: Mapping[str, int] | list[str]) -> str:
    """The code that is meant, also by the first letters of it: "de" is no typing error."""
    beginning = [known for known in codes if known.lower().startswith(code.lower()[:2])]
    hint = did_you_mean(code, codes)
    if hint or not (code and beginning):
        return hint
    return f" Did you mean {' or '.join(map(repr, beginning[:_SHOWN]))}?"


def _decoder_start(found: FoundModel) -> int:
    """As transformers' generate() finds it. Raises DataError where nothing names it."""
    for name in ("decoder_start_token_id", "bos_token_id"):
        if (token := _named(found, name)) is not None:
            return token
    raise DataError(
        f"{found.folder}: neither generation_config.json nor config.json names the "
        "decoder_start_token_id, which every text of the decoder begins with. Add it to "
        "config.json, as the model was trained."
    )


def _named(found: FoundModel, name: str) -> int | None:
    """What the settings of generation say, which in older checkpoints stand in config.json."""
    generation, config = (
        read_json(found.folder / file) for file in ("generation_config.json", "config.json")
    )
    values = (generation.get(name), getattr(found.config, name, None), config.get(name))
    return next((value for value in values if isinstance(value, int)), None)
