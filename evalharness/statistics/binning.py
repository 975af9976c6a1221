"""Samples in bins of about equal numbers, such as short, middling and long ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Sizes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SizeBin:
    """The sizes from `low` to `high`, both of which there are."""

    low: int
    high: int

    def holds(self, sizes: Sizes) -> NDArray[np.bool_]:
        """Which of the sizes (n,) belong to it."""
        return np.asarray((sizes >= self.low) & (sizes <= self.high))


def quantile_bins(sizes: Sizes, most: int) -> tuple[SizeBin, ...]:
    """At most `most` bins of whole numbers (n,), cut at their quantiles, in rising order.

    Equal sizes stay together, so that there are fewer bins where many are equal, and one where all
    are. Without its largest size a bin holds less than n / most samples.
    """
    if not len(sizes):
        return ()
    shares = np.arange(1, most + 1) / most
    ends = np.unique(np.quantile(sizes, shares, method="inverted_cdf"))
    starts = np.concatenate([[-np.inf], ends[:-1]])
    return tuple(
        SizeBin(int(sizes[sizes > start].min()), int(end))
        for start, end in zip(starts, ends, strict=True)
    )
