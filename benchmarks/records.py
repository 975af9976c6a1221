"""What processes that measure answer with, and what results.json holds. Measured numbers only."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


# --- Answers of processes ------------------------------------------------------------------------


class Checkpoint(_Record):
    """A checkpoint folder and how many weights it has.

    layer_weights   in the matrices of all layers: each token is multiplied with each of them once
    output_weights  in the output layer: multiplied only where probabilities are wanted
    layer_shapes    (rows, columns) of the matrices of one layer
    """

    folder: Path
    weights: int
    layer_weights: int
    output_weights: int
    layer_shapes: tuple[tuple[int, int], ...]


class Measured(_Record):
    """What one process measured: it loads the model, answers one short request, then the work.

    load_seconds  imports, loading, and the first, short request
    seconds       answering all requests of the work, once for each time that was asked for
    resident_before_bytes, peak_memory_bytes: the most memory before loading, and until the end; on
                  a GPU the peak is what was allocated there
    answers       log-probabilities (natural logarithms) or texts, in the order of the requests
    """

    load_seconds: PositiveFloat
    seconds: tuple[PositiveFloat, ...] = Field(min_length=1)
    threads: int
    resident_before_bytes: int
    peak_memory_bytes: int
    answers: tuple[float, ...] | tuple[str, ...]


class MatrixProducts(_Record):
    """Measured speed of float32 matrix products in GFLOP/s (see machine.py).

    square  the peak: two large square matrices
    layers  tokens times the matrices of one layer of the model
    """

    square: PositiveFloat
    layers: PositiveFloat


class MeasuredHere(Measured):
    """What evalharness measured; counts are over all requests of the work, once.

    prompt_tokens        were asked for, the continuations that are scored included
    distinct_tokens      is the least that can be computed: positions that differ in what precedes
    computed_tokens      were computed
    output_rows          positions whose next token's probability is wanted, each counted once
    continuation_tokens  of each log-likelihood request
    """

    prompt_tokens: int
    distinct_tokens: int
    computed_tokens: int
    generated_tokens: int
    output_rows: int
    continuation_tokens: tuple[int, ...]
    matrix_products: MatrixProducts


# --- results.json --------------------------------------------------------------------------------


class Machine(_Record):
    """Where and with what something was measured.

    load_average  processes that ran or waited for a core, over the minute before the measurement:
                  near 0 where the figures can be trusted
    """

    processor: str
    cores: int
    memory_bytes: int
    load_average: NonNegativeFloat
    gpu: str
    environment: dict[str, str]


class Agreement(_Record):
    """How near two answers to the same requests are.

    largest_difference  of two log-probabilities of one request; None for texts
    equal_texts         how many; None for log-probabilities
    scores              that both give, by the task's own metrics
    """

    largest_difference: NonNegativeFloat | None
    equal_texts: int | None
    scores: dict[str, float | None]


class Ours(_Record):
    """evalharness on one piece of work; lists have one entry a round.

    tokens_per_second  prompt tokens asked for and tokens generated, by the median
    share_of_peak      median; of the matrix-product peak, by the operations that the computed
                       tokens need; None for generation, which is bound by reading the weights
    """

    seconds: tuple[PositiveFloat, ...]
    load_seconds: tuple[PositiveFloat, ...]
    resident_before_bytes: int
    peak_memory_bytes: int
    prompt_tokens: int
    distinct_tokens: int
    computed_tokens: int
    generated_tokens: int
    output_rows: int
    tokens_per_second: PositiveFloat
    square_gflops: PositiveFloat
    layers_gflops: PositiveFloat
    share_of_peak: NonNegativeFloat | None


class Peer(_Record):
    """Another program on the same work; `ratio` is the median of `ratios`, its seconds by ours."""

    seconds: tuple[PositiveFloat, ...]
    load_seconds: tuple[PositiveFloat, ...]
    peak_memory_bytes: int
    tokens_per_second: PositiveFloat
    threads: int
    ratios: tuple[PositiveFloat, ...]
    ratio: PositiveFloat
    agreement: Agreement


class _Row(_Record):
    measured: datetime
    machine: Machine


class RequestsRow(_Row):
    """Requests only, with the model loaded; `weights_bytes` as the device holds them."""

    kind: Literal["requests"] = "requests"
    model: str
    device: str
    dtype: str
    requests: int
    threads: int
    weights_bytes: int
    ours: Ours
    peers: dict[str, Peer]


class CommandRow(_Row):
    """Whole commands, timed from outside; `scores` are what both print."""

    kind: Literal["command"] = "command"
    model: str
    device: str
    dtype: str
    seconds: tuple[PositiveFloat, ...]
    peer_seconds: tuple[PositiveFloat, ...]
    ratios: tuple[PositiveFloat, ...]
    ratio: PositiveFloat
    scores: dict[str, float]


class Timing(_Record):
    """Median seconds of one function, over so many rounds of pytest-benchmark."""

    seconds: PositiveFloat
    rounds: NonNegativeInt


class TimingsRow(_Row):
    """One function at several sizes; `timings` by how many of `unit` there are."""

    kind: Literal["timings"] = "timings"
    unit: str
    timings: dict[int, Timing]


Row = Annotated[RequestsRow | CommandRow | TimingsRow, Field(discriminator="kind")]


class Results(_Record):
    """results.json: the last measurement of each row."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    rows: dict[str, Row] = {}
