"""A process of its own: evalharness answers a piece of work, timed.

python -m benchmarks.ours WORK FOLDER prints a MeasuredHere as JSON.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.counts import Tokens, distinct_tokens, output_rows
from benchmarks.machine import measure_products
from benchmarks.processes import measuring_options, printed_answer, resident_bytes
from benchmarks.records import MeasuredHere
from benchmarks.work import prepare_work
from evalharness.records import (
    Backend,
    Failure,
    Generation,
    GenerationResponse,
    Instance,
    LogLikelihood,
    LogLikelihoodResponse,
    Response,
    Sample,
)

FIRST = Instance("first", Sample(id="first", requests=(LogLikelihood("one", " two"),)), 0)


def measure(work: str, folder: Path, *, times: int, device: str, dtype: str) -> MeasuredHere:
    """Answer the work `times` times. Raises DataError when model or data cannot be used."""
    instances = list(prepare_work(work).instances())
    resident = resident_bytes()
    started = time.perf_counter()
    backend = _open(folder, device, dtype)
    answer(backend, [FIRST])
    load_seconds = time.perf_counter() - started
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        responses = answer(backend, instances)
        seconds.append(time.perf_counter() - started)
    peak_memory = backend.peak_memory_bytes  # before anything else is done here
    queries = _queries(folder, instances, backend.model.max_length)
    import torch

    from benchmarks.checkpoint import describe_checkpoint

    shapes = describe_checkpoint(folder).layer_shapes
    return MeasuredHere(
        load_seconds=load_seconds,
        seconds=tuple(seconds),
        threads=torch.get_num_threads(),
        resident_before_bytes=resident,
        peak_memory_bytes=peak_memory,
        answers=_answers(responses),
        prompt_tokens=sum(response.cost.prompt_tokens for response in responses),
        distinct_tokens=distinct_tokens([tokens for tokens, _ in queries]),
        computed_tokens=sum(response.cost.computed_tokens for response in responses),
        generated_tokens=sum(response.cost.generated_tokens for response in responses),
        output_rows=output_rows(queries),
        continuation_tokens=tuple(len(targets) for _, targets in queries),
        matrix_products=measure_products(shapes, device, dtype),
    )


def _open(folder: Path, device: str, dtype: str) -> Backend:
    from evalharness.backends import open_backend

    return open_backend(f"builtin:{folder}?dtype={dtype}&device={device}")


def answer(backend: Backend, instances: Sequence[Instance]) -> list[Response]:
    """The responses in the order of the instances; a failure is no measurement."""
    outcomes = dict(backend.answer(instances))
    responses: list[Response] = []
    for index in range(len(instances)):
        outcome = outcomes[index]
        if isinstance(outcome, Failure):
            raise RuntimeError(f"request {index} could not be answered: {outcome.error}")
        responses.append(outcome)
    return responses


def _answers(responses: Sequence[Response]) -> tuple[float, ...] | tuple[str, ...]:
    texts = tuple(one.text for one in responses if isinstance(one, GenerationResponse))
    return texts or tuple(
        one.log_probability for one in responses if isinstance(one, LogLikelihoodResponse)
    )


def _queries(
    folder: Path, instances: Sequence[Instance], max_length: int
) -> list[tuple[Tokens, Tokens]]:
    """The tokens that each request puts into the model, and those whose probability it wants."""
    from evalharness.backends.encoding import (
        EncodedJob,
        EncodedQuery,
        encode_generations,
        encode_log_likelihoods,
    )
    from evalharness.transformer.tokenizer import Tokenizer

    tokenizer = Tokenizer(folder)
    requests = [instance.request for instance in instances]
    scored = [request for request in requests if isinstance(request, LogLikelihood)]
    written = [request for request in requests if isinstance(request, Generation)]
    queries = [
        (encoded.query.tokens, encoded.query.targets)
        for encoded in encode_log_likelihoods(tokenizer, scored, max_length)
        if isinstance(encoded, EncodedQuery)
    ]
    prompts: list[tuple[Tokens, Tokens]] = [
        (encoded.job.tokens, ())
        for encoded in encode_generations(tokenizer, written, max_length)
        if isinstance(encoded, EncodedJob)
    ]
    return queries + prompts


@click.command()
@measuring_options
def main(work: str, folder: Path, times: int, device: str, dtype: str) -> None:
    """Answer WORK with the checkpoint in FOLDER and print what was measured as JSON."""
    with printed_answer() as tell:
        tell(measure(work, folder, times=times, device=device, dtype=dtype))


if __name__ == "__main__":
    main()
