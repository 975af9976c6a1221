"""What a metric says of single samples: of means all there is to know, of others a part."""

import math

import numpy as np

from evalharness.records import Groups, Metric, Statistics, Values
from evalharness.statistics.clusters import cluster_codes

# Weights by which a mean is told from what is none. Whole numbers, since a metric may repeat its
# samples as often, and none of them 0, since it may be undefined without samples.
_PROBES = 4
_ROUNDING = 1e-9
# Samples whose scores are asked for at once, one row of weights each.
_AT_ONCE = 128


def mean_scores(metric: Metric, statistics: Statistics, groups: Groups) -> Values | None:
    """The scores (n,) of which the metric is the weighted mean, or None if it is no mean.

    A metric is taken for a mean if it behaves as one: for weights of any kind its value is that of
    the weighted mean of its first statistic, times one factor. All that is known of means (Wilson,
    t, McNemar) then holds for it, whoever wrote it.
    """
    first = statistics[:, 0]
    weights = np.random.default_rng(0).integers(1, 6, (_PROBES, len(first))).astype(np.float64)
    weights[0] = 1.0
    values = np.asarray(metric.aggregate(statistics, weights, groups), dtype=np.float64)
    means = (weights @ first) / weights.sum(axis=1)
    if np.isnan(values).any():
        return None
    if means[0] == 0 or values[0] == 0:  # no factor can be told
        return np.zeros_like(first) if not first.any() and not values.any() else None
    factor = values[0] / means[0]
    largest = np.abs(factor * first).max()
    if (np.abs(factor * means - values) > _ROUNDING * max(largest, np.abs(values).max())).any():
        return None
    return np.asarray(factor * first)


def are_proportions(scores: Values, bounds: tuple[float, float]) -> bool:
    """Has every sample the smallest or the largest score, as rights and wrongs have?"""
    width = bounds[1] - bounds[0]
    if not math.isfinite(width):
        return False
    shares = (scores - bounds[0]) / width
    return bool((np.minimum(np.abs(shares), np.abs(shares - 1)) <= _ROUNDING).all())


def sample_scores(metric: Metric, statistics: Statistics, groups: Groups) -> Values:
    """The score (n,) of each sample alone, as if it were the whole corpus; NaN where undefined.

    Where the first of them have none, the metric is taken to have none for any: one of pairs of
    samples, say, would be computed anew, and in vain, for each part.
    """
    scores = np.empty(len(statistics))
    codes, _ = cluster_codes(groups)
    for start in range(0, len(statistics), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        alone = np.eye(len(statistics[part]))
        scores[part] = metric.aggregate(statistics[part], alone, codes[part])
        if start == 0 and np.isnan(scores[part]).all():
            return np.full(len(statistics), np.nan)
    return scores
