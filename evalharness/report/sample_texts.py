"""A sample as it is packed for a page: what all models have in common once, then each one's own."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalharness.report.sample_options import Answer, Asked, ScoredOptions, read_answer
from evalharness.report.sample_tokens import (
    Tokens,
    mean_surprisal,
    pack_tokens,
    read_tokens,
)


@dataclass(frozen=True, slots=True)
class Output:
    """What one model answered to one sample.

    row        of samples/TASK.parquet
    tokens     of each request; empty where they are not stored
    surprisal  bits per token of what was written, else of the right options, else of all that was
               scored; NaN where tokens are not stored
    """

    row: Mapping[str, Any]
    answer: Answer
    tokens: Sequence[Tokens]
    surprisal: float

    def shown_tokens(self, most: int) -> int:
        """How many tokens there are, where `most` of each request are shown."""
        return sum(min(len(tokens), most) for tokens in self.tokens)


def read_asked(shared: Mapping[str, Any]) -> Asked:
    """What a sample asks of every model; runs from before it was stored do not say it."""
    get = shared.get
    return Asked(get("choices") or (), get("gold") or (), get("continuations") or ())


def read_output(row: Mapping[str, Any], asked: Asked, metric: str) -> Output:
    """What a model's row says; `metric` is the name of that which compares its options."""
    tokens = read_tokens(row)
    if not tokens:
        return Output(row, read_answer(row, asked, metric, ()), (), math.nan)
    answer = read_answer(row, asked, metric, [len(scored) for scored in tokens])
    return Output(row, answer, tokens, _surprisal(asked, answer, tokens))


def _surprisal(asked: Asked, answer: Answer, tokens: Sequence[Tokens]) -> float:
    if answer.written:
        return mean_surprisal([tokens[place] for place in answer.written])
    right = [tokens[place] for place in asked.gold if place < len(tokens)]
    return mean_surprisal(right or tokens)


def packed_sample(
    shared: Mapping[str, Any], asked: Asked, outputs: Sequence[Output | None], longest: int
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
        "o": [output and _packed_output(output, asked, prompts, longest) for output in outputs],
        "p": [[cut(text, longest) for text in asked] for asked in prompts],
    }


def _packed_output(
    output: Output, asked: Asked, prompts: dict[tuple[str, ...], int], longest: int
) -> list[Any]:
    """The place of what was asked, texts, answers, an error, scored options, other scored texts."""
    row, answer = output.row, output.answer
    responses, extracted = row["responses"], row["extracted"]
    written = [responses[place] for place in answer.written]
    alone = answer.alone and _packed_alone(answer, asked, longest)
    return [
        prompts.setdefault(tuple(dict.fromkeys(row["prompts"])), len(prompts)),
        [cut(text, longest) for text in written],
        # Of what is extracted only what differs from the response is worth a place.
        0 if extracted == written else [cut(text, longest) for text in extracted],
        cut(row["error"], longest),
        0 if answer.options is None else _packed_options(answer.options),
        alone,
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
        [round(value, 6) for value in options.shares],
        [round(value, 6) for value in options.compared],
        options.taken,
    ]


def _nats(value: float | None) -> float | None:
    return round(value, 3) if value is not None and value > -math.inf else None


def packed_tokens(outputs: Sequence[Output | None], most: int) -> list[Any]:
    """For each model the tokens of its texts, of its options, and of other scored texts, or 0."""
    return [output and _packed_tokens(output, most) for output in outputs]


def _packed_tokens(output: Output, most: int) -> list[Any] | int:
    if not output.tokens:
        return 0
    answer = output.answer
    options = 0 if answer.options is None else len(answer.options.log_probabilities)
    places = (answer.written, range(options), [place for place, _ in answer.alone])
    return [[pack_tokens(output.tokens[place], most) for place in some] for some in places]


def cut(text: str, longest: int) -> str:
    """The first `longest` characters, and how many more there are."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]} ⟦{len(text) - longest:,} more characters are not shown⟧"
