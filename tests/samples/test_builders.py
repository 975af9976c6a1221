"""Few-shot examples, and the builders of samples."""

from collections.abc import Callable
from typing import Any

import pytest

from evalharness.records import (
    Generation,
    LogLikelihood,
    Message,
    PseudoLogLikelihood,
    RollingLogLikelihood,
    Sample,
    Sampling,
    whole_prompt,
)
from evalharness.samples import (
    by_letters,
    choice_of_beginning,
    generation,
    likelihood_comparison,
    multiple_choice,
    pseudo_likelihood_comparison,
    rolling,
    with_options_alone,
)
from evalharness.samples.shots import solved, with_shots

CHOICE = multiple_choice(id="1", prompt="Q: a\nA:", choices=["x", "y"], gold=1)
TEXT = generation(id="2", prompt="Q: b\nA:", references=["z", "other"], max_tokens=5)


def test_a_solved_sample_shows_the_right_answer() -> None:
    assert solved(CHOICE) == "Q: a\nA: y"
    assert solved(TEXT) == "Q: b\nA: z"


def test_shots_stand_before_every_prompt_with_an_empty_line_between() -> None:
    shown = with_shots(CHOICE, [TEXT, CHOICE])
    shots = ("Q: b\nA: z\n\n", "Q: a\nA: y\n\n")
    for request in shown.requests:
        assert isinstance(request, LogLikelihood)
        assert (request.shots, request.prompt) == (shots, "Q: a\nA:")
    prompts = {whole_prompt(request) for request in shown.requests}
    assert prompts == {"Q: b\nA: z\n\nQ: a\nA: y\n\nQ: a\nA:"}
    continuations = [
        request.continuation for request in shown.requests if isinstance(request, LogLikelihood)
    ]
    assert continuations == [" x", " y"]
    assert with_shots(CHOICE, []) is CHOICE
    assert with_shots(with_shots(CHOICE, [CHOICE]), [TEXT]) == shown


def test_shots_before_chat_messages_are_refused() -> None:
    chat = Sample(id="3", requests=(Generation((Message("user", "hi"),), 5),))
    with pytest.raises(ValueError, match="plain text only"):
        with_shots(chat, [TEXT])
    with pytest.raises(ValueError, match="plain text only"):
        with_shots(TEXT, [chat])
    assert with_shots(chat, []) is chat


def test_a_document_is_scored_as_a_whole_and_measured_by_what_it_was() -> None:
    assert rolling(id="4", text="a text").source == "a text"
    prepared = rolling(id="4", text="a text.", source="a text .")
    assert (prepared.requests, prepared.source) == ((RollingLogLikelihood("a text."),), "a text .")


PAIR = pseudo_likelihood_comparison(id="5", texts=["a b", "a c"], shared_with=["a c", "a b"])


def test_texts_for_masked_models_are_scored_whole_in_part_or_by_what_they_share() -> None:
    whole = pseudo_likelihood_comparison(id="5", texts=["a b"])
    part = pseudo_likelihood_comparison(id="5", texts=["a b"], spans=[(2, 3)])
    assert whole.requests == (PseudoLogLikelihood("a b"),)
    assert part.requests == (PseudoLogLikelihood("a b", span=(2, 3)),)
    assert PAIR.requests == (
        PseudoLogLikelihood("a b", shared_with="a c"),
        PseudoLogLikelihood("a c", shared_with="a b"),
    )
    assert PAIR.choices == ("a b", "a c")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"texts": "ab"}, "list of texts"),
        ({"texts": ["a", ""]}, "empty"),
        ({"texts": ["a", "b"], "spans": [(0, 1)]}, "shorter"),
        ({"texts": ["a", "b"], "shared_with": ["b"]}, "shorter"),
        ({"texts": ["a"], "spans": [(0, 1)], "shared_with": ["b"]}, "not both"),
    ],
)
def test_texts_for_masked_models_that_do_not_fit_together_are_refused(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        pseudo_likelihood_comparison(id="5", **fields)


def test_shots_before_a_text_for_a_masked_model_are_refused() -> None:
    with pytest.raises(ValueError, match="scored as a whole"):
        with_shots(PAIR, [TEXT])
    with pytest.raises(ValueError, match="plain text only"):
        with_shots(TEXT, [PAIR])


def test_shots_before_a_document_that_is_scored_as_a_whole_are_refused() -> None:
    document = rolling(id="4", text="a text")
    with pytest.raises(ValueError, match="scored as a whole"):
        with_shots(document, [TEXT])
    with pytest.raises(ValueError, match="plain text only"):
        with_shots(TEXT, [document])


def test_draws_differ_in_their_seed_alone() -> None:
    drawn = generation(
        id="5", prompt="Q", references=["a"], max_tokens=5, draws=3, temperature=0.8, top_p=0.9
    )
    assert drawn.requests == tuple(
        Generation("Q", 5, sampling=Sampling(0.8, 0.9, seed)) for seed in (0, 1, 2)
    )
    once = generation(id="5", prompt="Q", references=["a"], max_tokens=5, temperature=0.8)
    assert once.requests == (Generation("Q", 5, sampling=Sampling(0.8)),)
    assert TEXT.requests == (Generation("Q: b\nA:", 5),)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"draws": 0, "temperature": 1.0}, "must be one or more"),
        ({"draws": 2}, "need a temperature"),
        ({"top_p": 0.9}, "need a temperature"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"temperature": 1.0, "top_p": 1.1}, "top_p must be above 0 and at most 1"),
    ],
)
def test_settings_that_draw_nothing_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generation(id="5", prompt="Q", references=["a"], max_tokens=5, **settings)


