"""One score and how sure it is: which interval stands for which kind of metric.

What is used is what holds the truth 95 times in 100 also for few samples; the alternatives and how
often they hold it are in tests/statistics/test_coverage.py.

- a mean of rights and wrongs: Wilson's interval; with clusters, by the effective number of samples
- another mean: Student's t with the (clustered) standard error, and C - 1 degrees of freedom
- all else, such as BLEU: the percentile bootstrap of whole clusters, widened as t widens z
"""

import math
from dataclasses import dataclass

import numpy as np

from evalharness.records import Groups, Metric, Statistics, Values
from evalharness.statistics.clusters import cluster_codes, standard_error
from evalharness.statistics.intervals import (
    Interval,
    clipped,
    clustered_wilson,
    percentile,
    stretched_wilson,
    t_interval,
    widened_level,
    wilson,
)
from evalharness.statistics.resampling import Measured, bootstrap_distributions, score
from evalharness.statistics.samplewise import are_proportions, mean_scores

LEVEL = 0.95
BOOTSTRAP = "percentile bootstrap, widened"


@dataclass(frozen=True, slots=True)
class Summary:
    """A score with its 95 % interval, its standard error, and the name of the interval.

    value is None where the metric is undefined, interval and stderr where there are fewer than two
    clusters, or nothing can be resampled. `method` is "" where there is no interval.
    """

    value: float | None
    interval: Interval | None
    stderr: float | None
    method: str = ""


def summarize(
    measured: Measured, groups: Groups, *, seed: int, replicates: int = 1000
) -> list[Summary]:
    """The score of each metric, and how uncertain it is.

    measured: metrics with their statistics (n, d) of the same samples, which are in `groups` (n,);
        the resamples, which take longest, are drawn once for all metrics that need them
    """
    summaries = [_analytic(metric, statistics, groups) for metric, statistics in measured]
    left = [place for place, summary in enumerate(summaries) if summary is None]
    drawn = bootstrap_distributions(
        [measured[place] for place in left], groups, seed=seed, replicates=replicates if left else 0
    )
    for place, distribution in zip(left, drawn, strict=True):
        summaries[place] = _resampled(measured[place], groups, distribution)
    return [summary for summary in summaries if summary is not None]


def _analytic(metric: Metric, statistics: Statistics, groups: Groups) -> Summary | None:
    """What needs no resamples: means, undefined scores and single clusters; else None."""
    value = score(metric, statistics, groups)
    if math.isnan(value):
        return Summary(None, None, None)
    _, clusters = cluster_codes(groups)
    if clusters < 2:
        return Summary(value, None, None)
    scores = mean_scores(metric, statistics, groups)
    if scores is None:
        return None
    error = standard_error(scores, groups)
    alone = clusters == len(scores)
    if are_proportions(scores, metric.bounds):
        interval = _of_a_proportion(metric, scores, error, clusters)
        return Summary(value, interval, error, "Wilson" if alone else "Wilson, clustered")
    interval = clipped(t_interval(value, error, clusters, LEVEL), metric.bounds)
    if error == 0:
        interval = stretched_wilson(value, metric.bounds, clusters, LEVEL)
    return Summary(value, interval, error, "t" if alone else "t, clustered")


def _of_a_proportion(metric: Metric, scores: Values, error: float, clusters: int) -> Interval:
    lowest, highest = metric.bounds
    width, n = highest - lowest, len(scores)
    share = float((scores > lowest + width / 2).mean())
    if clusters == n:
        low, high = wilson(share, n, LEVEL)
    else:
        low, high = clustered_wilson(share, error / width, n, clusters, LEVEL)
    return lowest + low * width, lowest + high * width


def _resampled(measured: tuple[Metric, Statistics], groups: Groups, values: Values) -> Summary:
    metric, statistics = measured
    value = score(metric, statistics, groups)
    # A resample in which the metric is undefined (no sample with a placeholder, say) is left out.
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return Summary(value, None, None)
    _, clusters = cluster_codes(groups)
    interval = percentile(values, widened_level(LEVEL, clusters))
    if interval[0] == interval[1]:
        interval = stretched_wilson(value, metric.bounds, clusters, LEVEL)
    return Summary(value, interval, float(values.std(ddof=1)), BOOTSTRAP)
