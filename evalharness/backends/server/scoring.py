"""Log-likelihoods by a server, which says how likely each token of a text was.

Servers do it in one of two ways (echoing.py), and llama.cpp's is brought to it in a third
(forcing.py). Which of them this server has is found out by trying, and what it says is checked.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

from evalharness.backends.server.answers import Completion
from evalharness.backends.server.client import Client
from evalharness.backends.server.echoing import ECHOING
from evalharness.backends.server.faults import GaveUpError, RefusedError, ServerError, mended
from evalharness.backends.server.forcing import FORCING
from evalharness.backends.server.read_tokens import MisreadError, ReadToken, texts_of
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


class Way(Protocol):
    """A way to learn how likely the tokens of a text are."""

    async def read(
        self, client: Client, body: dict[str, Any], text: str, border: int
    ) -> tuple[Sequence[ReadToken], Cost]:
        """The tokens of `text` from the letter `border` on, and what they cost.

        body: what every request says

        Raises MisreadError where the server does not say it, RequestError and ServerError as
        `Client.post` does.
        """
        ...

    def with_likeliest(self, number: int) -> Self:
        """The same with so many of the likeliest tokens at each place."""
        ...


def ways_of(llama_cpp: bool) -> tuple[Way, ...]:
    """The ways to try, the cheapest first; `llama_cpp`: is it llama.cpp's own server?"""
    return (*ECHOING, FORCING) if llama_cpp else ECHOING


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
    """Scores texts in one way. `start` stands before a text that nothing stands before."""

    way: Way
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
        reader = replace(self, way=self.way.with_likeliest(ALTERNATIVES))
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
        body = {**self.extra, "model": self.model, "temperature": 0}
        try:
            own, cost = await self.way.read(client, body, text, len(before))
            if any(token.log_probability is None for token in own):
                raise MisreadError(_NO_START)
        except MisreadError as error:
            return Failure(str(error))
        return _Read(tuple(own), texts_of(own, text), cost)


_NO_START = (
    "the server gives no probability to the first token of a text; name the text that starts a "
    "document, such as start=<|endoftext|>"
)
_PROBE = "The sky is"


async def find_reader(
    client: Client, ways: Sequence[Way], model: str, start: str, extra: dict[str, Any]
) -> tuple[Reader | None, str]:
    """The first way in which this server scores as it writes, or None and why there is none.

    Raises ServerError where that cannot be found out: a server that is busy may have one.
    """
    reason = ""
    for way in ways:
        reader = Reader(way, model, start, extra)
        try:
            problem = await _problem(client, reader)
        except RefusedError as error:
            problem = str(error)
        except GaveUpError as error:
            # What some servers say to a field that they do not know; others give it a form of
            # their own.
            if error.status not in {200, 500}:
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
