"""Measurements made up for the tests: plausible in form, invented in every figure."""

from datetime import UTC, datetime
from pathlib import Path

from benchmarks.records import (
    Agreement,
    Checkpoint,
    CommandRow,
    Machine,
    MatrixProducts,
    Measured,
    MeasuredHere,
    RequestsRow,
    TimingsRow,
)
from benchmarks.rounds import summarize_ours, summarize_peer

MACHINE = Machine(processor="p", cores=2, memory_bytes=1, load_average=0.0, gpu="", environment={})
CHECKPOINT = Checkpoint(
    folder=Path("c"), weights=30, layer_weights=10, output_weights=20, layer_shapes=((2, 5),)
)


def measured(
    answers: tuple[float, ...] | tuple[str, ...], *, seconds: float = 1.0, peak: int = 50
) -> Measured:
    return Measured(
        load_seconds=1.0,
        seconds=(seconds,),
        threads=2,
        resident_before_bytes=10,
        peak_memory_bytes=peak,
        answers=answers,
    )


def measured_here(
    answers: tuple[float, ...] | tuple[str, ...], *, seconds: float = 1.0, generated: int = 0
) -> MeasuredHere:
    return MeasuredHere(
        **measured(answers, seconds=seconds).model_dump(),
        prompt_tokens=100,
        distinct_tokens=30,
        computed_tokens=40,
        generated_tokens=generated,
        output_rows=5,
        continuation_tokens=(1,) * len(answers),
        matrix_products=MatrixProducts(square=2e-6, layers=1e-6),
    )


OURS = (-1.0, -2.0, -4.0, -3.0)


def timings_row(seconds: float, size: int = 100_000) -> TimingsRow:
    return TimingsRow.model_validate(
        {
            "measured": datetime.now(UTC),
            "machine": MACHINE,
            "unit": "requests",
            "timings": {
                1000: {"seconds": 0.01, "rounds": 1},
                size: {"seconds": seconds, "rounds": 1},
            },
        }
    )


def command_row(ratio: float, device: str = "cpu") -> CommandRow:
    return CommandRow(
        measured=datetime.now(UTC),
        machine=MACHINE,
        model="m",
        device=device,
        dtype="float32",
        seconds=(1.0,),
        peer_seconds=(ratio,),
        ratios=(ratio,),
        ratio=ratio,
        scores={"acc": 0.5},
    )


def requests_row(peak_memory: int) -> RequestsRow:
    ours = summarize_ours([measured_here(OURS)], CHECKPOINT)
    same = Agreement(largest_difference=0.0, equal_texts=None, scores={})
    return RequestsRow(
        measured=datetime.now(UTC),
        machine=MACHINE,
        model="m",
        device="cpu",
        dtype="float32",
        requests=4,
        threads=2,
        weights_bytes=10**9,
        ours=ours.model_copy(update={"peak_memory_bytes": peak_memory}),
        peers={
            "lm-evaluation-harness": summarize_peer([measured_here(OURS)], [measured(OURS)], [same])
        },
    )
