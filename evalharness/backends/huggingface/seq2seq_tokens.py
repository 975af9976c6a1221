"""Sources and targets of encoder-decoder models as tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evalharness.backends.answers import Work
from evalharness.backends.encoding import EncodedJob, EncodedPrompt, encode_prompts
from evalharness.backends.huggingface.languages import Direction
from evalharness.backends.huggingface.loading import FoundModel
from evalharness.backends.huggingface.seq2seq_scoring import TargetQuery
from evalharness.backends.huggingface.tokens import LibraryTokenizer
from evalharness.backends.settings import template_variables
from evalharness.engine.jobs import Job
from evalharness.records import Failure, Generation, LogLikelihood


@dataclass(frozen=True, slots=True)
class Lengths:
    """How many tokens there may be at most: of a source, and of a target with what begins it."""

    source: int
    target: int


class SourceTokenizer(LibraryTokenizer):
    """transformers' own tokenizer of the model: special tokens and languages are put around a
    source as it does it, and targets may have a vocabulary of their own (Marian).
    """

    def __init__(self, found: FoundModel, tokenizer: Any, direction: Direction) -> None:
        """Raises DataError as LibraryTokenizer does."""
        options = found.options
        super().__init__(
            tokenizer, found.folder, options.chat_template, template_variables(options.thinking)
        )
        self._direction = direction
        self._unspoken |= direction.languages
        self._before, self._behind = self._around(self._whole(["a"])[0])
        # A mark of the language is a part of the text to the tokenizer, and must not be cut off.
        self._kept, _ = self._around(self.encode(["a"])[0])

    @property
    def largest_token(self) -> int:
        """Of M2M100's, get_vocab() leaves out the languages."""
        return max(
            super().largest_token, *self._before, *self._behind, *self._direction.scoring_start
        )

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each source, special tokens included."""
        return self._whole([self._direction.before + text for text in texts]) if texts else []

    def encode_target(self, text: str) -> list[int]:
        """Tokens of a target, without any special token."""
        found = self._tokenizer(text_target=text, add_special_tokens=False, verbose=False)
        return list(found["input_ids"])

    def shortened(self, tokens: Sequence[int], length: int) -> list[int]:
        """The end of a source, with the language and the special tokens around it."""
        before, behind = self._kept, self._behind
        body = tokens[len(before) : len(tokens) - len(behind)]
        room = max(0, length - len(before) - len(behind))
        return [*before, *body[len(body) - room :], *behind]

    def opened(self, text: str) -> str:
        """A source as the encoder is given it, special tokens included."""
        return (
            self.text_of(self._before) + self._direction.before + text + self.text_of(self._behind)
        )

    def started(self, text: str) -> str:
        """The same: no token starts a text that is scored without a prompt, which is refused."""
        return self.opened(text)

    def _around(self, tokens: list[int]) -> tuple[list[int], list[int]]:
        """What is put before and behind the text "a", which these tokens are of."""
        text = self._plain("a")
        first = next(i for i in range(len(tokens)) if tokens[i : i + len(text)] == text)
        return tokens[:first], tokens[first + len(text) :]

    def _whole(self, texts: Sequence[str]) -> list[list[int]]:
        return list(self._tokenizer(list(texts), verbose=False)["input_ids"])


def encode_targets(
    tokenizer: SourceTokenizer,
    requests: Sequence[LogLikelihood],
    start: tuple[int, ...],
    lengths: Lengths,
) -> Iterator[Work[TargetQuery] | Failure]:
    """Each prompt is the source, and the continuation, from its first letter on, the target.

    start: what the decoder begins with. A source that is too long first loses its shots and then
    its beginning.
    """
    sources = encode_prompts(tokenizer, requests, lengths.source)
    for request, source in zip(requests, sources, strict=True):
        if isinstance(source, Failure):
            yield source
            continue
        text = request.continuation.lstrip() or request.continuation
        targets = tuple(tokenizer.encode_target(text))
        query = TargetQuery(_source(tokenizer, source, lengths), start, targets)
        if not targets:
            yield Failure("the continuation has no tokens of its own")
        elif len(query.decoded) > lengths.target:
            yield Failure(
                f"the continuation has {len(targets)} tokens, but the decoder's context is "
                f"{lengths.target}, of which {len(start)} are what it begins with"
            )
        else:
            truncated = len(source.tokens) > lengths.source
            yield Work([query], truncated, source.dropped_shots)


def encode_sources(
    tokenizer: SourceTokenizer,
    requests: Sequence[Generation],
    start: tuple[int, ...],
    lengths: Lengths,
) -> Iterator[EncodedJob | Failure]:
    """Each prompt is the source of a text to be written; the rest as in encode_targets."""
    sources = encode_prompts(tokenizer, requests, lengths.source)
    for request, source in zip(requests, sources, strict=True):
        if isinstance(source, Failure):
            yield source
        elif len(start) + request.max_tokens > lengths.target:
            yield Failure(
                f"{request.max_tokens} tokens are to be generated, but the decoder's context is "
                f"{lengths.target}, of which {len(start)} are what it begins with"
            )
        else:
            job = Job(
                _source(tokenizer, source, lengths),
                *(request.max_tokens, request.stop, request.sampling),
            )
            truncated = len(source.tokens) > lengths.source
            yield EncodedJob(job, truncated, source.dropped_shots)


def _source(tokenizer: SourceTokenizer, source: EncodedPrompt, lengths: Lengths) -> tuple[int, ...]:
    if len(source.tokens) <= lengths.source:
        return tuple(source.tokens)
    return tuple(tokenizer.shortened(source.tokens, lengths.source))
