"""Captured decoding steps give what plain ones give; a CPU stands in for the graphs of a GPU."""

from collections.abc import Iterator

import pytest
import torch

from evalharness.engine import generation
from evalharness.engine.generation import Ends, generate
from evalharness.engine.jobs import Job
from evalharness.engine.steps import CapturedSteps, Compute, Steps
from evalharness.transformer.attention import SlotAttention
from evalharness.transformer.config import read_config
from evalharness.transformer.model import Transformer
from evalharness.transformer.weights import load_transformer
from tests.models import make_llama

ENDS = Ends(lambda tokens: " ".join(map(str, tokens)), frozenset({7}))
JOBS = [Job(tuple(range(60, 62 + number)), 3 + 5 * (number % 4)) for number in range(11)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Transformer:
    folder = tmp_path_factory.mktemp("llama")
    make_llama(folder)
    return load_transformer(folder, read_config(folder), torch.float32, torch.device("cpu"))


def use(capture: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def steps(model: Transformer, attention: SlotAttention) -> Steps:
        return CapturedSteps(model, attention, capture)  # type: ignore[arg-type]

    monkeypatch.setattr(generation, "steps_for", steps)


def texts(model: Transformer) -> dict[int, str]:
    return {found.job: found.text for found in generate(model, JOBS, ENDS, slots=6)}


def test_steps_of_fixed_sizes_give_the_same_texts(
    model: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unused slots are computed, too, and may leave nothing behind that a later prompt sees."""
    expected = texts(model)
    captures: list[Compute] = []

    def capture(compute: Compute) -> Compute:
        captures.append(compute)
        return compute

    use(capture, monkeypatch)
    assert texts(model) == expected
    # At most a size for each power of two of slots, in each of the groups that are alike.
    assert len(captures) < sum(job.max_tokens for job in JOBS) / 2


def test_a_step_that_cannot_be_captured_is_computed_plainly(
    model: Transformer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = texts(model)

    def capture(compute: Compute) -> Compute:
        raise RuntimeError(f"operation not permitted when stream is capturing {compute}")

    use(capture, monkeypatch)
    assert texts(model) == expected
    assert "not captured" in caplog.text


def test_running_out_of_memory_while_capturing_is_recovered_from(
    model: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = texts(model)
    failures: Iterator[bool] = iter([True, False])

    def capture(compute: Compute) -> Compute:
        if next(failures, False):
            raise torch.OutOfMemoryError("no room for the graph")
        return compute

    use(capture, monkeypatch)
    assert texts(model) == expected
