"""Requests to tokens: where a continuation begins, and what to do when a prompt is too long.

Too long a prompt first loses its shots, the earliest first and one at a time, until it fits. Only a
prompt that does not fit without any shot loses its own beginning. Every candidate is encoded as one
text, so that tokens join as they do where nothing is dropped.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from evalharness.engine.jobs import Job
from evalharness.engine.trie import Query
from evalharness.errors import DataError
from evalharness.records import (
    Failure,
    Generation,
    LogLikelihood,
    Message,
    Prompt,
    Request,
    RollingLogLikelihood,
    WholeText,
    whole_prompt,
)
from evalharness.transformer.thinking import Marks, Thinking

# Requests whose texts are encoded in one call: what bounds the memory that encodings take.
REQUESTS_AT_ONCE = 2_000
_ONE_CHECKPOINT = "Take tokenizer.json, config.json and weights from one checkpoint."


class TextTokenizer(Protocol):
    """What is asked of a tokenizer: transformer.tokenizer.Tokenizer, or another like it."""

    @property
    def start_token(self) -> int: ...

    @property
    def end_tokens(self) -> frozenset[int]: ...

    @property
    def vocabulary_size(self) -> int: ...

    @property
    def largest_token(self) -> int: ...

    @property
    def has_chat_template(self) -> bool: ...

    @property
    def thinking_marks(self) -> Marks | None: ...

    def template_uses(self, variable: str) -> bool: ...

    def encode(self, texts: Sequence[str]) -> list[list[int]]: ...

    def decode(self, tokens: Sequence[int]) -> str: ...

    def text_of(self, tokens: Sequence[int]) -> str: ...

    def render(self, prompt: Prompt) -> str: ...

    def opened(self, text: str) -> str: ...

    def started(self, text: str) -> str: ...


class Vocabulary(Protocol):
    """Which tokens a tokenizer has."""

    @property
    def vocabulary_size(self) -> int: ...

    @property
    def largest_token(self) -> int: ...


@dataclass(frozen=True, slots=True)
class EncodedQuery:
    """A log-likelihood request in tokens.

    `dropped_shots` did not fit the context; `truncated` if the prompt lost its beginning, too.
    """

    query: Query
    truncated: bool
    dropped_shots: int


@dataclass(frozen=True, slots=True)
class EncodedJob:
    """A generation request in tokens; the rest as in an EncodedQuery."""

    job: Job
    truncated: bool
    dropped_shots: int


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """A prompt apart from what follows it, with the shots that are left; it may be too long."""

    tokens: list[int]
    dropped_shots: int


def encode_prompts(
    tokenizer: TextTokenizer, requests: Sequence[LogLikelihood | Generation], max_length: int
) -> Iterator[EncodedPrompt | Failure]:
    """Tokens of each prompt, for models that read it apart from what follows it.

    It has as many of its shots as `max_length` tokens hold, and is not cut.
    """
    for some in _parts(requests):
        render = _Renderer(tokenizer)
        texts = [_Text(request, "", max_length, render) for request in some]
        for fitted in _fit(tokenizer, texts):
            yield fitted.failure or EncodedPrompt(fitted.tokens, fitted.dropped_shots)


def encode_log_likelihoods(
    tokenizer: TextTokenizer, requests: Sequence[LogLikelihood], max_length: int
) -> Iterator[EncodedQuery | Failure]:
    """Tokens of prompt and continuation together, as lm-evaluation-harness joins them.

    White space at the end of a plain prompt moves to the continuation; what a chat template ends
    with stays. Both are encoded as one text, and the continuation is what comes after as many
    tokens as the prompt alone has; in a chat it comes after the very tokens that the model is given
    for the prompt, and is encoded alone where it would change them. A continuation without a prompt
    follows the token that starts a text.
    """
    for some in _parts(requests):
        render = _Renderer(tokenizer)
        texts = [
            # The last token of a continuation is asked for, and never computed.
            _Text(request, request.continuation, max_length + 1, render)
            for request in some
        ]
        fitted = _fit(tokenizer, texts)
        prompts = _encode(tokenizer, (one.prompt_alone for one in fitted))
        for one, before in zip(fitted, prompts, strict=True):
            yield one.failure or _query(tokenizer, one, before, max_length)


def encode_generations(
    tokenizer: TextTokenizer, requests: Sequence[Generation], max_length: int
) -> Iterator[EncodedJob | Failure]:
    """Tokens of each prompt, which must leave room for the tokens to be generated."""
    for some in _parts(requests):
        render = _Renderer(tokenizer)
        texts = [_Text(request, "", max_length - request.max_tokens, render) for request in some]
        for request, fitted in zip(some, _fit(tokenizer, texts), strict=True):
            yield fitted.failure or _job(tokenizer, request, fitted, max_length)


def encode_rolling(
    tokenizer: TextTokenizer, requests: Sequence[RollingLogLikelihood], max_length: int
) -> Iterator[list[Query]]:
    """The windows of each text, whose targets are all its tokens in order; none for an empty one.

    The first token follows the one that starts a text, as in encode_log_likelihoods.
    """
    start = tokenizer.start_token
    for some in _parts(requests):
        for tokens in _encode(tokenizer, (request.text for request in some)):
            yield rolling_windows(_own(tokens, start), start, max_length)


def rolling_windows(tokens: Sequence[int], start: int, max_length: int) -> list[Query]:
    """Windows of up to `max_length` tokens, which together ask for every token once.

    As lm-evaluation-harness cuts them with a context of at least one token: each window asks for
    the next `max_length` tokens, or for what is left, and sees what fits before its last target.
    """
    text = (start, *tokens)  # text[i] stands before tokens[i]
    windows = []
    for first in range(0, len(tokens), max_length):
        last = min(first + max_length, len(tokens))
        seen = text[max(0, last - max_length) : last]
        windows.append(Query(seen, tuple(tokens[first:last])))
    return windows


def _own(tokens: list[int], start: int) -> list[int]:
    """The tokens of a text without the one that the tokenizer may put in front."""
    return tokens[1:] if tokens[:1] == [start] else tokens


def check_vocabulary(tokenizer: Vocabulary, vocabulary_size: int, folder: str) -> None:
    """Raises DataError for a tokenizer with a token that the model has no embedding for."""
    if tokenizer.vocabulary_size > vocabulary_size:
        raise DataError(
            f"{folder}: the tokenizer has {tokenizer.vocabulary_size} tokens, but the model has "
            f"embeddings for {vocabulary_size}: they do not belong together. "
            f"{_ONE_CHECKPOINT}"
        )
    if tokenizer.largest_token >= vocabulary_size:
        raise DataError(
            f"{folder}: the tokenizer has a token of the number {tokenizer.largest_token}, but the "
            f"model has embeddings for 0 to {vocabulary_size - 1}: they do not belong together. "
            f"{_ONE_CHECKPOINT}"
        )


def shown_prompt(tokenizer: TextTokenizer, request: Request) -> str:
    """All that the model is given for a request, as text, with the token that starts a text where
    the tokenizer or the engine puts it in front.

    Raises DataError when the chat template cannot render the turns.
    """
    prompt = tokenizer.render(whole_prompt(request))
    if isinstance(request, WholeText) or not prompt.strip():
        return tokenizer.started(prompt)
    return tokenizer.opened(prompt)


class _Renderer:
    """Renders each distinct prompt once; one that cannot be rendered is "" and has an error."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._rendered: dict[tuple[Message, ...], str] = {}
        self._errors: dict[tuple[Message, ...], str] = {}

    def __call__(self, prompt: Prompt) -> str:
        if isinstance(prompt, str):
            return prompt
        if prompt not in self._rendered:
            try:
                self._rendered[prompt] = self._tokenizer.render(prompt)
            except DataError as error:
                self._rendered[prompt], self._errors[prompt] = "", str(error)
        return self._rendered[prompt]

    def failure(self, prompt: Prompt) -> Failure | None:
        """Why a prompt that was rendered could not be; None if it could."""
        error = None if isinstance(prompt, str) else self._errors.get(prompt)
        return None if error is None else Failure(error)


