"""What generation is asked for, and what it gives back."""

from dataclasses import dataclass
from typing import Literal

from evalharness.records import Sampling


@dataclass(frozen=True, slots=True)
class Job:
    """A prompt to continue, until an end token, a stop string or `max_tokens` new tokens.

    sampling  how the next token is drawn; None takes the likeliest
    """

    tokens: tuple[int, ...]
    max_tokens: int
    stop: tuple[str, ...] = ()
    sampling: Sampling | None = None


@dataclass(frozen=True, slots=True)
class Continuation:
    """The text that continues a job's prompt, cut before the first stop string.

    `computed_tokens` and `seconds` are this job's share of what was computed for it and others.
    """

    job: int
    text: str
    finish: Literal["stop", "end", "length"]
    generated_tokens: int
    computed_tokens: int
    seconds: float
