"""Intervals that were tried and are not used, so that tests can say why."""

import numpy as np
from scipy.special import ndtr, ndtri

from evalharness.records import Values
from evalharness.statistics.intervals import Interval


def bca(value: float, distribution: Values, left_out: Values, level: float) -> Interval:
    """The bias-corrected and accelerated bootstrap interval (Efron 1987).

    distribution: the metric on resamples; left_out: the metric without each cluster (jackknife)
    """
    number = len(distribution)
    below = ((distribution < value).sum() + (distribution <= value).sum()) / 2
    # All resamples on one side say only that the bias is large.
    bias = float(ndtri(np.clip(below / number, 0.5 / number, 1 - 0.5 / number)))
    distances = left_out.mean() - left_out
    squares = float((distances**2).sum())
    acceleration = float((distances**3).sum()) / (6 * squares**1.5) if squares > 0 else 0.0
    quantiles = bias + ndtri([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(distribution, ndtr(bias + quantiles / (1 - acceleration * quantiles)))
    return float(low), float(high)
