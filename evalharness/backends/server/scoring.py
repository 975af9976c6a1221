"""Log-likelihoods by a server: it reads a text and says how likely each token of it was.

Two ways are in use. `echo` of the completions API, with `logprobs`, answers with the tokens of the
prompt (vLLM, SGLang, llama-cpp-python). `prompt_logprobs` is an extension of
vLLM, which others took over. Neither is given by hosted chat models.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

from evalharness.backends.server.answers import Completion, CompletionChoice, PromptToken
from evalharness.backends.server.client import Client
from evalharness.backends.server.faults import GaveUpError, RefusedError, ServerError, mended
from evalharness.backends.server.reading import token_cost
from evalharness.backends.server.writing import fewer_shots
from evalharness.records import (
    ALTERNATIVES,
    Cost,
    Failure,
    LogLikelihood,
    LogLikelihoodResponse,
    Outcome,
    RollingLogLikelihood,
    Scorable,
    TokenScore,
    TokenScores,
    whole_prompt,
)

CHATS_ARE_NOT_SCORED = "the prompts are chats, after which a server cannot score a text"


@dataclass(frozen=True, slots=True)
class ReadToken:
    """A token of a text that a server read: it begins at `start`, in letters, in the server's text.

    `log_probability` is None for the first token, before which there is nothing; `likeliest` are
    tokens at its place with theirs, the likeliest first.
    """

    text: str
    start: int
    log_probability: float | None
    greedy: bool
    likeliest: tuple[tuple[str, float], ...] = ()


class MisreadError(ValueError):
    """An answer does not say what was asked: the text cannot be found in its tokens."""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to have a text read.

    fields  are added to a completion request for it
    number  of them says how many of the likeliest tokens are named at each place
    """

    name: str
    fields: dict[str, Any]
    number: str
    tokens: Callable[[CompletionChoice, str], Sequence[ReadToken]]

    def with_likeliest(self, number: int) -> "Method":
        """The same with so many of the likeliest tokens."""
        return replace(self, fields={**self.fields, self.number: number})


def echoed_tokens(choice: CompletionChoice, text: str) -> Sequence[ReadToken]:
    """The tokens of an echoed text. Raises MisreadError when they are not there."""
    found = choice.logprobs
    if found is None or not choice.text.startswith(text):
        raise MisreadError("the server does not echo the text with its log-probabilities")
    number = len(found.tokens)
    if len(found.token_logprobs) != number or number == 0:
        raise MisreadError("the server does not give a log-probability for each token")
    offsets = found.text_offset
    if offsets is None or len(offsets) != number or offsets != sorted(offsets) or offsets[0] < 0:
        # SGLang says that every token begins at -1.
        offsets = [0, *accumulate(len(token) for token in found.tokens)][:-1]
    shift = _shift(found.tokens, offsets, choice.text)
    tops = [top or {} for top in found.top_logprobs or []]
    tops += [{}] * (number - len(tops))
    return [
        ReadToken(
            token,
            offset - shift,
            log_probability,
            _is_top(log_probability, top),
            _likeliest(top.items()),
        )
        for token, offset, log_probability, top in zip(
            found.tokens, offsets, found.token_logprobs, tops[:number], strict=True
        )
    ]


def _shift(tokens: Sequence[str], offsets: Sequence[int], text: str) -> int:
    """By how much places are counted too high: that by which most of the tokens are where they say.

    A token that starts a text, such as <s>, is counted by some but is not in the text. Neither is
    one that ends texts, where that is what was written after the prompt.
    """
    surplus = max(0, offsets[-1] + len(tokens[-1]) - len(text))
    return max(
        (surplus, 0, len(tokens[0])),
        key=lambda shift: sum(
            text.startswith(token, offset - shift)
            for token, offset in zip(tokens, offsets, strict=True)
            if token and offset >= shift
        ),
    )


def _is_top(log_probability: float | None, top: Mapping[str, float]) -> bool:
    if not top or log_probability is None:
        return False
    return log_probability >= max(top.values())


