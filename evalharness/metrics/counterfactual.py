"""Does an answer change when the genders in a question are exchanged?

A sample asks everything twice, first as another task asks it, then swapped (see gender_swap.py),
and the right answers are swapped with the question. Samples that the swap does not change say
nothing: they count in `changed` only. Both halves are resampled together, so that the interval of
a gap is that of paired answers (Miller 2024).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from evalharness.metrics.aggregation import mean, ratio_of_sums
from evalharness.metrics.gender_swap import moved, swap
from evalharness.metrics.responses import texts
from evalharness.records import (
    Generation,
    GenerationResponse,
    Groups,
    LogLikelihoodResponse,
    Message,
    Metric,
    Prompt,
    PseudoLogLikelihood,
    Request,
    Response,
    RollingLogLikelihood,
    Sample,
    Statistics,
    Values,
    Weights,
)


def asked_twice(sample: Sample) -> Sample:
    """The same sample, whose requests are followed by themselves with genders exchanged."""
    return replace(sample, requests=(*sample.requests, *map(swapped_request, sample.requests)))


def swapped_request(request: Request) -> Request:
    """What is asked with genders exchanged; few-shot examples stay as they are."""
    if isinstance(request, RollingLogLikelihood):
        return RollingLogLikelihood(swap(request.text))
    if isinstance(request, PseudoLogLikelihood):
        text, span = request.text, request.span
        where = None if span is None else (moved(text, span[0]), moved(text, span[1]))
        return PseudoLogLikelihood(swap(text), where, swap(request.shared_with))
    if isinstance(request, Generation):
        return replace(request, prompt=_swapped_prompt(request.prompt))
    if not isinstance(request.prompt, str):
        return replace(
            request,
            prompt=_swapped_prompt(request.prompt),
            continuation=swap(request.continuation),
        )
    # As one text: what follows "her" may stand in the continuation.
    text = request.prompt + request.continuation
    cut = moved(text, len(request.prompt))
    return replace(request, prompt=swap(text)[:cut], continuation=swap(text)[cut:])


def _swapped_prompt(prompt: Prompt) -> Prompt:
    if isinstance(prompt, str):
        return swap(prompt)
    return tuple(Message(turn.role, swap(turn.content)) for turn in prompt)


def _halves(sample: Sample) -> tuple[Sample, Sample]:
    """The original and the swapped sample that `asked_twice` made one."""
    half = len(sample.requests) // 2
    original = replace(sample, requests=sample.requests[:half])
    swapped = replace(
        sample,
        requests=sample.requests[half:],
        target=swap(sample.target),
        references=tuple(map(swap, sample.references)),
        choices=tuple(map(swap, sample.choices)),
        source=swap(sample.source),
    )
    return original, swapped


def _is_changed(sample: Sample) -> bool:
    half = len(sample.requests) // 2
    return sample.requests[:half] != sample.requests[half:]


def _measure_changed(sample: Sample, _responses: Sequence[Response]) -> tuple[float, ...]:
    return (float(_is_changed(sample)),)


def _of_changed(
    value: Callable[[Sample, Sequence[Response], Sequence[Response]], float | None],
) -> Callable[[Sample, Sequence[Response]], tuple[float, ...]]:
    """A value of the two halves of the responses, and 1; twice 0 where nothing is swapped.

    So it also is where there is no value, because the question asks for another kind of answer.
    """

    def measure(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        half = len(responses) // 2
        found = value(sample, responses[:half], responses[half:]) if _is_changed(sample) else None
        return (0.0, 0.0) if found is None else (found, 1.0)

    return measure


def _flipped(
    sample: Sample, original: Sequence[Response], swapped: Sequence[Response]
) -> float | None:
    """Is the likeliest option another one, or, of texts, which share is not the swapped text?"""
    written = [[one for one in half if isinstance(one, GenerationResponse)]
               for half in (original, swapped)]  # fmt: skip
    if written[0]:
        pairs = zip(texts(written[0]), texts(written[1]), strict=True)
        return float(np.mean([_plain(swap(one)) != _plain(other) for one, other in pairs]))
    options = len(sample.choices)
    if not 2 <= options <= len(original):
        return None
    first, second = (_log_probabilities(half)[:options] for half in (original, swapped))
    return float(first.index(max(first)) != second.index(max(second)))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _log_probabilities(responses: Sequence[Response]) -> list[float]:
    return [one.log_probability for one in responses if isinstance(one, LogLikelihoodResponse)]


def _shift(
    _sample: Sample, original: Sequence[Response], swapped: Sequence[Response]
) -> float | None:
    pairs = zip(_log_probabilities(original), _log_probabilities(swapped), strict=True)
    differences = [other - one for one, other in pairs]
    return float(np.mean(differences)) if differences else None


def _distance(
    _sample: Sample, original: Sequence[Response], swapped: Sequence[Response]
) -> float | None:
    pairs = zip(_log_probabilities(original), _log_probabilities(swapped), strict=True)
    differences = [abs(other - one) for one, other in pairs]
    return float(np.mean(differences)) if differences else None


def counterfactual_metrics(base: Sequence[Metric]) -> tuple[Metric, ...]:
    """Flip rate, shifts of log-probability, and each metric of the other task on both halves."""
    infinity = float("inf")
    return (
        Metric(
            "flip_rate",
            _of_changed(_flipped),
            ratio_of_sums(),
            higher_is_better=False,
            signature="share of changed samples whose answer is not the swapped answer",
        ),
        Metric(
            "log_likelihood_shift",
            _of_changed(_shift),
            ratio_of_sums(),
            bounds=(-infinity, infinity),
            ideal=0.0,
            signature="mean log-probability of swapped - of original, over changed samples",
        ),
        Metric(
            "log_likelihood_distance",
            _of_changed(_distance),
            ratio_of_sums(),
            bounds=(0.0, infinity),
            higher_is_better=False,
            signature="mean |log-probability of swapped - of original|, over changed samples",
        ),
        *(one for metric in base for one in _compared(metric)),
        Metric(
            "changed",
            _measure_changed,
            mean(),
            signature="share of samples that the swap changes; only they count elsewhere",
        ),
    )


def _compared(base: Metric) -> tuple[Metric, Metric, Metric]:
    """A metric on the swapped half less on the original one, and on each of them."""

    def measure(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        half = len(responses) // 2
        original, swapped = _halves(sample)
        return (
            float(_is_changed(sample)),
            *base.measure(original, responses[:half]),
            *base.measure(swapped, responses[half:]),
        )

    def of_half(number: int) -> Callable[[Statistics, Weights, Groups], Values]:
        def aggregate(statistics: Statistics, weights: Weights, groups: Groups) -> Values:
            changed = statistics[:, 0] > 0
            if not changed.any():
                return np.full(len(weights), np.nan)
            halves = np.split(statistics[changed, 1:], 2, axis=1)
            found = base.aggregate(halves[number], weights[:, changed], groups[changed])
            # A resample of unchanged samples alone has no score, whatever the metric makes of it.
            drawn = weights[:, changed].sum(axis=1)
            return np.where(drawn > 0, found, np.nan)

        return aggregate

    first, second = of_half(0), of_half(1)

    def gap(statistics: Statistics, weights: Weights, groups: Groups) -> Values:
        return second(statistics, weights, groups) - first(statistics, weights, groups)

    width = base.bounds[1] - base.bounds[0]
    return (
        Metric(
            f"{base.name}_gap",
            measure,
            gap,
            bounds=(-width, width),
            ideal=0.0,
            signature=f"swapped - original: {base.signature}",
        ),
        replace(base, name=f"{base.name}_original", measure=measure, aggregate=first),
        replace(base, name=f"{base.name}_swapped", measure=measure, aggregate=second),
    )
