"""Who answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from evalharness.records.requests import Request, Scorable
from evalharness.records.responses import Failure, Outcome, TokenScores
from evalharness.records.samples import Instance


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a model before it is loaded.

    fingerprint  sha256 over everything that can change an answer
    reusable     its answers depend on the request alone and cost something: they are kept in the
                 store. Baselines look at the whole sample and are asked again instead.
    series       the spec with wildcards that it was found by, or ""
    step         of the training, where it is one of a series and its name has a number
    quantisation how the weights of its files are quantised, such as "bitsandbytes, 4 bits"; ""
                 where they are not, or nobody says
    """

    spec: str
    name: str
    fingerprint: str
    architecture: str
    parameters: int
    dtype: str
    device: str
    max_length: int
    reusable: bool = True
    series: str = ""
    step: int | None = None
    quantisation: str = ""


class Backend(Protocol):
    """Answers requests, in whatever order is fastest, and loads the model when first asked."""

    @property
    def model(self) -> Model: ...

    @property
    def load_seconds(self) -> float: ...

    @property
    def peak_memory_bytes(self) -> int: ...

    @property
    def has_chat_template(self) -> bool:
        """Can it be asked in turns? False for what reads no prompts at all, such as a baseline."""
        ...

    def render(self, request: Request) -> str:
        """All that the model is given for a request, as text, special tokens included.

        Raises DataError when the chat template cannot render the turns.
        """
        ...

    def unsupported(self, instance: Instance) -> str | None:
        """Why this kind of request cannot be answered by this kind of model, or None."""
        ...

    def answer(self, instances: Sequence[Instance]) -> Iterator[tuple[int, Outcome]]:
        """Yield (index into `instances`, outcome) for every instance, each exactly once."""
        ...


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text that is one token, or several that are text only together."""

    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Pieces:
    """The tokens of a request: those a model is given, and those that are scored after them."""

    given: tuple[Piece, ...]
    scored: tuple[Piece, ...]


@runtime_checkable
class Tokenizing(Protocol):
    """A backend that can show where the tokens of a request begin and end."""

    def pieces(self, request: Request) -> Pieces | Failure: ...


@runtime_checkable
class TokenScoring(Protocol):
    """A backend that can say how likely each token was that a request scores."""

    def token_scores(
        self, requests: Sequence[Scorable]
    ) -> Iterator[tuple[int, TokenScores | Failure]]:
        """Yield (index into `requests`, scores) for every request, each exactly once.

        The log-probabilities of a request add up to that of its answer, to the accuracy of float32;
        at each place the ALTERNATIVES likeliest tokens are named. Each request is one that the
        backend does not call unsupported.
        """
        ...


@runtime_checkable
class Rebatching(Protocol):
    """A backend that computes several requests together, and can do so in other batches."""

    def in_other_batches(self) -> Backend:
        """The same model, with the weights that are loaded, in batches of another size."""
        ...


@runtime_checkable
class SourceReading(Protocol):
    """A backend that knows of itself whether its model takes instructions."""

    @property
    def reads_sources(self) -> bool:
        """Would the model translate, or summarize, the instruction as well?

        See prompts/bare_sources.py.
        """
        ...


@runtime_checkable
class Fitting(Protocol):
    """A backend whose answers were made for certain samples (see backends/outputs.py)."""

    def check(self, instances: Sequence[Instance]) -> None:
        """Raises DataError when the answers do not fit all that one run asks."""
        ...
