"""Text to tokens and back: tokenizer.json, special tokens and the chat template."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer as FastTokenizer

from evalharness.errors import DataError
from evalharness.records import Prompt
from evalharness.transformer.chat import ChatTemplate, read_json, read_source
from evalharness.transformer.thinking import Marks, find_marks
from evalharness.transformer.values import remedy


class TemplateTokenizer(ABC):
    """What tokenizers have in common, whatever library reads them: chats, and what opens a text."""

    start_token: int
    _template: ChatTemplate | None
    _opening: list[int]

    @property
    def has_chat_template(self) -> bool:
        return self._template is not None

    def template_uses(self, variable: str) -> bool:
        """Does the chat template, if there is one, look at the variable?"""
        return self._template is not None and self._template.uses(variable)

    def render(self, prompt: Prompt) -> str:
        """A prompt as text: chat turns go through the chat template, ready for the answer.

        Raises DataError when there is no template or it cannot render the turns.
        """
        if isinstance(prompt, str):
            return prompt
        if self._template is None:
            raise DataError("the model has no chat template, but the prompt is a list of messages.")
        return self._template.render(prompt)

    def opened(self, text: str) -> str:
        """A text as encode() takes it: with the tokens that it puts in front, as text."""
        return self._after(text, self._opening)

    def started(self, text: str) -> str:
        """The same for a text that is scored without a prompt, after the token that starts one."""
        return self._after(text, [self.start_token])

    def _after(self, text: str, tokens: Sequence[int]) -> str:
        front = self.text_of(tokens)
        return text if text.startswith(front) else front + text

    def _begun(self, tokens: list[int]) -> list[int]:
        """The tokens of a text with the model's BOS in front, exactly once, if it uses one."""
        opening = self._opening
        return tokens if tokens[: len(opening)] == opening else opening + tokens

    @abstractmethod
    def text_of(self, tokens: Sequence[int]) -> str:
        """Tokens one after the other as they stand in the vocabulary."""


