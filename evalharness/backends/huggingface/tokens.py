"""The tokenizer of a checkpoint: evalharness's own reading of tokenizer.json, else transformers'.

Where there is a tokenizer.json, prompts become the same tokens as with `builtin:`.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalharness.backends.encoding import TextTokenizer
from evalharness.backends.huggingface.loading import quiet, said
from evalharness.backends.huggingface.quantisation import is_installed
from evalharness.errors import DataError
from evalharness.transformer.chat import ChatTemplate, read_json, read_source
from evalharness.transformer.thinking import find_marks
from evalharness.transformer.tokenizer import (
    TemplateTokenizer,
    Tokenizer,
    end_tokens,
    start_token,
)
from evalharness.words import knows_words


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
        with quiet(), warnings.catch_warnings():
            # Marian's recommends a package whose result it does not use.
            warnings.simplefilter("ignore")
            tokenizer = AutoTokenizer.from_pretrained(
                str(folder), trust_remote_code=trust_remote_code, local_files_only=True
            )
    except Exception as error:  # every tokenizer has errors of its own
        raise DataError(
            f"{folder} has no tokenizer that transformers can read: {said(error)} {_advice(folder)}"
        ) from None
    if not knows_words(tokenizer):
        raise DataError(
            f"{folder}: the files of its tokenizer, a {type(tokenizer).__name__}, are missing: "
            f"it has special tokens alone. {_advice(folder)}"
        )
    return tokenizer


def _advice(folder: Path) -> str:
    pieces = [*folder.glob("*.spm"), *folder.glob("*.model")]
    if pieces and not all(map(is_installed, ("sentencepiece", "google.protobuf"))):
        return (
            f"{pieces[0].name} is read by the packages 'sentencepiece' and 'protobuf', which are "
            "not both installed. Install them: pip install 'evalharness[sentencepiece]'."
        )
    return "Copy the tokenizer's files from where the checkpoint comes from."


class LibraryTokenizer(TemplateTokenizer):
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
        self.start_token = start_token(folder, (bos, *self._opening[-1:], eos))
        self.end_tokens = end_tokens(folder, eos)

    @property
    def vocabulary_size(self) -> int:
        return len(self._tokenizer)

    @property
    def largest_token(self) -> int:
        return max(self._tokenizer.get_vocab().values(), default=-1)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each text, with the model's BOS in front exactly once if it uses one."""
        return [self._begun(self._plain(text)) for text in texts]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special tokens left out but for the marks around thinking."""
        return str(
            self._tokenizer.decode(
                [token for token in tokens if token not in self._unspoken],
                skip_special_tokens=False,
                clean_up_tokenization_spaces=False,
            )
        )

    def text_of(self, tokens: Sequence[int]) -> str:
        return "".join(self._tokenizer.convert_ids_to_tokens(list(tokens)))

    def _plain(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _unspoken_tokens(self) -> frozenset[int]:
        """Special tokens, which are no part of a text. A model may have the marks among them."""
        marks = self.thinking_marks
        kept = () if marks is None else marks.tokens
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
