"""Samples whose answer is one of several options."""

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalharness.records import LogLikelihood, Sample
from evalharness.samples.checks import refuse_one_text


def multiple_choice(
    *,
    id: str,
    prompt: str,
    choices: Sequence[str],
    gold: int | Sequence[int],
    source: str = "",
    group: str | None = None,
    slices: Mapping[str, str] | None = None,
) -> Sample:
    """A question whose options are compared by log-likelihood, each after `prompt` and one space.

    gold: the index of the right option, or those of several

    Raises ValueError when an option is empty or `gold` is not the index of an option.
    """
    right = _checked_gold(choices, gold)
    return Sample(
        id=id,
        requests=tuple(LogLikelihood(prompt, f" {choice}") for choice in choices),
        target=choices[right[0]],
        choices=tuple(choices),
        gold=right,
        source=source,
        group=group,
        slices=slices or {},
    )


def choice_of_beginning(
    *,
    id: str,
    prompts: Sequence[str],
    continuation: str,
    choices: Sequence[str],
    gold: int,
    group: str | None = None,
    slices: Mapping[str, str] | None = None,
) -> Sample:
    """A question whose options stand in the beginning of a text, compared by how it goes on.

    That is partial scoring (Trinh and Le 2018): `continuation`, after one space, is scored after
    the prompt that each option makes. Raises ValueError as multiple_choice does, when there are
    not as many prompts as options, or nothing goes on.
    """
    right = _checked_gold(choices, gold)
    refuse_one_text(prompts=prompts)
    if len(prompts) != len(choices):
        raise ValueError(f"there are {len(choices)} options, but {len(prompts)} prompts")
    if not continuation:
        raise ValueError("there is no text after the place of the options")
    return Sample(
        id=id,
        requests=tuple(LogLikelihood(prompt, f" {continuation}") for prompt in prompts),
        target=choices[gold],
        choices=tuple(choices),
        gold=right,
        group=group,
        slices=slices or {},
    )


def _checked_gold(choices: Sequence[str], gold: int | Sequence[int]) -> tuple[int, ...]:
    refuse_one_text(choices=choices)
    if not all(choices):
        raise ValueError("an answer option is empty")
    right = (gold,) if isinstance(gold, int) else tuple(gold)
    if not right:
        raise ValueError("no option is the right answer")
    for index in right:
        if not 0 <= index < len(choices):
            raise ValueError(
                f"the right answer is option {index}, but there are {len(choices)} options"
            )
    return right


def with_options_alone(sample: Sample) -> Sample:
    """The same question, whose options are scored a second time, as texts without a prompt.

    Those scores are for ACCURACY_MUTUAL_INFORMATION; other metrics do not look at them. Raises
    ValueError for a sample that is no multiple choice, or whose options are not after one prompt.
    """
    alone = tuple(LogLikelihood("", option.continuation) for option in _options_of(sample))
    return replace(sample, requests=(*sample.requests, *alone))


LETTERS = string.ascii_uppercase
"""What options are named by, in their order."""

# The last line of a prompt, where it is a word that an answer follows, such as "Answer:".
_CUE = re.compile(r"\n[^\S\n]*([^\W\d_]+[^\S\n]?[:：])\s*\Z")


def by_letters(sample: Sample) -> Sample:
    """The same question with its options in the prompt, after letters, which are what is scored.

    That is how MMLU is asked (Hendrycks et al. 2021): the options stand before the word that the
    answer follows, one a line as "A. ..."; a prompt that ends otherwise gets the line "Answer:".
    Raises ValueError for a sample that is no multiple choice, or whose options are not after one
    prompt of plain text, are letters already, or are more than there are letters.
    """
    options = _options_of(sample)
    prompt = options[0].prompt
    if not isinstance(prompt, str):
        raise ValueError("options can be listed in plain text only, not in messages")
    letters = LETTERS[: len(options)]
    if [option.continuation for option in options] == [f" {letter}" for letter in letters]:
        raise ValueError("its options are letters already")
    text = _with_listed_options(prompt, sample.choices)
    return replace(
        sample,
        requests=tuple(LogLikelihood(text, f" {letter}") for letter in letters),
        target=letters[sample.gold[0]],
    )


def listed_options(choices: Sequence[str]) -> str:
    """The options of a question for a prompt, one a line after its letter.

    Raises ValueError for more options than letters.
    """
    if len(choices) > len(LETTERS):
        raise ValueError(f"there are {len(choices)} options, but {len(LETTERS)} letters")
    pairs = zip(LETTERS[: len(choices)], choices, strict=True)
    return "\n".join(f"{letter}. {choice}" for letter, choice in pairs)


def without_cue(prompt: str) -> tuple[str, str]:
    """The prompt before its last line, and that line, where it is a word such as "Answer:".

    Options stand between both. Else the whole prompt, and "".
    """
    cue = _CUE.search(prompt)
    return (prompt[: cue.start()], cue[1]) if cue else (prompt, "")


def _with_listed_options(prompt: str, choices: Sequence[str]) -> str:
    body, cue = without_cue(prompt)
    return "\n".join([body, listed_options(choices), cue or "Answer:"])


def _options_of(sample: Sample) -> list[LogLikelihood]:
    """The requests of a sample that scores its options after one prompt, and asks no more.

    Raises ValueError for any other.
    """
    options = [one for one in sample.requests if isinstance(one, LogLikelihood)]
    number = len(sample.choices)
    if not sample.gold or not number == len(options) == len(sample.requests):
        raise ValueError("it is no multiple choice whose options are scored, each once")
    if any(option.prompt != options[0].prompt for option in options):
        raise ValueError("its options are not asked after one prompt")
    return options
