"""The backend of transformers' causal classes, against the classes asked one by one."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from evalharness.backends import open_backend
from evalharness.backends.huggingface import packing
from evalharness.backends.huggingface.causal import CausalBackend
from evalharness.backends.huggingface.forward import Forward
from evalharness.backends.huggingface.packing import Layout, probed_layout
from evalharness.backends.huggingface.scoring import score_packed, score_padded
from evalharness.backends.huggingface.writing import padding_is_right
from evalharness.engine.trie import Pack, Query
from evalharness.records import (
    Generation,
    GenerationResponse,
    Instance,
    LogLikelihood,
    LogLikelihoodResponse,
    Message,
    Outcome,
    Request,
    RollingLogLikelihood,
    Sample,
    Sampling,
    whole_prompt,
)
from evalharness.transformer.tokenizer import Tokenizer
from tests.models import make_llama, make_model

pytestmark = pytest.mark.usefixtures("cache")

# Widths of the experts' matrices must be multiples of four for torch's grouped product.
EXPERTS = {"hidden_size": 48, "intermediate_size": 64, "num_local_experts": 4}
SIZES: dict[str, dict[str, Any]] = {
    "MixtralForCausalLM": {**EXPERTS, "sliding_window": 8},
    "Qwen2MoeForCausalLM": {**EXPERTS, "num_experts": 4, "moe_intermediate_size": 32,
                            "shared_expert_intermediate_size": 32},
    "BloomForCausalLM": {"hidden_size": 36, "n_head": 6, "n_layer": 2},
    "MptForCausalLM": {"d_model": 36, "n_heads": 6, "n_layers": 2},
}  # fmt: skip
PACKED = [
    "LlamaForCausalLM", "Gemma2ForCausalLM", "Gemma3ForCausalLM", "MistralForCausalLM",
    "GPT2LMHeadModel", "GPTNeoXForCausalLM", "MixtralForCausalLM", "Qwen2MoeForCausalLM",
    "CohereForCausalLM", "OPTForCausalLM", "FalconForCausalLM",
]  # fmt: skip
# Positions by distance, or none at all: a mask and position numbers cannot say who sees whom.
PADDED = ["BloomForCausalLM", "MptForCausalLM", "MambaForCausalLM"]
BUILTIN = ["LlamaForCausalLM", "Gemma2ForCausalLM", "Gemma3ForCausalLM", "GPT2LMHeadModel"]

LONG = "The quick brown fox jumps over the lazy dog. "
SCORED: list[Request] = [
    LogLikelihood("The quick ", "brown fox"),
    LogLikelihood("The quick", " lazy dog"),
    LogLikelihood("", "Numbers such as 1"),
    LogLikelihood(LONG * 2, " Paris"),
    LogLikelihood(LONG * 2, " France"),
    LogLikelihood("Question: what", " is the capital", shots=(LONG, "Answer: Paris\n")),
    LogLikelihood((Message("user", "Hello"),), "Paris"),
    RollingLogLikelihood(LONG * 4),
    RollingLogLikelihood(""),
]
WRITTEN: list[Request] = [
    Generation("The quick", 6),
    Generation(LONG, 6),
    Generation("", 4),
    Generation("Question: what is", 6),
    Generation((Message("user", "Hello"),), 5),
]


def save(folder: Path, architecture: str) -> Path:
    make_model(folder, architecture, **SIZES.get(architecture, {}))
    return folder


def ask(spec: str, requests: Sequence[Request]) -> list[Outcome]:
    return ask_backend(open_backend(spec), requests)


def ask_backend(backend: Any, requests: Sequence[Request]) -> list[Outcome]:
    sample = Sample(id="sample", requests=tuple(requests))
    asked = [Instance("task", sample, index) for index in range(len(requests))]
    outcomes = dict(backend.answer(asked))
    return [outcomes[index] for index in range(len(requests))]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    make_llama(folder)
    return folder


def plainly(folder: Path) -> Any:
    """Transformers' own model, whose scores are not bent where its class would leave that out."""
    return AutoModelForCausalLM.from_pretrained(
        str(folder), dtype=torch.float32, attn_implementation="eager"
    ).eval()


