"""Is the last word of a text foreseen? For samples that score one continuation.

Sources: Paperno et al. 2016 and, for the way a language model is asked, Radford et al. 2019.
"""

import math
from collections.abc import Sequence

import numpy as np

from evalharness.metrics.aggregation import mean
from evalharness.metrics.responses import log_likelihoods
from evalharness.records import Groups, Metric, Response, Sample, Statistics, Values, Weights


def _foreseen(_sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
    (response,) = log_likelihoods(responses)
    return (float(response.greedy),)


def _log_probability(_sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
    (response,) = log_likelihoods(responses)
    return (response.log_probability,)


def _perplexity(statistics: Statistics, weights: Weights, groups: Groups) -> Values:
    """NaN where it is too large for a float."""
    with np.errstate(over="ignore"):
        values = np.exp(mean(-1.0)(statistics, weights, groups))
    return np.where(np.isfinite(values), values, np.nan)


LAST_WORD_ACCURACY = Metric(
    "acc",
    _foreseen,
    mean(),
    signature="every token of the last word is the likeliest one",
)
LAST_WORD_PERPLEXITY = Metric(
    "perplexity",
    _log_probability,
    _perplexity,
    bounds=(1.0, math.inf),
    higher_is_better=False,
    signature="exp(-mean over samples of the log-probability of the last word)",
)
