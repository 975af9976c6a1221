"""One piece of work, by evalharness and its peers alternately, each time in a fresh process."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.agreement import agreement
from benchmarks.counts import operations
from benchmarks.processes import ask
from benchmarks.records import (
    Agreement,
    Checkpoint,
    Machine,
    Measured,
    MeasuredHere,
    Ours,
    Peer,
    RequestsRow,
)
from benchmarks.work import is_generation, prepare_work

LM_EVALUATION_HARNESS = "lm-evaluation-harness"
TRANSFORMERS = "transformers generate"
MODULES = {LM_EVALUATION_HARNESS: "theirs", TRANSFORMERS: "transformers_generate"}
BYTES_OF_A_WEIGHT = {"float32": 4}


@dataclass(frozen=True, slots=True)
class Setting:
    """How something is measured: so many rounds, on a device of a machine, in a type of number."""

    machine: Machine
    times: int
    device: str
    dtype: str = "float32"


def measure_requests(
    work: str, model: str, checkpoint: Checkpoint, setting: Setting, say: Callable[[str], None]
) -> RequestsRow:
    """Alternate evalharness and its peers, and check in every round that the answers agree.

    Raises DisagreementError when they do not.
    """
    prepared = prepare_work(work)
    names = [LM_EVALUATION_HARNESS]
    if setting.device == "cuda" and is_generation(prepared):
        names.append(TRANSFORMERS)
    arguments = [work, str(checkpoint.folder)]
    arguments += ["--device", setting.device, "--dtype", setting.dtype]
    ours: list[MeasuredHere] = []
    theirs: dict[str, list[Measured]] = {name: [] for name in names}
    agreements: dict[str, list[Agreement]] = {name: [] for name in names}
    for number in range(setting.times):
        own = ask("ours", arguments, MeasuredHere)
        ours.append(own)
        told = [f"evalharness {own.seconds[0]:.2f} s"]
        for name in names:
            other = ask(MODULES[name], arguments, Measured)
            theirs[name].append(other)
            agreements[name].append(agreement(prepared, own, other))
            told.append(f"{name} {other.seconds[0]:.2f} s")
        say(f"round {number + 1} of {setting.times}: {', '.join(told)}")
    return RequestsRow(
        measured=datetime.now(UTC),
        machine=setting.machine,
        model=model,
        device=setting.device,
        dtype=setting.dtype,
        requests=len(ours[0].answers),
        threads=ours[0].threads,
        weights_bytes=checkpoint.weights * BYTES_OF_A_WEIGHT[setting.dtype],
        ours=summarize_ours(ours, checkpoint),
        peers={name: summarize_peer(ours, theirs[name], agreements[name]) for name in names},
    )


def summarize_ours(runs: Sequence[MeasuredHere], checkpoint: Checkpoint) -> Ours:
    """The rounds of evalharness on one piece of work; counts are equal in all of them."""
    first = runs[0]
    needed = operations(checkpoint, first.computed_tokens, first.output_rows)
    shares = [
        needed / run.seconds[0] / (run.matrix_products.square * 1e9)
        for run in runs
        if not run.generated_tokens
    ]
    return Ours(
        seconds=_seconds(runs),
        load_seconds=tuple(run.load_seconds for run in runs),
        resident_before_bytes=max(run.resident_before_bytes for run in runs),
        peak_memory_bytes=max(run.peak_memory_bytes for run in runs),
        prompt_tokens=first.prompt_tokens,
        distinct_tokens=first.distinct_tokens,
        computed_tokens=first.computed_tokens,
        generated_tokens=first.generated_tokens,
        output_rows=first.output_rows,
        tokens_per_second=_tokens_per_second(first, runs),
        square_gflops=statistics.median(run.matrix_products.square for run in runs),
        layers_gflops=statistics.median(run.matrix_products.layers for run in runs),
        share_of_peak=statistics.median(shares) if shares else None,
    )


def summarize_peer(
    ours: Sequence[MeasuredHere], theirs: Sequence[Measured], agreements: Sequence[Agreement]
) -> Peer:
    """The rounds of another program; each is compared with our round beside it."""
    ratios = [other.seconds[0] / own.seconds[0] for own, other in zip(ours, theirs, strict=True)]
    return Peer(
        seconds=_seconds(theirs),
        load_seconds=tuple(run.load_seconds for run in theirs),
        peak_memory_bytes=max(run.peak_memory_bytes for run in theirs),
        tokens_per_second=_tokens_per_second(ours[0], theirs),
        threads=theirs[0].threads,
        ratios=tuple(ratios),
        ratio=statistics.median(ratios),
        # The answers of each round were compared; the farthest apart are told.
        agreement=max(agreements, key=lambda one: one.largest_difference or 0.0),
    )


def _seconds(runs: Sequence[Measured]) -> tuple[float, ...]:
    return tuple(run.seconds[0] for run in runs)


def _tokens_per_second(counted: MeasuredHere, runs: Sequence[Measured]) -> float:
    """Of the work, whatever a program computes for it, so that the figures can be compared."""
    tokens = counted.prompt_tokens + counted.generated_tokens
    return tokens / statistics.median(_seconds(runs))