def expected_score(model: Any, tokenizer: Tokenizer, request: Request) -> float:
    """One forward pass over the tokens of one request, which fits the context."""
    if isinstance(request, RollingLogLikelihood):
        prompt, whole = [tokenizer.start_token], [tokenizer.start_token]
        whole += tokenizer.encode([request.text])[0]
    else:
        assert isinstance(request, LogLikelihood)
        before = tokenizer.render(whole_prompt(request))
        prompt, whole = tokenizer.encode([before.rstrip(), before + request.continuation])
        if not before:
            prompt, whole = [tokenizer.start_token], [tokenizer.start_token, *whole]
    with torch.inference_mode():
        rows = model(torch.tensor([whole])).logits[0].log_softmax(-1)
    return sum(float(rows[place - 1, whole[place]]) for place in range(len(prompt), len(whole)))


@pytest.mark.parametrize("architecture", PACKED + PADDED)
def test_scores_are_those_of_one_forward_pass_a_request(tmp_path: Path, architecture: str) -> None:
    save(tmp_path, architecture)
    outcomes = ask(f"hf:{tmp_path}", SCORED)
    model, tokenizer = plainly(tmp_path), Tokenizer(tmp_path)
    for request, outcome in zip(SCORED, outcomes, strict=True):
        assert isinstance(outcome, LogLikelihoodResponse)
        expected = expected_score(model, tokenizer, request)
        # Over a hundred tokens, roundings add up.
        bound = 1e-3 if isinstance(request, RollingLogLikelihood) else 1e-4
        assert outcome.log_probability == pytest.approx(expected, abs=bound), request


@pytest.mark.parametrize("architecture", PACKED + PADDED)
def test_texts_are_those_of_generate_a_request(tmp_path: Path, architecture: str) -> None:
    """Left padding is used only where the class hides it: a batch must not change its texts."""
    save(tmp_path, architecture)
    outcomes = ask(f"hf:{tmp_path}", WRITTEN)
    model, tokenizer = plainly(tmp_path), Tokenizer(tmp_path)
    for request, outcome in zip(WRITTEN, outcomes, strict=True):
        assert isinstance(request, Generation)
        assert isinstance(outcome, GenerationResponse)
        (tokens,) = tokenizer.encode([tokenizer.render(request.prompt)])
        tokens = tokens or [tokenizer.start_token]
        found = model.generate(
            torch.tensor([tokens]), max_new_tokens=request.max_tokens, do_sample=False,
            attention_mask=torch.ones(1, len(tokens), dtype=torch.long),
            eos_token_id=1, pad_token_id=0,
        )[0, len(tokens):].tolist()  # fmt: skip
        ended = found[-1] == 1
        assert outcome.text == tokenizer.decode(found[:-1] if ended else found)
        assert outcome.finish == ("end" if ended else "length")
        assert outcome.cost.generated_tokens == len(found)


@pytest.mark.parametrize("architecture", PACKED + PADDED)
def test_a_probe_finds_which_classes_can_be_packed(tmp_path: Path, architecture: str) -> None:
    save(tmp_path, architecture)
    layout = probed_layout(Forward(plainly(tmp_path)), 256)
    assert (layout is not None) == (architecture in PACKED)


def test_the_probe_refuses_a_mask_without_the_models_window(tmp_path: Path) -> None:
    """A given mask takes the window's place: what is longer than it would see too much."""
    save(tmp_path, "Gemma3ForCausalLM")
    model = plainly(tmp_path)
    assert probed_layout(Forward(model), 256) == Layout(
        ("full_attention", "sliding_attention"), window=8
    )
    assert model.config.sliding_window == 8
    model.config.layer_types = None  # as in a class that does not say where its windows are
    model.config.sliding_window = None
    assert probed_layout(Forward(model), 256) is None


