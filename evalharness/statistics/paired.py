"""Two models on the same samples: how much they differ, and whether by more than chance explains.

Sources: Miller 2024 (arXiv 2411.00640) for paired differences; McNemar 1947; Riezler & Maxwell 2005
for approximate randomisation of corpus metrics; Bonett & Price 2012 for paired proportions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import special

from evalharness.records import Groups, Metric, Statistics, Values
from evalharness.statistics.clusters import (
    blocks_of,
    cluster_codes,
    cluster_residuals,
    cluster_sums,
    degrees_of_freedom,
    least_p_value,
    standard_error,
)
from evalharness.statistics.intervals import (
    Interval,
    has_width,
    paired_proportions,
    percentile,
    reaching_past_bias,
    t_interval,
    unanimous,
    widened_level,
)
from evalharness.statistics.resampling import (
    bootstrap_distributions,
    bootstrap_weights,
    jackknife_values,
    random_bits,
    score,
    swap_weights,
)
from evalharness.statistics.samplewise import are_proportions, mean_scores, sample_scores

ROUNDS = 10_000
DRAWS = 2000
_EXACT_MCNEMAR_BELOW = 25
# Means are resampled by at most so many blocks of clusters, at a cost that does not grow with
# them; a test of swapped blocks is as exact as one of swapped clusters.
_BLOCKS = 2000
# All patterns of so many signs are fewer than the rounds.
_ALL_PATTERNS = 13
_ROUNDING = 1e-12
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Difference:
    """How the score of one model differs from that of another on the same n samples.

    values      of the first and the second model; None where undefined
    difference  first minus second, in the units of the metric; None where either is undefined
    intervals   by level, such as 0.95; empty where there are fewer than two clusters
    stderr      of the difference
    p_value     of no difference, uncorrected; NaN where it cannot be tested
    test        how p_value was found
    method      how the intervals were found
    samples     on how many the first model's score is higher, equal and lower; None where scores of
                single samples say nothing: none of them differs, though the whole does
    draws       resampled differences (DRAWS,), for means over several tasks; empty like intervals
    """

    values: tuple[float | None, float | None]
    difference: float | None
    intervals: dict[float, Interval]
    stderr: float
    p_value: float
    test: str
    method: str
    n: int
    clusters: int
    samples: tuple[int, int, int] | None
    draws: Values = field(repr=False, compare=False)


def mirrored(found: Difference) -> Difference:
    """The second minus the first: what `compare_pair` finds of both the other way round."""
    return replace(
        found,
        values=(found.values[1], found.values[0]),
        difference=None if found.difference is None else -found.difference,
        intervals={level: (-high, -low) for level, (low, high) in found.intervals.items()},
        samples=None if found.samples is None else found.samples[::-1],
        draws=-found.draws,
    )


def compare_pair(
    metric: Metric,
    first: Statistics,
    second: Statistics,
    groups: Groups,
    *,
    seed: int,
    levels: Sequence[float] = (0.95,),
) -> Difference:
    """The difference of two models; statistics (n, d) of the same samples in the same order.

    Means are compared by the differences of single samples, other metrics through their statistics:
    resampled together for the interval, and swapped between the models for the test.
    """
    values = score(metric, first, groups), score(metric, second, groups)
    _, clusters = cluster_codes(groups)
    means = _scores_of_means(metric, first, second, groups)
    own = means or (sample_scores(metric, first, groups), sample_scores(metric, second, groups))
    if clusters < 2 or any(map(math.isnan, values)):
        compared = _NOTHING
    elif means is not None:
        compared = _of_means(metric, *own, groups, clusters, seed, levels)
    else:
        compared = _of_corpora(metric, (first, second), values[0] - values[1], groups, seed, levels)
    higher, lower = int((own[0] > own[1]).sum()), int((own[0] < own[1]).sum())
    unspecific = higher == lower == 0 and values[0] != values[1]
    return Difference(
        values=(_defined(values[0]), _defined(values[1])),
        difference=_defined(values[0] - values[1]),
        intervals=compared.intervals,
        stderr=compared.stderr,
        p_value=compared.p_value,
        test=compared.test,
        method=compared.method,
        n=len(first),
        clusters=clusters,
        samples=None if unspecific else (higher, len(first) - higher - lower, lower),
        draws=compared.draws,
    )


def _scores_of_means(
    metric: Metric, first: Statistics, second: Statistics, groups: Groups
) -> tuple[Values, Values] | None:
    """The scores of both models' samples, if the metric is their mean.

    One factor is found for both, so that equal samples stay equal.
    """
    if mean_scores(metric, first, groups) is None:
        return None
    together = np.concatenate([first, second])
    both = mean_scores(metric, together, np.concatenate([groups, groups]))
    return None if both is None else (both[: len(first)], both[len(first) :])


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value


@dataclass(frozen=True, slots=True)
class _Compared:
    """The uncertain part of a Difference."""

    intervals: dict[float, Interval]
    stderr: float
    p_value: float
    test: str
    method: str
    draws: Values


_NOTHING = _Compared({}, math.nan, math.nan, "", "", np.empty(0))


# --- Means ---------------------------------------------------------------------------------------


def _of_means(
    metric: Metric,
    first: Values,
    second: Values,
    groups: Groups,
    clusters: int,
    seed: int,
    levels: Sequence[float],
) -> _Compared:
    differences = first - second
    error = standard_error(differences, groups)
    both = np.concatenate([first, second])
    if clusters == len(first) and are_proportions(both, metric.bounds):
        gained, lost = int((differences > 0).sum()), int((differences < 0).sum())
        width = metric.bounds[1] - metric.bounds[0]
        intervals = {
            level: _times(width, paired_proportions(gained, lost, len(first), level))
            for level in levels
        }
        test = "McNemar, exact" if gained + lost < _EXACT_MCNEMAR_BELOW else "McNemar"
        p_value = mcnemar(gained, lost)
        draws = _draws_of_mean(differences, groups, seed)
        return _Compared(intervals, error, p_value, test, "Bonett-Price", draws)
    value = float(differences.mean())
    degrees = degrees_of_freedom(cluster_residuals(differences, groups))
    intervals = {
        level: _widened(metric, t_interval(value, error, degrees, level), clusters, level)
        for level in levels
    }
    method = "paired t" if clusters == len(first) else "paired t, clustered"
    p_value = sign_flips(differences, groups, seed=seed)
    draws = _draws_of_mean(differences, groups, seed)
    return _Compared(intervals, error, p_value, "permutation", method, draws)


def _draws_of_mean(values: Values, groups: Groups, seed: int) -> Values:
    """Means (DRAWS,) of resampled clusters, or of blocks of them."""
    codes, blocks = blocks_of(*cluster_codes(groups), _BLOCKS)
    sums = cluster_sums(np.stack([values, np.ones_like(values)], axis=1), codes, blocks)
    weights = bootstrap_weights(np.arange(blocks), seed=seed, replicates=DRAWS)
    drawn = np.concatenate([some @ sums for some in weights])
    return np.asarray(drawn[:, 0] / drawn[:, 1])


def _times(factor: float, interval: Interval) -> Interval:
    return factor * interval[0], factor * interval[1]


def _widened(metric: Metric, interval: Interval, clusters: int, level: float) -> Interval:
    """Where all clusters differ alike, how far the difference of others may be from theirs."""
    if has_width(interval):
        return interval
    return unanimous(interval[0], _bounds(metric), clusters, level)


def _bounds(metric: Metric) -> Interval:
    """The smallest and the largest difference possible."""
    width = metric.bounds[1] - metric.bounds[0]
    return -width, width


def mcnemar(gained: int, lost: int) -> float:
    """The p-value of McNemar's test; the arguments are the discordant pairs of each kind.

    Exact (two-sided binomial) below 25 of them, else chi-square with the correction for continuity;
    1 without any.
    """
    discordant = gained + lost
    if discordant == 0:
        return 1.0
    if discordant < _EXACT_MCNEMAR_BELOW:
        return min(1.0, 2 * float(special.bdtr(min(gained, lost), discordant, 0.5)))
    # Where both are equal the correction would go beyond no difference at all.
    distance = max(0, abs(gained - lost) - 1)
    return float(special.chdtrc(1, distance**2 / discordant))


def sign_flips(differences: Values, groups: Groups, *, seed: int, rounds: int = ROUNDS) -> float:
    """The p-value of a paired permutation test of the mean difference (Fisher's sign flips).

    Under the null hypothesis the models could be exchanged: each cluster's difference may as well
    have the other sign. All patterns of signs are tried where they are fewer than the rounds; else
    p = (1 + patterns at least as extreme) / (rounds + 1).
    """
    codes, clusters = cluster_codes(groups)
    sums = cluster_sums(differences, *blocks_of(codes, clusters, _BLOCKS))
    observed = abs(float(sums.sum()))
    least = observed - _ROUNDING * float(np.abs(sums).sum())
    if len(sums) <= _ALL_PATTERNS and 2 ** len(sums) <= rounds:
        patterns = np.arange(2 ** len(sums))
        signs = 2.0 * ((patterns[:, None] >> np.arange(len(sums))) & 1) - 1
        return float((np.abs(signs @ sums) >= least).mean())
    bits = random_bits(np.random.default_rng(seed), rounds, len(sums))
    extreme = 0
    for start in range(0, rounds, 1000):
        flipped = bits[start : start + 1000].astype(np.float64) @ (2 * sums) - sums.sum()
        extreme += int((np.abs(flipped) >= least).sum())
    return (1 + extreme) / (rounds + 1)


# --- Other metrics -------------------------------------------------------------------------------


def _of_corpora(
    metric: Metric,
    sides: tuple[Statistics, Statistics],
    difference: float,
    groups: Groups,
    seed: int,
    levels: Sequence[float],
) -> _Compared:
    _, clusters = cluster_codes(groups)
    measured = [(metric, side) for side in sides]
    resampled = bootstrap_distributions(measured, groups, seed=seed, replicates=DRAWS)
    drawn = resampled[0] - resampled[1]
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) < 2:
        return _NOTHING
    left_out = jackknife_values(measured, groups)
    degrees = degrees_of_freedom(left_out[0] - left_out[1])
    intervals = {}
    for level in levels:
        interval = percentile(drawn, widened_level(level, clusters, degrees))
        if has_width(interval):
            interval = reaching_past_bias(interval, difference, drawn, _bounds(metric))
        intervals[level] = _widened(metric, interval, clusters, level)
    error = float(drawn.std(ddof=1))
    method = "paired bootstrap, widened"
    if can_be_swapped(metric, *sides, groups):
        p_value, test = swaps(metric, *sides, groups, seed=seed), "approximate randomisation"
    else:
        p_value, test = t_test(difference, error, degrees, clusters), "t, by the paired bootstrap"
    return _Compared(intervals, error, p_value, test, method, drawn)


def can_be_swapped(metric: Metric, first: Statistics, second: Statistics, groups: Groups) -> bool:
    """Does the metric leave out samples with a weight of 0, as `swaps` needs it?

    One that compares samples with each other, whatever their weights, does not.
    """
    together, number = np.concatenate([first, second]), len(first)
    sides = np.repeat([[1.0, 0.0], [0.0, 1.0]], number, axis=1)
    found = metric.aggregate(together, sides, np.concatenate([groups, groups]))
    expected = score(metric, first, groups), score(metric, second, groups)
    return np.allclose(found, expected, rtol=_SAME, atol=_SAME)


def t_test(difference: float, error: float, degrees: float, clusters: int) -> float:
    """The two-sided p-value of a difference with this standard error; 1 for no difference.

    At least that of so many clusters that all differ in the same direction.
    """
    if difference == 0:
        return 1.0
    found = 0.0 if error == 0 else 2 * float(special.stdtr(degrees, -abs(difference) / error))
    return max(found, least_p_value(clusters))


def swaps(
    metric: Metric,
    first: Statistics,
    second: Statistics,
    groups: Groups,
    *,
    seed: int,
    rounds: int = ROUNDS,
) -> float:
    """The p-value of approximate randomisation (Riezler & Maxwell 2005), for metrics of any kind.

    Each cluster is swapped between the models with probability one half; p = (1 + rounds whose
    difference is at least as large) / (rounds + 1), of the rounds in which both are defined; NaN
    where there is none. Both models' statistics stand one after the other, with a weight of 1 where
    they belong to a side and 0 where they do not.
    """
    together = np.concatenate([first, second])
    both_groups = np.concatenate([groups, groups])

    observed = abs(score(metric, first, groups) - score(metric, second, groups))
    extreme = defined = 0
    for stays in swap_weights(groups, seed=seed, rounds=rounds):
        weights = np.concatenate([stays, 1 - stays], axis=1)
        one = metric.aggregate(together, weights, both_groups)
        other = metric.aggregate(together, 1 - weights, both_groups)
        found = np.abs(one - other)
        extreme += int((found >= observed * (1 - _ROUNDING)).sum())
        defined += int((~np.isnan(found)).sum())
    return (1 + extreme) / (defined + 1) if defined else math.nan
