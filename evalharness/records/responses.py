"""What a model answers."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Cost:
    """What an answer cost when it was computed.

    `prompt_tokens` were given, `computed_tokens` of them were not shared with another request of
    the same run, `generated_tokens` were decoded; `seconds` is this request's share of the batches
    it was in. `price` is in the currency of the prices that the user gave, 0 without any.
    """

    seconds: float = 0.0
    prompt_tokens: int = 0
    computed_tokens: int = 0
    generated_tokens: int = 0
    price: float = 0.0


@dataclass(frozen=True, slots=True)
class LogLikelihoodResponse:
    """`log_probability` is the natural logarithm, summed over the `tokens` of what is scored.

    `greedy` says that each of these tokens was the likeliest one. Where shots and prompt were
    longer than the model's context, `dropped_shots` of the shots were left out, the earliest first;
    `truncated` says that the prompt itself lost its beginning, after all shots.
    """

    log_probability: float
    tokens: int
    greedy: bool
    truncated: bool = False
    dropped_shots: int = 0
    cost: Cost = Cost()


@dataclass(frozen=True, slots=True)
class GenerationResponse:
    """`text` is cut before the first stop string; `finish` says why it ended.

    Its first `thinking` characters are what the model thought before it answered, and no part of
    the answer; they are all of it where `unfinished_thinking` says that the text ended before the
    thinking did. `truncated` and `dropped_shots` are those of a LogLikelihoodResponse.
    """

    text: str
    finish: Literal["stop", "end", "length"]
    truncated: bool = False
    dropped_shots: int = 0
    cost: Cost = Cost()
    thinking: int = 0
    unfinished_thinking: bool = False


Response = LogLikelihoodResponse | GenerationResponse


@dataclass(frozen=True, slots=True)
class TokenScore:
    """A token that was scored after all that stands before it, as text.

    `log_probability` is its natural logarithm; `alternatives` are the likeliest tokens at its place
    with theirs, the likeliest first, the token itself among them where it is one of them.
    Where several tokens are text only together, as parts of one character are, the first has all of
    it and the others have ""; an alternative that is a part of a character is U+FFFD.
    """

    text: str
    log_probability: float
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class TokenScores:
    """All tokens that a request scores, in order: what its log-probability is the sum of."""

    tokens: tuple[TokenScore, ...]


@dataclass(frozen=True, slots=True)
class MinK:
    """The mean log-probability of a text's least likely tokens; None for a text without any."""

    log_probability: float | None


Stored = Response | TokenScores | MinK
"""All that the store holds."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that could not be answered, and why."""

    error: str


Outcome = Response | Failure
