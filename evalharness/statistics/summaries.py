"""One score and how sure it is: which interval stands for which kind of metric.

What is used is what holds the truth 95 times in 100 also for few samples; the alternatives and how
often they hold it are in tests/statistics/test_coverage.py.

- a mean of rights and wrongs: Wilson's interval; with clusters, by the effective number of samples
- another mean: Student's t with the (clustered) standard error
- all else, such as BLEU: the percentile bootstrap of whole clusters, widened as t widens z, and
  carried on towards the truth where resamples show that the score is biased

t has the degrees of freedom of C clusters, C - 1, or fewer where few of them decide.
"""

import math
from dataclasses import dataclass

import numpy as np

from evalharness.records import Groups, Metric, Statistics, Values
from evalharness.statistics.clusters import (
    cluster_codes,
    cluster_residuals,
    degrees_of_freedom,
    standard_error,
)
from evalharness.statistics.intervals import (
    Interval,
    clipped,
    clustered_wilson,
    has_width,
    percentile,
    reaching_past_bias,
    t_interval,
    unanimous,
    widened_level,
    wilson,
)
from evalharness.statistics.resampling import (
    Measured,
    bootstrap_distributions,
    jackknife_values,
    score,
)
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
    unknown = [measured[place] for place in left]
    if unknown:
        drawn = bootstrap_distributions(unknown, groups, seed=seed, replicates=replicates)
        left_out = jackknife_values(unknown, groups)
        for place, distribution, without in zip(left, drawn, left_out, strict=True):
            degrees = degrees_of_freedom(without)
            summaries[place] = _resampled(measured[place], groups, distribution, degrees)
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
    degrees = degrees_of_freedom(cluster_residuals(scores, groups))
    alone = clusters == len(scores)
    if are_proportions(scores, metric.bounds):
        interval = _of_a_proportion(metric, scores, error, clusters, degrees)
        return Summary(value, interval, error, "Wilson" if alone else "Wilson, clustered")
    interval = clipped(t_interval(value, error, degrees, LEVEL), metric.bounds)
    if error == 0:
        interval = unanimous(value, metric.bounds, clusters, LEVEL)
    return Summary(value, interval, error, "t" if alone else "t, clustered")


def _of_a_proportion(
    metric: Metric, scores: Values, error: float, clusters: int, degrees: float
) -> Interval:
    lowest, highest = metric.bounds
    width, n = highest - lowest, len(scores)
    share = float((scores > lowest + width / 2).mean())
    if clusters == n:
        low, high = wilson(share, n, LEVEL)
    else:
        low, high = clustered_wilson(share, error / width, n, clusters, degrees, LEVEL)
    return lowest + low * width, lowest + high * width


def _resampled(
    measured: tuple[Metric, Statistics], groups: Groups, values: Values, degrees: float
) -> Summary:
    metric, statistics = measured
    value = score(metric, statistics, groups)
    # A resample in which the metric is undefined (no sample with a placeholder, say) is left out.
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return Summary(value, None, None)
    _, clusters = cluster_codes(groups)
    interval = percentile(values, widened_level(LEVEL, clusters, degrees))
    if has_width(interval):
        interval = reaching_past_bias(interval, value, values, metric.bounds)
    else:
        interval = unanimous(value, metric.bounds, clusters, LEVEL)
    return Summary(value, interval, float(values.std(ddof=1)), BOOTSTRAP)
