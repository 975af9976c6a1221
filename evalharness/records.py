"""The vocabulary of evalharness: everything that crosses a module boundary.

A task turns the rows of a data set into samples; a sample asks a model requests; a backend answers
them with responses; a metric measures the responses of each sample and aggregates the measurements.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from evalharness.errors import DataError, did_you_mean

# --- What a model is asked -----------------------------------------------------------------------


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


# --- What a model answers ------------------------------------------------------------------------


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
class Failure:
    """A request that could not be answered, and why."""

    error: str


Outcome = Response | Failure

# --- What is asked about -------------------------------------------------------------------------


class Row(Mapping[str, Any]):
    """One row of a data set, which knows where it stands (`location`: file and row number).

    `number` counts the rows of its file or split from 1: an id for rows that have none of their own
    and may be repeated. It is 0 where rows are not counted.
    Reading a field that is not there raises DataError with file, row and the nearest field.
    """

    __slots__ = ("_fields", "location", "number")

    def __init__(self, fields: Mapping[str, Any], location: str, number: int = 0) -> None:
        self._fields = fields
        self.location = location
        self.number = number

    def __getitem__(self, name: str) -> Any:
        if name not in self._fields:
            raise DataError(
                f"{self.location}: no field {name!r}; the row has "
                f"{', '.join(map(repr, self._fields)) or 'no fields'}."
                f"{did_you_mean(name, self._fields)}"
            )
        return self._fields[name]

    def __contains__(self, name: object) -> bool:
        # Mapping's own asks __getitem__ for a KeyError.
        return name in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One item of a task.

    id          unique in its task and stable between runs
    requests    what the model is asked; metrics find the responses in the same order. To metrics of
                generated texts, several generations are several draws of one answer
    target      the right answer as text: what reports show and few-shot examples give
    references  every accepted answer, for generation
    choices     the options, for multiple choice; `gold` are the indexes of the right ones
    source      the text that the answer is made from (sentence, article, passage)
    group       samples with the same group are not independent (same passage, same target term)
    slices      named parts of the task that the sample belongs to, such as {"domain": "gender"}
    """

    id: str
    requests: tuple[Request, ...]
    target: str = ""
    references: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    gold: tuple[int, ...] = ()
    source: str = ""
    group: str | None = None
    slices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Instance:
    """One request of one sample of one task, as it is handed to a backend.

    Models look at the request only; baselines and replayed outputs also at where it comes from.
    """

    task: str
    sample: Sample
    index: int

    @property
    def request(self) -> Request:
        return self.sample.requests[self.index]


# --- How answers are measured --------------------------------------------------------------------

Statistics = NDArray[np.float64]
Weights = NDArray[np.float64]
Groups = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """A score, as two pure functions.

    measure(sample, responses) -> d floats, the sufficient statistics of one sample
    aggregate(statistics (n, d), weights (b, n), groups (n,)) -> (b,) values; weights of ones give
        the score, bootstrap weights give its bootstrap distribution
    bounds: the smallest and the largest value possible
    ideal: the best value where neither more nor less is better (a bias score); else None
    signature: what exactly was computed, in the words of the tool that defines it
    signature_of: makes the signature of a run from its samples, where it depends on them, as on how
        many references they have
    """

    name: str
    measure: Callable[[Sample, Sequence[Response]], tuple[float, ...]]
    aggregate: Callable[[Statistics, Weights, Groups], Values]
    bounds: tuple[float, float] = (0.0, 1.0)
    higher_is_better: bool = True
    ideal: float | None = None
    signature: str = ""
    signature_of: Callable[[Sequence[Sample]], str] | None = None


# --- Where samples come from ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DataIdentity:
    """Which data was used: `name` for people, `revision` a commit or the sha256 of the bytes."""

    name: str
    revision: str


class Source(Protocol):
    """Where the rows of a data set come from (see sources.py).

    Both methods may fetch the data first. They raise DataError with file, row and field.
    """

    def rows(self) -> Iterator[Row]: ...

    def identity(self) -> DataIdentity: ...


@runtime_checkable
class Placed(Protocol):
    """A source that can say where its data lies, without a network."""

    def place(self) -> str:
        """For people: a file, a wheel and a file in it, a data set and its split."""
        ...

    def is_here(self) -> bool:
        """Can the rows be read without a network?"""
        ...


Family = Literal["translation", "question_answering", "summarization", "bias", "language_modelling"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """The same benchmark from another place, chosen by `--data TASK=NAME`.

    `sample` reads the rows as they are there. `caveat` takes the place of the task's own.
    """

    name: str
    data: Source
    sample: Callable[[Row], Sample]
    shots: Source | None = None
    caveat: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A benchmark: data, how a row becomes a sample, and the metrics, the primary one first.

    version  is raised by every change that can change a score
    extract  finds the answer in a generated text (see extraction.py); metrics measure what it gives
    shots    the rows that few-shot examples are drawn from; never rows that `data` has
    size     how many samples `data` has, as its card says; 0 where that is not known
    caveat   what makes the data differ from the benchmark's official test set, if anything
    alternatives  other places that the same data can be had from
    """

    name: str
    family: Family
    version: int
    data: Source
    sample: Callable[[Row], Sample]
    metrics: tuple[Metric, ...]
    extract: Callable[[str], str] = str.strip
    shots: Source | None = None
    languages: tuple[str, ...] = ("en",)
    licence: str = ""
    description: str = ""
    size: int = 0
    caveat: str = ""
    content_warning: str = ""
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTemplate:
    """Tasks of one kind, too many to list: NAME:ARGUMENT, such as flores200:eng_Latn-deu_Latn.

    make      the task for an argument, whose name is NAME:ARGUMENT; its second argument finds any
              other task by its name. Raises UsageError for an argument that means nothing, with the
              nearest one that does
    argument  what stands for the argument in lists, such as "SOURCE-TARGET"
    examples  arguments that work, at least one: shown in lists, and tested
    """

    name: str
    family: Family
    argument: str
    examples: tuple[str, ...]
    make: Callable[[str, Callable[[str], Task]], Task]
    description: str = ""


# --- Who answers ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of a model before it is loaded.

    fingerprint  sha256 over everything that can change an answer
    reusable     its answers depend on the request alone and cost something: they are kept in the
                 store. Baselines look at the whole sample and are asked again instead.
    series       the spec with wildcards that it was found by, or ""
    step         of the training, where it is one of a series and its name has a number
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
    """A piece of text that is one token, or several which are one character together."""

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
class SourceReading(Protocol):
    """A backend that knows of itself whether its model takes instructions."""

    @property
    def reads_sources(self) -> bool:
        """Would the model translate, or summarize, the instruction as well? (bare_sources.py)"""
        ...


@runtime_checkable
class Fitting(Protocol):
    """A backend whose answers were made for certain samples (see backends/outputs.py)."""

    def check(self, instances: Sequence[Instance]) -> None:
        """Raises DataError when the answers do not fit all that one run asks."""
        ...
