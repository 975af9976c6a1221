"""Builders for the usual kinds of sample, so that a task plugin stays short."""

from evalharness.samples.builders import (
    factual_pair,
    generation,
    likelihood_comparison,
    place_of,
    pseudo_likelihood_comparison,
    rolling,
    summary,
)
from evalharness.samples.choices import (
    LETTERS,
    by_letters,
    choice_of_beginning,
    listed_options,
    multiple_choice,
    with_options_alone,
    without_cue,
)
from evalharness.samples.translation import (
    translation,
    translation_of_pair,
    translation_of_row,
)

__all__ = [
    "LETTERS",
    "by_letters",
    "choice_of_beginning",
    "factual_pair",
    "generation",
    "likelihood_comparison",
    "listed_options",
    "multiple_choice",
    "place_of",
    "pseudo_likelihood_comparison",
    "rolling",
    "summary",
    "translation",
    "translation_of_pair",
    "translation_of_row",
    "with_options_alone",
    "without_cue",
]
