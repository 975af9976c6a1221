"""Builders for the usual kinds of sample, so that a task plugin stays short."""

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalharness.records import (
    Generation,
    LogLikelihood,
    PseudoLogLikelihood,
    RollingLogLikelihood,
    Row,
    Sample,
    Sampling,
)


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
    _refuse_one_text(prompts=prompts)
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
    _refuse_one_text(choices=choices)
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


def generation(
    *,
    id: str,
    prompt: str,
    references: Sequence[str],
    max_tokens: int,
    stop: Sequence[str] = (),
    draws: int = 1,
    temperature: float | None = None,
    top_p: float = 1.0,
    source: str = "",
    group: str | None = None,
    slices: Mapping[str, str] | None = None,
) -> Sample:
    """A prompt that the model continues; the first reference is the target of a few-shot example.

    temperature: the answer is drawn at random (see records.Sampling); greedy if None
    draws: how many answers are drawn, with the seeds 0, 1, 2 ...; metrics average over them

    Raises ValueError when there is no reference, or settings for drawing that draw nothing.
    """
    _refuse_one_text(references=references, stop=stop)
    if not references:
        raise ValueError("there is no reference answer")
    if draws < 1:
        raise ValueError(f"{draws} draws are asked for, but there must be one or more")
    if temperature is None and (draws > 1 or top_p != 1.0):
        raise ValueError("several draws, and top_p, need a temperature; greedy answers are equal")
    return Sample(
        id=id,
        requests=tuple(
            Generation(
                prompt,
                max_tokens,
                tuple(stop),
                sampling=None if temperature is None else Sampling(temperature, top_p, seed),
            )
            for seed in range(draws)
        ),
        target=references[0],
        references=tuple(references),
        source=source,
        group=group,
        slices=slices or {},
    )


def likelihood_comparison(
    *,
    id: str,
    prompts: Sequence[str],
    continuations: Sequence[str],
    group: str | None = None,
    slices: Mapping[str, str] | None = None,
) -> Sample:
    """Texts whose likelihoods are compared: continuation i after prompt i ("" scores a whole text).

    Raises ValueError when a continuation is empty or the numbers differ.
    """
    _refuse_one_text(prompts=prompts, continuations=continuations)
    if not all(continuations):
        raise ValueError("a text to compare is empty")
    return Sample(
        id=id,
        requests=tuple(
            LogLikelihood(prompt, continuation)
            for prompt, continuation in zip(prompts, continuations, strict=True)
        ),
        choices=tuple(continuations),
        group=group,
        slices=slices or {},
    )


def pseudo_likelihood_comparison(
    *,
    id: str,
    texts: Sequence[str],
    spans: Sequence[tuple[int, int]] | None = None,
    shared_with: Sequence[str] | None = None,
    group: str | None = None,
    slices: Mapping[str, str] | None = None,
) -> Sample:
    """Texts whose likelihoods to a masked model are compared (see PseudoLogLikelihood).

    spans: the characters [start, end) of each text whose tokens are scored; all of them if None
    shared_with: for each text the one whose tokens it must share to be scored, such as the two
        sentences of a pair the other way round

    Raises ValueError when a text is empty, the numbers differ, or both are given.
    """
    _refuse_one_text(texts=texts, shared_with=shared_with or ())
    if not all(texts):
        raise ValueError("a text to compare is empty")
    parts = spans if spans is not None else [None] * len(texts)
    others = shared_with if shared_with is not None else [""] * len(texts)
    return Sample(
        id=id,
        requests=tuple(
            PseudoLogLikelihood(text, span, other)
            for text, span, other in zip(texts, parts, others, strict=True)
        ),
        choices=tuple(texts),
        group=group,
        slices=slices or {},
    )


def summary(
    *,
    id: str,
    instruction: str,
    document: str,
    references: Sequence[str],
    max_tokens: int,
    slices: Mapping[str, str] | None = None,
) -> Sample:
    """A document to summarize: the instruction and a colon, the document, "Summary:".

    Raises ValueError for a reference without text, and where there is none.
    """
    if not all(reference.strip() for reference in references):
        raise ValueError("a reference summary is empty")
    return generation(
        id=id,
        prompt=f"{instruction}:\n\n{document}\n\nSummary:",
        references=references,
        max_tokens=max_tokens,
        source=document,
        slices=slices,
    )


def factual_pair(
    *,
    id: str,
    prompts: tuple[str, str],
    correct: str,
    corrupted: str,
    group: str,
    slices: Mapping[str, str],
) -> Sample:
    """A true and a corrupted summary of one document, whose likelihoods are compared.

    The true one comes first, then the corrupted one, after the document; then both without it.
    White space around a summary does not count.

    prompts  what is asked with the document, and the same without it
    group    the document, by which pairs are not independent
    Raises ValueError for an empty summary, and for two equal ones.
    """
    summaries = [correct.strip(), corrupted.strip()]
    if not all(summaries):
        raise ValueError("a summary is empty")
    if summaries[0] == summaries[1]:
        raise ValueError("the corrupted summary equals the correct one")
    return likelihood_comparison(
        id=id,
        prompts=[prompts[0], prompts[0], prompts[1], prompts[1]],
        continuations=[f" {summary}" for summary in summaries * 2],
        group=group,
        slices=slices,
    )


def rolling(
    *,
    id: str,
    text: str,
    source: str | None = None,
    group: str | None = None,
    slices: Mapping[str, str] | None = None,
) -> Sample:
    """A document, of any length, that is scored as a whole.

    source: the document as it was before anything was done to it for the model, such as undoing a
        tokenisation; its words and bytes are those that a perplexity is divided by
    """
    return Sample(
        id=id,
        requests=(RollingLogLikelihood(text),),
        source=text if source is None else source,
        group=group,
        slices=slices or {},
    )


def place_of(row: Row) -> str:
    """Where a row stands in its file, such as "row 12": an id where the data has none."""
    return row.location.rpartition(", ")[2]


def _refuse_one_text(**lists: Sequence[str]) -> None:
    """Raises ValueError for a text in the place of a list, which would be one of its letters."""
    for name, texts in lists.items():
        if isinstance(texts, str):
            raise ValueError(
                f"{name} should be a list of texts, but is the text {texts!r:.80}; "
                f"for a single one write [{texts!r:.80}]"
            )
