"""The tokenizer of a checkpoint: evalharness's own reading of tokenizer.json, else transformers'.

Where there is a tokenizer.json, prompts become the same tokens as with `builtin:`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalharness.backends.encoding import TextTokenizer
from evalharness.backends.huggingface.loading import quiet, said
from evalharness.errors import DataError
from evalharness.records import Prompt
from evalharness.transformer.chat import ChatTemplate, read_json, read_source
from evalharness.transformer.thinking import find_marks
from evalharness.transformer.tokenizer import Tokenizer


def read_tokenizer(
    folder: Path,
    chat_template: Path | None,
    variables: Mapping[str, bool],
    *,
    trust_remote_code: bool,
) -> TextTokenizer:
    """variables: what the chat template is told, such as {"enable_thinking": False}.

    Raises DataError for a tokenizer that is missing, damaged or in a Python file.
    """
    if (folder / "tokenizer.json").exists():
        return Tokenizer(folder, chat_template, variables)
    tokenizer = library_tokenizer(folder, trust_remote_code)
    return LibraryTokenizer(tokenizer, folder, chat_template, variables)


def library_tokenizer(folder: Path, trust_remote_code: bool) -> Any:
    """The tokenizer object of transformers. Raises DataError when there is none to be made."""
    from transformers import AutoTokenizer

    try:
        with quiet():
            return AutoTokenizer.from_pretrained(
                str(folder), trust_remote_code=trust_remote_code, local_files_only=True
            )
    except Exception as error:  # every tokenizer has errors of its own
        raise DataError(
            f"{folder} has no tokenizer.json, and transformers finds no other tokenizer in it: "
            f"{said(error)}"
        ) from None


class LibraryTokenizer:
    """A tokenizer that only transformers can read, behind the interface of our own."""

    def __init__(
        self,
        tokenizer: Any,
        folder: Path,
        chat_template: Path | None,
        variables: Mapping[str, bool],
    ) -> None:
        """Raises DataError for a tokenizer that names no token which could start a text."""
        self._tokenizer = tokenizer
        source = read_source(folder, read_json(folder / "tokenizer_config.json"), chat_template)
        named = {"bos_token": "", "eos_token": "", **tokenizer.special_tokens_map}
        texts = {name: text for name, text in named.items() if isinstance(text, str)}
        self._template = None if source is None else ChatTemplate(source, {**texts, **variables})
        vocabulary = tokenizer.get_vocab()
        self.thinking_marks = find_marks(lambda text: text in vocabulary, source)
        self._unspoken = self._unspoken_tokens()
        self._opening = self._opening_tokens()
        bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
        starts = [token for token in (bos, *self._opening[-1:], eos) if token is not None]
        if not starts:
            raise DataError(f"{folder}: the tokenizer names neither a bos_token nor an eos_token.")
        self.start_token: int = starts[0]
        path = folder / "generation_config.json"
        ends = read_json(path if path.exists() else folder / "config.json").get("eos_token_id")
        listed = [ends] if isinstance(ends, int) else list(ends or [])
        self.end_tokens = frozenset(listed if eos is None else [*listed, eos])

    @property
    def vocabulary_size(self) -> int:
        return len(self._tokenizer)

    @property
    def largest_token(self) -> int:
        return max(self._tokenizer.get_vocab().values(), default=-1)

    @property
    def has_chat_template(self) -> bool:
        return self._template is not None

    def template_uses(self, variable: str) -> bool:
        """Does the chat template, if there is one, look at the variable?"""
        return self._template is not None and self._template.uses(variable)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each text, with the model's BOS in front exactly once if it uses one."""
        opening = self._opening
        encoded = [self._plain(text) for text in texts]
        return [ids if ids[: len(opening)] == opening else opening + ids for ids in encoded]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special tokens left out but for the marks around thinking."""
        return str(
            self._tokenizer.decode(
                [token for token in tokens if token not in self._unspoken],
                skip_special_tokens=False,
                clean_up_tokenization_spaces=False,
            )
        )

    def render(self, prompt: Prompt) -> str:
        """A prompt as text. Raises DataError for a chat that cannot be rendered."""
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
        front = "".join(self._tokenizer.convert_ids_to_tokens(list(tokens)))
        return text if text.startswith(front) else front + text

    def _plain(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _unspoken_tokens(self) -> frozenset[int]:
        """Special tokens, which are no part of a text. A model may have the marks among them."""
        marks = self.thinking_marks
        kept = () if marks is None else (marks.opening, marks.closing)
        added = {
            number for text, number in self._tokenizer.get_added_vocab().items() if text not in kept
        }
        # Classes differ in which of the added ones they leave out.
        left_out = (
            number
            for number in added
            if self._tokenizer.decode([number], skip_special_tokens=True)
            != self._tokenizer.decode([number], skip_special_tokens=False)
        )
        named = {
            number
            for number in self._tokenizer.all_special_ids
            if self._tokenizer.convert_ids_to_tokens(number) not in kept
        }
        return frozenset(left_out) | named

    def _opening_tokens(self) -> list[int]:
        """What is put before every text; what is put after one belongs to other uses."""
        text, whole = self._plain("a"), list(self._tokenizer("a")["input_ids"])
        places = (i for i in range(len(whole)) if whole[i : i + len(text)] == text)
        return whole[: next(places, 0)] if text else whole
