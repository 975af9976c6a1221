"""Baselines answer as their names say, and the same way every time."""

import math
from collections import Counter

import pytest

from evalharness.backends import open_backend
from evalharness.backends.baseline import lead
from evalharness.errors import UsageError
from evalharness.metrics.multiple_choice import ACCURACY_MUTUAL_INFORMATION
from evalharness.records import (
    Generation,
    GenerationResponse,
    Instance,
    LogLikelihood,
    LogLikelihoodResponse,
    Sample,
)
from evalharness.samples import (
    generation,
    likelihood_comparison,
    multiple_choice,
    pseudo_likelihood_comparison,
    rolling,
    with_options_alone,
)


def choices(number: int, gold: int = 0) -> Sample:
    return multiple_choice(
        id=f"choice-{number}", prompt="Which?", choices=["a", "bbbb", "cc", "d" * 90], gold=gold
    )


def texts(number: int, reference: str, source: str = "One. Two! Three? Four.") -> Sample:
    return generation(
        id=f"text-{number}", prompt="Say it", references=[reference], max_tokens=9, source=source
    )


def instances(samples: list[Sample], task: str = "task") -> list[Instance]:
    return [Instance(task, s, index) for s in samples for index in range(len(s.requests))]


def picked(spec: str, samples: list[Sample], *, divide: bool = False) -> list[int]:
    """For each sample the option with the largest log-probability (by length, if `divide`)."""
    asked = instances(samples)
    outcomes = dict(open_backend(spec).answer(asked))
    values: dict[str, list[float]] = {}
    for index, instance in enumerate(asked):
        outcome = outcomes[index]
        assert isinstance(outcome, LogLikelihoodResponse)
        length = len(instance.sample.choices[instance.index]) if divide else 1
        values.setdefault(instance.sample.id, []).append(outcome.log_probability / length)
    return [max(range(len(some)), key=some.__getitem__) for some in values.values()]


def said(spec: str, samples: list[Sample]) -> list[str]:
    outcomes = dict(open_backend(spec).answer(instances(samples)))
    answers = [outcomes[index] for index in range(len(samples))]
    assert all(isinstance(answer, GenerationResponse) for answer in answers)
    return [answer.text for answer in answers if isinstance(answer, GenerationResponse)]


@pytest.mark.parametrize("divide", [False, True])
def test_random_picks_every_option_equally_often_whatever_its_length(divide: bool) -> None:
    """With acc_norm a random value divided by length would favour the longest option."""
    counts = Counter(picked("baseline:random", [choices(n) for n in range(2000)], divide=divide))
    assert set(counts) == {0, 1, 2, 3}
    assert all(430 < count < 570 for count in counts.values())


def test_random_is_the_same_again_and_another_with_another_seed() -> None:
    samples = [choices(number) for number in range(50)]
    assert picked("baseline:random", samples) == picked("baseline:random", samples)
    assert picked("baseline:random", samples) != picked("baseline:random?seed=1", samples)


def test_random_text_is_the_answer_of_another_sample() -> None:
    samples = [texts(number, f"answer {number}") for number in range(20)]
    for number, text in enumerate(said("baseline:random", samples)):
        assert text in {f"answer {other}" for other in range(20) if other != number}


def test_every_draw_of_a_random_text_is_drawn_anew() -> None:
    samples = [
        generation(
            id=str(number), prompt="Say it", references=[f"answer {number}"], max_tokens=9,
            draws=5, temperature=1.0,
        )
        for number in range(20)
    ]  # fmt: skip
    outcomes = dict(open_backend("baseline:random").answer(instances(samples)))
    answers = [outcomes[index] for index in range(100)]
    drawn = [answer.text for answer in answers if isinstance(answer, GenerationResponse)]
    different = [len(set(drawn[start : start + 5])) for start in range(0, 100, 5)]
    assert sum(different) > 60
    for number in range(20):
        assert f"answer {number}" not in drawn[5 * number : 5 * number + 5]


def test_majority_picks_the_most_frequent_right_option() -> None:
    samples = [choices(number, gold=2 if number < 6 else 1) for number in range(10)]
    assert picked("baseline:majority", samples) == [2] * 10


def test_majority_says_the_most_frequent_answer_of_its_own_task() -> None:
    samples = [texts(number, "yes" if number % 3 else "no") for number in range(9)]
    assert said("baseline:majority", samples) == ["yes"] * 9


def test_majority_prefers_the_shorter_text_where_nothing_is_right() -> None:
    sample = likelihood_comparison(
        id="pair", prompts=["", ""], continuations=["longer text", "text"]
    )
    assert picked("baseline:majority", [sample]) == [1]