def test_impossible_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="option is empty"):
        multiple_choice(id="1", prompt="Q", choices=["x", ""], gold=0)
    with pytest.raises(ValueError, match="right answer is option 2"):
        multiple_choice(id="1", prompt="Q", choices=["x", "y"], gold=2)
    with pytest.raises(ValueError, match="no reference"):
        generation(id="1", prompt="Q", references=[], max_tokens=5)
    with pytest.raises(ValueError, match="text to compare is empty"):
        likelihood_comparison(id="1", prompts=["", ""], continuations=["a", ""])


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: multiple_choice(id="1", prompt="Q", choices="ab", gold=0), "choices"),
        (lambda: generation(id="1", prompt="Q", references="abc", max_tokens=5), "references"),
        (
            lambda: generation(id="1", prompt="Q", references=["a"], max_tokens=5, stop="ab"),
            "stop",
        ),
        (
            lambda: likelihood_comparison(id="1", prompts="ab", continuations=["a", "b"]),
            "prompts",
        ),
        (
            lambda: likelihood_comparison(id="1", prompts=["", ""], continuations="ab"),
            "continuations",
        ),
    ],
)
def test_a_text_in_the_place_of_a_list_is_refused(build: Callable[[], Sample], field: str) -> None:
    """It became a list of its letters, and the task was scored by them."""
    with pytest.raises(ValueError, match=f"{field} should be a list of texts, but is the text 'a"):
        build()


# --- Options by letters, alone, and in the beginning of a text ------------------------------


def test_options_are_listed_before_the_word_that_the_answer_follows() -> None:
    lettered = by_letters(CHOICE)
    assert lettered.requests == tuple(
        LogLikelihood("Q: a\nA. x\nB. y\nA:", letter) for letter in (" A", " B")
    )
    assert (lettered.target, lettered.choices, lettered.gold) == ("B", ("x", "y"), (1,))
    assert solved(lettered) == "Q: a\nA. x\nB. y\nA: B"


def test_a_prompt_that_asks_nothing_gets_a_line_for_the_answer() -> None:
    bare = multiple_choice(id="6", prompt="Fog is around", choices=["a marsh", "a tundra"], gold=0)
    (first, _) = by_letters(bare).requests
    assert whole_prompt(first) == "Fog is around\nA. a marsh\nB. a tundra\nAnswer:"


def test_what_has_no_options_to_list_is_refused() -> None:
    """Listing letters as options, or options that stand in prompts, would ask something else."""
    with pytest.raises(ValueError, match="letters already"):
        by_letters(by_letters(CHOICE))
    with pytest.raises(ValueError, match="no multiple choice"):
        by_letters(TEXT)
    with pytest.raises(ValueError, match="not asked after one prompt"):
        by_letters(BEGINNING)
    many = multiple_choice(id="7", prompt="Q", choices=["x"] * 27, gold=0)
    with pytest.raises(ValueError, match="27 options, but 26 letters"):
        by_letters(many)


def test_options_alone_have_neither_question_nor_examples_before_them() -> None:
    """An example before an option alone would be a question that it answers."""
    asked = with_shots(with_options_alone(CHOICE), [TEXT]).requests
    assert asked[:2] == with_shots(CHOICE, [TEXT]).requests
    assert asked[2:] == (LogLikelihood("", " x"), LogLikelihood("", " y"))
    assert solved(with_options_alone(CHOICE)) == solved(CHOICE)
    for sample in (TEXT, BEGINNING, with_options_alone(CHOICE)):
        with pytest.raises(ValueError, match=r"no multiple choice|not asked after one prompt"):
            with_options_alone(sample)


BEGINNING = choice_of_beginning(
    id="8",
    prompts=["The cat fed the dog as the cat", "The cat fed the dog as the dog"],
    continuation="was hungry.",
    choices=["the cat", "the dog"],
    gold=1,
)


def test_options_in_the_beginning_are_compared_by_what_follows_them() -> None:
    assert BEGINNING.requests == (
        LogLikelihood("The cat fed the dog as the cat", " was hungry."),
        LogLikelihood("The cat fed the dog as the dog", " was hungry."),
    )
    assert (BEGINNING.target, BEGINNING.gold) == ("the dog", (1,))
    assert solved(BEGINNING) == "The cat fed the dog as the dog was hungry."


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"prompts": ["one"]}, "2 options, but 1 prompts"),
        ({"continuation": ""}, "no text after"),
        ({"gold": 2}, "option 2, but there are 2"),
    ],
)
def test_a_beginning_that_is_no_question_is_refused(changed: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {
        "id": "9", "prompts": ["a", "b"], "continuation": "c", "choices": ["x", "y"], "gold": 0
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        choice_of_beginning(**given | changed)


@pytest.mark.parametrize("gold", [(), (0, 2), -1])
def test_right_answers_that_are_no_options_are_refused(gold: int | tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="right answer"):
        multiple_choice(id="10", prompt="Q", choices=["x", "y"], gold=gold)
