"""How well a model predicts whole documents, which are scored as they roll through its context.

Source: lm-evaluation-harness (wikitext): the log-probabilities of all documents are summed before
anything is divided, and the words and bytes are those of the original documents (`Sample.source`),
so that models with different tokenizers compare. A document has one word more than it has stretches
of white space, those at its ends included; bytes are those of UTF-8. A perplexity that is too large
for a float is undefined.
"""

import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from evalharness.metrics.aggregation import ratio_of_sums
from evalharness.metrics.responses import Measure, log_likelihoods
from evalharness.records import Groups, Metric, Response, Sample, Statistics, Values, Weights

_WHITE_SPACE = re.compile(r"\s+")


def _words(text: str) -> int:
    return len(_WHITE_SPACE.split(text))


def _bytes(text: str) -> int:
    return len(text.encode())


def _measure(units: Callable[[str], int]) -> Measure:
    """The log-probability of all that a sample asks about, and how many units its source has."""

    def measure(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        total = math.fsum(response.log_probability for response in log_likelihoods(responses))
        return total, float(units(sample.source))

    return measure


def _perplexity(statistics: Statistics, weights: Weights, groups: Groups) -> Values:
    with np.errstate(over="ignore"):
        values = np.exp(ratio_of_sums(-1.0)(statistics, weights, groups))
    return np.where(np.isfinite(values), values, np.nan)


def _metric(
    name: str,
    units: Callable[[str], int],
    aggregate: Callable[[Statistics, Weights, Groups], Values],
    formula: str,
    lowest: float,
) -> Metric:
    return Metric(
        name,
        _measure(units),
        aggregate,
        bounds=(lowest, math.inf),
        higher_is_better=False,
        signature=f"{formula}, each summed over documents; every token is scored once",
    )


WORD_PERPLEXITY = _metric(
    "word_perplexity", _words, _perplexity, "exp(-log-probability / words)", 1.0
)
BYTE_PERPLEXITY = _metric(
    "byte_perplexity", _bytes, _perplexity, "exp(-log-probability / bytes)", 1.0
)
BITS_PER_BYTE = _metric(
    "bits_per_byte",
    _bytes,
    ratio_of_sums(-1.0 / math.log(2)),
    "-log-probability / (bytes * ln 2)",
    0.0,
)

PERPLEXITIES = (BITS_PER_BYTE, BYTE_PERPLEXITY, WORD_PERPLEXITY)
"""What tasks of language modelling report."""
