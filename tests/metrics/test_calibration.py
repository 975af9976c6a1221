"""Calibration of multiple choice: Brier score and expected calibration error."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.metrics.calibration import (
    BRIER,
    BRIER_OF_THE_ANSWER,
    ECE,
    ECE_OF_EQUAL_BINS,
    MAXIMUM_CALIBRATION_ERROR,
    SELECTIVE_ACCURACY,
    SELECTIVE_AREA,
    reliability,
)
from evalharness.records import LogLikelihoodResponse, Sample
from evalharness.samples import multiple_choice
from evalharness.statistics.resampling import score


def question(options: int, gold: int) -> Sample:
    return multiple_choice(
        id="q", prompt="Q:", choices=[f"option {number}" for number in range(options)], gold=gold
    )


def answered(shares: list[float]) -> list[LogLikelihoodResponse]:
    """Options with these probabilities among each other; what all have in common plays no part."""
    return [LogLikelihoodResponse(math.log(share) - 400.0, 3, False) for share in shares]


def test_brier_of_three_options_is_the_sum_of_squares() -> None:
    """By hand: (.2 - 0)^2 + (.5 - 1)^2 + (.3 - 0)^2; two options are twice the binary score."""
    (value,) = BRIER.measure(question(3, 1), answered([0.2, 0.5, 0.3]))
    assert value == pytest.approx(0.04 + 0.25 + 0.09)
    (value,) = BRIER.measure(question(2, 0), answered([0.7, 0.3]))
    assert value == pytest.approx(2 * 0.3**2)


def by_hand(confidence: list[float], correct: list[bool]) -> float:
    """As Guo et al. (2017) write it: bins ((m-1)/10, m/10], weighted by their size."""
    total = 0.0
    for number in range(10):
        low, high = number / 10, (number + 1) / 10
        inside = [
            index
            for index, value in enumerate(confidence)
            if low < value <= high or (number == 0 and value == 0)
        ]
        if inside:
            accuracy = sum(correct[index] for index in inside) / len(inside)
            mean = sum(confidence[index] for index in inside) / len(inside)
            total += len(inside) / len(confidence) * abs(accuracy - mean)
    return total


@given(st.lists(st.tuples(st.floats(0.5, 1.0), st.booleans()), min_size=1, max_size=40))
def test_ece_is_the_formula_of_the_paper(answers: list[tuple[float, bool]]) -> None:
    confidence, correct = [one for one, _ in answers], [one for _, one in answers]
    statistics = np.array([[share, float(right)] for share, right in answers])
    value = score(ECE, statistics, np.arange(len(answers)))
    assert value == pytest.approx(by_hand(confidence, correct), abs=1e-9)


@given(
    st.lists(st.tuples(st.floats(0.1, 1.0), st.booleans()), min_size=2, max_size=20),
    st.data(),
)
def test_ece_of_weights_is_that_of_repeated_samples(
    answers: list[tuple[float, bool]], data: st.DataObject
) -> None:
    """The bootstrap rests on it."""
    times = data.draw(
        st.lists(st.integers(0, 3), min_size=len(answers), max_size=len(answers)).filter(any)
    )
    statistics = np.array([[share, float(right)] for share, right in answers])
    weights = np.array([times], dtype=float)
    groups = np.arange(len(answers))
    repeated = np.repeat(statistics, times, axis=0)
    assert ECE.aggregate(statistics, weights, groups)[0] == pytest.approx(
        score(ECE, repeated, np.arange(len(repeated)))
    )


def test_confidence_is_that_of_the_option_taken() -> None:
    assert ECE.measure(question(2, 0), answered([0.6, 0.4])) == pytest.approx((0.6, 1.0))
    assert ECE.measure(question(2, 0), answered([0.25, 0.75])) == pytest.approx((0.75, 0.0))


def test_the_binary_brier_score_is_that_of_the_answer_taken() -> None:
    (value,) = BRIER_OF_THE_ANSWER.measure(question(3, 1), answered([0.2, 0.5, 0.3]))
    assert value == pytest.approx(0.25)
    (value,) = BRIER_OF_THE_ANSWER.measure(question(3, 0), answered([0.2, 0.5, 0.3]))
    assert value == pytest.approx(0.25)
    (value,) = BRIER_OF_THE_ANSWER.measure(question(2, 0), answered([0.3, 0.7]))
    assert value == pytest.approx(0.49)


# What uncertainty-calibration 0.1.4, which HELM uses, gives for these answers: get_ece_em with ten
# bins, and get_selective_stats.
BY_HELMS_PACKAGE = {
    7: (0.32237142857142853, 0.8268707482993197, 1.0),
    53: (0.20289999999999997, 0.6704462694009645, 1.0),
    200: (0.15335100000000004, 0.7677281336787044, 0.9047619047619048),
}


def test_figures_of_helm_are_those_of_its_package() -> None:
    generator = np.random.default_rng(7)
    for number, expected in BY_HELMS_PACKAGE.items():
        confidence = np.round(0.25 + 0.75 * generator.random(number), 4)
        right = generator.random(number) < confidence**1.5
        statistics = np.stack([confidence, right], axis=1)
        found = [
            score(metric, statistics, np.arange(number))
            for metric in (ECE_OF_EQUAL_BINS, SELECTIVE_AREA, SELECTIVE_ACCURACY)
        ]
        assert found == pytest.approx(expected, abs=1e-9)


def test_the_maximum_calibration_error_is_that_of_the_worst_bin() -> None:
    """Guo et al. (2017): bins of (.5, .6] and (.9, 1]; the first has .575 for .5, the second .95
    for 0.
    """
    statistics = np.array([[0.55, 1.0], [0.6, 0.0], [0.95, 0.0]])
    assert score(MAXIMUM_CALIBRATION_ERROR, statistics, np.arange(3)) == pytest.approx(0.95)


@given(
    st.lists(
        st.tuples(st.floats(0.1, 1.0), st.booleans()), min_size=2, max_size=20,
        unique_by=lambda answer: answer[0],
    ),
    st.data(),
)  # fmt: skip
def test_weights_of_the_worst_bin_and_of_the_surest_leave_samples_out(
    answers: list[tuple[float, bool]], data: st.DataObject
) -> None:
    """The bootstrap and the jackknife rest on it."""
    number = len(answers)
    kept = np.array(
        data.draw(st.lists(st.booleans(), min_size=number, max_size=number).filter(any))
    )
    statistics = np.array([[share, float(right)] for share, right in answers])
    for metric in (MAXIMUM_CALIBRATION_ERROR, SELECTIVE_ACCURACY, SELECTIVE_AREA):
        found = metric.aggregate(statistics, kept[None].astype(float), np.arange(number))[0]
        assert found == pytest.approx(score(metric, statistics[kept], np.arange(kept.sum())))


def test_reliability_has_the_bins_that_have_samples() -> None:
    found = reliability(np.array([[0.55, 1.0], [0.6, 0.0], [0.95, 1.0]]))
    assert [(one.low, one.high, one.n, one.accuracy) for one in found] == [
        (0.5, 0.6, 2, 0.5),
        (0.9, 1.0, 1, 1.0),
    ]
    assert found[0].confidence == pytest.approx(0.575)
