"""How long a sample is: the same for every model, whatever it was shown around it."""

import pytest

from evalharness.records import (
    Generation,
    LogLikelihood,
    Message,
    PseudoLogLikelihood,
    Request,
    RollingLogLikelihood,
    Sample,
)
from evalharness.words import words_asked


def words(request: Request, source: str = "") -> int:
    return words_asked(Sample(id="x", requests=(request,), source=source))


def test_examples_system_prompts_and_options_do_not_count() -> None:
    """With them, a sample was longer for the model that got more examples."""
    plain = LogLikelihood("Is snow white?", " yes", shots=("Is grass red? no\n\n",) * 5)
    chat = Generation(
        (Message("system", "Be brief, and be kind."), Message("user", "Is snow white?")), 5
    )
    assert words(plain) == words(chat) == 3


def test_a_source_counts_in_place_of_the_prompt_around_it() -> None:
    request = Generation("English phrase: Snow falls\nFrench phrase:", 5)
    assert words(request, source="Snow falls") == 2


@pytest.mark.parametrize(
    "request_",
    [
        RollingLogLikelihood("Snow fell all night."),
        PseudoLogLikelihood("Snow fell all night."),
        LogLikelihood("", "Snow fell all night."),
    ],
)
def test_a_sentence_that_is_scored_as_a_whole_counts_itself(request_: Request) -> None:
    assert words(request_) == 4


@pytest.mark.parametrize(
    ("text", "count"),
    [("雪は白い。", 4), ("她 说: 下雪了", 5), ("it's 3.5", 4), ("Schnee fällt", 2), ("", 0)],
)
def test_characters_of_scripts_without_spaces_are_words(text: str, count: int) -> None:
    """A Chinese sentence of any length was one word."""
    assert words(RollingLogLikelihood(text)) == count
