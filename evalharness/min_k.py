"""Min-K% Prob: how familiar is a text to a model, by the tokens that surprise it most?

Shi et al. 2024, "Detecting Pretraining Data from Large Language Models" (arXiv:2310.16789): a text
that was not trained on tends to have a few tokens that are very unlikely, one that was tends not
to. It is a weak hint: on most models it tells members of the training text from others hardly
better than chance does (Duan et al. 2024, "Do Membership Inference Attacks Work on Large Language
Models?", arXiv:2402.07841).
"""

import math
from collections.abc import Sequence

# The share of the tokens, in percent, that Shi et al. found best.
PERCENT = 20
SLICE = "min_k"
FAMILIAR, OTHERS, UNKNOWN = "most familiar quarter", "others", "not scored"


def min_k(log_probabilities: Sequence[float], percent: int = PERCENT) -> float | None:
    """The mean of the `percent` % lowest log-probabilities, of at least one; None for none.

    The number of them is rounded down, as in the authors' script. Higher means more familiar.
    """
    if not log_probabilities:
        return None
    count = max(1, len(log_probabilities) * percent // 100)
    return math.fsum(sorted(log_probabilities)[:count]) / count


def parts(values: Sequence[float | None]) -> list[str]:
    """The part of a task that each sample belongs to, by its min-k.

    The most familiar quarter has at most a quarter of those that have a value: where several are
    equal at its border, all of them are others.
    """
    known = sorted((value for value in values if value is not None), reverse=True)
    border = known[len(known) // 4] if known else 0.0
    return [
        UNKNOWN if value is None else FAMILIAR if value > border else OTHERS for value in values
    ]
