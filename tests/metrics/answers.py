"""Samples with responses, as metrics get them."""

from collections.abc import Sequence

import numpy as np

from evalharness.records import (
    GenerationResponse,
    LogLikelihoodResponse,
    Metric,
    Response,
    Sample,
)


def written(text: str, *references: str, source: str = "") -> tuple[Sample, list[Response]]:
    sample = Sample(id="s", requests=(), references=references, source=source)
    return sample, [GenerationResponse(text, "end")]


def scored(*values: float) -> list[Response]:
    return [LogLikelihoodResponse(value, tokens=1, greedy=False) for value in values]


def corpus(
    metric: Metric,
    answered: Sequence[tuple[Sample, Sequence[Response]]],
    groups: Sequence[int] | None = None,
) -> float:
    """The score over a whole list of samples."""
    statistics = np.array([metric.measure(*one) for one in answered], dtype=float)
    codes = np.array(groups if groups is not None else range(len(answered)), dtype=np.int64)
    return float(metric.aggregate(statistics, np.ones((1, len(answered))), codes)[0])
