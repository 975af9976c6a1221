"""What the backends that load a checkpoint have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch

from evalharness.backends.answers import Asked, chat_refusal
from evalharness.backends.encoding import TextTokenizer, shown_prompt
from evalharness.backends.pieces import pieces_of
from evalharness.backends.refusals import NOT_MASKED
from evalharness.backends.settings import peak_memory_bytes
from evalharness.records import (
    Failure,
    Instance,
    Model,
    Outcome,
    Pieces,
    PseudoLogLikelihood,
    Request,
)


class CheckpointBackend(ABC):
    """A checkpoint that answers the kinds of requests that it does not call unsupported.

    folder  where the checkpoint is, in the form that transformers reads
    files   sha256 of all that the fingerprint covers, by path in the folder
    """

    model: Model
    load_seconds: float

    def __init__(self, folder: Path, files: Mapping[str, str], device: torch.device) -> None:
        self.folder = folder
        self.files = files
        self._device = device

    @property
    def peak_memory_bytes(self) -> int:
        """Of the GPU if there is one, else of this process so far."""
        return peak_memory_bytes(self._device)

    @property
    @abstractmethod
    def has_chat_template(self) -> bool:
        """Can it be asked in turns?"""

    @abstractmethod
    def render(self, request: Request) -> str:
        """All that the model is given for a request, as text."""

    @abstractmethod
    def unsupported(self, instance: Instance) -> str | None:
        """Why this kind of request cannot be answered by this kind of model, or None."""

    def answer(self, instances: Sequence[Instance]) -> Iterator[tuple[int, Outcome]]:
        """What is `unsupported` is a failure. Equal requests are the caller's to merge."""
        answerable = []
        for index, instance in enumerate(instances):
            if (reason := self.unsupported(instance)) is None:
                answerable.append((index, instance.request))
            else:
                yield index, Failure(reason)
        yield from self._answer(Asked.of(answerable))

    @abstractmethod
    def _answer(self, asked: Asked) -> Iterator[tuple[int, Outcome]]:
        """Answers to what this kind of model supports."""


class PromptBackend(CheckpointBackend):
    """A model that reads prompts: they become tokens by the checkpoint's own tokenizer and chat
    template, and are continued, or continuations are scored after them.
    """

    def __init__(
        self,
        folder: Path,
        files: Mapping[str, str],
        tokenizer: TextTokenizer,
        device: torch.device,
    ) -> None:
        super().__init__(folder, files, device)
        self.tokenizer = tokenizer

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
        """Masked tokens are, and chats without a chat template."""
        if isinstance(instance.request, PseudoLogLikelihood):
            return NOT_MASKED
        return chat_refusal(instance, self.tokenizer)

    def _answer(self, asked: Asked) -> Iterator[tuple[int, Outcome]]:
        """Scores first, then texts."""
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
