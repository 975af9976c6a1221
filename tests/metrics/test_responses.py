"""Several draws of one answer are one row of statistics."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF, TER

from evalharness.metrics.placeholders import PLACEHOLDERS_KEPT
from evalharness.metrics.question_answering import EXACT_MATCH, TOKEN_F1
from evalharness.metrics.responses import texts
from evalharness.metrics.rouge import ROUGE_1, ROUGE_LSUM
from evalharness.metrics.translation import bleu, chrf, ter
from evalharness.records import GenerationResponse, Metric, Response, Sample
from tests.metrics.answers import corpus, scored, written

WORDS = st.lists(st.sampled_from(["the", "dog", "ran", "home", "."]), max_size=7).map(" ".join)
REFERENCES = WORDS.map(lambda text: f"the {text}")
MEANS = [EXACT_MATCH, TOKEN_F1, ROUGE_1, ROUGE_LSUM]
CORPORA = [bleu("en"), chrf(), chrf(2), ter(), PLACEHOLDERS_KEPT]


def drawn(reference: str, *draws: str, source: str = "") -> tuple[Sample, list[Response]]:
    sample, _ = written("", reference, source=source)
    return sample, [GenerationResponse(draw, "end") for draw in draws]


@pytest.mark.parametrize("metric", MEANS, ids=lambda metric: metric.name)
@given(reference=REFERENCES, draws=st.lists(WORDS, min_size=1, max_size=4))
def test_the_score_of_a_sample_is_the_mean_of_its_draws(
    metric: Metric, reference: str, draws: list[str]
) -> None:
    single = [metric.measure(*written(draw, reference))[0] for draw in draws]
    assert metric.measure(*drawn(reference, *draws)) == pytest.approx((statistics.mean(single),))


@given(
    st.lists(st.tuples(REFERENCES, st.lists(WORDS, min_size=2, max_size=2)), min_size=1, max_size=5)
)
def test_a_corpus_of_draws_scores_as_sacrebleu_scores_all_of_them(
    rows: list[tuple[str, list[str]]],
) -> None:
    outputs = [draw for _, draws in rows for draw in draws]
    references = [reference for reference, draws in rows for _ in draws]
    answered = [drawn(reference, *draws) for reference, draws in rows]
    for ours, theirs in (
        (bleu("en"), BLEU()),
        (chrf(2), CHRF(word_order=2)),
        (ter(), TER()),
    ):
        expected = theirs.corpus_score(outputs, [references]).score
        assert corpus(ours, answered) == pytest.approx(expected, abs=1e-9)


def test_placeholders_of_all_draws_are_counted_together() -> None:
    answered = [drawn("", "%s", "%s %d", "none", source="%s %d"), drawn("", "%s", source="%s")]
    assert corpus(PLACEHOLDERS_KEPT, answered) == pytest.approx((1 + 2 + 0 + 1) / (3 * 2 + 1))


@pytest.mark.parametrize("metric", [*MEANS, *CORPORA], ids=lambda metric: metric.name)
def test_one_sample_is_one_row_however_many_draws_it_has(metric: Metric) -> None:
    """A row for each draw would make intervals too narrow: they are not independent."""
    one = metric.measure(*drawn("the dog %s", "the dog %s", source="%s"))
    three = metric.measure(*drawn("the dog %s", "the dog", "a dog", "%s", source="%s"))
    assert len(one) == len(three)


def test_texts_are_stripped_and_likelihoods_and_nothing_are_refused() -> None:
    assert texts([GenerationResponse(" a\n", "end"), GenerationResponse("b", "stop")]) == ["a", "b"]
    with pytest.raises(TypeError, match="likelihoods"):
        texts([GenerationResponse("a", "end"), *scored(-1.0)])
    with pytest.raises(ValueError, match="there is none"):
        texts([])
