"""Few-shot examples: solved samples that stand before what is asked."""

from collections.abc import Sequence
from dataclasses import replace

from evalharness.records import (
    LogLikelihood,
    Message,
    Request,
    Sample,
    WholeText,
)


def with_shots(sample: Sample, shots: Sequence[Sample]) -> Sample:
    """The same sample with solved examples before each of its prompts, joined by an empty line.

    Raises ValueError when what is asked, by the sample or by an example, is not after plain text.
    """
    if not shots:
        return sample
    examples = tuple(f"{solved(shot)}\n\n" for shot in shots)
    return replace(sample, requests=tuple(_after(examples, one) for one in sample.requests))


def _after(examples: tuple[str, ...], request: Request) -> Request:
    if isinstance(request, WholeText):
        raise ValueError("few-shot examples cannot be put before a text that is scored as a whole")
    if not isinstance(request.prompt, str):
        raise ValueError("few-shot examples can be put before plain text only, not before messages")
    # The option of with_options_alone(): what comes before it would be its question.
    if isinstance(request, LogLikelihood) and not request.prompt:
        return request
    return replace(request, shots=examples + request.shots)


def solved(sample: Sample) -> str:
    """The prompt of a sample followed by its right answer, as a few-shot example shows it.

    Raises ValueError when the sample has no prompt of plain text.
    """
    return "".join(_solution(sample))


def solved_in_turns(sample: Sample) -> tuple[Message, Message]:
    """The same example as a user asks it and an assistant answers it. Raises what solved() does.

    What joins the answer to the prompt in plain text is left out: a turn begins with its text.
    """
    question, answer = _solution(sample)
    return Message("user", question), Message("assistant", answer.lstrip())


def _solution(sample: Sample) -> tuple[str, str]:
    """The prompt, and the right answer with what joins them."""
    request = sample.requests[0]
    if isinstance(request, LogLikelihood) and sample.gold:
        request = sample.requests[sample.gold[0]]
    if isinstance(request, WholeText) or not isinstance(request.prompt, str):
        raise ValueError("a few-shot example can be made of a prompt of plain text only")
    if isinstance(request, LogLikelihood):
        return request.prompt, request.continuation
    return request.prompt, f" {sample.target}"