@dataclass(frozen=True, slots=True)
class _Text:
    """A request as text, which fits the context if it has at most `limit` tokens."""

    request: LogLikelihood | Generation
    continuation: str
    limit: int
    render: _Renderer

    @property
    def is_chat(self) -> bool:
        return not isinstance(self.request.prompt, str)

    def before(self, dropped: int) -> str:
        """What the continuation follows, without the first `dropped` shots."""
        return self.render(whole_prompt(self.request, dropped))

    def whole(self, dropped: int) -> str:
        return self.before(dropped) + self.continuation


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What is left of a text: the shots and prompt, and the tokens of the whole."""

    text: _Text
    tokens: list[int]
    dropped_shots: int

    @property
    def prompt(self) -> str:
        return self.text.before(self.dropped_shots)

    @property
    def prompt_alone(self) -> str:
        """The part of the text whose tokens are given, and not asked for."""
        return self.prompt if self.text.is_chat else self.prompt.rstrip()

    @property
    def failure(self) -> Failure | None:
        """Why the prompt cannot be given at all, or None."""
        return self.text.render.failure(whole_prompt(self.text.request, self.dropped_shots))


def _fit(tokenizer: TextTokenizer, texts: Sequence[_Text]) -> list[_Fitted]:
    """Each text without as few shots as its limit allows, or without any where nothing helps."""
    tokens = _encode(tokenizer, (text.whole(0) for text in texts))
    dropped = [0] * len(texts)
    long = [
        index
        for index, text in enumerate(texts)
        if text.request.shots and len(tokens[index]) > text.limit
    ]
    numbers = _shots_to_drop(tokenizer, [texts[index] for index in long])
    left = _encode(
        tokenizer, (texts[index].whole(number) for index, number in zip(long, numbers, strict=True))
    )
    for index, number, found in zip(long, numbers, left, strict=True):
        dropped[index], tokens[index] = number, found
    return [_Fitted(*one) for one in zip(texts, tokens, dropped, strict=True)]


def _shots_to_drop(tokenizer: TextTokenizer, texts: Sequence[_Text]) -> list[int]:
    """How many shots each of these texts, which are too long, must lose to fit; else all of them.

    Found by bisection, for all texts at once: the fewer shots, the shorter a text.
    """
    low, high = [0] * len(texts), [len(text.request.shots) for text in texts]
    while open_ := [index for index in range(len(texts)) if high[index] - low[index] > 1]:
        middles = [(low[index] + high[index]) // 2 for index in open_]
        tried = _encode(
            tokenizer, (texts[index].whole(mid) for index, mid in zip(open_, middles, strict=True))
        )
        for index, middle, tokens in zip(open_, middles, tried, strict=True):
            (high if len(tokens) <= texts[index].limit else low)[index] = middle
    return high


def _query(
    tokenizer: TextTokenizer, fitted: _Fitted, prompt: list[int], max_length: int
) -> EncodedQuery | Failure:
    tokens, start = fitted.tokens, tokenizer.start_token
    prompt_length = len(prompt)
    if fitted.text.is_chat and tokens[:prompt_length] != prompt:
        tokens = prompt + _own(tokenizer.encode([fitted.text.continuation])[0], start)
    if not fitted.prompt.strip():
        tokens = tokens if tokens[:1] == [start] else [start, *tokens]
        prompt_length = 1
    targets = tokens[prompt_length:]
    if not targets:
        return Failure("the continuation has no tokens of its own")
    if len(targets) > max_length:
        return Failure(
            f"the continuation has {len(targets)} tokens, but the model's context is {max_length}"
        )
    inputs = tokens[:-1][-max_length:]
    return EncodedQuery(
        Query(tuple(inputs), tuple(targets)),
        truncated=len(inputs) < len(tokens) - 1,
        dropped_shots=fitted.dropped_shots,
    )


def _job(
    tokenizer: TextTokenizer, request: Generation, fitted: _Fitted, max_length: int
) -> EncodedJob | Failure:
    room = fitted.text.limit
    if room < 1:
        return Failure(
            f"{request.max_tokens} tokens are to be generated, "
            f"but the model's context is {max_length}"
        )
    tokens = fitted.tokens or [tokenizer.start_token]
    marks = tokenizer.thinking_marks
    thinking = None if marks is None else Thinking(marks, marks.opened_by(fitted.prompt))
    return EncodedJob(
        Job(tuple(tokens[-room:]), request.max_tokens, request.stop, request.sampling, thinking),
        truncated=len(tokens) > room,
        dropped_shots=fitted.dropped_shots,
    )


_Asked = TypeVar("_Asked", bound=Request)


def _parts(requests: Sequence[_Asked]) -> Iterator[Sequence[_Asked]]:
    for start in range(0, len(requests), REQUESTS_AT_ONCE):
        yield requests[start : start + REQUESTS_AT_ONCE]


def _encode(tokenizer: TextTokenizer, texts: Iterable[str]) -> list[list[int]]:
    """Tokens of each text; equal texts, such as the prompt of all options, are encoded once."""
    place_of: dict[str, int] = {}
    places = [place_of.setdefault(text, len(place_of)) for text in texts]
    encoded = tokenizer.encode(list(place_of))
    return [encoded[place] for place in places]
