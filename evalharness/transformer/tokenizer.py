"""Text to tokens and back: tokenizer.json, special tokens and the chat template."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer as FastTokenizer

from evalharness.errors import DataError
from evalharness.records import Message, Prompt


class Tokenizer:
    """The tokenizer of a checkpoint folder."""

    def __init__(self, folder: Path, chat_template: Path | None = None) -> None:
        """Read the folder; `chat_template` is a file to use in place of the checkpoint's own.

        Raises DataError when tokenizer.json is missing or damaged.
        """
        path = folder / "tokenizer.json"
        if not path.exists():
            raise DataError(f"{folder} has no tokenizer.json.")
        try:
            self._tokenizer = FastTokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise DataError(f"{path} cannot be read: {error}.") from None
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._settings = _read_settings(folder)
        self._template = _read_template(folder, self._settings, chat_template)
        bos, eos = self._special("bos_token"), self._special("eos_token")
        opening = self._tokenizer.encode("").ids
        # Only a leading BOS is wanted; what else a post-processor adds belongs to other uses.
        self._opening = [bos] if bos is not None and opening[:1] == [bos] else []
        self.end_tokens = _end_tokens(folder, eos)
        # A text that is scored without a prompt still needs a token to be predicted from.
        start = bos if bos is not None else eos
        if start is None:
            raise DataError(f"{folder}: the tokenizer names neither a bos_token nor an eos_token.")
        self.start_token = start

    @property
    def vocabulary_size(self) -> int:
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    @property
    def largest_token(self) -> int:
        """Ids may have gaps: as many tokens as embeddings does not mean that each has one."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)

    @property
    def has_chat_template(self) -> bool:
        return self._template is not None

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each text, with the model's BOS in front exactly once if it uses one."""
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [
            encoding.ids
            if not self._opening or encoding.ids[:1] == self._opening
            else self._opening + encoding.ids
            for encoding in encodings
        ]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special tokens left out."""
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))

    def render(self, prompt: Prompt) -> str:
        """A prompt as text: chat turns go through the chat template, ready for the answer.

        Raises DataError when there is no template or it cannot render the turns.
        """
        if isinstance(prompt, str):
            return prompt
        if self._template is None:
            raise DataError("the model has no chat template, but the prompt is a list of messages.")
        return self._render_messages(prompt, self._template)

    def _render_messages(self, messages: Sequence[Message], template: str) -> str:
        # A template comes with the weights, from strangers, and is run in a sandbox.
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = _raise_template_error
        try:
            return environment.from_string(template).render(
                messages=[{"role": turn.role, "content": turn.content} for turn in messages],
                add_generation_prompt=True,
                bos_token=self._settings.get("bos_token") or "",
                eos_token=self._settings.get("eos_token") or "",
            )
        except TemplateError as error:
            raise DataError(f"the chat template cannot render the prompt: {error}.") from None

    def _special(self, name: str) -> int | None:
        text = self._settings.get(name)
        return None if text is None else self._tokenizer.token_to_id(text)


def _raise_template_error(message: str) -> None:
    raise TemplateError(message)


def _read_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not valid JSON: {error}.") from None
    if not isinstance(values, dict):
        raise DataError(f"{path} should hold one JSON object.")
    return values


def _read_settings(folder: Path) -> dict[str, Any]:
    """tokenizer_config.json, in which a special token may be its text or an object with it."""
    settings = _read_json(folder / "tokenizer_config.json")
    return {
        name: value.get("content") if isinstance(value, dict) and "content" in value else value
        for name, value in settings.items()
    }


def _read_template(folder: Path, settings: dict[str, Any], chosen: Path | None) -> str | None:
    if chosen is not None:
        if not chosen.exists():
            raise DataError(f"chat_template: there is no file {chosen}.")
        return chosen.read_text(encoding="utf-8")
    file = folder / "chat_template.jinja"
    if file.exists():
        return file.read_text(encoding="utf-8")
    template = settings.get("chat_template")
    return template if isinstance(template, str) else None


def _end_tokens(folder: Path, eos: int | None) -> frozenset[int]:
    """Every token that ends a text: the tokenizer's and those of generation_config.json."""
    named = _read_json(folder / "generation_config.json").get("eos_token_id", [])
    tokens = [named] if isinstance(named, int) else list(named or [])
    return frozenset(tokens if eos is None else [*tokens, eos])
