"""Log-likelihoods by a server: it reads a text and says how likely each token of it was.

Two ways are in use. `echo` of the completions API, with `logprobs`, answers with the tokens of the
prompt (vLLM, SGLang, llama-cpp-python). `prompt_logprobs` is an extension of
vLLM, which others took over. Neither is given by hosted chat models.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from evalharness.backends.server.answers import Completion, CompletionChoice, PromptToken
from evalharness.backends.server.client import Client
from evalharness.backends.server.faults import GaveUpError, RefusedError, ServerError, mended
from evalharness.backends.server.reading import token_cost
from evalharness.backends.server.writing import fewer_shots
from evalharness.records import (
    Failure,
    LogLikelihood,
    LogLikelihoodResponse,
    Outcome,
    RollingLogLikelihood,
    whole_prompt,
)

CHATS_ARE_NOT_SCORED = "the prompts are chats, after which a server cannot score a text"


@dataclass(frozen=True, slots=True)
class ReadToken:
    """A token of a text that a server read: it begins at `start`, in letters, in the server's text.

    `log_probability` is None for the first token, before which there is nothing.
    """

    text: str
    start: int
    log_probability: float | None
    greedy: bool


class MisreadError(ValueError):
    """An answer does not say what was asked: the text cannot be found in its tokens."""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to have a text read; `fields` are added to a completion request for it."""

    name: str
    fields: dict[str, Any]
    tokens: Callable[[CompletionChoice, str], Sequence[ReadToken]]


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
    tops = found.top_logprobs or []
    return [
        ReadToken(
            token,
            offset - shift,
            log_probability,
            _is_top(log_probability, tops[place] if place < len(tops) else None),
        )
        for place, (token, offset, log_probability) in enumerate(
            zip(found.tokens, offsets, found.token_logprobs, strict=True)
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


def _is_top(log_probability: float | None, top: dict[str, float] | None) -> bool:
    if not top or log_probability is None:
        return False
    return log_probability >= max(top.values())


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
        ReadToken(token, end - len(token) + left, one.logprob, one.rank == 1)
        for token, end, one in zip(known, ends, read, strict=True)
        if one is not None
    ]
    return others if read[0] is not None else [first, *others]


# One token is written in vain: no token at all means as many as fit to llama-cpp-python, and is an
# internal error of transformers serve.
METHODS = (
    Method("echo", {"echo": True, "logprobs": 1, "max_tokens": 1}, echoed_tokens),
    Method("prompt_logprobs", {"prompt_logprobs": 1, "max_tokens": 1}, prompt_tokens),
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
        dropped = 0
        while True:
            before = whole_prompt(request, dropped)
            if not isinstance(before, str):
                return Failure(CHATS_ARE_NOT_SCORED)
            prompt = before.rstrip()
            try:
                outcome = await self._read(
                    client, prompt, before[len(prompt) :] + request.continuation
                )
            except RefusedError as error:
                dropped = fewer_shots(error, len(request.shots), dropped)
            else:
                break
        if isinstance(outcome, LogLikelihoodResponse):
            return replace(outcome, dropped_shots=dropped)
        return outcome

    async def score_whole(self, client: Client, request: RollingLogLikelihood) -> Outcome:
        """A text that does not fit the server's context cannot be scored: it is not cut here."""
        if not request.text:
            return LogLikelihoodResponse(0.0, 0, greedy=True)
        return await self._read(client, "", request.text)

    async def _read(self, client: Client, prompt: str, continuation: str) -> Outcome:
        before = prompt or self.start
        text = before + continuation
        body = {**self.extra, "model": self.model, "prompt": text, "temperature": 0}
        answer = await client.post("completions", body | self.method.fields, Completion)
        try:
            tokens = self.method.tokens(answer.choices[0], text)
            own = continuation_tokens(tokens, text, len(before))
            values = [_value(token) for token in own]
        except MisreadError as error:
            return Failure(str(error))
        return LogLikelihoodResponse(
            log_probability=math.fsum(values),
            tokens=len(own),
            greedy=all(token.greedy for token in own),
            cost=token_cost(answer.usage),
        )


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


def _value(token: ReadToken) -> float:
    if token.log_probability is None:
        raise MisreadError(
            "the server gives no probability to the first token of a text; name the text that "
            "starts a document, such as start=<|endoftext|>"
        )
    return token.log_probability


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
