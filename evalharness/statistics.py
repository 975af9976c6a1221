"""Statistics of scores: bootstrap intervals for every metric, by its sufficient statistics.

Pure functions of numbers; seeds are arguments. Source: Efron & Tibshirani 1993; samples of
one group are drawn together (Field & Welsh 2007, cluster bootstrap).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from evalharness.records import Groups, Metric, Statistics, Values, Weights

LEVEL = 0.95
# Weights of this many (replicate, sample) pairs are held at once.
_PAIRS_AT_ONCE = 8_000_000


@dataclass(frozen=True, slots=True)
class Summary:
    """A score with its 95 % percentile bootstrap interval and the standard error of the bootstrap.

    value is None where the metric is undefined, interval and stderr where nothing can be resampled.
    """

    value: float | None
    interval: tuple[float, float] | None
    stderr: float | None


def summarize(
    measured: Sequence[tuple[Metric, Statistics]],
    groups: Groups,
    *,
    seed: int,
    replicates: int = 1000,
) -> list[Summary]:
    """The score of each metric, and how uncertain it is.

    measured: metrics with their statistics (n, d) of the same samples, which are in `groups` (n,);
        the resamples, which take longest, are drawn once for all of them
    """
    clusters = len(np.unique(groups))
    distributions = [np.empty(0)] * len(measured)
    if clusters > 1:
        distributions = bootstrap_distributions(measured, groups, seed=seed, replicates=replicates)
    return [
        _summary(metric, score(metric, statistics, groups), distribution, clusters)
        for (metric, statistics), distribution in zip(measured, distributions, strict=True)
    ]


def _summary(metric: Metric, value: float, distribution: Values, clusters: int) -> Summary:
    if math.isnan(value):
        return Summary(None, None, None)
    # A resample in which the metric is undefined (no sample with a placeholder, say) is left out.
    distribution = distribution[~np.isnan(distribution)]
    if len(distribution) < 2:
        return Summary(value, None, None)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(distribution, [tail, 1 - tail])
    interval = (float(low), float(high))
    if low == high:
        interval = _wilson(metric, value, clusters)
    return Summary(value, interval, float(distribution.std(ddof=1)))


def score(metric: Metric, statistics: Statistics, groups: Groups) -> float:
    """The value of a metric with every sample counted once; NaN where it is undefined."""
    return float(metric.aggregate(statistics, np.ones((1, len(statistics))), groups)[0])


def bootstrap_distributions(
    measured: Sequence[tuple[Metric, Statistics]], groups: Groups, *, seed: int, replicates: int
) -> list[Values]:
    """Values (replicates,) of each metric on the same resamples of whole groups."""
    values: list[list[Values]] = [[] for _ in measured]
    for weights in bootstrap_weights(groups, seed=seed, replicates=replicates):
        for found, (metric, statistics) in zip(values, measured, strict=True):
            found.append(metric.aggregate(statistics, weights, groups))
    return [np.concatenate(found) for found in values]


def bootstrap_weights(groups: Groups, *, seed: int, replicates: int) -> Iterator[Weights]:
    """How often each sample is drawn, (b, n) at a time, `replicates` rows in all.

    Samples of one group are always drawn together. One seed gives the same weights for every metric
    and every model with the same groups, so that their distributions are paired.
    """
    _, codes = np.unique(groups, return_inverse=True)
    clusters = int(codes.max()) + 1
    generator = np.random.default_rng(seed)
    at_once = max(1, _PAIRS_AT_ONCE // len(groups))
    for start in range(0, replicates, at_once):
        rows = min(at_once, replicates - start)
        drawn = generator.integers(0, clusters, size=(rows, clusters), dtype=np.int32)
        places = drawn + np.arange(rows, dtype=np.int64)[:, None] * clusters
        counts = np.bincount(places.ravel(), minlength=rows * clusters).reshape(rows, clusters)
        yield counts[:, codes].astype(np.float64)


def _wilson(metric: Metric, value: float, n: int) -> tuple[float, float]:
    """Wilson's score interval (Wilson 1927), stretched to the bounds of the metric.

    Where all samples agree, such as ten right answers out of ten, every resample gives the same
    value; an interval without width would claim a certainty that nobody has.
    """
    lowest, highest = metric.bounds
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        return value, value
    z = float(ndtri((1 + LEVEL) / 2))
    # Rounding may leave a value a little beyond its bounds.
    share = min(1.0, max(0.0, (value - lowest) / (highest - lowest)))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return lowest + low * (highest - lowest), lowest + high * (highest - lowest)
