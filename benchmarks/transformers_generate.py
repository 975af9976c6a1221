"""A process of its own: transformers' `generate` answers a piece of work that asks for texts.

The prompts are sorted by length, so that a batch pads little, and padded on the left.
python -m benchmarks.transformers_generate WORK FOLDER prints a Measured as JSON.
"""

import time
from pathlib import Path
from typing import Any

import click

from benchmarks.processes import measuring_options, peak_bytes, printed_answer, resident_bytes
from benchmarks.records import Measured
from benchmarks.theirs import BATCH_SIZE
from benchmarks.work import prepare_work, prompts


def measure(work: str, folder: Path, *, times: int, device: str, dtype: str) -> Measured:
    """Answer the work `times` times. Raises DataError when its data cannot be used."""
    asked = prompts(prepare_work(work))
    resident = resident_bytes()
    started = time.perf_counter()
    writer = _Writer(folder, device, dtype)
    writer.write([("one", 1)])
    load_seconds = time.perf_counter() - started
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        texts = writer.write(asked)
        seconds.append(time.perf_counter() - started)
    import torch

    return Measured(
        load_seconds=load_seconds,
        seconds=tuple(seconds),
        threads=torch.get_num_threads(),
        resident_before_bytes=resident,
        peak_memory_bytes=peak_bytes(device),
        answers=tuple(texts),
    )


class _Writer:
    """A model of transformers with its tokenizer."""

    def __init__(self, folder: Path, device: str, dtype: str) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self._tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(device).eval()

    def write(self, asked: list[tuple[str, int]]) -> list[str]:
        """The continuation of every (prompt, new tokens), greedily, in the order of the prompts."""
        order = sorted(range(len(asked)), key=lambda index: -len(asked[index][0]))
        texts: dict[int, str] = {}
        for start in range(0, len(order), BATCH_SIZE):
            places = order[start : start + BATCH_SIZE]
            texts.update(zip(places, self._batch([asked[place] for place in places]), strict=True))
        return [texts[index] for index in range(len(asked))]

    def _batch(self, asked: list[tuple[str, int]]) -> Any:
        prompt_texts = [prompt for prompt, _ in asked]
        inputs = self._tokenizer(prompt_texts, return_tensors="pt", padding=True)
        inputs = inputs.to(self._model.device)
        output = self._model.generate(
            **inputs,
            max_new_tokens=max(tokens for _, tokens in asked),
            do_sample=False,
            eos_token_id=self._tokenizer.eos_token_id,
            pad_token_id=self._tokenizer.pad_token_id,
        )
        new = output[:, inputs["input_ids"].shape[1] :]
        return self._tokenizer.batch_decode(new, skip_special_tokens=True)


@click.command()
@measuring_options
def main(work: str, folder: Path, times: int, device: str, dtype: str) -> None:
    """Answer WORK with the checkpoint in FOLDER and print what was measured as JSON."""
    with printed_answer() as tell:
        tell(measure(work, folder, times=times, device=device, dtype=dtype))


if __name__ == "__main__":
    main()