def test_majority_counts_the_letters_that_are_scored_of_masked_texts() -> None:
    part = pseudo_likelihood_comparison(id="p", texts=["ab", "abcd"], spans=[(0, 2), (3, 4)])
    pair = pseudo_likelihood_comparison(id="s", texts=["ab", "abcd"], shared_with=["abcd", "ab"])
    whole = pseudo_likelihood_comparison(id="w", texts=["abcd", "ab"])
    found = dict(open_backend("baseline:majority").answer(instances([part, pair, whole])))
    scores = [
        one.log_probability for one in found.values() if isinstance(one, LogLikelihoodResponse)
    ]
    assert scores == [-2, -1, -2, -2, -4, -2]


def test_copy_source_and_lead_3() -> None:
    samples = [texts(0, "x")]
    assert said("baseline:copy-source", samples) == ["One. Two! Three? Four."]
    assert said("baseline:lead-3", samples) == ["One. Two! Three?"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One.\nTwo.\nThree.\nFour.", "One. Two. Three."),
        ("Only one", "Only one"),
        ("一つ。二つ。三つ。四つ。", "一つ。 二つ。 三つ。"),
        ("He paid 3.50 there. Then he left. Why? No.", "He paid 3.50 there. Then he left. Why?"),
        ("", ""),
    ],
)
def test_sentences_end_at_marks_and_line_breaks(text: str, expected: str) -> None:
    assert lead(text, 3) == expected


@pytest.mark.parametrize("spec", ["baseline:random", "baseline:majority"])
def test_every_byte_of_a_whole_text_is_equally_likely(spec: str) -> None:
    """Guards against a floor of 0 bits: a rank of its own would be the likeliest there is."""
    outcomes = dict(open_backend(spec).answer(instances([rolling(id="t", text="a ü")])))
    answer = outcomes[0]
    assert isinstance(answer, LogLikelihoodResponse)
    assert answer.log_probability == pytest.approx(-4 * math.log(256))
    assert (answer.tokens, answer.greedy) == (4, False)


def test_text_baselines_say_what_they_cannot_answer() -> None:
    backend = open_backend("baseline:lead-3")
    assert "likelihoods" in str(backend.unsupported(instances([choices(0)])[0]))
    assert "no source" in str(backend.unsupported(instances([texts(0, "x", source="")])[0]))
    assert "likelihoods" in str(backend.unsupported(instances([rolling(id="t", text="a")])[0]))
    assert backend.unsupported(instances([texts(0, "x")])[0]) is None


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("baseline:majorty", "Did you mean 'majority'"),
        ("baseline:random?sead=3", "Did you mean 'seed'"),
        ("baseline:random?seed=x", "option 'seed' is 'x'"),
        ("baseline:random?seed=1&seed=2", "given twice"),
        ("baseline:random?seed", "key=value"),
        ("builtn:x", "Did you mean 'builtin'"),
        ("smollm2", "SCHEME:REFERENCE"),
        ("builtin:", "SCHEME:REFERENCE"),
        ("builtin:smollm2-135m-instrct", "Did you mean 'smollm2-135m-instruct'"),
        ("builtin:smollm2-135m-instruct?dtyp=float32", "Did you mean 'dtype'"),
        ("builtin:x?dtype=float33", "option 'dtype' is 'float33'"),
    ],
)
def test_a_wrong_spec_is_a_usage_error_that_names_the_nearest(spec: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_backend(spec)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("spec", ["baseline:random", "baseline:majority"])
def test_a_text_that_is_compared_with_none_is_not_certain(spec: str) -> None:
    """Ranked among one, it would be the likeliest: LAMBADA's random baseline was always right."""
    word = likelihood_comparison(id="word", prompts=["The end of the"], continuations=[" day"])
    both = Sample(id="both", requests=(Generation("Q", 9), LogLikelihood("Q", " day")), target="x")
    outcomes = dict(open_backend(spec).answer(instances([word, both])))
    for index in (0, 2):
        outcome = outcomes[index]
        assert isinstance(outcome, LogLikelihoodResponse)
        assert outcome.log_probability == pytest.approx(-4 * math.log(256))
        assert not outcome.greedy


def test_the_best_constant_answer_is_that_by_mutual_information_too() -> None:
    """Options alone were ranked after all others, so that the last option gained most."""
    samples = [with_options_alone(choices(number, gold=1 if number else 3)) for number in range(9)]
    asked = instances(samples)
    outcomes = dict(open_backend("baseline:majority").answer(asked))
    right = []
    for place, sample in enumerate(samples):
        own = [outcomes[8 * place + index] for index in range(8)]
        scored = [one for one in own if isinstance(one, LogLikelihoodResponse)]
        right.append(ACCURACY_MUTUAL_INFORMATION.measure(sample, scored))
    assert right == [(0.0,), *[(1.0,)] * 8]
