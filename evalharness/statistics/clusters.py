"""Samples that are not independent: clusters, their sums, and standard errors that respect them.

Samples with equal entries in `groups` (n,) are one cluster, such as all questions about one
passage. Where every sample is a group of its own, the formulas are the usual ones.
"""

import math

import numpy as np
from numpy.typing import NDArray

from evalharness.records import Groups, Values

# More than a mean of a million values is wrong by, as a share of the largest of them.
_ROUNDING = 1e-13


def cluster_codes(groups: Groups) -> tuple[NDArray[np.int64], int]:
    """Each sample's cluster as a number from 0 (n,), and how many clusters there are."""
    found, codes = np.unique(groups, return_inverse=True)
    return codes.astype(np.int64), len(found)


def cluster_sums(values: Values, codes: NDArray[np.int64], clusters: int) -> Values:
    """Sums within clusters: values (n,) or (n, k) give (clusters,) or (clusters, k)."""
    if values.ndim == 1:
        return np.asarray(np.bincount(codes, weights=values, minlength=clusters), dtype=np.float64)
    columns = [np.bincount(codes, weights=column, minlength=clusters) for column in values.T]
    return np.stack(columns, axis=1)


def standard_error(values: Values, groups: Groups, *, corrected: bool = True) -> float:
    """The standard error of the mean of `values` (n,), clustered by `groups`; NaN below 2 clusters.

    SE^2 = (1 / n^2) * sum over clusters of (sum of x - mean)^2 (Miller 2024, arXiv 2411.00640).
    corrected: times C / (C - 1) for C clusters, as inspect_ai does; without clusters that is
        sd(ddof=1) / sqrt(n)
    """
    residuals = cluster_residuals(values, groups)
    clusters = len(residuals)
    if clusters < 2:
        return math.nan
    variance = float(residuals @ residuals) / len(values) ** 2
    return math.sqrt(variance * clusters / (clusters - 1) if corrected else variance)


def cluster_residuals(values: Values, groups: Groups) -> Values:
    """By how much each cluster moves the sum of `values` (n,) away from their mean (clusters,).

    What rounding leaves of equal values is 0.
    """
    codes, clusters = cluster_codes(groups)
    residuals = cluster_sums(values - values.mean(), codes, clusters)
    sizes = np.bincount(codes, minlength=clusters)
    residuals[np.abs(residuals) <= _ROUNDING * np.abs(values).max(initial=0.0) * sizes] = 0.0
    return residuals


def degrees_of_freedom(influences: Values) -> float:
    """How many degrees of freedom the variance of a score has, for Student's t.

    influences: what each cluster adds to the score, or the score without it; NaN has no part

    For C clusters whose influences have the kurtosis k: 2 C / (k - (C - 3) / (C - 1)), at most
    C - 1, as of normal ones (O'Neill 2014, "Some useful moment results in sampling problems"; the
    approximation is Satterthwaite's, 1946). Where few clusters decide, because their samples are
    many, their texts long or most samples are alike, the variance is known less well than C says,
    and an interval by C - 1 is too narrow.
    """
    deviations = influences[~np.isnan(influences)]
    clusters = len(deviations)
    if clusters < 2:
        return 1.0
    deviations = deviations - deviations.mean()
    largest = np.abs(deviations).max()
    if largest == 0:
        return clusters - 1.0
    deviations = deviations / largest  # powers of very small ones would be 0
    squares = float((deviations**2).sum())
    kurtosis = clusters * float((deviations**4).sum()) / squares**2
    degrees = 2 * clusters / (kurtosis - (clusters - 3) / (clusters - 1))
    return min(max(degrees, 1.0), clusters - 1.0)


def least_p_value(clusters: int) -> float:
    """The two-sided p-value of so many clusters that all point in the same direction.

    If each is as likely to point in the other one, no result says more, however alike they are.
    Student's t would take two clusters that differ by exactly the same for a proof.
    """
    return min(1.0, 2.0 ** (1 - clusters))


def blocks_of(codes: NDArray[np.int64], clusters: int, most: int) -> tuple[NDArray[np.int64], int]:
    """Clusters put together to at most `most` blocks of nearly the same number of clusters.

    What holds for clusters holds for blocks of them, at a cost that does not grow with the samples.
    They are dealt out in turn, so that neighbours in the data come to different blocks.
    """
    if clusters <= most:
        return codes, clusters
    return codes % most, most
