"""Samples that generate, and samples whose texts are scored."""

from collections.abc import Mapping, Sequence

from evalharness.records import (
    Generation,
    LogLikelihood,
    PseudoLogLikelihood,
    RollingLogLikelihood,
    Row,
    Sample,
    Sampling,
)
from evalharness.samples.checks import refuse_one_text


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
    refuse_one_text(references=references, stop=stop)
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
    refuse_one_text(prompts=prompts, continuations=continuations)
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
    refuse_one_text(texts=texts, shared_with=shared_with or ())
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
