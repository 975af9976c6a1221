"""Builders for the usual kinds of sample, so that a task plugin stays short."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalharness.languages import language_name
from evalharness.records import (
    Generation,
    LogLikelihood,
    Message,
    PseudoLogLikelihood,
    Request,
    RollingLogLikelihood,
    Row,
    Sample,
    Sampling,
    WholeText,
)


def multiple_choice(
    *,
    id: str,
    prompt: str,
    choices: Sequence[str],
    gold: int,
    source: str = "",
    group: str | None = None,
    slices: Mapping[str, str] | None = None,
) -> Sample:
    """A question whose options are compared by log-likelihood, each after `prompt` and one space.

    Raises ValueError when an option is empty or `gold` is not the index of an option.
    """
    _refuse_one_text(choices=choices)
    if not all(choices):
        raise ValueError("an answer option is empty")
    if not 0 <= gold < len(choices):
        raise ValueError(f"the right answer is option {gold}, but there are {len(choices)} options")
    return Sample(
        id=id,
        requests=tuple(LogLikelihood(prompt, f" {choice}") for choice in choices),
        target=choices[gold],
        choices=tuple(choices),
        gold=(gold,),
        source=source,
        group=group,
        slices=slices or {},
    )


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


def translation(
    *,
    id: str,
    languages: tuple[str, str],
    source: str,
    references: Sequence[str],
    max_tokens: int = 256,
    group: str | None = None,
    slices: Mapping[str, str] | None = None,
) -> Sample:
    """A segment to be translated from the first into the second of `languages` (their codes).

    The prompt is "English phrase: ...", an empty line, "French phrase:"; the answer is one line.
    Raises ValueError for an empty reference and none at all, UsageError for an unknown code.
    """
    _refuse_one_text(references=references)
    for number, reference in enumerate(references, start=1):
        if not isinstance(reference, str) or not reference.strip():
            raise ValueError(f"reference {number} is empty")
    asked, wanted = map(language_name, languages)
    return generation(
        id=id,
        prompt=f"{asked} phrase: {source}\n\n{wanted} phrase:",
        references=references,
        max_tokens=max_tokens,
        stop=("\n",),
        source=source,
        group=group,
        slices=slices,
    )


def translation_of_row(row: Row, languages: tuple[str, str], max_tokens: int = 256) -> Sample:
    """A row of a test set in local files: `id`, `src`, and `refs` (a list) or one `ref`.

    A field `doc_id` groups the segments of a document.
    """
    return translation(
        id=str(row["id"]),
        languages=languages,
        source=row["src"],
        references=[row["ref"]] if "ref" in row and "refs" not in row else row["refs"],
        max_tokens=max_tokens,
        group=str(row["doc_id"]) if "doc_id" in row else None,
    )


def translation_of_pair(row: Row, languages: tuple[str, str], max_tokens: int = 256) -> Sample:
    """A row of `translation`, a text for each language, and the `row_number` of combined.Numbered.

    Rows of local files are read too (see translation_of_row).
    """
    if "refs" in row:
        return translation_of_row(row, languages, max_tokens)
    texts = Row(row["translation"], row.location)
    return translation(
        id=row["row_number"],
        languages=languages,
        source=texts[languages[0]],
        references=[texts[languages[1]]],
        max_tokens=max_tokens,
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


def with_shots(sample: Sample, shots: Sequence[Sample]) -> Sample:
    """The same sample with solved examples before each of its prompts, joined by an empty line.

    Raises ValueError when what is asked, by the sample or by an example, is not after plain text.
    """
    if not shots:
        return sample
    examples = tuple(f"{solved(shot)}\n\n" for shot in shots)
    return replace(sample, requests=tuple(_after(examples, one) for one in sample.requests))


def _after(examples: tuple[str, ...], request: Request) -> Request:
    if isinstance(request, WholeText):
        raise ValueError("few-shot examples cannot be put before a text that is scored as a whole")
    if not isinstance(request.prompt, str):
        raise ValueError("few-shot examples can be put before plain text only, not before messages")
    return replace(request, shots=examples + request.shots)


def solved(sample: Sample) -> str:
    """The prompt of a sample followed by its right answer, as a few-shot example shows it.

    Raises ValueError when the sample has no prompt of plain text.
    """
    return "".join(_solution(sample))


def solved_in_turns(sample: Sample) -> tuple[Message, Message]:
    """The same example as a user asks it and an assistant answers it. Raises what solved() does.

    What joins the answer to the prompt in plain text is left out: a turn begins with its text.
    """
    question, answer = _solution(sample)
    return Message("user", question), Message("assistant", answer.lstrip())


def _solution(sample: Sample) -> tuple[str, str]:
    """The prompt, and the right answer with what joins them."""
    request = sample.requests[0]
    if isinstance(request, LogLikelihood) and sample.gold:
        request = sample.requests[sample.gold[0]]
    if isinstance(request, WholeText) or not isinstance(request.prompt, str):
        raise ValueError("a few-shot example can be made of a prompt of plain text only")
    if isinstance(request, LogLikelihood):
        return request.prompt, request.continuation
    return request.prompt, f" {sample.target}"
