"""What a model is asked."""

from dataclasses import dataclass, replace
from typing import Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Role
    content: str


Prompt = str | tuple[Message, ...]
"""Plain text, or chat turns that the backend renders with the model's own chat template."""

Shot = str | tuple[Message, ...]
"""A solved example: text with its separator at its end, or the turns that ask and answer it."""


@dataclass(frozen=True, slots=True)
class LogLikelihood:
    """How likely is `continuation` after `shots` and `prompt`?

    shots   solved examples before the prompt (see whole_prompt). They are apart from it so that the
            earliest ones can be dropped where the context is too short.
    An empty prompt without shots is the start of a text. Raises ValueError for shots in turns
    before plain text.
    """

    prompt: Prompt
    continuation: str
    shots: tuple[Shot, ...] = ()

    def __post_init__(self) -> None:
        _check_shots(self.prompt, self.shots)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn from the model's distribution.

    A draw depends on the model, the request and `seed` only, never on what else is in the batch or
    on the device's generator. `top_p` keeps the likeliest tokens that together have this
    probability (Holtzman et al. 2020). Raises ValueError for values that make no distribution.
    """

    temperature: float
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"the temperature must be above 0, not {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {self.top_p}")


@dataclass(frozen=True, slots=True)
class Generation:
    """Continue `prompt` until a stop string, the end of text, or `max_tokens` tokens.

    `shots` stand before the prompt, as those of a LogLikelihood do. Without `sampling` each token
    is the likeliest one (greedy decoding).
    """

    prompt: Prompt
    max_tokens: int
    stop: tuple[str, ...] = ()
    shots: tuple[Shot, ...] = ()
    sampling: Sampling | None = None

    def __post_init__(self) -> None:
        _check_shots(self.prompt, self.shots)


def _check_shots(prompt: Prompt, shots: tuple[Shot, ...]) -> None:
    if isinstance(prompt, str) and any(isinstance(shot, tuple) for shot in shots):
        raise ValueError("few-shot examples in turns can be put before messages only")


@dataclass(frozen=True, slots=True)
class RollingLogLikelihood:
    """How likely is a whole `text`, however long? Every token of it counts once.

    A text longer than the model's context is scored in windows (see backends/encoding.py). It is
    answered by a LogLikelihoodResponse over all tokens; that of an empty text is 0 over 0 tokens.
    """

    text: str


@dataclass(frozen=True, slots=True)
class PseudoLogLikelihood:
    """How likely is `text` to a masked model?

    Each scored token is masked alone, and its log-probability given all the others is summed
    (Salazar et al. 2020). Special tokens are never scored. It is answered by a
    LogLikelihoodResponse over the scored tokens.

    span         only tokens that have a character of text[start:end] are scored
    shared_with  only tokens that this other text has as well are scored: the `equal` blocks that
                 difflib finds in the tokens of both (Nangia et al. 2020). They are the same
                 tokens whichever of the two texts is asked about.

    Raises ValueError when both are given.
    """

    text: str
    span: tuple[int, int] | None = None
    shared_with: str = ""

    def __post_init__(self) -> None:
        if self.span is not None and self.shared_with:
            raise ValueError("give a span or a text to share tokens with, not both")


WholeText = RollingLogLikelihood | PseudoLogLikelihood
"""Requests about a text as it stands: without a prompt, without shots, never in a chat."""

Request = LogLikelihood | Generation | WholeText

Scorable = LogLikelihood | RollingLogLikelihood
"""Requests whose tokens can be scored one by one, from left to right."""

# How many of the likeliest tokens are named at each place (TokenScore).
ALTERNATIVES = 5


@dataclass(frozen=True, slots=True)
class TokensOf:
    """How likely is each token that `request` scores? Answered by TokenScores."""

    request: Scorable
    alternatives: int = ALTERNATIVES


@dataclass(frozen=True, slots=True)
class MinKOf:
    """How likely are the `percent` % of the tokens of `text` that are least likely?

    Answered by a MinK (see min_k.py).
    """

    text: str
    percent: int


Keyed = Request | TokensOf | MinKOf
"""All that has an answer in the store, under a key of its own."""


def whole_prompt(request: Request, dropped: int = 0) -> Prompt:
    """All that a model is given: shots and prompt, or the text that is scored as a whole.

    The first `dropped` shots are left out. In a chat, shots in turns stand before its last turn,
    and shots of text at the beginning of that turn. What is to be scored after a prompt is no part
    of it.
    """
    if isinstance(request, WholeText):
        return request.text
    shots = request.shots[dropped:]
    text = "".join(shot for shot in shots if isinstance(shot, str))
    if isinstance(request.prompt, str):
        return text + request.prompt
    *before, last = request.prompt
    turns = [turn for shot in shots if not isinstance(shot, str) for turn in shot]
    return (*before, *turns, replace(last, content=text + last.content))


def as_text(prompt: Prompt) -> str:
    """A prompt for people, where no model renders it: each turn after its role."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(f"[{turn.role}] {turn.content}" for turn in prompt)
