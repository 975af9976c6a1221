"""CrowS-Pairs: ties, rounding, directions and the variants, worked out by hand."""

import math

import numpy as np
import pytest

from evalharness.errors import DataError
from evalharness.metrics.crows_pairs import (
    ANTI_STEREOTYPE_SCORE,
    LIKELIHOOD_DIFFERENCE,
    METRIC_SCORE,
    PCT_STEREOTYPE,
    PCT_STEREOTYPE_PER_TOKEN,
    STEREOTYPE_SCORE,
    TIES,
)
from evalharness.records import LogLikelihoodResponse, Response, Sample
from tests.metrics.answers import corpus, scored


def pair(direction: str, more: float, less: float) -> tuple[Sample, list[Response]]:
    return Sample(id="p", requests=(), slices={"direction": direction}), scored(more, less)


def test_ties_count_in_the_metric_score_and_nowhere_else() -> None:
    """metric.py divides by all pairs, but by untied ones within a direction."""
    answered = [
        pair("stereo", -1.0, -2.0),
        pair("stereo", -2.0, -1.0),
        pair("stereo", -2.0, -2.0),
        pair("antistereo", -1.0, -2.0),
        pair("antistereo", -3.0, -3.0),
    ]
    assert corpus(METRIC_SCORE, answered) == pytest.approx(40.0)
    assert corpus(STEREOTYPE_SCORE, answered) == pytest.approx(50.0)
    assert corpus(ANTI_STEREOTYPE_SCORE, answered) == pytest.approx(100.0)
    assert corpus(TIES, answered) == pytest.approx(40.0)


def test_masked_scores_are_rounded_before_they_are_compared() -> None:
    """-1.0001 and -1.0004 are a tie of metric.py, -1.0004 and -1.0006 are none."""
    tied, untied = pair("stereo", -1.0001, -1.0004), pair("stereo", -1.0004, -1.0006)
    assert METRIC_SCORE.measure(*tied) == (0.0, 1.0, 1.0)
    assert METRIC_SCORE.measure(*untied) == (1.0, 0.0, 1.0)


def test_causal_scores_are_not_rounded_and_a_tie_is_no_preference() -> None:
    """As in lm-evaluation-harness, where a tie counts as the other sentence."""
    assert PCT_STEREOTYPE.measure(*pair("stereo", -1.0001, -1.0004)) == (1.0,)
    assert PCT_STEREOTYPE.measure(*pair("stereo", -1.0, -1.0)) == (0.0,)


def test_a_direction_without_untied_pairs_is_undefined() -> None:
    assert math.isnan(corpus(ANTI_STEREOTYPE_SCORE, [pair("stereo", -1.0, -2.0)]))


def test_likelihood_difference_does_not_see_which_sentence_is_likelier() -> None:
    answered = [pair("stereo", -1.0, -3.0), pair("stereo", -4.0, -3.0)]
    assert corpus(LIKELIHOOD_DIFFERENCE, answered) == pytest.approx(1.5)


def test_per_token_a_longer_sentence_may_win() -> None:
    long = LogLikelihoodResponse(-6.0, tokens=6, greedy=False)
    short = LogLikelihoodResponse(-4.0, tokens=2, greedy=False)
    sample = Sample(id="p", requests=())
    assert PCT_STEREOTYPE.measure(sample, [long, short]) == (0.0,)
    assert PCT_STEREOTYPE_PER_TOKEN.measure(sample, [long, short]) == (1.0,)


def test_per_token_needs_to_know_the_tokens() -> None:
    unknown = LogLikelihoodResponse(-6.0, tokens=0, greedy=False)
    with pytest.raises(DataError, match="tokens"):
        PCT_STEREOTYPE_PER_TOKEN.measure(Sample(id="p", requests=()), [unknown, unknown])


def test_weights_of_resamples_give_the_score_of_the_resample() -> None:
    statistics = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    weights = np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    groups = np.arange(3)
    assert STEREOTYPE_SCORE.aggregate(statistics, weights, groups)[0] == pytest.approx(200 / 3)
    assert np.isnan(STEREOTYPE_SCORE.aggregate(statistics, weights, groups)[1])
