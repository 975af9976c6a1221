"""Confidence intervals, each from as few numbers as it needs.

Which of them is used for what is decided in summaries.py and paired.py, by the coverage that
tests/statistics/test_coverage.py measures.
"""

import math

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from evalharness.records import Values

Interval = tuple[float, float]
_ROUNDING = 1e-12
# Of the standard error, and how many times the bias: see reaching_past_bias.
_BIAS_TO_MIND = 0.25
_BIASES = 4.0


def normal_quantile(level: float) -> float:
    """The z of a two-sided interval: 1.96 for a level of 0.95."""
    return float(ndtri((1 + level) / 2))


def t_quantile(level: float, degrees: float) -> float:
    """The same of Student's t with so many degrees of freedom."""
    return float(stdtrit(degrees, (1 + level) / 2))


def t_interval(value: float, error: float, degrees: float, level: float) -> Interval:
    """Value +- t * standard error, with so many degrees of freedom."""
    half = t_quantile(level, degrees) * error
    return value - half, value + half


def wilson(share: float, n: float, level: float) -> Interval:
    """Wilson's score interval of a proportion (Wilson 1927)."""
    z = normal_quantile(level)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # The share lies between them, also where rounding would leave it just outside.
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def unanimous(value: float, bounds: Interval, n: float, level: float) -> Interval:
    """The interval of a score in which all n samples (or clusters of them) agree.

    Resamples are all equal then, and an interval without width would claim a certainty that nobody
    has. Of others as many may differ as Wilson's interval leaves open for a share of 0 in n, and
    each of them by as much as the bounds allow. For ten right answers out of ten, or none, it is
    Wilson's interval. The value alone where the bounds are infinite.
    """
    lowest, highest = bounds
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        return value, value
    _, others = wilson(0.0, n, level)
    # Rounding may leave a value a little beyond its bounds.
    below, above = max(0.0, value - lowest), max(0.0, highest - value)
    return value - others * below, value + others * above


def widened_level(level: float, clusters: int, degrees: float) -> float:
    """The level to ask a bootstrap distribution for, so that its interval has `level`.

    Resamples vary as if the variance of the clusters were known and (C - 1) / C of what it is. As
    in a t interval, sqrt(C / (C - 1)) * t takes the place of z (Hesterberg 2015, "What teachers
    should know about the bootstrap": expanded percentiles, with C - 1 degrees of freedom; here as
    many as `degrees_of_freedom` finds).
    """
    spread = math.sqrt(clusters / (clusters - 1)) * t_quantile(level, degrees)
    return float(2 * ndtr(spread) - 1)


def percentile(distribution: Values, level: float) -> Interval:
    """The middle part of the resamples (Efron & Tibshirani 1993, 13.3)."""
    low, high = np.quantile(distribution, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def reaching_past_bias(
    interval: Interval, value: float, distribution: Values, bounds: Interval
) -> Interval:
    """An interval of resamples, carried on to where the truth lies that they left behind.

    Noise pushes a score that measures a distance, such as a calibration error or the gap between
    two groups, away from its ideal value, and resamples, which add as much noise again, push it
    further: of a model without any error no percentile reaches 0. Where the truth is 0 and the
    noise m, resamples lie around sqrt(2) m; their bias b, which can be seen, is (sqrt(2) - 1) m, so
    that 0 is 3.4 b from their centre. The end on that side moves by four, and the other stays. A
    bias below a quarter of the standard error is none to mind (Efron & Tibshirani 1993, 10.3), so
    that scores such as BLEU keep their percentiles. An end that is no further than that from the
    smallest or the largest value possible becomes it: a distance is never drawn as just 0.

    distribution: the score on resamples, not all equal; bounds: of the score
    """
    low, high = interval
    to_mind = _BIAS_TO_MIND * float(distribution.std(ddof=1))
    bias = float(distribution.mean()) - value
    if abs(bias) >= to_mind:
        low, high = low - _BIASES * max(bias, 0.0), high - _BIASES * min(bias, 0.0)
    return (
        bounds[0] if low - bounds[0] < to_mind else low,
        bounds[1] if bounds[1] - high < to_mind else high,
    )


def bca(value: float, distribution: Values, left_out: Values, level: float) -> Interval:
    """The bias-corrected and accelerated bootstrap interval (Efron 1987).

    No command uses it: of corpora and of differences it holds the truth less often than the
    percentiles do, which tests/statistics/test_coverage.py shows. It is here for scores of one's
    own.

    distribution: the metric on resamples; left_out: the metric without each cluster (jackknife)
    """
    number = len(distribution)
    below = ((distribution < value).sum() + (distribution <= value).sum()) / 2
    # All resamples on one side say only that the bias is large.
    bias = float(ndtri(np.clip(below / number, 0.5 / number, 1 - 0.5 / number)))
    acceleration = _acceleration(left_out)
    places = []
    for z in (-normal_quantile(level), normal_quantile(level)):
        denominator = 1 - acceleration * (bias + z)
        # Beyond the pole of the formula lies everything.
        adjusted = bias + (bias + z) / denominator if denominator > 0 else math.copysign(9, z)
        places.append(float(ndtr(adjusted)))
    low, high = np.quantile(distribution, places)
    return float(low), float(high)


def _acceleration(left_out: Values) -> float:
    """A sixth of the skewness of the jackknife values (Efron & Tibshirani 1993, 14.15)."""
    defined = left_out[~np.isnan(left_out)]
    if len(defined) < 2:
        return 0.0
    distances = defined.mean() - defined
    squares = float((distances**2).sum())
    return float((distances**3).sum()) / (6 * squares**1.5) if squares > 0 else 0.0


def has_width(interval: Interval) -> bool:
    """Is it wider than what rounding leaves of equal numbers?"""
    low, high = interval
    return high - low > _ROUNDING * max(abs(low), abs(high))


def clipped(interval: Interval, bounds: Interval) -> Interval:
    """The part of an interval in which the score can lie."""
    return max(interval[0], bounds[0]), min(interval[1], bounds[1])


def clustered_wilson(
    share: float, error: float, n: int, clusters: int, degrees: float, level: float
) -> Interval:
    """Wilson's interval of a proportion whose samples come in clusters.

    For n stands the number of independent samples that would have this standard error,
    share * (1 - share) / error^2, less what is uncertain about the error (t with so many degrees
    of freedom instead of z); at most n (Korn & Graubard 1998, who do so for the exact interval).
    Where all samples agree there is no error to be seen, and each cluster counts as one sample.
    """
    if error == 0:
        return wilson(share, clusters, level)
    uncertain = (normal_quantile(level) / t_quantile(level, degrees)) ** 2
    return wilson(share, min(n, uncertain * share * (1 - share) / error**2), level)


def paired_proportions(gained: int, lost: int, n: int, level: float) -> Interval:
    """The difference of two proportions of the same n samples (Bonett & Price 2012).

    gained, lost: samples that only the one, or only the other has right. One of each is added, so
    that the interval has a width where no sample differs.
    """
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = normal_quantile(level) * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    return max(-1.0, up - down - half), min(1.0, up - down + half)