@pytest.mark.parametrize("architecture", BUILTIN)
def test_builtin_and_hf_give_equal_answers(tmp_path: Path, architecture: str) -> None:
    save(tmp_path, architecture)
    requests = [*SCORED, *WRITTEN, Generation("The", 9, sampling=Sampling(0.8, 0.9, seed=3))]
    for ours, theirs in zip(
        ask(f"builtin:{tmp_path}", requests), ask(f"hf:{tmp_path}", requests), strict=True
    ):
        if isinstance(ours, LogLikelihoodResponse):
            assert isinstance(theirs, LogLikelihoodResponse)
            assert theirs.log_probability == pytest.approx(ours.log_probability, abs=1e-3)
            assert (theirs.greedy, theirs.tokens) == (ours.greedy, ours.tokens)
        else:
            assert isinstance(ours, GenerationResponse)
            assert isinstance(theirs, GenerationResponse)
            assert (theirs.text, theirs.finish) == (ours.text, ours.finish)


def test_soft_caps_are_kept_where_the_faster_attention_leaves_them_out(tmp_path: Path) -> None:
    save(tmp_path, "Gemma2ForCausalLM")
    backend = open_backend(f"hf:{tmp_path}")
    assert isinstance(backend, CausalBackend)
    (outcome,) = ask_backend(backend, [LogLikelihood("The quick", " brown")])
    assert isinstance(outcome, LogLikelihoodResponse)
    expected = expected_score(
        plainly(tmp_path), Tokenizer(tmp_path), LogLikelihood("The quick", " brown")
    )
    assert outcome.log_probability == pytest.approx(expected, abs=1e-4)


# --- Batches and packs change nothing ------------------------------------------------------------


@pytest.fixture(scope="module")
def forward(tmp_path_factory: pytest.TempPathFactory) -> Forward:
    folder = tmp_path_factory.mktemp("model")
    save(folder, "Gemma3ForCausalLM")
    return Forward(plainly(folder))


tokens = st.lists(st.integers(0, 5), min_size=1, max_size=30).map(tuple)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    own = draw(tokens)
    targets = draw(st.lists(st.integers(0, 5), max_size=len(own)).map(tuple))
    return Query(own, targets)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(asked=st.lists(queries(), min_size=1, max_size=8), pack_size=st.integers(1, 64))
def test_packed_and_padded_scores_are_equal_whatever_is_asked_together(
    forward: Forward, asked: list[Query], pack_size: int
) -> None:
    layout = probed_layout(forward, 256)
    assert layout is not None
    packed = {one.query: one for one in score_packed(forward, layout, asked, pack_size)}
    filled = {one.query: one for one in score_padded(forward, asked, 3)}
    assert packed.keys() == filled.keys() == set(range(len(asked)))
    for number, one in packed.items():
        assert one.log_probability == pytest.approx(filled[number].log_probability, abs=1e-3)


