"""Many models on the same samples: ranks that say what is not known, win rates and strengths."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from evalharness.records import Groups, Metric, Statistics, Values
from evalharness.statistics.clusters import (
    blocks_of,
    cluster_codes,
    cluster_sums,
    degrees_of_freedom,
    least_p_value,
)
from evalharness.statistics.corrections import holm
from evalharness.statistics.resampling import (
    JACKKNIFE_BLOCKS,
    bootstrap_distributions,
    jackknife_values,
    score,
)
from evalharness.statistics.samplewise import mean_scores, sample_scores

Matrix = NDArray[np.float64]

_ITERATIONS = 10_000
_CONVERGED = 1e-10


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one of several models stands.

    ranks      the best and the worst rank, from 1, that the pairwise tests leave open
    tie_group  0 for the best models that cannot be told apart, 1 for the best of the rest, ...
    win_rate   the share of samples won against the others, on average over them; a tie is half
    strength   of Bradley and Terry's model, a natural logarithm with a mean of 0: a model wins a
               sample against another with probability 1 / (1 + exp(other - own)). NaN where a model
               wins or loses against all others always; both are NaN where scores of single
               samples say nothing
    """

    value: float
    ranks: tuple[int, int]
    tie_group: int
    win_rate: float
    strength: float


def rank_models(
    metric: Metric,
    models: Sequence[Statistics],
    groups: Groups,
    *,
    seed: int,
    alpha: float,
    replicates: int = 2000,
) -> list[Standing]:
    """Standings by all pairs of models; statistics (n, d) of the same samples, one for each model.

    Better is higher or lower, as the metric says.
    """
    return rank_at_levels(
        metric, models, groups, seed=seed, alphas=(alpha,), replicates=replicates
    )[alpha]


def rank_at_levels(
    metric: Metric,
    models: Sequence[Statistics],
    groups: Groups,
    *,
    seed: int,
    alphas: Sequence[float],
    replicates: int = 2000,
) -> dict[float, list[Standing]]:
    """What `rank_models` gives at each of several levels, from one set of tests."""
    sign = 1.0 if metric.higher_is_better else -1.0
    values = sign * np.array([score(metric, one, groups) for one in models])
    own, means = scores_of_models(metric, models, groups)
    own = sign * own
    if means:
        errors = _errors_of_means(own, groups)
        influences = _residuals(own, groups, JACKKNIFE_BLOCKS)
    else:
        measured = [(metric, one) for one in models]
        drawn = bootstrap_distributions(measured, groups, seed=seed, replicates=replicates)
        errors = _errors_of_draws(np.stack(drawn))
        influences = np.stack(jackknife_values(measured, groups))
    p_values = pairwise_p_values(values, errors, _degrees(influences), clusters=influences.shape[1])
    wins = win_matrix(own)
    rates, strengths = win_rates(wins), bradley_terry(wins)
    if (own == own[0]).all() and not (values == values[0]).all():
        # Scores of single samples say nothing: none of them differs, though the whole does.
        rates = strengths = np.full(len(models), np.nan)
    found = {}
    for alpha in alphas:
        better = significantly_better(values, p_values, alpha)
        found[alpha] = [
            Standing(float(sign * value), ranks, tie, float(rate), float(strength))
            for value, ranks, tie, rate, strength in zip(
                values, rank_intervals(better), tie_groups(values, better), rates, strengths,
                strict=True,
            )
        ]  # fmt: skip
    return found


def scores_of_models(
    metric: Metric, models: Sequence[Statistics], groups: Groups
) -> tuple[Matrix, bool]:
    """Each model's score on each sample (m, n), and whether the metric is the mean of them."""
    means = mean_scores(metric, np.concatenate(models), np.tile(groups, len(models)))
    if means is not None:
        return means.reshape(len(models), -1), True
    return np.stack([sample_scores(metric, one, groups) for one in models]), False


def _errors_of_means(scores: Matrix, groups: Groups) -> Matrix:
    """Standard errors (m, m) of all differences of means; scores are (m, n)."""
    residuals = _residuals(scores, groups, len(groups))
    covariance = residuals @ residuals.T / scores.shape[1] ** 2
    if residuals.shape[1] > 1:
        covariance *= residuals.shape[1] / (residuals.shape[1] - 1)
    return _errors(covariance)


def _residuals(scores: Matrix, groups: Groups, most: int) -> Matrix:
    """What each cluster, or each of at most so many blocks of them, adds to the sums (m, c)."""
    codes, blocks = blocks_of(*cluster_codes(groups), most)
    return cluster_sums((scores - scores.mean(axis=1, keepdims=True)).T, codes, blocks).T


def _degrees(influences: Matrix) -> Matrix:
    """Degrees of freedom (m, m) of all differences; 0 where there are fewer than two clusters."""
    models, clusters = influences.shape
    degrees = np.zeros((models, models))
    if clusters > 1:
        for first in range(models):
            for second in range(first):
                found = degrees_of_freedom(influences[first] - influences[second])
                degrees[first, second] = degrees[second, first] = found
    return degrees


