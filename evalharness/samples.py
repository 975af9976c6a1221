"""Builders for the usual kinds of sample, so that a task plugin stays short."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalharness.records import Generation, LogLikelihood, Sample


def multiple_choice(
    *,
    id: str,
    prompt: str,
    choices: Sequence[str],
    gold: int,
    source: str = "",
    group: str | None = None,
    slices: Mapping[str, str] | None = None,
) -> Sample:
    """A question whose options are compared by log-likelihood, each after `prompt` and one space.

    Raises ValueError when an option is empty or `gold` is not the index of an option.
    """
    if not all(choices):
        raise ValueError("an answer option is empty")
    if not 0 <= gold < len(choices):
        raise ValueError(f"the right answer is option {gold}, but there are {len(choices)} options")
    return Sample(
        id=id,
        requests=tuple(LogLikelihood(prompt, f" {choice}") for choice in choices),
        target=choices[gold],
        choices=tuple(choices),
        gold=(gold,),
        source=source,
        group=group,
        slices=slices or {},
    )


def generation(
    *,
    id: str,
    prompt: str,
    references: Sequence[str],
    max_tokens: int,
    stop: Sequence[str] = (),
    source: str = "",
    group: str | None = None,
    slices: Mapping[str, str] | None = None,
) -> Sample:
    """A prompt that the model continues; the first reference is the target of a few-shot example.

    Raises ValueError when there is no reference.
    """
    if not references:
        raise ValueError("there is no reference answer")
    return Sample(
        id=id,
        requests=(Generation(prompt, max_tokens, tuple(stop)),),
        target=references[0],
        references=tuple(references),
        source=source,
        group=group,
        slices=slices or {},
    )


def likelihood_comparison(
    *,
    id: str,
    prompts: Sequence[str],
    continuations: Sequence[str],
    group: str | None = None,
    slices: Mapping[str, str] | None = None,
) -> Sample:
    """Texts whose likelihoods are compared: continuation i after prompt i ("" scores a whole text).

    Raises ValueError when a continuation is empty or the numbers differ.
    """
    if not all(continuations):
        raise ValueError("a text to compare is empty")
    return Sample(
        id=id,
        requests=tuple(
            LogLikelihood(prompt, continuation)
            for prompt, continuation in zip(prompts, continuations, strict=True)
        ),
        choices=tuple(continuations),
        group=group,
        slices=slices or {},
    )


def with_shots(sample: Sample, shots: Sequence[Sample]) -> Sample:
    """The same sample with solved examples before each of its prompts, joined by an empty line.

    Raises ValueError when a prompt, of the sample or of an example, is a list of messages.
    """
    if not shots:
        return sample
    examples = tuple(f"{solved(shot)}\n\n" for shot in shots)
    return replace(
        sample,
        requests=tuple(
            replace(request, shots=examples + request.shots) for request in sample.requests
        ),
    )


def solved(sample: Sample) -> str:
    """The prompt of a sample followed by its right answer, as a few-shot example shows it.

    Raises ValueError when the prompt is a list of messages.
    """
    request = sample.requests[sample.gold[0] if sample.gold else 0]
    if not isinstance(request.prompt, str):
        raise ValueError("a few-shot example can be made of plain text only, not of messages")
    if isinstance(request, LogLikelihood):
        return request.prompt + request.continuation
    return f"{request.prompt} {sample.target}"
