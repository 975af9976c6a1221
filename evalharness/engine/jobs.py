"""What generation is asked for, and what it gives back."""

from dataclasses import dataclass
from typing import Literal

from evalharness.records import Sampling
from evalharness.transformer.thinking import Thinking

Finish = Literal["stop", "end", "length", "invalid"]
# Stands for a token where none can be chosen.
NO_TOKEN = -1


@dataclass(frozen=True, slots=True)
class Job:
    """A prompt to continue, until an end token, a stop string or `max_tokens` new tokens.

    sampling  how the next token is drawn; None takes the likeliest
    thinking  of a model that thinks before it answers: stop strings end its answer only
    """

    tokens: tuple[int, ...]
    max_tokens: int
    stop: tuple[str, ...] = ()
    sampling: Sampling | None = None
    thinking: Thinking | None = None


@dataclass(frozen=True, slots=True)
class Continuation:
    """The text that continues a job's prompt, cut before the first stop string.

    A text whose next token cannot be chosen, since the logits are not finite, ends as "invalid".
    `computed_tokens` and `seconds` are this job's share of what was computed for it and others.
    """

    job: int
    text: str
    finish: Finish
    generated_tokens: int
    computed_tokens: int
    seconds: float