class Tokenizer(TemplateTokenizer):
    """The tokenizer of a checkpoint folder."""

    def __init__(
        self,
        folder: Path,
        chat_template: Path | None = None,
        variables: Mapping[str, bool] | None = None,
    ) -> None:
        """Read the folder; `chat_template` is a file to use in place of the checkpoint's own.

        variables: what the template is told, such as {"enable_thinking": False}

        Raises DataError when tokenizer.json is missing or damaged.
        """
        settings = _read_settings(folder)
        self._tokenizer = _read_tokenizer(folder, settings)
        source = read_source(folder, settings, chat_template)
        named: dict[str, str | bool] = {**_named_tokens(settings), **(variables or {})}
        self._template = None if source is None else ChatTemplate(source, named)
        self.thinking_marks = find_marks(self._is_token, source)
        self._unspoken = _unspoken(self._tokenizer, self.thinking_marks)
        self._opening = _opening(self._tokenizer)
        bos, eos = (_special(self._tokenizer, folder, settings, name) for name in ("bos", "eos"))
        if bos is None and eos is None:  # as in the first GPT-2, whose names are in its class
            config = read_json(folder / "config.json")
            bos, eos = (_first(config.get(f"{name}_token_id")) for name in ("bos", "eos"))
        self.end_tokens = end_tokens(folder, eos)
        self.start_token = start_token(folder, (bos, *self._opening[-1:], eos))

    @property
    def vocabulary_size(self) -> int:
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    @property
    def largest_token(self) -> int:
        """Ids may have gaps: as many tokens as embeddings does not mean that each has one."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each text, with the model's BOS in front exactly once if it uses one."""
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [self._begun(encoding.ids) for encoding in encodings]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special tokens left out but for the marks around thinking."""
        spoken = [token for token in tokens if token not in self._unspoken]
        return str(self._tokenizer.decode(spoken, skip_special_tokens=False))

    def text_of(self, tokens: Sequence[int]) -> str:
        return "".join(self._tokenizer.id_to_token(token) or "" for token in tokens)

    def _is_token(self, text: str) -> bool:
        return self._tokenizer.token_to_id(text) is not None


def _read_settings(folder: Path) -> dict[str, Any]:
    """tokenizer_config.json, in which a special token may be its text or an object with it.

    Older checkpoints have special tokens in a file of their own.
    """
    settings = {
        **read_json(folder / "special_tokens_map.json"),
        **read_json(folder / "tokenizer_config.json"),
    }
    return {
        name: value.get("content") if isinstance(value, dict) and "content" in value else value
        for name, value in settings.items()
    }


def _read_tokenizer(folder: Path, settings: Mapping[str, Any]) -> FastTokenizer:
    path = folder / "tokenizer.json"
    if not path.exists():
        raise DataError(
            f"{folder} has no tokenizer.json. Copy it from where the checkpoint comes from, or "
            "save the tokenizer beside the weights (save_pretrained of a fast tokenizer writes it)."
        )
    try:
        tokenizer = FastTokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise DataError(f"{path} cannot be read: {error}. {remedy(path)}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    try:
        _add_tokens(tokenizer, settings.get("added_tokens_decoder") or {})
    except (AttributeError, KeyError, TypeError, ValueError):
        raise DataError(
            f"{folder / 'tokenizer_config.json'}: 'added_tokens_decoder' should map the number of "
            "each token to an object with its 'content'."
        ) from None
    return tokenizer


def _add_tokens(tokenizer: FastTokenizer, added: Mapping[str, Any]) -> None:
    """Tokens that were added after tokenizer.json was written, in the order of their numbers."""
    for _, token in sorted(added.items(), key=lambda item: int(item[0])):
        if tokenizer.token_to_id(token["content"]) is None:
            tokenizer.add_tokens([AddedToken(**token)])


def _unspoken(tokenizer: FastTokenizer, marks: Marks | None) -> frozenset[int]:
    """Special tokens, which are no part of a text. A model may have the marks among them."""
    kept = () if marks is None else marks.tokens
    return frozenset(
        number
        for number, token in tokenizer.get_added_tokens_decoder().items()
        if token.special and token.content not in kept
    )


def _opening(tokenizer: FastTokenizer) -> list[int]:
    """Tokens that the post-processor puts before every text: none, or BOS.

    tokenizer.json alone decides, as in transformers 5, which ignores `add_bos_token` beside it.
    What is put after a text belongs to other uses.
    """
    text = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a").ids
    places = (i for i in range(len(whole)) if whole[i : i + len(text)] == text)
    return list(whole[: next(places, 0)]) if text else list(whole)


def _special(
    tokenizer: FastTokenizer, folder: Path, settings: Mapping[str, Any], name: str
) -> int | None:
    text = settings.get(f"{name}_token")
    if text is not None and not isinstance(text, str):
        raise DataError(
            f"{folder / 'tokenizer_config.json'}: '{name}_token' should be a text or an object "
            f"with its 'content', but it is {text!r:.80}."
        )
    return None if text is None else tokenizer.token_to_id(text)


def _named_tokens(settings: Mapping[str, Any]) -> dict[str, str]:
    """What a chat template may call by its name."""
    named = {key: value for key, value in settings.items() if key.endswith("_token")}
    texts = {key: value for key, value in named.items() if isinstance(value, str)}
    return {"bos_token": "", "eos_token": "", **texts}


def _first(tokens: Any) -> int | None:
    """Of one token or a list of them."""
    found = tokens[0] if isinstance(tokens, list) and tokens else tokens
    return found if isinstance(found, int) else None


def end_tokens(folder: Path, eos: int | None) -> frozenset[int]:
    """Every token that ends a text: the tokenizer's and those that generation stops at.

    generation_config.json names the latter; where it is missing, transformers takes config.json.
    """
    path = folder / "generation_config.json"
    path = path if path.exists() else folder / "config.json"
    named = read_json(path).get("eos_token_id")
    tokens = named if isinstance(named, list) else [] if named is None else [named]
    if not all(isinstance(token, int) for token in tokens):
        raise DataError(
            f"{path}: 'eos_token_id' should be the number of a token or a list of numbers, but it "
            f"is {named!r:.80}."
        )
    return frozenset(tokens if eos is None else [*tokens, eos])


def start_token(folder: Path, candidates: Iterable[int | None]) -> int:
    """The first that is there: a text that is scored without a prompt is predicted from it.

    Raises DataError when there is none.
    """
    for token in candidates:
        if token is not None:
            return token
    raise DataError(f"{folder}: the tokenizer names neither a bos_token nor an eos_token.")
