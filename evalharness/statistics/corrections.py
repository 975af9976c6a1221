"""Many tests at once: p-values corrected so that chance findings stay rare."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from evalharness.records import Values

Correction = Literal["holm", "bh"]


def holm(p_values: Sequence[float] | Values) -> Values:
    """Holm's correction (Holm 1979): of all tests, hardly any finds what is not there.

    The probability that even one of the true null hypotheses is rejected is at most alpha. NaN
    stays NaN and is not counted.
    """
    return _stepwise(p_values, np.maximum.accumulate, lambda number: np.arange(number, 0, -1.0))


def benjamini_hochberg(p_values: Sequence[float] | Values) -> Values:
    """Benjamini and Hochberg's correction (1995): of what is found, a share of alpha is chance.

    NaN stays NaN and is not counted.
    """

    def from_the_largest(values: Values) -> Values:
        return np.minimum.accumulate(values[::-1])[::-1]

    return _stepwise(p_values, from_the_largest, lambda number: number / np.arange(1, number + 1))


def corrected(p_values: Sequence[float] | Values, correction: Correction) -> Values:
    """The p-values by the correction of that name."""
    return {"holm": holm, "bh": benjamini_hochberg}[correction](p_values)


def _stepwise(
    p_values: Sequence[float] | Values,
    running: Callable[[Values], Values],
    factors: Callable[[int], Values],
) -> Values:
    """Sorted p-values times their factors, made monotone, at most 1, in the order given."""
    values = np.asarray(p_values, dtype=np.float64)
    result = np.full(values.shape, np.nan)
    defined = np.flatnonzero(~np.isnan(values))
    order = defined[np.argsort(values[defined], kind="stable")]
    if len(order):
        result[order] = np.minimum(running(values[order] * factors(len(order))), 1.0)
    return result
