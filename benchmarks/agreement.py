"""Do two programs answer the same requests alike? A speed without that means nothing."""

from collections.abc import Sequence

from benchmarks.records import Agreement, Measured, MeasuredHere
from evalharness.measurement import Answered, measure_task
from evalharness.prompts.preparation import PreparedTask
from evalharness.records import GenerationResponse, LogLikelihoodResponse, Response

# Of the log-probability of one token, in float32: rounding adds up over a continuation.
TOLERANCE = 1e-4


class DisagreementError(Exception):
    """Two programs answer differently; the message says where first."""


def agreement(task: PreparedTask, ours: MeasuredHere, theirs: Measured) -> Agreement:
    """Compare answer by answer, and the task's scores of both.

    Raises DisagreementError when log-probabilities differ by more than TOLERANCE a token, texts or
    scores differ, or not everything was answered by both.
    """
    requests = sum(1 for _ in task.instances())
    if not len(ours.answers) == len(theirs.answers) == requests:
        raise DisagreementError(
            f"{requests} requests, but {len(ours.answers)} and {len(theirs.answers)} answers"
        )
    scores = _scores(task, _responses(ours.answers, ours.continuation_tokens))
    their_scores = _scores(task, _responses(theirs.answers, ours.continuation_tokens))
    largest = _compare(ours, theirs)
    if scores != their_scores:
        raise DisagreementError(f"the scores are {scores} and {their_scores}")
    return Agreement(
        largest_difference=largest,
        equal_texts=requests if largest is None else None,
        scores=scores,
    )


def _compare(ours: MeasuredHere, theirs: Measured) -> float | None:
    """The largest difference of two log-probabilities; None for texts, which must be equal."""
    largest = None
    pairs = zip(ours.answers, theirs.answers, ours.continuation_tokens, strict=True)
    for index, (own, other, tokens) in enumerate(pairs):
        if isinstance(own, float) and isinstance(other, float):
            difference = abs(own - other)
            # Turned round so that a NaN is a disagreement too.
            if not difference <= TOLERANCE * tokens:
                raise DisagreementError(
                    f"request {index}: log-probabilities {own} and {other} of {tokens} tokens "
                    f"differ by more than {TOLERANCE} a token"
                )
            largest = max(difference, largest or 0.0)
        elif own != other:
            raise DisagreementError(f"request {index}: {own!r} and {other!r}")
    return largest


def _responses(answers: Sequence[float | str], tokens: Sequence[int]) -> list[Response]:
    return [
        GenerationResponse(answer, "length")
        if isinstance(answer, str)
        else LogLikelihoodResponse(answer, number, greedy=False)
        for answer, number in zip(answers, tokens, strict=True)
    ]


def _scores(task: PreparedTask, responses: Sequence[Response]) -> dict[str, float | None]:
    """Every metric of the task, by name."""
    answers = [
        Answered(instance, response, from_store=False)
        for instance, response in zip(task.instances(), responses, strict=True)
    ]
    result, _ = measure_task(task, answers, seed=0, peak_memory_bytes=0)
    return {name: metric.value for name, metric in result.metrics.items()}