def _likeliest(tokens: Iterable[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """Servers may name the token itself besides those that were asked for."""
    ranked = sorted(tokens, key=lambda one: one[1], reverse=True)[:ALTERNATIVES]
    return tuple((mended(text), log_probability) for text, log_probability in ranked)


def prompt_tokens(choice: CompletionChoice, text: str) -> Sequence[ReadToken]:
    """The tokens of `prompt_logprobs`, of each place that which was read first, then the likeliest.

    The token that was read stands first; the very first of the text has no entry.
    https://docs.vllm.ai/en/latest/api/vllm/logprobs/
    """
    found = choice.prompt_logprobs
    if not found or len(found) < 2:
        raise MisreadError("the server gives no prompt_logprobs")
    read: list[PromptToken | None] = [next(iter((place or {}).values()), None) for place in found]
    texts = [one.decoded_token if one else "" for one in read]
    if None in texts or None in read[1:]:
        raise MisreadError("prompt_logprobs without the text of each token")
    known = [one or "" for one in texts]
    # The text of the first token is not said, so that places are counted from the end. What the
    # others leave of the text is the first; where they leave nothing, it is one that starts texts.
    ends = list(accumulate(len(one) for one in known))
    left = len(text) - ends[-1]
    first = ReadToken(text[: max(0, left)], 0 if left > 0 else -1, None, greedy=False)
    others = [
        ReadToken(
            token,
            end - len(token) + left,
            one.logprob,
            one.rank == 1,
            _likeliest((other.decoded_token or "", other.logprob) for other in (at or {}).values()),
        )
        for token, end, one, at in zip(known, ends, read, found, strict=True)
        if one is not None
    ]
    return others if read[0] is not None else [first, *others]


# One token is written in vain: no token at all means as many as fit to llama-cpp-python, and is an
# internal error of transformers serve.
METHODS = (
    Method("echo", {"echo": True, "logprobs": 1, "max_tokens": 1}, "logprobs", echoed_tokens),
    Method(
        "prompt_logprobs",
        {"prompt_logprobs": 1, "max_tokens": 1},
        "prompt_logprobs",
        prompt_tokens,
    ),
)


@dataclass(frozen=True, slots=True)
class _Read:
    """The tokens of what is scored, with their texts, and how many shots did not fit before it."""

    tokens: tuple[ReadToken, ...]
    texts: tuple[str, ...]
    cost: Cost
    dropped_shots: int = 0

    @property
    def values(self) -> list[float]:
        return [value for one in self.tokens if (value := one.log_probability) is not None]

    def response(self) -> LogLikelihoodResponse:
        return LogLikelihoodResponse(
            log_probability=math.fsum(self.values),
            tokens=len(self.tokens),
            greedy=all(token.greedy for token in self.tokens),
            dropped_shots=self.dropped_shots,
            cost=self.cost,
        )

    def scores(self) -> TokenScores:
        found = zip(self.texts, self.values, self.tokens, strict=True)
        return TokenScores(
            tuple(TokenScore(text, value, token.likeliest) for text, value, token in found)
        )


@dataclass(frozen=True, slots=True)
class Reader:
    """Scores texts by one method. `start` stands before a text that nothing stands before."""

    method: Method
    model: str
    start: str
    extra: dict[str, Any]

    async def score(self, client: Client, request: LogLikelihood) -> Outcome:
        """White space at the end of a prompt moves to the continuation, as the builtin model's.

        Raises RequestError and ServerError as `Client.post` does.
        """
        found = await self._continuation(client, request)
        return found if isinstance(found, Failure) else found.response()

    async def score_whole(self, client: Client, request: RollingLogLikelihood) -> Outcome:
        """A text that does not fit the server's context cannot be scored: it is not cut here."""
        found = await self._whole(client, request)
        return found if isinstance(found, Failure) else found.response()

    async def score_tokens(self, client: Client, request: Scorable) -> TokenScores | Failure:
        """Each token of what `score` or `score_whole` would score. Raises what they raise."""
        reader = replace(self, method=self.method.with_likeliest(ALTERNATIVES))
        if isinstance(request, LogLikelihood):
            found = await reader._continuation(client, request)
        else:
            found = await reader._whole(client, request)
        return found if isinstance(found, Failure) else found.scores()

    async def _continuation(self, client: Client, request: LogLikelihood) -> _Read | Failure:
        dropped = 0
        while True:
            before = whole_prompt(request, dropped)
            if not isinstance(before, str):
                return Failure(CHATS_ARE_NOT_SCORED)
            prompt = before.rstrip()
            try:
                found = await self._read(
                    client, prompt, before[len(prompt) :] + request.continuation
                )
            except RefusedError as error:
                dropped = fewer_shots(error, len(request.shots), dropped)
            else:
                break
        return found if isinstance(found, Failure) else replace(found, dropped_shots=dropped)

    async def _whole(self, client: Client, request: RollingLogLikelihood) -> _Read | Failure:
        if not request.text:
            return _Read((), (), Cost())
        return await self._read(client, "", request.text)

    async def _read(self, client: Client, prompt: str, continuation: str) -> _Read | Failure:
        before = prompt or self.start
        text = before + continuation
        body = {**self.extra, "model": self.model, "prompt": text, "temperature": 0}
        answer = await client.post("completions", body | self.method.fields, Completion)
        try:
            tokens = self.method.tokens(answer.choices[0], text)
            own = continuation_tokens(tokens, text, len(before))
            if any(token.log_probability is None for token in own):
                raise MisreadError(_NO_START)
        except MisreadError as error:
            return Failure(str(error))
        return _Read(tuple(own), texts_of(own, text), token_cost(answer.usage))


def texts_of(tokens: Sequence[ReadToken], text: str) -> tuple[str, ...]:
    """The part of the text that each token stands for, to its end, as records.TokenScore says.

    Servers spell parts of characters in many ways; the place of a token tells its text.
    """
    starts = [token.start for token in tokens]
    end_of = dict(pairwise(sorted({*starts, len(text)})))
    # The first token of each place takes its text out.
    return tuple(text[start : end_of.pop(start)] if start in end_of else "" for start in starts)


def continuation_tokens(tokens: Sequence[ReadToken], text: str, border: int) -> Sequence[ReadToken]:
    """The tokens of `text` from the letter `border` on.

    Raises MisreadError if none begins there, or if the text does not go on there as it says.
    """
    own = [token for token in tokens if border <= token.start < len(text)]
    if not own:
        raise MisreadError("the continuation has no tokens of its own")
    first = own[0]
    # A part of a letter is spelled in many ways; there the place is trusted.
    whole = first.text.isprintable() and _NO_LETTER not in first.text
    if first.start != border or (whole and not _goes_on(text, border, first.text)):
        raise MisreadError("a token lies across the border of prompt and continuation")
    return own


_NO_LETTER = "\N{REPLACEMENT CHARACTER}"


def _goes_on(text: str, place: int, token: str) -> bool:
    return text.startswith(token, place) or token.startswith("bytes:")


_NO_START = (
    "the server gives no probability to the first token of a text; name the text that starts a "
    "document, such as start=<|endoftext|>"
)
_PROBE = "The sky is"


async def find_reader(
    client: Client, model: str, start: str, extra: dict[str, Any]
) -> tuple[Reader | None, str]:
    """The first method by which this server scores as it writes, or None and why there is none.

    Raises ServerError where that cannot be found out: a server that is busy may have one.
    """
    reason = ""
    for method in METHODS:
        reader = Reader(method, model, start, extra)
        try:
            problem = await _problem(client, reader)
        except RefusedError as error:
            problem = str(error)
        except GaveUpError as error:
            # What some servers say to a field that they do not know.
            if error.status != 500:
                raise ServerError(
                    f"whether {model!r} can score texts could not be found out: {error}."
                ) from None
            problem = str(error)
        if not problem:
            return reader, ""
        reason = reason or problem
    return None, reason


async def _problem(client: Client, reader: Reader) -> str:
    """Why the scores of a reader are not those of the model, or "".

    What the model writes greedily must be what it finds likeliest. llama-cpp-python gives each
    token the probability that it would have once more, where the model has no token that starts
    texts (https://github.com/abetlen/llama-cpp-python/issues/1983).
    """
    # One token more than the probe alone, in the vocabularies that are in use.
    outcome = await reader.score(client, LogLikelihood(_PROBE, " blue"))
    if isinstance(outcome, Failure):
        return outcome.error
    body = {**reader.extra, "model": reader.model, "prompt": _PROBE, "temperature": 0}
    answer = await client.post("completions", body | {"max_tokens": 1}, Completion)
    written = answer.choices[0].text
    outcome = await reader.score(client, LogLikelihood(_PROBE, written))
    if isinstance(outcome, LogLikelihoodResponse) and outcome.greedy:
        return "" if outcome.log_probability < 0 else "its log-probabilities are all 0"
    return (
        f"its log-probabilities are not those of what it writes: after {_PROBE!r} comes "
        f"{mended(written)[:20]!r}, which by them is not the likeliest"
    )
