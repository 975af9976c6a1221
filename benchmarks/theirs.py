"""A process of its own: lm-evaluation-harness answers a piece of work, timed.

It gets the very prompts and continuations that evalharness gets, as its own `Instance` objects,
through its `hf` model with batches of BATCH_SIZE.
python -m benchmarks.theirs WORK FOLDER prints a Measured as JSON.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.processes import measuring_options, peak_bytes, printed_answer, resident_bytes
from benchmarks.records import Measured
from benchmarks.work import is_generation, pairs, prepare_work, prompts

BATCH_SIZE = 8


def measure(work: str, folder: Path, *, times: int, device: str, dtype: str) -> Measured:
    """Answer the work `times` times. Raises DataError when its data cannot be used."""
    prepared = prepare_work(work)
    resident = resident_bytes()
    started = time.perf_counter()
    from lm_eval.api.instance import Instance

    model = _load(folder, device, dtype)
    model.loglikelihood([Instance("loglikelihood", {}, ("one", " two"), 0)], disable_tqdm=True)
    load_seconds = time.perf_counter() - started
    if is_generation(prepared):
        kind, answer = "generate_until", model.generate_until
        arguments: list[tuple[Any, ...]] = [
            (prompt, {"until": [], "max_gen_toks": tokens, "do_sample": False})
            for prompt, tokens in prompts(prepared)
        ]
    else:
        kind, answer = "loglikelihood", model.loglikelihood
        arguments = list(pairs(prepared))
    seconds = []
    for _ in range(times):
        requests = [Instance(kind, {}, given, index) for index, given in enumerate(arguments)]
        started = time.perf_counter()
        answers = answer(requests, disable_tqdm=True)
        seconds.append(time.perf_counter() - started)
    import torch

    return Measured(
        load_seconds=load_seconds,
        seconds=tuple(seconds),
        threads=torch.get_num_threads(),
        resident_before_bytes=resident,
        peak_memory_bytes=peak_bytes(device),
        answers=_answers(answers),
    )


def _load(folder: Path, device: str, dtype: str) -> Any:
    from lm_eval.models.huggingface import HFLM

    model = HFLM(pretrained=str(folder), device=device, dtype=dtype, batch_size=BATCH_SIZE)
    # A converted checkpoint has no generation_config.json; without an end token, `generate` would
    # go on behind the end of a text until the longest of its batch ends.
    model.model.generation_config.eos_token_id = model.eot_token_id
    return model


def _answers(answers: Sequence[Any]) -> tuple[float, ...] | tuple[str, ...]:
    texts = tuple(one for one in answers if isinstance(one, str))
    return texts or tuple(log_probability for log_probability, _ in answers)


@click.command()
@measuring_options
def main(work: str, folder: Path, times: int, device: str, dtype: str) -> None:
    """Answer WORK with the checkpoint in FOLDER and print what was measured as JSON."""
    with printed_answer() as tell:
        tell(measure(work, folder, times=times, device=device, dtype=dtype))


if __name__ == "__main__":
    main()
