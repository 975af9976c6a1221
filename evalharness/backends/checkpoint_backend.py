"""What the backends that load a checkpoint have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch

from evalharness.backends.answers import Asked, chat_refusal
from evalharness.backends.encoding import TextTokenizer, shown_prompt
from evalharness.backends.pieces import pieces_of
from evalharness.backends.settings import peak_memory_bytes
from evalharness.records import Failure, Instance, Model, Outcome, Pieces, Request


class CheckpointBackend(ABC):
    """Prompts become tokens by the checkpoint's own tokenizer and chat template.

    folder  where the checkpoint is, in the form that transformers reads
    files   sha256 of all that the fingerprint covers, by path in the folder
    """

    model: Model
    load_seconds: float

    def __init__(
        self,
        folder: Path,
        files: Mapping[str, str],
        tokenizer: TextTokenizer,
        device: torch.device,
    ) -> None:
        self.folder = folder
        self.files = files
        self.tokenizer = tokenizer
        self._device = device

    @property
    def peak_memory_bytes(self) -> int:
        """Of the GPU if there is one, else of this process so far."""
        return peak_memory_bytes(self._device)

    @property
    def has_chat_template(self) -> bool:
        return self.tokenizer.has_chat_template

    def render(self, request: Request) -> str:
        """With the token that starts a text where the tokenizer or the engine puts it in front."""
        return shown_prompt(self.tokenizer, request)

    def pieces(self, request: Request) -> Pieces | Failure:
        """Where the tokens of a request begin and end."""
        return pieces_of(self.tokenizer, request, self.model.max_length)

    def unsupported(self, instance: Instance) -> str | None:
        """Everything can be answered, but chats only with a chat template."""
        return chat_refusal(instance, self.tokenizer)

    def answer(self, instances: Sequence[Instance]) -> Iterator[tuple[int, Outcome]]:
        """Scores first, then texts. Equal requests are the caller's to merge."""
        asked = Asked.of(instances)
        if asked.scored or asked.rolled:
            yield from self._score(asked)
        if asked.written:
            yield from self._write(asked)

    @abstractmethod
    def _score(self, asked: Asked) -> Iterator[tuple[int, Outcome]]:
        """Answers to all that is scored."""

    @abstractmethod
    def _write(self, asked: Asked) -> Iterator[tuple[int, Outcome]]:
        """Answers to all that asks for a text."""
