"""What the backends that load a checkpoint have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch

from evalharness.backends.answers import Asked, chat_refusal
from evalharness.backends.encoding import TextTokenizer, shown_prompt
from evalharness.backends.refusals import NOT_MASKED
from evalharness.backends.settings import peak_memory_bytes
from evalharness.records import Failure, Instance, Model, Outcome, PseudoLogLikelihood, Request


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

    def unsupported(self, instance: Instance) -> str | None:
        """As causal models: all but masked tokens; chats only with a chat template."""
        if isinstance(instance.request, PseudoLogLikelihood):
            return NOT_MASKED
        return chat_refusal(instance, self.tokenizer)

    def answer(self, instances: Sequence[Instance]) -> Iterator[tuple[int, Outcome]]:
        """Scores first, then texts. Equal requests are the caller's to merge.

        What is `unsupported` is a failure.
        """
        answerable = []
        for index, instance in enumerate(instances):
            if (reason := self.unsupported(instance)) is None:
                answerable.append((index, instance))
            else:
                yield index, Failure(reason)
        asked = Asked.of(answerable)
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
