"""Generation by a server: what is sent, what comes back, and what this server will not have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from evalharness.backends.server.answers import (
    Chat,
    ChatChoice,
    Completion,
    CompletionChoice,
    Usage,
)
from evalharness.backends.server.client import Client
from evalharness.backends.server.faults import RefusedError, mended
from evalharness.engine.stopping import cut
from evalharness.records import (
    Cost,
    Failure,
    Generation,
    GenerationResponse,
    Message,
    Outcome,
    Prompt,
    whole_prompt,
)

Finish = Literal["stop", "end", "length"]
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
    """Asks for texts, and remembers how the server wants to be asked."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    async def ask(self, client: Client, request: Generation, prompt: Prompt) -> Completion | Chat:
        """Raises RequestError and ServerError as `Client.post` does."""
        while True:
            asked = self.dialect
            path, body = asked.body(request, prompt)
            try:
                if path == "completions":
                    return await client.post(path, body, Completion)
                return await client.post(path, body, Chat)
            except RefusedError as error:
                other = asked.adapted(error)
                if other is None:
                    raise
                # Requests beside this one may have learned something else at the same time.
                self.dialect = self.dialect.adapted(error) or self.dialect

    async def write(self, client: Client, request: Generation) -> Outcome:
        """The text, without as many of the earliest shots as do not fit the server's context.

        Raises RequestError and ServerError as `Client.post` does.
        """
        dropped = 0
        while True:
            shortened = replace(request, shots=request.shots[dropped:])
            try:
                answer = await self.ask(client, shortened, whole_prompt(shortened))
            except RefusedError as error:
                dropped = fewer_shots(error, len(request.shots), dropped)
            else:
                return _response(answer, request.stop, dropped)


def fewer_shots(refused: RefusedError, shots: int, dropped: int) -> int:
    """How many of the earliest shots to drop next, where `dropped` have not been enough.

    Half of those that are left: the builtin model counts tokens and drops as few as possible, but a
    server must be asked each time. Raises `refused` where no shot is left or length is no reason.
    """
    if not refused.is_too_long or dropped == shots:
        raise refused
    return shots - (shots - dropped) // 2


def _response(answer: Completion | Chat, stop: Sequence[str], dropped: int) -> Outcome:
    choice = answer.choices[0]
    if choice.finish_reason == "content_filter":
        return Failure("the service withheld the answer (content_filter)")
    text, stopped = cut(mended(_text(choice)), stop)
    return GenerationResponse(
        text=text,
        finish="stop" if stopped else _finish(choice, stop),
        dropped_shots=dropped,
        cost=token_cost(answer.usage),
    )


def _text(choice: CompletionChoice | ChatChoice) -> str:
    if isinstance(choice, CompletionChoice):
        return choice.text
    return choice.message.content or choice.message.refusal or ""


def _finish(choice: CompletionChoice | ChatChoice, stop: Sequence[str]) -> Finish:
    """Servers cut stop strings off, and most do not say whether it was one that ended a text."""
    if choice.finish_reason == "length":
        return "length"
    return "stop" if choice.stop_reason in stop else "end"


def token_cost(usage: Usage | None) -> Cost:
    """The tokens that the server counted; those that it had in a cache were not computed."""
    if usage is None:
        return Cost()
    return Cost(
        prompt_tokens=usage.prompt_tokens,
        computed_tokens=usage.prompt_tokens - usage.cached_tokens,
        generated_tokens=usage.completion_tokens or 0,
    )


async def probe(client: Client, writer: Writer, prompt: Prompt) -> Completion | Chat:
    """Ask for one token, so that a wrong key or name is known before anything else is asked."""
    request = Generation(prompt, max_tokens=1)
    return await writer.ask(client, request, request.prompt)
