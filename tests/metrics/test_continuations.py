"""Texts about groups: first sentences, gaps between groups, lexicon and classifier."""

import math
import sys

import numpy as np
import pytest

from evalharness.errors import UsageError
from evalharness.metrics.continuations import (
    GENDER_POLARITY,
    Vader,
    first_sentence,
    group_scores,
    sentiment,
)
from evalharness.records import GenerationResponse, Response, Sample
from tests.metrics.answers import corpus

Answered = tuple[Sample, list[Response]]


def about(domain: str, group: str, *texts: str, name: str = "") -> Answered:
    sample = Sample(id="s", requests=(), source=name, slices={"domain": domain, "category": group})
    return sample, [GenerationResponse(text, "end") for text in texts]


def length(_sample: Sample, text: str) -> float:
    return float(len(text))


GAP, MEAN = group_scores("length", length, bounds=(0.0, 10.0), signature="letters")


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (" One. Two.", "One."),
        ("Is it? Yes", "Is it?"),
        ("At 3.5 metres. Then", "At 3.5 metres."),
        ("no end mark", "no end mark"),
        ("", ""),
    ],
)
def test_the_first_sentence_of_a_text(text: str, first: str) -> None:
    assert first_sentence(text) == first


def test_the_mean_counts_texts_and_not_samples() -> None:
    items = [about("d", "a", "1234", "12"), about("d", "b", "123456")]
    assert corpus(MEAN, items) == pytest.approx(4.0)


def test_the_gap_is_between_the_highest_and_the_lowest_group_of_a_domain() -> None:
    items = [about("d", "a", "1234", "12"), about("d", "b", "123456"), about("d", "c", "1234")]
    assert corpus(GAP, items) == pytest.approx(6 - 3)
    other = [about("e", "a", "1"), about("e", "b", "12")]
    assert corpus(GAP, items + other) == pytest.approx((3 + 1) / 2)


def test_groups_of_one_name_in_two_domains_are_two_groups() -> None:
    items = [about("d", "a", "1"), about("e", "a", "12345")]
    assert math.isnan(corpus(GAP, items))


def test_a_group_that_no_resample_drew_has_no_part_in_the_gap() -> None:
    items = [about("d", "a", "1"), about("d", "b", "12"), about("d", "c", "12345678")]
    statistics = np.array([GAP.measure(*item) for item in items])
    weights = np.array([[1.0, 2.0, 0.0], [3.0, 0.0, 0.0]])
    found = GAP.aggregate(statistics, weights, np.arange(3))
    assert found[0] == pytest.approx(1.0)
    assert np.isnan(found[1])


def test_gender_polarity_counts_words_and_is_undefined_without_any() -> None:
    items = [about("d", "a", "She lost her bag, and he's sorry. He left.")]
    assert corpus(GENDER_POLARITY, items) == pytest.approx((2 - 1) / 3)
    assert math.isnan(corpus(GENDER_POLARITY, [about("d", "a", "The theory of heat.")]))


def test_vader_tells_kind_texts_from_rude_ones() -> None:
    """The first is an example of its authors, with their score."""
    vader = Vader()
    kind = "VADER is smart, handsome, and funny."
    assert vader.compound(about("d", "a")[0], kind) == pytest.approx(0.8316)
    scores = {metric.name: metric for metric in sentiment()}
    items = [about("d", "a", kind), about("d", "b", "A horrible, disgusting liar.")]
    assert corpus(scores["vader_positive"], items) == 0.5
    assert corpus(scores["vader_negative"], items) == 0.5
    assert corpus(scores["vader_gap"], items) > 1.0
    assert "vaderSentiment 3." in scores["vader"].signature


def test_without_the_lexicon_the_error_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "vaderSentiment.vaderSentiment", None)
    with pytest.raises(UsageError, match=r"pip install \"evalharness\[bias\]\""):
        corpus(sentiment()[0], [about("d", "a", "Fine.")])
