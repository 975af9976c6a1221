"""A sample as it is packed for a page: what all models have in common once, then each one's own."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from evalharness.report.sample_options import Answer, Asked, ScoredOptions, read_answer
from evalharness.report.sample_tokens import (
    Tokens,
    mean_surprisal,
    pack_tokens,
    read_tokens,
)

Rows = Sequence[Mapping[str, Any] | None]
"""Of samples/TASK.parquet: those of one sample, one for each model, None where it was not asked."""
Answers = Sequence[Answer | None]
"""What such rows say."""
StoredTokens = Sequence[Sequence[Tokens]]
"""The tokens of each request of each model; empty where they are not stored."""


def read_asked(shared: Mapping[str, Any]) -> Asked:
    """What a sample asks of every model; runs from before it was stored do not say it."""
    get = shared.get
    return Asked(get("choices") or (), get("gold") or (), get("continuations") or ())


def read_stored_tokens(rows: Rows) -> StoredTokens:
    """The tokens that rows have."""
    return [() if row is None else read_tokens(row) for row in rows]


def read_answers(rows: Rows, asked: Asked, metrics: Sequence[str], tokens: StoredTokens) -> Answers:
    """What rows say; each model's options are compared by the metric of the name it has there."""
    return [
        None if row is None else read_answer(row, asked, metric, [len(scored) for scored in stored])
        for row, metric, stored in zip(rows, metrics, tokens, strict=True)
    ]


def answer_surprisal(asked: Asked, answer: Answer | None, tokens: Sequence[Tokens]) -> float:
    """Bits per token of what was written, else of the right options, else of all that was scored.

    NaN where tokens are not stored.
    """
    if answer is None or not tokens:
        return math.nan
    if answer.written:
        return mean_surprisal([tokens[place] for place in answer.written])
    right = [tokens[place] for place in asked.gold if place < len(tokens)]
    return mean_surprisal(right or tokens)


def packed_sample(
    shared: Mapping[str, Any], asked: Asked, rows: Rows, answers: Answers, longest: int
) -> dict[str, Any]:
    """The texts of a sample, each of at most `longest` characters.

    s  slices; t  target; r  references; c  options; g  places of the right ones
    p  what was asked, a list for each way of asking; o  an output for each model, or None
    """
    prompts: dict[tuple[str, ...], int] = {}
    return {
        "s": json.loads(shared["slices"]),
        "t": cut(shared["target"], longest),
        "r": [cut(text, longest) for text in shared["references"]],
        "c": [cut(text, longest) for text in asked.choices],
        "g": list(asked.gold),
        "o": [
            row and answer and _packed_output(row, answer, asked, prompts, longest)
            for row, answer in zip(rows, answers, strict=True)
        ],
        "p": [[cut(text, longest) for text in prompt] for prompt in prompts],
    }


def _packed_output(
    row: Mapping[str, Any],
    answer: Answer,
    asked: Asked,
    prompts: dict[tuple[str, ...], int],
    longest: int,
) -> list[Any]:
    """The place of what was asked, texts, answers, an error, scored options, other scored texts."""
    responses, extracted = row["responses"], row["extracted"]
    written = [responses[place] for place in answer.written]
    return [
        prompts.setdefault(tuple(dict.fromkeys(row["prompts"])), len(prompts)),
        [cut(text, longest) for text in written],
        # Of what is extracted only what differs from the response is worth a place.
        0 if extracted == written else [cut(text, longest) for text in extracted],
        cut(row["error"], longest),
        0 if answer.options is None else _packed_options(answer.options),
        answer.alone and _packed_alone(answer, asked, longest),
    ]


def _packed_alone(answer: Answer, asked: Asked, longest: int) -> list[Any]:
    """Texts that were scored, "" for a text as a whole, and their log-probabilities."""
    texts = asked.continuations
    return [
        [cut(texts[place], longest) if place < len(texts) else "", _nats(value)]
        for place, value in answer.alone
    ]


def _packed_options(options: ScoredOptions) -> list[Any]:
    """Log-probabilities, probabilities, those of what is compared, and the place that is taken."""
    return [
        [_nats(value) for value in options.log_probabilities],
        [_share(value) for value in options.shares],
        [_share(value) for value in options.compared],
        options.taken,
    ]


def _share(value: float) -> float:
    """Six decimals; what is possible, however unlikely, is not 0."""
    return round(value, 6) or (1e-6 if value else 0.0)


def _nats(value: float | None) -> float | None:
    return round(value, 3) if value is not None and value > -math.inf else None


def packed_tokens(answers: Answers, tokens: StoredTokens, most: int) -> list[Any]:
    """For each model the tokens of its texts, of its options, and of other scored texts, or 0."""
    return [
        _packed_tokens(answer, stored, most) if answer is not None and stored else 0
        for answer, stored in zip(answers, tokens, strict=True)
    ]


def _packed_tokens(answer: Answer, tokens: Sequence[Tokens], most: int) -> list[Any]:
    options = 0 if answer.options is None else len(answer.options.log_probabilities)
    places = (answer.written, range(options), [place for place, _ in answer.alone])
    return [[pack_tokens(tokens[place], most) for place in some] for some in places]


def cut(text: str, longest: int) -> str:
    """The first `longest` characters, and how many more there are."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]} ⟦{len(text) - longest:,} more characters are not shown⟧"
