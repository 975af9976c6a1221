"""Perplexities against figures worked out by hand and the formulas of lm-evaluation-harness."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.metrics.perplexity import BITS_PER_BYTE, BYTE_PERPLEXITY, WORD_PERPLEXITY
from evalharness.records import GenerationResponse, LogLikelihoodResponse, Response, Sample
from evalharness.samples import rolling
from evalharness.statistics.summaries import summarize
from tests.metrics.answers import corpus, scored

ALL = (WORD_PERPLEXITY, BYTE_PERPLEXITY, BITS_PER_BYTE)


def document(text: str, log_probability: float) -> tuple[Sample, list[Response]]:
    return rolling(id="d", text=text), scored(log_probability)


def test_figures_worked_out_by_hand() -> None:
    """Every byte with probability 1/4: 2 bits a byte. 12 bytes in 3 words are 4 bytes a word."""
    answered = [document("abc de", -6 * math.log(4)), document("fghijk", -6 * math.log(4))]
    assert corpus(BITS_PER_BYTE, answered) == pytest.approx(2.0)
    assert corpus(BYTE_PERPLEXITY, answered) == pytest.approx(4.0)
    assert corpus(WORD_PERPLEXITY, answered) == pytest.approx(4.0**4)


def test_sums_over_documents_come_before_the_division() -> None:
    """The mean of the documents' own figures would be (1 + 3) / 2 bits."""
    answered = [document("a" * 30, -30 * math.log(2)), document("b" * 10, -30 * math.log(2))]
    assert corpus(BITS_PER_BYTE, answered) == pytest.approx(60 / 40)


def test_words_and_bytes_are_those_of_the_original_document() -> None:
    sample = rolling(id="d", text="Don't stop", source="Do n't  stop ü")
    statistics = [metric.measure(sample, scored(-7.0)) for metric in ALL]
    assert statistics == [(-7.0, 4.0), (-7.0, 15.0), (-7.0, 15.0)]


@pytest.mark.parametrize(
    ("text", "words"),
    [("", 1), ("one", 1), ("one two", 2), (" one\n\n two\t", 4), ("犬は家に帰った", 1)],
)
def test_words_are_counted_as_lm_evaluation_harness_counts_them(text: str, words: int) -> None:
    """White space at the ends makes a word, too: its wikitext task splits and counts the parts."""
    assert WORD_PERPLEXITY.measure(*document(text, -1.0)) == (-1.0, words)


DOCUMENTS = st.lists(
    st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.floats(-500.0, 0.0)),
    min_size=1,
    max_size=8,
).filter(lambda documents: any(text for text, _ in documents))


@given(DOCUMENTS)
def test_scores_equal_the_formulas_of_lm_evaluation_harness(
    documents: list[tuple[str, float]],
) -> None:
    total = sum(value for _, value in documents)
    words = sum(len(re.split(r"\s+", text)) for text, _ in documents)
    size = sum(len(text.encode("utf-8")) for text, _ in documents)
    answered = [document(*one) for one in documents]
    assert corpus(BITS_PER_BYTE, answered) == pytest.approx(-total / size / math.log(2))
    for metric, count in ((WORD_PERPLEXITY, words), (BYTE_PERPLEXITY, size)):
        if total / count > -700:
            assert corpus(metric, answered) == pytest.approx(math.exp(-total / count))


def test_what_is_too_large_for_a_float_or_has_no_bytes_is_undefined() -> None:
    """Guards against an infinity in results.json: a text without white space is one word."""
    long = document("犬" * 1000, -5000.0)
    assert math.isnan(corpus(WORD_PERPLEXITY, [long]))
    assert corpus(BITS_PER_BYTE, [long]) == pytest.approx(5000 / 3000 / math.log(2))
    assert math.isnan(corpus(BITS_PER_BYTE, [document("", 0.0)]))
    assert math.isnan(corpus(BYTE_PERPLEXITY, [document("", 0.0)]))


def test_an_interval_is_around_the_score() -> None:
    answered = [document("word " * (3 + place % 5), -40.0 - place) for place in range(40)]
    measured = [(one, np.array([one.measure(*each) for each in answered])) for one in ALL]
    for found in summarize(measured, np.arange(40), seed=0):
        assert found.value is not None
        assert found.interval is not None
        assert found.interval[0] < found.value < found.interval[1]


def test_a_text_in_place_of_likelihoods_is_a_type_error() -> None:
    sample = rolling(id="d", text="a")
    with pytest.raises(TypeError, match="likelihoods"):
        BITS_PER_BYTE.measure(sample, [GenerationResponse("a", "end")])


def test_documents_of_several_requests_are_summed() -> None:
    sample = rolling(id="d", text="ab")
    responses = [LogLikelihoodResponse(-math.log(2), 1, greedy=False)] * 2
    assert BITS_PER_BYTE.measure(sample, responses) == pytest.approx((-2 * math.log(2), 2.0))
