"""How answers are measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalharness.records.responses import Response
from evalharness.records.samples import Sample

Statistics = NDArray[np.float64]
Weights = NDArray[np.float64]
Groups = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """A score, as two pure functions.

    measure(sample, responses) -> d floats, the sufficient statistics of one sample
    aggregate(statistics (n, d), weights (b, n), groups (n,)) -> (b,) values; weights of ones give
        the score, bootstrap weights give its bootstrap distribution
    bounds: the smallest and the largest value possible
    ideal: the best value where neither more nor less is better (a bias score); else None
    signature: what exactly was computed, in the words of the tool that defines it
    signature_of: makes the signature of a run from its samples, where it depends on them, as on how
        many references they have
    """

    name: str
    measure: Callable[[Sample, Sequence[Response]], tuple[float, ...]]
    aggregate: Callable[[Statistics, Weights, Groups], Values]
    bounds: tuple[float, float] = (0.0, 1.0)
    higher_is_better: bool = True
    ideal: float | None = None
    signature: str = ""
    signature_of: Callable[[Sequence[Sample]], str] | None = None
