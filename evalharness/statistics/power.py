"""What a number of samples can show, and how many samples a difference needs.

Source: Miller 2024 (arXiv 2411.00640), section 5: (z of alpha / 2 + z of power) * standard error.
"""

import math

from scipy.special import ndtri

ALPHA = 0.05
POWER = 0.8


def smallest_detectable_effect(
    stderr: float, *, alpha: float = ALPHA, power: float = POWER
) -> float:
    """The true difference that a two-sided test at `alpha` finds with probability `power`.

    stderr: standard error of the difference, in the units of the answer
    """
    return float(ndtri(1 - alpha / 2) + ndtri(power)) * stderr


def samples_needed(
    stderr: float, n: int, effect: float, *, alpha: float = ALPHA, power: float = POWER
) -> int:
    """How many samples find a true difference of `effect` with probability `power`.

    stderr: standard error of the difference that n samples (or clusters of them) had
    Raises ValueError for an effect of 0, which no number of samples finds.
    """
    if effect == 0:
        raise ValueError("no number of samples finds a difference of 0")
    detectable = smallest_detectable_effect(stderr, alpha=alpha, power=power)
    return math.ceil(n * (detectable / effect) ** 2)
