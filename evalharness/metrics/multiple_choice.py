"""Multiple choice: is the option that a model finds likeliest, or whose letter it writes, right?"""

import string
from collections.abc import Callable, Sequence

from evalharness.metrics.aggregation import mean
from evalharness.metrics.responses import Measure, log_likelihoods, mean_over_draws
from evalharness.records import Metric, Response, Sample


def _accuracy(value: Callable[[float, str], float]) -> Measure:
    """1 if the first option with the largest value is right; of equal ones the first counts."""

    def measure(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        scored = log_likelihoods(responses[: len(sample.choices)])
        values = [
            value(response.log_probability, choice)
            for response, choice in zip(scored, sample.choices, strict=True)
        ]
        return (float(values.index(max(values)) in sample.gold),)

    return measure


ACCURACY = Metric(
    "acc",
    measure=_accuracy(lambda log_probability, _choice: log_probability),
    aggregate=mean(),
    signature="argmax of the summed log-probability",
)
# As in lm-evaluation-harness, the space that joins prompt and option does not count.
ACCURACY_NORM = Metric(
    "acc_norm",
    measure=_accuracy(lambda log_probability, choice: log_probability / len(choice)),
    aggregate=mean(),
    signature="argmax of the log-probability per character",
)

LETTERS = string.ascii_uppercase
"""What options are named by where a model is asked for one (see letters.py)."""


def _is_right(sample: Sample, text: str) -> tuple[float]:
    return (float(text in sample.references),)


LETTER_ACCURACY = Metric(
    "letter_accuracy",
    measure=mean_over_draws(_is_right),
    aggregate=mean(),
    signature="asked for the letter of the right option; an answer without one is wrong",
)
