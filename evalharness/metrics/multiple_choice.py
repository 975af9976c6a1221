"""Multiple choice: is the option that a model finds likeliest, or whose letter it writes, right?

Sources: lm-evaluation-harness 0.4 for `acc`, `acc_norm` and `acc_mutual_info` (the latter after
Brown et al. 2020, who divide by the probability of the option without its question); Lin et al.
2022 for `mc2`. The space that joins prompt and option has no part in an option's length. Of equal
options the first counts, and of several right ones any.
"""

from collections.abc import Callable, Sequence

import numpy as np

from evalharness.metrics.aggregation import mean
from evalharness.metrics.responses import Measure, log_likelihoods, mean_over_draws
from evalharness.records import LogLikelihoodResponse, Metric, Response, Sample


def _length(choice: str, length: Callable[[str], int]) -> int:
    if not choice:
        raise ValueError("an option is empty, and nothing can be divided by its length")
    return length(choice)


def _per_token(response: LogLikelihoodResponse) -> float:
    if response.tokens == 0:
        raise ValueError(
            "the number of tokens of an option is not known; give it with the log-probabilities"
        )
    return response.log_probability / response.tokens


def _options(sample: Sample, responses: Sequence[Response]) -> list[LogLikelihoodResponse]:
    """The responses that score the options after the question; others may follow them."""
    return log_likelihoods(responses[: len(sample.choices)])


def _accuracy(value: Callable[[LogLikelihoodResponse, str], float]) -> Measure:
    """1 if the first option with the largest value is right."""

    def measure(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        values = [
            value(response, choice)
            for response, choice in zip(_options(sample, responses), sample.choices, strict=True)
        ]
        return (_is_right(sample, values),)

    return measure


def _is_right(sample: Sample, values: Sequence[float]) -> float:
    return float(values.index(max(values)) in sample.gold)


def _mutual_information(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
    """Responses are those of the options after the question, then of the options alone."""
    number = len(sample.choices)
    if len(responses) != 2 * number:
        raise ValueError(
            f"{2 * number} log-likelihoods are needed for {number} options, with and without the "
            f"question, but there are {len(responses)}; build the sample by with_options_alone()"
        )
    scores = [response.log_probability for response in log_likelihoods(responses)]
    gains = [after - alone for after, alone in zip(scores[:number], scores[number:], strict=True)]
    return (_is_right(sample, gains),)


def _share_of_gold(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
    """The probability of the right options among all options, in the logarithm as far as it goes.

    Long options have probabilities that no float can hold.
    """
    scores = np.array([response.log_probability for response in _options(sample, responses)])
    shares = np.exp(scores - scores.max())
    return (float(shares[list(sample.gold)].sum() / shares.sum()),)


ACCURACY = Metric(
    "acc",
    measure=_accuracy(lambda response, _choice: response.log_probability),
    aggregate=mean(),
    signature="argmax of the summed log-probability",
)
ACCURACY_NORM = Metric(
    "acc_norm",
    measure=_accuracy(lambda response, choice: response.log_probability / _length(choice, len)),
    aggregate=mean(),
    signature="argmax of the log-probability per character",
)
ACCURACY_BYTES = Metric(
    "acc_bytes",
    measure=_accuracy(
        lambda response, choice: (
            response.log_probability / _length(choice, lambda text: len(text.encode()))
        )
    ),
    aggregate=mean(),
    signature="argmax of the log-probability per byte of UTF-8",
)
ACCURACY_TOKENS = Metric(
    "acc_tokens",
    measure=_accuracy(lambda response, _choice: _per_token(response)),
    aggregate=mean(),
    signature="argmax of the log-probability per token, which depends on the tokenizer",
)
ACCURACY_MUTUAL_INFORMATION = Metric(
    "acc_mutual_info",
    measure=_mutual_information,
    aggregate=mean(),
    signature="argmax of the log-probability minus that of the option without the question",
)
MC2 = Metric(
    "mc2",
    measure=_share_of_gold,
    aggregate=mean(),
    signature="TruthfulQA MC2: the probability of the right options, of that of all options",
)


def _names_a_right_one(sample: Sample, text: str) -> tuple[float]:
    return (float(text in sample.references),)


LETTER_ACCURACY = Metric(
    "letter_accuracy",
    measure=mean_over_draws(_names_a_right_one),
    aggregate=mean(),
    signature="asked for the letter of the right option; an answer without one is wrong",
)
