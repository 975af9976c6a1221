"""What a metric needs of responses, with their kind checked; several draws of one answer."""

from collections.abc import Callable, Sequence

import numpy as np

from evalharness.records import (
    GenerationResponse,
    Groups,
    LogLikelihoodResponse,
    Metric,
    Response,
    Sample,
    Statistics,
    Values,
    Weights,
)

Measure = Callable[[Sample, Sequence[Response]], tuple[float, ...]]
"""`measure` of records.Metric."""

MeasureText = Callable[[Sample, str], Sequence[float]]
"""The statistics of one generated text, which comes without white space around it."""


def mean_over_draws(measure: MeasureText) -> Measure:
    """The mean of the statistics of all texts of a sample: for scores that are means of samples."""

    def measure_all(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return tuple(_of_each(measure, sample, responses).mean(axis=0).tolist())

    return measure_all


def sum_over_draws(measure: MeasureText) -> Measure:
    """The sum of the statistics of all texts of a sample: for scores of counts of a whole corpus.

    Each draw is then a segment of the corpus, with the references of the sample.
    """

    def measure_all(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return tuple(_of_each(measure, sample, responses).sum(axis=0).tolist())

    return measure_all


def _of_each(measure: MeasureText, sample: Sample, responses: Sequence[Response]) -> np.ndarray:
    """(draws, d)"""
    return np.array([measure(sample, text) for text in texts(responses)], dtype=np.float64)


def texts(responses: Sequence[Response]) -> list[str]:
    """All generated texts, without white space around them: the draws of one answer.

    Raises TypeError when a response is a log-likelihood, ValueError when there is none.
    """
    if not responses:
        raise ValueError("the metric measures generated texts, but there is none")
    written = [response for response in responses if isinstance(response, GenerationResponse)]
    if len(written) != len(responses):
        raise TypeError("the metric measures a generated text, but the sample asks for likelihoods")
    return [response.text.strip() for response in written]


def log_likelihoods(responses: Sequence[Response]) -> list[LogLikelihoodResponse]:
    """All responses, which must be log-likelihoods. Raises TypeError for a generated text."""
    scored = [response for response in responses if isinstance(response, LogLikelihoodResponse)]
    if len(scored) != len(responses):
        raise TypeError("the metric measures likelihoods, but the sample asks for a text")
    return scored


def not_measured(name: str, reason: str, bounds: tuple[float, float] = (0.0, 1.0)) -> Metric:
    """A metric that is undefined here, and says what it needs and how to have it."""

    def measure(_sample: Sample, _responses: Sequence[Response]) -> tuple[float, ...]:
        return (0.0,)

    def aggregate(_statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
        return np.full(len(weights), np.nan)

    return Metric(name, measure, aggregate, bounds=bounds, signature=f"not measured: {reason}")
