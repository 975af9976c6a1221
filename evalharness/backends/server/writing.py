"""Generation by a server: what is sent, and what this server will not have."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from evalharness.backends.server.answers import Chat, Completion
from evalharness.backends.server.client import Client
from evalharness.backends.server.faults import RefusedError
from evalharness.backends.server.reading import read_response
from evalharness.records import (
    Cost,
    Failure,
    Generation,
    GenerationResponse,
    Message,
    Outcome,
    Prompt,
    Response,
    as_text,
    whole_prompt,
)
from evalharness.transformer.thinking import Marks

# OpenAI's limit; other texts are cut here, where they were sent in vain.
_STOP_STRINGS_SENT = 4
# What a server is asked first, to see whether it answers.
FIRST_WORD = "Hello"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one server wants its requests. `adapted` learns it from what the server refuses.

    plain_texts  where plain text goes to: completions, or chat as one user message
    """

    model: str
    plain_texts: Literal["completions", "chat"] = "completions"
    limit_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    sends_stop: bool = True
    sends_temperature: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)

    def adapted(self, refused: RefusedError) -> "Dialect | None":
        """Another way to ask for the same, or None. Stop strings are also cut at here."""
        said = refused.message
        if self.limit_name == "max_tokens" and "max_completion_tokens" in said:
            return replace(self, limit_name="max_completion_tokens")
        if self.sends_stop and "'stop'" in said:
            return replace(self, sends_stop=False)
        return None

    def body(self, request: Generation, prompt: Prompt) -> tuple[str, dict[str, Any]]:
        """The path and the body for `request`, of which `prompt` is what the model is given."""
        body: dict[str, Any] = {**self.extra, "model": self.model}
        if isinstance(prompt, str) and self.plain_texts == "completions":
            path = "completions"
            body |= {"prompt": prompt, "max_tokens": request.max_tokens}
        else:
            path = "chat/completions"
            messages = (Message("user", prompt),) if isinstance(prompt, str) else prompt
            body["messages"] = [{"role": one.role, "content": one.content} for one in messages]
            body[self.limit_name] = request.max_tokens
        if self.sends_temperature:
            body["temperature"] = request.sampling.temperature if request.sampling else 0
        if request.sampling is not None:
            body |= {"top_p": request.sampling.top_p, "seed": request.sampling.seed}
        if request.stop and self.sends_stop:
            body["stop"] = list(request.stop[:_STOP_STRINGS_SENT])
        return path, body


class Writer:
    """Asks for texts, and remembers how the server wants to be asked.

    marks: what the model writes around its thinking; None for those that most models use
    """

    def __init__(self, dialect: Dialect, marks: Marks | None = None) -> None:
        self.dialect = dialect
        self._marks = marks

    async def ask(
        self, client: Client, request: Generation, prompt: Prompt
    ) -> tuple[Completion | Chat, Dialect]:
        """The answer, and how it was asked for.

        Raises RequestError and ServerError as `Client.post` does.
        """
        while True:
            asked = self.dialect
            path, body = asked.body(request, prompt)
            try:
                if path == "completions":
                    return await client.post(path, body, Completion), asked
                return await client.post(path, body, Chat), asked
            except RefusedError as error:
                other = asked.adapted(error)
                if other is None:
                    raise
                # Requests beside this one may have learned something else at the same time.
                self.dialect = self.dialect.adapted(error) or self.dialect

    async def write(self, client: Client, request: Generation) -> Outcome:
        """The text, without as many of the earliest shots as do not fit the server's context.

        A stop string that ended a text within its thinking was none; the text is asked for again,
        and from then on texts are cut here. Raises RequestError and ServerError as `Client.post`
        does.
        """
        dropped = 0
        in_vain = Cost()
        while True:
            shortened = replace(request, shots=request.shots[dropped:])
            prompt = whole_prompt(shortened)
            try:
                answer, asked = await self.ask(client, shortened, prompt)
            except RefusedError as error:
                dropped = fewer_shots(error, len(request.shots), dropped)
                continue
            continued = prompt if isinstance(answer, Completion) else ""
            outcome = read_response(answer, request, as_text(continued), self._marks)
            if isinstance(outcome, Failure):
                return outcome
            if not _stopped_thinking(outcome, request, asked):
                cost = _sum(in_vain, outcome.cost)
                return replace(outcome, dropped_shots=dropped, cost=cost)
            in_vain = _sum(in_vain, outcome.cost)
            self.dialect = replace(self.dialect, sends_stop=False)


def _stopped_thinking(response: Response, request: Generation, asked: Dialect) -> bool:
    """May a stop string that was sent have ended the text in the middle of its thinking?"""
    if not isinstance(response, GenerationResponse) or not response.unfinished_thinking:
        return False
    return response.finish != "length" and bool(request.stop) and asked.sends_stop


def _sum(one: Cost, other: Cost) -> Cost:
    """Of tokens; the seconds and the price are known later."""
    return Cost(
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        computed_tokens=one.computed_tokens + other.computed_tokens,
        generated_tokens=one.generated_tokens + other.generated_tokens,
    )


def fewer_shots(refused: RefusedError, shots: int, dropped: int) -> int:
    """How many of the earliest shots to drop next, where `dropped` have not been enough.

    Half of those that are left: the builtin model counts tokens and drops as few as possible, but a
    server must be asked each time. Raises `refused` where no shot is left or length is no reason.
    """
    if not refused.is_too_long or dropped == shots:
        raise refused
    return shots - (shots - dropped) // 2


async def probe(client: Client, writer: Writer, prompt: Prompt) -> Completion | Chat:
    """Ask for one token, so that a wrong key or name is known before anything else is asked."""
    request = Generation(prompt, max_tokens=1)
    answer, _ = await writer.ask(client, request, request.prompt)
    return answer
