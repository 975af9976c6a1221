"""Ways to turn the statistics of samples into a score, vectorised over weights.

Every function returns an `aggregate` of records.Metric: statistics (n, d), weights (b, n) and
groups (n,) to values (b,). What is undefined is NaN.
"""

from collections.abc import Callable

import numpy as np

from evalharness.records import Groups, Statistics, Values, Weights

Aggregate = Callable[[Statistics, Weights, Groups], Values]


def mean(scale: float = 1.0) -> Aggregate:
    """The mean of the first statistic, times `scale`."""

    def aggregate(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
        return scale * divide(weights @ statistics[:, 0], weights.sum(axis=1))

    return aggregate


def ratio_of_sums(scale: float = 1.0) -> Aggregate:
    """The sum of the first statistic divided by that of the second, times `scale`."""

    def aggregate(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
        sums = weights @ statistics
        return scale * divide(sums[:, 0], sums[:, 1])

    return aggregate


def group_means(statistics: Statistics, weights: Weights, groups: Groups) -> Values:
    """Unweighted means over groups of the means within groups, (b, d).

    A sample weighs 1 / (size of its group), which also is right when samples or whole groups are
    drawn several times.
    """
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    shared = weights / sizes[codes]
    return divide(shared @ statistics, shared.sum(axis=1, keepdims=True))


def divide(numerators: Values, denominators: Values) -> Values:
    """Element by element; NaN where the denominator is 0."""
    numerators, denominators = np.broadcast_arrays(numerators, denominators)
    quotients = np.full(numerators.shape, np.nan)
    np.divide(numerators, denominators, out=quotients, where=denominators != 0)
    return quotients
