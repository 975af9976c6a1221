"""What people and hashes see of samples."""

from dataclasses import replace

import pytest

from evalharness.prompts.preparation import prompt_hash
from evalharness.prompts.preview import preview
from evalharness.records import (
    Generation,
    LogLikelihood,
    PseudoLogLikelihood,
    RollingLogLikelihood,
    Sample,
)
from evalharness.samples import generation, multiple_choice, rolling
from evalharness.samples.shots import with_shots

CHOICE = multiple_choice(id="1", prompt="Q: a\nA:", choices=["x", "y"], gold=1)
TEXT = generation(id="2", prompt="Q: b\nA:", references=["z"], max_tokens=5, stop=["\n"])
BARE = Sample(id="3", requests=(LogLikelihood("", "text"),))


def test_a_preview_shows_examples_and_prompt_as_the_model_gets_them() -> None:
    assert preview(with_shots(CHOICE, [TEXT])) == (
        "=== 1\n--- prompt\nQ: b\nA: z\n\nQ: a\nA:\n  scored: ' x'\n* scored: ' y'"
    )
    assert "Q: a\nA: y\n\nQ: b\nA:\n  generated: up to 5 tokens" in preview(
        with_shots(TEXT, [CHOICE])
    )


def test_a_preview_shows_the_text_that_is_scored_as_a_whole() -> None:
    assert preview(rolling(id="4", text="One.\n\nTwo.")) == (
        "=== 4\n--- prompt\nOne.\n\nTwo.\n  scored as a whole"
    )


@pytest.mark.parametrize(
    ("request_", "shown"),
    [
        (PseudoLogLikelihood("a bc"), "each token, masked alone"),
        (PseudoLogLikelihood("a bc", span=(2, 4)), "each token of 'bc', masked alone"),
        (
            PseudoLogLikelihood("a bc", shared_with="a d"),
            "each token that is shared with 'a d', masked alone",
        ),
    ],
)
def test_a_preview_shows_which_tokens_are_masked(request_: PseudoLogLikelihood, shown: str) -> None:
    sample = Sample(id="4", requests=(request_,))
    assert preview(sample) == f"=== 4\n--- prompt\na bc\n  scored: {shown}"


def test_a_preview_tells_draws_apart() -> None:
    drawn = generation(id="5", prompt="Q", references=["a"], max_tokens=5, draws=2, temperature=0.8)
    assert preview(drawn).splitlines()[3:5] == [
        "  generated: up to 5 tokens, until [], drawn: temperature 0.8, top_p 1, seed 0",
        "  generated: up to 5 tokens, until [], drawn: temperature 0.8, top_p 1, seed 1",
    ]


@pytest.mark.parametrize(
    "changed",
    [
        replace(BARE, id="4"),
        replace(BARE, requests=(LogLikelihood("", "texts"),)),
        replace(BARE, requests=(LogLikelihood("", "text", ("shot",)),)),
        replace(BARE, requests=(Generation("", 5),)),
        replace(BARE, requests=(RollingLogLikelihood("text"),)),
        replace(BARE, requests=(PseudoLogLikelihood("text"),)),
        replace(BARE, target="x"),
        replace(BARE, references=("x",)),
        replace(BARE, choices=("x",)),
        replace(BARE, gold=(1,)),
        replace(BARE, source="x"),
        replace(BARE, group="x"),
    ],
)
def test_whatever_a_score_depends_on_enters_the_prompt_hash(changed: Sample) -> None:
    """Runs of different hashes are not compared; bytes of the source divide a perplexity."""
    assert prompt_hash([changed]) != prompt_hash([BARE])
