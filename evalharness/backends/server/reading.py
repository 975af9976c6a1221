"""What a server wrote, as a response: what was thinking, what is the answer, and why it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evalharness.backends.server.answers import (
    Chat,
    ChatChoice,
    Completion,
    CompletionChoice,
    Usage,
)
from evalharness.backends.server.faults import mended
from evalharness.engine.stopping import cut
from evalharness.records import Cost, Failure, Generation, GenerationResponse, Outcome
from evalharness.transformer.thinking import Marks, Thinking, marks_in

Finish = Literal["stop", "end", "length"]
# What stands between thinking that came in a field of its own and the answer.
_APART = "\n\n"


@dataclass(frozen=True, slots=True)
class _Text:
    """A text of which the answer begins at `start`; None where the thinking has not ended."""

    text: str
    start: int | None


def read_response(
    answer: Completion | Chat, request: Generation, continued: str, marks: Marks | None
) -> Outcome:
    """The first text of `answer`, cut before the first stop string that is no part of thinking.

    continued: the plain text that was continued, "" where the server made a text of messages
    marks: what is written around thinking; None for those that most models use
    """
    choice = answer.choices[0]
    if choice.finish_reason == "content_filter":
        return Failure("the service withheld the answer (content_filter)")
    finish = _finish(choice, request.stop)
    cost = token_cost(answer.usage)
    found = _found(choice, continued, marks)
    hidden = not found.text and finish == "length" and _thought(answer.usage)
    if found.start is None or hidden:
        return GenerationResponse(
            found.text, finish, cost=cost, thinking=len(found.text), unfinished_thinking=True
        )
    said, stopped = cut(found.text[found.start :], request.stop)
    return GenerationResponse(
        text=found.text[: found.start] + said,
        finish="stop" if stopped else finish,
        cost=cost,
        thinking=found.start,
    )


def _found(choice: CompletionChoice | ChatChoice, continued: str, marks: Marks | None) -> _Text:
    if isinstance(choice, CompletionChoice):
        return _divided(mended(choice.text), continued, marks)
    message = choice.message
    said = mended(message.content or message.refusal or "")
    apart = mended(message.reasoning or message.reasoning_content or "").strip()
    if not apart:
        return _divided(said, continued, marks)
    if not said.strip():
        return _Text(apart, None)
    return _Text(f"{apart}{_APART}{said.lstrip()}", len(apart) + len(_APART))


def _divided(text: str, continued: str, marks: Marks | None) -> _Text:
    known = marks or marks_in(text)
    if known is None:
        return _Text(text, 0)
    return _Text(text, Thinking(known, known.opened_by(continued)).answer_in(text))


def _finish(choice: CompletionChoice | ChatChoice, stop: Sequence[str]) -> Finish:
    """Servers cut stop strings off, and most do not say whether it was one that ended a text."""
    if choice.finish_reason == "length":
        return "length"
    return "stop" if choice.stop_reason in stop else "end"


def _thought(usage: Usage | None) -> bool:
    return usage is not None and usage.reasoning_tokens > 0


def token_cost(usage: Usage | None) -> Cost:
    """The tokens that the server counted; those that it had in a cache were not computed."""
    if usage is None:
        return Cost()
    return Cost(
        prompt_tokens=usage.prompt_tokens,
        computed_tokens=usage.prompt_tokens - usage.cached_tokens,
        generated_tokens=usage.completion_tokens or 0,
    )
