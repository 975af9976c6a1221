"""Does a model find a true summary likelier than a corrupted one of the same document?

Sources: Tam et al. 2022 (FIB) for the choice by pointwise mutual information, the log-probability
after the document less that without it, per token; its script is the reference. A tie is no
success. The samples are those of samples.factual_pair.
"""

from collections.abc import Callable, Sequence

from evalharness.errors import DataError
from evalharness.metrics.aggregation import mean
from evalharness.metrics.responses import Measure, log_likelihoods
from evalharness.records import LogLikelihoodResponse, Metric, Response, Sample

Value = Callable[[LogLikelihoodResponse, LogLikelihoodResponse], float]
"""What one summary is worth, by its likelihood after the document and without it."""


def _preference(value: Value) -> Measure:
    def measure(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        scores = log_likelihoods(responses)
        if len(scores) != 4:
            raise DataError(
                f"the sample {sample.id!r} has {len(scores)} likelihoods, but a pair has 4: of "
                "both summaries after the document and without it."
            )
        correct, corrupted, correct_alone, corrupted_alone = scores
        return (float(value(correct, correct_alone) > value(corrupted, corrupted_alone)),)

    return measure


def _likelihood(given: LogLikelihoodResponse, _alone: LogLikelihoodResponse) -> float:
    return given.log_probability


def _information(given: LogLikelihoodResponse, alone: LogLikelihoodResponse) -> float:
    return given.log_probability - alone.log_probability


def _information_per_token(given: LogLikelihoodResponse, alone: LogLikelihoodResponse) -> float:
    if not given.tokens or not alone.tokens:
        raise DataError(
            "the information of a summary is per token, but an answer does not say how many "
            '"tokens" it has.'
        )
    return given.log_probability / given.tokens - alone.log_probability / alone.tokens


PAIR_ACCURACY = Metric(
    "pair_accuracy",
    _preference(_likelihood),
    mean(),
    signature="log P(correct | document) > log P(corrupted | document)",
)
PMI_ACCURACY = Metric(
    "pmi_accuracy",
    _preference(_information),
    mean(),
    signature="log P(summary | document) - log P(summary), summed, larger for the correct one",
)
PMI_PER_TOKEN_ACCURACY = Metric(
    "pmi_per_token_accuracy",
    _preference(_information_per_token),
    mean(),
    signature="log P(summary | document) - log P(summary), per token, larger for the correct one",
)
FACTUAL_PAIRS = (PAIR_ACCURACY, PMI_PER_TOKEN_ACCURACY, PMI_ACCURACY)