def _errors_of_draws(values: Matrix) -> Matrix:
    """The same from resamples that the models share, (m, replicates)."""
    defined = values[:, ~np.isnan(values).any(axis=0)]
    if defined.shape[1] < 2:
        return np.full((len(values), len(values)), np.nan)
    return _errors(np.cov(defined))


def _errors(covariance: Matrix) -> Matrix:
    variances = np.diag(covariance)
    squares = variances[:, None] + variances[None, :] - 2 * covariance
    # What rounding leaves of models that do not differ is no error.
    squares[squares <= 1e-14 * variances.max(initial=0.0)] = 0.0
    return np.sqrt(squares)


def pairwise_p_values(values: Values, errors: Matrix, degrees: Matrix, *, clusters: int) -> Matrix:
    """Two-sided p-values (m, m) of paired t tests, corrected by Holm over all pairs.

    values (m,) with standard errors (m, m) of their differences, and the degrees of freedom (m, m)
    of these; NaN where a pair cannot be tested, as without any degree of freedom. None is below
    that of so many clusters that all differ in the same direction.
    """
    distances = np.abs(values[:, None] - values[None, :])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((errors == 0) & (distances == 0), 0.0, distances / errors)
    raw = 2 * stdtr(np.maximum(degrees, 1), -ratio)
    raw = np.where(degrees > 0, np.maximum(raw, least_p_value(clusters)), np.nan)
    upper = np.triu_indices(len(values), 1)
    p_values = np.full(raw.shape, np.nan)
    p_values[upper] = holm(raw[upper])
    p_values.T[upper] = p_values[upper]
    return p_values


def significantly_better(values: Values, p_values: Matrix, alpha: float) -> NDArray[np.bool_]:
    """Entry (i, j): model i is better than model j, and that is no chance; higher is better."""
    return np.asarray((values[:, None] > values[None, :]) & (p_values <= alpha))


def rank_intervals(better: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The ranks that each model may have: behind all that are better, before all that are worse.

    All hold together with the confidence of the corrected tests (Al Mohamad et al. 2022).
    """
    ahead, behind = better.sum(axis=0), better.sum(axis=1)
    return [
        (int(before) + 1, len(better) - int(after))
        for before, after in zip(ahead, behind, strict=True)
    ]


def tie_groups(values: Values, better: NDArray[np.bool_]) -> list[int]:
    """Groups of models that cannot be told from the best one of their group.

    The best model and all that it is not significantly better than are group 0; of the rest the
    best one begins the next group. An undefined value comes last.
    """
    order = np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable")
    groups = np.zeros(len(values), dtype=np.int64)
    leader = order[0] if len(order) else 0
    for place in order:
        if better[leader, place]:
            groups[place] = groups[leader] + 1
            leader = place
        else:
            groups[place] = groups[leader]
    return [int(group) for group in groups]


def win_matrix(scores: Matrix) -> Matrix:
    """Entry (i, j): on how many samples model i beats model j; a tie counts half for both.

    scores (m, n): higher is better. Undefined scores are a tie.
    """
    models, samples = scores.shape
    wins = np.zeros((models, models))
    for first in range(models):
        more = (scores[first] > scores).sum(axis=1)
        less = (scores[first] < scores).sum(axis=1)
        wins[first] = more + (samples - more - less) / 2
    np.fill_diagonal(wins, 0.0)
    return wins


def win_shares(scores: Matrix) -> Matrix:
    """The share of the other models that each model beats on each sample (m, n); a tie is half.

    scores (m, n): higher is better. Undefined scores are a tie. The mean over the samples is the
    rate of `win_rates`, so that what is known of means holds for it.
    """
    shares = [((one > scores).sum(axis=0) - (one < scores).sum(axis=0)) / 2 for one in scores]
    return np.asarray(0.5 + np.stack(shares) / max(1, len(scores) - 1))


def win_rates(wins: Matrix) -> Values:
    """The mean share of samples that each model wins against each other (m,); NaN for one alone."""
    if len(wins) < 2:
        return np.full(len(wins), np.nan)
    games = np.maximum(wins + wins.T, 1)
    return np.asarray((wins / games).sum(axis=1) / (len(wins) - 1), dtype=np.float64)


def bradley_terry(wins: Matrix) -> Values:
    """Strengths (m,) that make the wins likeliest (Bradley & Terry 1952), as logarithms around 0.

    Found by Hunter's minorisation (2004). NaN for all where no finite strengths are likeliest: when
    the models fall into two parts of which one never wins against the other.
    """
    number = len(wins)
    if number < 2 or not _connected(wins):
        return np.full(number, np.nan)
    games, total = wins + wins.T, wins.sum(axis=1)
    strengths = np.ones(number)
    for _ in range(_ITERATIONS):
        expected = games / (strengths[:, None] + strengths[None, :])
        new = total / expected.sum(axis=1)
        new /= np.exp(np.log(new).mean())
        if np.abs(np.log(new / strengths)).max() < _CONVERGED:
            strengths = new
            break
        strengths = new
    return np.asarray(np.log(strengths), dtype=np.float64)


def _connected(wins: Matrix) -> bool:
    """Can each model be reached from each other by wins?"""
    from scipy.sparse.csgraph import connected_components

    parts, _ = connected_components(wins > 0, directed=True, connection="strong")
    return bool(parts == 1)
