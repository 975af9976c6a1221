"""Weights for samples that are drawn again, left out or swapped, and what metrics make of them.

Sources: Efron & Tibshirani 1993 (bootstrap, jackknife); Field & Welsh 2007 (clusters are drawn
whole).
"""

from collections.abc import Iterator, Sequence

import numpy as np

from evalharness.records import Groups, Metric, Statistics, Values, Weights
from evalharness.statistics.clusters import blocks_of, cluster_codes

Measured = Sequence[tuple[Metric, Statistics]]
"""Metrics with their statistics (n, d), all of the same n samples."""

# Weights of this many (row, sample) pairs are held at once: 32 MB.
_PAIRS_AT_ONCE = 4_000_000
# Of more blocks than these, degrees of freedom change an interval by less than 1 %.
JACKKNIFE_BLOCKS = 200


def score(metric: Metric, statistics: Statistics, groups: Groups) -> float:
    """The value of a metric with every sample counted once; NaN where it is undefined."""
    return float(metric.aggregate(statistics, np.ones((1, len(statistics))), groups)[0])


def rows_at_once(samples: int) -> int:
    """How many rows of weights for so many samples are made at once."""
    return max(1, _PAIRS_AT_ONCE // max(1, samples))


def bootstrap_weights(groups: Groups, *, seed: int, replicates: int) -> Iterator[Weights]:
    """How often each sample is drawn, (b, n) at a time, `replicates` rows in all.

    Samples of one group are always drawn together. One seed gives the same weights for every metric
    and every model with the same groups, so that their distributions are paired.
    """
    codes, clusters = cluster_codes(groups)
    alone = len(codes) == clusters and bool((codes == np.arange(clusters)).all())
    generator = np.random.default_rng(seed)
    at_once = rows_at_once(len(groups))
    for start in range(0, replicates, at_once):
        rows = min(at_once, replicates - start)
        drawn = generator.integers(0, clusters, size=(rows, clusters), dtype=np.int32)
        places = drawn + np.arange(rows, dtype=np.int64)[:, None] * clusters
        counts = np.bincount(places.ravel(), minlength=rows * clusters).reshape(rows, clusters)
        yield (counts if alone else counts[:, codes]).astype(np.float64)


def bootstrap_distributions(
    measured: Measured, groups: Groups, *, seed: int, replicates: int
) -> list[Values]:
    """Values (replicates,) of each metric on the same resamples of whole groups."""
    return _values(measured, groups, bootstrap_weights(groups, seed=seed, replicates=replicates))


def jackknife_weights(groups: Groups) -> Iterator[Weights]:
    """Weights (b, n) that leave out one cluster in each row, or one block of many clusters."""
    codes, blocks = blocks_of(*cluster_codes(groups), JACKKNIFE_BLOCKS)
    at_once = rows_at_once(len(groups))
    for start in range(0, blocks, at_once):
        left_out = np.arange(start, min(blocks, start + at_once))
        yield (codes[None, :] != left_out[:, None]).astype(np.float64)


def jackknife_values(measured: Measured, groups: Groups) -> list[Values]:
    """Values of each metric without each cluster (or block of clusters) in turn."""
    return _values(measured, groups, jackknife_weights(groups))


def swap_weights(groups: Groups, *, seed: int, rounds: int) -> Iterator[Weights]:
    """1 where a sample stays with its own side and 0 where it is swapped, (b, n) at a time.

    Each cluster is swapped as a whole, with probability one half.
    """
    codes, clusters = cluster_codes(groups)
    generator = np.random.default_rng(seed)
    at_once = rows_at_once(2 * len(groups))
    for start in range(0, rounds, at_once):
        rows = min(at_once, rounds - start)
        yield random_bits(generator, rows, clusters)[:, codes].astype(np.float64)


def random_bits(
    generator: np.random.Generator, rows: int, columns: int
) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Zeros and ones, (rows, columns), each with probability one half."""
    octets = generator.integers(0, 256, size=(rows, -(-columns // 8)), dtype=np.uint8)
    return np.unpackbits(octets, axis=1, count=columns)


def _values(measured: Measured, groups: Groups, chunks: Iterator[Weights]) -> list[Values]:
    """The weights, which take longest, are made once for all metrics."""
    values: list[list[Values]] = [[] for _ in measured]
    for weights in chunks:
        for found, (metric, statistics) in zip(values, measured, strict=True):
            found.append(metric.aggregate(statistics, weights, groups))
    return [np.concatenate(found) for found in values]
