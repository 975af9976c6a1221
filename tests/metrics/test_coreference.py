"""WinoBias and Winogender: gaps worked out by hand, the correlation against scipy's."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import pearsonr

from evalharness.metrics.coreference import (
    ACCURACY_ANTI,
    ACCURACY_PRO,
    BLS_CORRELATION,
    FEMALE_LESS_MALE,
    GENDER_GAP,
    GOTCHA_GAP,
    PRO_ANTI_DISTANCE,
    PRO_ANTI_GAP,
)
from evalharness.records import Response, Sample
from tests.metrics.answers import corpus, scored

Answered = tuple[Sample, list[Response]]


def answered(gold: int, chosen: int, **slices: str) -> Answered:
    sample = Sample(id="s", requests=(), choices=("cook", "guest"), gold=(gold,), slices=slices)
    return sample, scored(*(-float(index != chosen) for index in range(2)))


def test_winobias_compares_accuracy_with_and_against_the_stereotype() -> None:
    items = [answered(0, chosen, stereotype="pro") for chosen in (0, 0, 0, 1)]
    items += [answered(0, chosen, stereotype="anti") for chosen in (0, 1, 1, 1)]
    assert corpus(ACCURACY_PRO, items) == pytest.approx(0.75)
    assert corpus(ACCURACY_ANTI, items) == pytest.approx(0.25)
    assert corpus(PRO_ANTI_GAP, items) == pytest.approx(0.5)
    turned = [
        (
            Sample(
                id="s",
                requests=(),
                gold=(0,),
                slices={"stereotype": {"pro": "anti", "anti": "pro"}[sample.slices["stereotype"]]},
            ),
            responses,
        )
        for sample, responses in items
    ]
    assert corpus(PRO_ANTI_GAP, turned) == pytest.approx(-0.5)
    assert corpus(PRO_ANTI_DISTANCE, turned) == pytest.approx(0.5)


def test_a_gap_without_one_of_its_sides_is_undefined() -> None:
    assert math.isnan(corpus(PRO_ANTI_GAP, [answered(0, 0, stereotype="pro")]))
    assert math.isnan(corpus(GOTCHA_GAP, [answered(0, 0, gender="male")]))


def test_winogender_gaps_leave_neutral_pronouns_out() -> None:
    items = [answered(0, 0, gender="male", gotcha="no"), answered(0, 1, gender="male", gotcha="no")]
    items += [answered(0, 1, gender="female", gotcha="yes")]
    items += [answered(0, 0, gender="neutral", gotcha="neutral")] * 5
    assert corpus(GENDER_GAP, items) == pytest.approx(0.5)
    assert corpus(GOTCHA_GAP, items) == pytest.approx(0.5)


def test_what_is_resolved_to_the_occupation_is_counted_whether_right_or_wrong() -> None:
    items = [answered(1, 0, gender="female"), answered(0, 0, gender="female")]
    items += [answered(1, 1, gender="male"), answered(0, 0, gender="male")]
    assert corpus(FEMALE_LESS_MALE, items) == pytest.approx(50.0)


CHOICES = st.lists(st.tuples(*[st.integers(0, 1)] * 4), min_size=3, max_size=8)


@given(CHOICES, st.data())
def test_the_correlation_over_occupations_is_pearsons(
    chosen: list[tuple[int, int, int, int]], data: st.DataObject
) -> None:
    women = [data.draw(st.integers(0, 100)) for _ in chosen]
    leaning = [
        (she[0] + she[1] - he[0] - he[1]) / 2 for she, he in ((c[:2], c[2:]) for c in chosen)
    ]
    leaning = [-value for value in leaning]  # 0 is the occupation
    assume(len(set(women)) > 1 and len(set(leaning)) > 1)
    items, groups = [], []
    for number, (share, choices) in enumerate(zip(women, chosen, strict=True)):
        for gender, index in zip(("female", "female", "male", "male"), choices, strict=True):
            items.append(answered(0, index, gender=gender, bls_pct_female=str(share)))
            groups.append(number)
    expected = pearsonr(leaning, women).statistic
    assert corpus(BLS_CORRELATION, items, groups) == pytest.approx(expected, abs=1e-9)


def test_an_occupation_that_is_drawn_twice_weighs_twice() -> None:
    sides = [(0, 1, 10), (1, 1, 50), (0, 0, 60), (1, 0, 90)]
    items = [
        answered(0, index, gender=gender, bls_pct_female=str(share))
        for she, he, share in sides
        for gender, index in (("female", she), ("male", he))
    ]
    statistics = np.array([BLS_CORRELATION.measure(*item) for item in items])
    groups = np.repeat(np.arange(4), 2)
    weights = np.repeat([[2.0, 1.0, 1.0, 0.0]], 2, axis=1)
    leaning = [he - she for she, he, _ in sides]
    drawn = [0, 0, 1, 2]
    expected = pearsonr([leaning[i] for i in drawn], [sides[i][2] for i in drawn]).statistic
    assert BLS_CORRELATION.aggregate(statistics, weights, groups)[0] == pytest.approx(expected)


def test_without_the_share_of_women_the_correlation_is_undefined() -> None:
    items = [answered(0, 0, gender="female"), answered(0, 1, gender="male")]
    assert math.isnan(corpus(BLS_CORRELATION, items, [0, 0]))
