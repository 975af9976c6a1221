"""Every family computes what transformers' own class computes."""

from pathlib import Path
from typing import Any

import pytest
import torch

from evalharness.engine.generation import Ends, generate
from evalharness.engine.jobs import Job
from evalharness.engine.trie import Limits
from evalharness.transformer.families import FAMILIES
from evalharness.transformer.tokenizer import Tokenizer
from tests.models import make_model
from tests.transformer.comparison import (
    LLAMA3,
    LONG,
    LONGROPE,
    YARN,
    difference,
    load,
    logits,
    rope,
    tokens_of,
)

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", {}),
    "llama, one key/value head": ("LlamaForCausalLM", {"num_key_value_heads": 1}),
    "llama, no groups": ("LlamaForCausalLM", {"num_key_value_heads": 6}),
    "llama, head width of its own": ("LlamaForCausalLM", {"head_dim": 10}),
    "llama, tied": ("LlamaForCausalLM", {"tie_word_embeddings": True}),
    "llama, biases": ("LlamaForCausalLM", {"attention_bias": True, "mlp_bias": True}),
    "llama, another base": ("LlamaForCausalLM", rope(rope_type="default")),
    "llama, linear": ("LlamaForCausalLM", rope(rope_type="linear", factor=3.0)),
    "llama, dynamic": ("LlamaForCausalLM", rope(rope_type="dynamic", factor=3.0)),
    "llama, llama3": ("LlamaForCausalLM", rope(**LLAMA3)),
    "llama, yarn": ("LlamaForCausalLM", rope(**YARN)),
    "llama, yarn not truncated": ("LlamaForCausalLM", rope(**YARN, truncate=False)),
    "llama, yarn with a magnitude": ("LlamaForCausalLM", rope(**YARN, attention_factor=0.7)),
    "llama, yarn with mscale": ("LlamaForCausalLM", rope(**YARN, mscale=0.8, mscale_all_dim=0.5)),
    "llama, gelu": ("LlamaForCausalLM", {"hidden_act": "gelu"}),
    "llama, relu": ("LlamaForCausalLM", {"hidden_act": "relu"}),
    "mistral": ("MistralForCausalLM", {}),
    "mistral, no window": ("MistralForCausalLM", {"sliding_window": None}),
    "mistral, window of two": ("MistralForCausalLM", {"sliding_window": 2}),
    "mistral, window longer than the text": ("MistralForCausalLM", {"sliding_window": 200}),
    "mistral, window as long as the text": ("MistralForCausalLM", {"sliding_window": LONG}),
    "qwen2": ("Qwen2ForCausalLM", {"tie_word_embeddings": True}),
    "qwen2, window": (
        "Qwen2ForCausalLM",
        {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
    ),
    "qwen3": ("Qwen3ForCausalLM", {}),
    "qwen3, biases and window": (
        "Qwen3ForCausalLM",
        {
            "attention_bias": True,
            "use_sliding_window": True,
            "sliding_window": 5,
            "layer_types": ["full_attention", "sliding_attention", "full_attention"],
        },
    ),
    "gemma3": ("Gemma3ForCausalLM", {}),
    "gemma3, untied, capped": (
        "Gemma3ForCausalLM",
        {"tie_word_embeddings": False, "final_logit_softcapping": 4.0},
    ),
    "gemma3, its own pattern": (
        "Gemma3ForCausalLM",
        {"layer_types": None, "num_hidden_layers": 7},
    ),
    "gemma3, scaled": (
        "Gemma3ForCausalLM",
        {
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 9000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 70.0},
            }
        },
    ),
    "gemma2": ("Gemma2ForCausalLM", {}),
    "gemma2, without caps": (
        "Gemma2ForCausalLM",
        {"attn_logit_softcapping": None, "final_logit_softcapping": None},
    ),
    "gemma2, biases": ("Gemma2ForCausalLM", {"attention_bias": True}),
    "phi3": ("Phi3ForCausalLM", {}),
    "phi3, window": ("Phi3ForCausalLM", {"sliding_window": 8}),
    "phi3, partly rotated": (
        "Phi3ForCausalLM",
        {"hidden_size": 60, "tie_word_embeddings": True}
        | rope(rope_type="default", partial_rotary_factor=0.6),
    ),
    "phi3, longrope": (
        "Phi3ForCausalLM",
        {"original_max_position_embeddings": 64, **rope(**LONGROPE)},
    ),
    "olmo2": ("Olmo2ForCausalLM", {}),
    "olmo2, biases": ("Olmo2ForCausalLM", {"attention_bias": True}),
    "gpt-neox": ("GPTNeoXForCausalLM", {}),
    "gpt-neox, no bias": ("GPTNeoXForCausalLM", {"attention_bias": False}),
    "gpt-neox, one after the other": ("GPTNeoXForCausalLM", {"use_parallel_residual": False}),
    "gpt-neox, tied": ("GPTNeoXForCausalLM", {"tie_word_embeddings": True}),
    "gpt2": ("GPT2LMHeadModel", {}),
    "gpt2, untied": ("GPT2LMHeadModel", {"tie_word_embeddings": False}),
    "gpt2, four times as wide": ("GPT2LMHeadModel", {"n_inner": None}),
    "gpt2, scaled by depth": ("GPT2LMHeadModel", {"scale_attn_by_inverse_layer_idx": True}),
    "gpt2, not scaled": ("GPT2LMHeadModel", {"scale_attn_weights": False}),
}


def test_every_family_has_a_case() -> None:
    assert {architecture for architecture, _ in CASES.values()} == set(FAMILIES)


@pytest.mark.parametrize(("architecture", "sizes"), CASES.values(), ids=CASES.keys())
def test_logits_texts_and_parameters_equal_transformers(
    tmp_path: Path, architecture: str, sizes: dict[str, Any]
) -> None:
    theirs = make_model(tmp_path, architecture, **sizes)
    ours = load(tmp_path)
    assert ours.config.parameters == theirs.num_parameters()
    assert difference(ours, theirs, tokens_of()) < 1e-4
    prompt = tuple(tokens_of()[0].tolist())
    expected = theirs.generate(torch.tensor([prompt]), max_new_tokens=20, do_sample=False)
    tokenizer = Tokenizer(tmp_path)
    (found,) = generate(
        ours,
        [Job(prompt, 20, ())],
        Ends(tokenizer.decode, tokenizer.end_tokens),
        limits=Limits(pack_size=16),
    )
    assert found.text == tokenizer.decode(expected[0, len(prompt) :].tolist())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("architecture", FAMILIES)
def test_half_precision_is_as_near_as_that_of_transformers(
    tmp_path: Path, architecture: str, dtype: torch.dtype
) -> None:
    """Their own rounding is the measure: ours may be off by half as much again."""
    theirs = make_model(tmp_path, architecture)
    exact = theirs(tokens_of()).logits
    found = logits(load(tmp_path, dtype), tokens_of())
    rounded = theirs.to(dtype)(tokens_of()).logits.float()
    assert found.dtype == torch.float32
    error, their_error = (found - exact).abs().mean(), (rounded - exact).abs().mean()
    assert 0 < error < 1.5 * their_error