def test_running_out_of_memory_halves_packs_and_batches(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = open_backend(f"hf:{checkpoint}")
    whole = ask_backend(backend, [*SCORED, *WRITTEN])
    plain, sizes = Forward.logits, []

    def short(self: Forward, tokens: torch.Tensor, *rest: Any, **seen: Any) -> torch.Tensor:
        sizes.append(tokens.numel())
        if tokens.numel() > 200:
            raise torch.OutOfMemoryError("of 200 tokens at once")
        return plain(self, tokens, *rest, **seen)

    monkeypatch.setattr(Forward, "logits", short)
    again = ask_backend(backend, [*SCORED, *WRITTEN])
    assert max(sizes) > 200
    for one, other in zip(whole, again, strict=True):
        if isinstance(one, LogLikelihoodResponse):
            assert isinstance(other, LogLikelihoodResponse)
            assert other.log_probability == pytest.approx(one.log_probability, abs=1e-3)


@pytest.mark.parametrize("architecture", ["LlamaForCausalLM", "MambaForCausalLM"])
def test_a_draw_does_not_depend_on_what_is_written_beside_it(
    tmp_path: Path, architecture: str
) -> None:
    save(tmp_path, architecture)
    draws: list[Request] = [
        Generation("The quick", 8, sampling=Sampling(1.0, seed=seed)) for seed in range(4)
    ]
    together = ask(f"hf:{tmp_path}", [Generation(LONG, 8), *draws])[1:]
    alone = [ask(f"hf:{tmp_path}?batch_size=1", [draw])[0] for draw in draws]
    texts = [one.text for one in together if isinstance(one, GenerationResponse)]
    assert texts == [one.text for one in alone if isinstance(one, GenerationResponse)]
    assert len(set(texts)) > 1


def test_a_stop_string_ends_a_text_before_it(checkpoint: Path) -> None:
    (whole,) = ask(f"hf:{checkpoint}", [Generation("The quick", 12)])
    assert isinstance(whole, GenerationResponse)
    stop = whole.text[4:6]
    (outcome,) = ask(f"hf:{checkpoint}", [Generation("The quick", 12, stop=(stop,))])
    assert isinstance(outcome, GenerationResponse)
    assert outcome.finish == "stop"
    assert outcome.text == whole.text[: whole.text.index(stop)]
    assert outcome.cost.generated_tokens < 12


def test_penalties_of_the_checkpoint_do_not_change_texts(checkpoint: Path) -> None:
    """generate() fills what it is not told from generation_config.json."""
    (before,) = ask(f"hf:{checkpoint}", [Generation("The quick", 12)])
    path = checkpoint / "generation_config.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({
        **values, "repetition_penalty": 9.0, "no_repeat_ngram_size": 1, "min_new_tokens": 9,
        "do_sample": True, "temperature": 3.0,
    }))  # fmt: skip
    (after,) = ask(f"hf:{checkpoint}", [Generation("The quick", 12)])
    assert isinstance(before, GenerationResponse)
    assert isinstance(after, GenerationResponse)
    assert after.text == before.text


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_packed_and_near(checkpoint: Path, dtype: str) -> None:
    backend = open_backend(f"hf:{checkpoint}?dtype={dtype}")
    assert isinstance(backend, CausalBackend)
    (outcome,) = ask_backend(backend, [LogLikelihood("The quick", " brown fox")])
    (exact,) = ask(f"hf:{checkpoint}", [LogLikelihood("The quick", " brown fox")])
    assert isinstance(outcome, LogLikelihoodResponse)
    assert isinstance(exact, LogLikelihoodResponse)
    assert outcome.log_probability == pytest.approx(exact.log_probability, abs=0.5)
    assert outcome.log_probability != exact.log_probability
    assert backend.model.dtype == dtype


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("architecture", ["LlamaForCausalLM", "Gemma3ForCausalLM"])
def test_the_probe_tells_rounding_from_a_wrong_mask_in_half_precision(
    tmp_path: Path, architecture: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bound on the largest difference alone refused real models for what bfloat16 rounds."""
    save(tmp_path, architecture)
    forward = Forward(plainly(tmp_path).to(dtype))
    assert probed_layout(forward, 256) is not None
    plain = packing._mask

    def all_before(pack: Pack, window: int | None, like: torch.Tensor) -> torch.Tensor:
        reach = np.full(len(pack.reach), len(pack.reach))
        return plain(replace(pack, reach=reach), window, like)

    monkeypatch.setattr(packing, "_mask", all_before)
    assert probed_layout(forward, 256) is None


def test_a_class_that_does_not_hide_padding_gets_prompts_of_one_length(tmp_path: Path) -> None:
    save(tmp_path, "LlamaForCausalLM")
    model = plainly(tmp_path)
    assert padding_is_right(Forward(model))
    plain = model.forward
    model.forward = lambda **values: plain(**{**values, "attention_mask": None})
    assert not padding_is_right(Forward(model))
