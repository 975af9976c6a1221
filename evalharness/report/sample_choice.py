"""Which samples a single file shows: errors, disagreements, and a random remainder."""

import zlib

import numpy as np
from numpy.typing import NDArray

from evalharness.report.sample_columns import FLAGS, TaskSamples

SHOWN = 400
"""Samples in a single file, over all of its tasks."""
FEWEST = 20
"""Of each task, however many tasks there are."""
_FAILED = 1 << FLAGS.index("failed")


def quota(tasks: int) -> int:
    """How many samples of each task a single file shows."""
    return max(FEWEST, SHOWN // max(1, tasks))


def choose(samples: TaskSamples, most: int) -> NDArray[np.int64]:
    """Places of at most `most` samples, in order.

    A third may be samples that failed and a half those on which models disagree, the largest
    disagreements first; the rest is drawn from all, so that it shows what is usual. The draw
    depends on the task's name alone.
    """
    if samples.n <= most:
        return np.arange(samples.n)
    generator = np.random.default_rng(zlib.crc32(samples.name.encode()))
    shuffled = generator.permutation(samples.n)
    failed = np.bitwise_or.reduce(samples.flags & _FAILED, axis=0) > 0
    spread = _spread(samples)
    chosen: dict[int, None] = {}
    _take(chosen, shuffled[failed[shuffled]], most // 3)
    by_spread = shuffled[np.argsort(-spread[shuffled], kind="stable")]
    _take(chosen, by_spread[spread[by_spread] > 0], most // 2)
    _take(chosen, shuffled, most - len(chosen))
    return np.array(sorted(chosen), dtype=np.int64)


def _take(chosen: dict[int, None], places: NDArray[np.int64], most: int) -> None:
    """Add the first places that are not chosen yet."""
    left = most
    for place in places:
        if left <= 0:
            return
        if int(place) not in chosen:
            chosen[int(place)] = None
            left -= 1


def _spread(samples: TaskSamples) -> NDArray[np.float64]:
    """How far apart the models' scores of each sample are; 0 where fewer than two have one."""
    scores = samples.scores.astype(np.float64)
    known = ~np.isnan(scores)
    highest = np.where(known, scores, -np.inf).max(axis=0)
    lowest = np.where(known, scores, np.inf).min(axis=0)
    return np.where(known.sum(axis=0) > 1, highest - lowest, 0.0)
