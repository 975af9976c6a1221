"""What a model scored of a sample: how likely each option is, and which one its metric takes.

A probability is the softmax of log-probabilities over the options of a question, as calibration
metrics have it (metrics/calibration.py): a share of what all options have together.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from evalharness.report.text import visible

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class OptionRule:
    """How a metric compares options, in words.

    heading  what it compares where that is not the sums themselves, else ""
    mark     what the option with the largest value is called
    note     both, explained
    """

    heading: str
    mark: str
    note: str


@dataclass(frozen=True, slots=True)
class ScoredOptions:
    """The options of a sample as one model scored them.

    log_probabilities  each summed over the tokens of an option; None for what failed
    shares             their softmax; empty where they cannot be compared
    compared           the softmax of what the metric compares; empty where that is the same
    taken              the first option of the largest such value; -1 for none
    """

    log_probabilities: tuple[float | None, ...]
    shares: tuple[float, ...]
    compared: tuple[float, ...]
    taken: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The requests of a sample by what came of them.

    written  places of the texts that were generated
    options  None where none were scored; they are the first requests
    alone    places of other texts that were scored, with their log-probabilities
    """

    written: tuple[int, ...]
    options: ScoredOptions | None
    alone: tuple[tuple[int, float | None], ...]


_SUMS = "Probability: softmax of the options' log-probabilities, each summed over its tokens."
_MUTUAL_INFORMATION = "acc_mutual_info"
_PER_TOKEN = "acc_tokens"
_LENGTHS: Mapping[str, tuple[str, Callable[[str], int]]] = {
    "acc_norm": ("per character", len),
    "acc_bytes": ("per byte", lambda text: len(text.encode("utf-8", "replace"))),
}
_OF_SUMS = {"acc", "mc2", "brier", "ece"}


def rule_of(metric: str) -> OptionRule:
    """How the metric of that name compares options (see metrics/multiple_choice.py)."""
    if metric in _LENGTHS:
        heading = _LENGTHS[metric][0]
        compared = f"the log-probability {heading}"
    elif metric == _PER_TOKEN:
        heading = "per token"
        compared = "the log-probability per token, known where tokens are stored"
    elif metric == _MUTUAL_INFORMATION:
        heading = "beyond the option alone"
        compared = "the log-probability less that of the option without the question"
    else:
        mark = "chosen" if metric in _OF_SUMS else "likeliest"
        return OptionRule("", mark, f"{_SUMS} The option of the largest is marked as {mark}.")
    note = (
        f"{_SUMS} {visible(metric)} compares {compared}: the softmax of that stands below it, and "
        "the option of the largest is marked as chosen."
    )
    return OptionRule(heading, "chosen", note)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a sample asks of every model: its options, the right ones, and texts that are scored."""

    choices: Sequence[str]
    gold: Sequence[int]
    continuations: Sequence[str]


def read_answer(row: Mapping[str, Any], asked: Asked, metric: str, tokens: Sequence[int]) -> Answer:
    """What of a row of samples/TASK.parquet was written, and what was scored.

    tokens: how many each request has scored; empty where that is not stored
    """
    responses: Sequence[str] = row["responses"]
    texts = asked.continuations
    # Where a model has written nothing, what stands in the place of texts are log-probabilities.
    wrote = bool(row["extracted"])
    # A model that was asked for a letter has other requests; older runs do not say what was scored.
    if len(texts) != len(responses):
        texts = [""] * len(responses)
    if wrote and not any(texts):
        return _all_written(len(responses))
    values = [
        _log_probability(response) if text or not wrote else None
        for response, text in zip(responses, texts, strict=True)
    ]
    scored = [bool(text) or value is not None for text, value in zip(texts, values, strict=True)]
    written = () if all(scored) else tuple(p for p, known in enumerate(scored) if not known)
    number = len(asked.choices)
    if not number or len(scored) < number or not all(scored[:number]):
        number = 0
    alone = tuple((p, values[p]) for p in range(number, len(values)) if scored[p])
    if not number:
        return Answer(written, None, alone)
    sums = values[:number]
    if _are_comparable(row["prompts"][:number], texts[:number], asked.gold):
        options = _compare(sums, _compared(sums, asked.choices, metric, tokens, values[number:]))
    else:
        options = ScoredOptions(tuple(sums), (), (), -1)
    return Answer(written, options, alone)


@cache
def _all_written(number: int) -> Answer:
    """Of most samples all is written, and a large report has millions of them."""
    return Answer(tuple(range(number)), None, ())


def _log_probability(text: str) -> float | None:
    """None for what is none: a request that failed, or a text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value


def _are_comparable(prompts: Sequence[str], texts: Sequence[str], gold: Sequence[int]) -> bool:
    """Whether a softmax over scored texts says anything.

    It does for continuations of one prompt, and for prompts of which one is right (partial scoring,
    Trinh and Le 2018). A whole text to a masked model has no probability.
    """
    return all(texts) and (bool(gold) or len(set(prompts)) == 1)


def _compared(
    sums: Values,
    choices: Sequence[str],
    metric: str,
    tokens: Sequence[int],
    others: Values,
) -> Values:
    """What the metric compares; None for what is not known."""
    number = len(sums)
    if metric in _LENGTHS:
        return _divided(sums, [_LENGTHS[metric][1](choice) for choice in choices])
    if metric == _PER_TOKEN:
        return _divided(sums, tokens[:number] or [0] * number)
    if metric == _MUTUAL_INFORMATION:
        alone = others if len(others) == number else [None] * number
        pairs = zip(sums, alone, strict=True)
        return [None if one is None or other is None else one - other for one, other in pairs]
    return sums


def _divided(values: Values, lengths: Sequence[int]) -> Values:
    return [
        None if value is None or not length else value / length
        for value, length in zip(values, lengths, strict=True)
    ]


def _compare(sums: Values, compared: Values) -> ScoredOptions:
    known = [value for value in compared if value is not None]
    return ScoredOptions(
        tuple(sums),
        shares=_softmax(sums),
        compared=() if compared is sums else _softmax(compared),
        taken=known.index(max(known)) if len(known) == len(compared) else -1,
    )


def _softmax(values: Values) -> tuple[float, ...]:
    """Empty where a value is missing, or none is above minus infinity."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return ()
    largest = max(known)
    if not math.isfinite(largest):
        return ()
    powers = [math.exp(value - largest) for value in known]
    total = sum(powers)
    return tuple([power / total for power in powers])
