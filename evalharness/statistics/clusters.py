"""Samples that are not independent: clusters, their sums, and standard errors that respect them.

Samples with equal entries in `groups` (n,) are one cluster, such as all questions about one
passage. Where every sample is a group of its own, the formulas are the usual ones.
"""

import math

import numpy as np
from numpy.typing import NDArray

from evalharness.records import Groups, Values


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
    codes, clusters = cluster_codes(groups)
    if clusters < 2:
        return math.nan
    residuals = cluster_sums(values - values.mean(), codes, clusters)
    variance = float(residuals @ residuals) / len(values) ** 2
    return math.sqrt(variance * clusters / (clusters - 1) if corrected else variance)


def blocks_of(codes: NDArray[np.int64], clusters: int, most: int) -> tuple[NDArray[np.int64], int]:
    """Clusters put together to at most `most` blocks of nearly the same number of clusters.

    What holds for clusters holds for blocks of them, at a cost that does not grow with the samples.
    They are dealt out in turn, so that neighbours in the data come to different blocks.
    """
    if clusters <= most:
        return codes, clusters
    return codes % most, most
