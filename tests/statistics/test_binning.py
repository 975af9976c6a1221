"""Bins of about equally many samples."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evalharness.statistics.binning import SizeBin, quantile_bins

SIZES = st.lists(st.integers(0, 60), min_size=1, max_size=80).map(
    lambda sizes: np.array(sizes, dtype=np.int64)
)


@given(SIZES, st.integers(1, 8))
def test_every_sample_is_in_one_bin_and_no_bin_is_empty(sizes: np.ndarray, most: int) -> None:
    bins = quantile_bins(sizes, most)
    assert 1 <= len(bins) <= most
    inside = np.stack([one.holds(sizes) for one in bins])
    assert (inside.sum(axis=0) == 1).all()
    assert inside.any(axis=1).all()
    assert list(bins) == sorted(bins, key=lambda one: one.low)


@given(SIZES, st.integers(1, 8))
def test_only_ties_make_a_bin_larger_than_its_share(sizes: np.ndarray, most: int) -> None:
    for one in quantile_bins(sizes, most):
        inside = sizes[one.holds(sizes)]
        assert (inside < one.high).sum() < len(sizes) / most


def test_equal_sizes_are_one_bin_and_none_are_no_bin() -> None:
    assert quantile_bins(np.array([7, 7, 7, 7]), 5) == (SizeBin(7, 7),)
    assert quantile_bins(np.array([], dtype=np.int64), 5) == ()


def test_ends_are_sizes_that_there_are() -> None:
    assert quantile_bins(np.array([1, 2, 3, 40, 50, 60]), 2) == (SizeBin(1, 3), SizeBin(40, 60))
