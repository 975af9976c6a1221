"""Counterfactual swaps: what is asked, what is a flip, and gaps of another task's metrics."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from evalharness.metrics.bias import SS
from evalharness.metrics.counterfactual import (
    asked_twice,
    counterfactual_metrics,
    swapped_request,
)
from evalharness.metrics.multiple_choice import ACCURACY
from evalharness.metrics.question_answering import EXACT_MATCH
from evalharness.records import (
    Generation,
    GenerationResponse,
    LogLikelihood,
    Message,
    Metric,
    PseudoLogLikelihood,
    Response,
    RollingLogLikelihood,
    Sample,
)
from evalharness.samples import generation, likelihood_comparison, multiple_choice
from tests.metrics.answers import corpus, scored

Answered = tuple[Sample, Sequence[Response]]


def metrics(*base: Metric) -> dict[str, Metric]:
    return {metric.name: metric for metric in counterfactual_metrics(base)}


def test_a_prompt_and_its_continuation_are_swapped_as_one_text() -> None:
    """What "her" becomes depends on the noun that the continuation may begin with."""
    found = swapped_request(LogLikelihood("Q: He lost", " his", shots=("He.\n\n",)))
    assert found == LogLikelihood("Q: She lost", " hers", shots=("He.\n\n",))
    assert swapped_request(LogLikelihood("She lost her", " keys")) == LogLikelihood(
        "He lost his", " keys"
    )


def test_all_kinds_of_requests_are_swapped() -> None:
    chat = (Message("system", "Help."), Message("user", "Who is she?"))
    assert swapped_request(Generation(chat, 5)) == Generation(
        (Message("system", "Help."), Message("user", "Who is he?")), 5
    )
    assert swapped_request(LogLikelihood(chat, "her")) == LogLikelihood(
        (Message("system", "Help."), Message("user", "Who is he?")), "him"
    )
    assert swapped_request(RollingLogLikelihood("A girl.")) == RollingLogLikelihood("A boy.")
    text = "The uncle saw a woman."
    masked = swapped_request(PseudoLogLikelihood(text, span=(16, 21)))
    assert masked == PseudoLogLikelihood("The aunt saw a man.", span=(15, 18))
    assert swapped_request(PseudoLogLikelihood("He ran.", shared_with="She ran.")) == (
        PseudoLogLikelihood("She ran.", shared_with="He ran.")
    )


def question(text: str, gold: int, *choices: str) -> Sample:
    return asked_twice(multiple_choice(id="q", prompt=text, choices=choices, gold=gold))


CHANGED = question("He is", 0, "tall", "small")
UNCHANGED = question("It is", 0, "tall", "small")


def test_unchanged_samples_count_in_the_share_of_changed_ones_only() -> None:
    found = metrics(ACCURACY)
    flip, keep = scored(-1, -2, -2, -1), scored(-1, -2, -1, -2)
    answered = [(CHANGED, flip), (CHANGED, keep), (UNCHANGED, flip), (UNCHANGED, flip)]
    assert corpus(found["changed"], answered) == 0.5
    assert corpus(found["flip_rate"], answered) == 0.5
    assert corpus(found["acc_original"], answered) == 1.0
    assert corpus(found["acc_swapped"], answered) == 0.5
    assert corpus(found["acc_gap"], answered) == -0.5


def test_shifts_of_log_probability_cancel_and_distances_do_not() -> None:
    found = metrics(ACCURACY)
    answered = [(CHANGED, scored(-1, -2, -3, -2)), (CHANGED, scored(-4, -2, -2, -2))]
    assert corpus(found["log_likelihood_shift"], answered) == pytest.approx(0.0)
    assert corpus(found["log_likelihood_distance"], answered) == pytest.approx(1.0)


def test_a_text_flips_when_it_is_not_the_swapped_answer() -> None:
    sample = asked_twice(
        generation(id="g", prompt="Who is he?", references=["Her brother"], max_tokens=5)
    )
    found = metrics(EXACT_MATCH)

    def texts(one: str, other: str) -> Answered:
        return sample, [GenerationResponse(one, "end"), GenerationResponse(other, "end")]

    same = texts(" Her brother", "his  Sister")
    assert found["flip_rate"].measure(*same) == (0.0, 1.0)
    assert corpus(found[f"{EXACT_MATCH.name}_swapped"], [same]) == pytest.approx(
        EXACT_MATCH.bounds[1]
    )
    other = texts("Her brother", "Her brother")
    assert found["flip_rate"].measure(*other) == (1.0, 1.0)
    assert math.isnan(corpus(found["log_likelihood_shift"], [same]))


def test_texts_without_options_have_no_answer_to_flip() -> None:
    sample = asked_twice(Sample(id="s", requests=(RollingLogLikelihood("She ran."),)))
    found = metrics(ACCURACY)
    assert found["flip_rate"].measure(sample, scored(-1, -2)) == (0.0, 0.0)
    assert found["log_likelihood_shift"].measure(sample, scored(-1, -2)) == (-1.0, 1.0)


def test_macro_averages_are_over_the_groups_of_changed_samples() -> None:
    """Unchanged samples must not take weight from the groups that they are of."""
    sentences = {True: "He ran.", False: "It ran."}

    def triple(changed: bool, preferred: bool) -> Answered:
        sample = likelihood_comparison(
            id="t", prompts=[""] * 3, continuations=[sentences[changed]] * 3
        )
        values = (-1, -2, -3) if preferred else (-2, -1, -3)
        return asked_twice(sample), scored(*values, *values)

    answered = [triple(True, True), triple(True, False), triple(True, False)]
    groups = [0, 1, 1]
    ss = metrics(SS)["ss_original"]
    expected = corpus(ss, answered, groups)
    assert expected == pytest.approx(50.0)
    more = [*answered, triple(False, True), triple(False, True), triple(False, True)]
    assert corpus(ss, more, [*groups, 1, 1, 2]) == pytest.approx(expected)


def test_without_changed_samples_all_but_their_share_is_undefined() -> None:
    found = metrics(ACCURACY)
    answered = [(UNCHANGED, scored(-1, -2, -1, -2))]
    assert corpus(found.pop("changed"), answered) == 0.0
    assert all(math.isnan(corpus(metric, answered)) for metric in found.values())


def test_a_resample_of_unchanged_samples_has_no_gap() -> None:
    gap = metrics(ACCURACY)["acc_gap"]
    answered = [(CHANGED, scored(-1, -2, -2, -1)), (UNCHANGED, scored(-1, -2, -1, -2))]
    statistics = np.array([gap.measure(*one) for one in answered])
    found = gap.aggregate(statistics, np.array([[2.0, 0.0], [0.0, 2.0]]), np.arange(2))
    assert found[0] == -1.0
    assert np.isnan(found[1])
