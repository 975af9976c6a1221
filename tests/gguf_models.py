"""Tiny random models of every family that a GGUF file can hold, with odd sizes on purpose."""

from typing import Any

import torch
import transformers
from transformers import PreTrainedModel

from tests.models import make_tokenizer

VOCABULARY = len(make_tokenizer())
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 36,
    "intermediate_size": 50,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": None,
}
GROUPED = {**SIZES, "num_key_value_heads": 3, "rms_norm_eps": 1e-6}
OTHER_BASE = {"rope_type": "default", "rope_theta": 5000.0}
GEMMA = {**GROUPED, "num_hidden_layers": 7, "head_dim": 14, "sliding_window": 5}

# What is written: transformers' class and config, with sizes that are odd where they may be.
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", {**GROUPED, "head_dim": 10, "rope_parameters": OTHER_BASE}),
    "llama-biased": ("LlamaForCausalLM", {**GROUPED, "attention_bias": True, "mlp_bias": True}),
    "qwen2": ("Qwen2ForCausalLM", {**GROUPED, "rope_parameters": OTHER_BASE}),
    "qwen3": ("Qwen3ForCausalLM", {**GROUPED, "head_dim": 14}),
    "olmo2": ("Olmo2ForCausalLM", GROUPED),
    "gemma2": (
        "Gemma2ForCausalLM",
        {
            **GEMMA,
            "query_pre_attn_scalar": 14,
            "attn_logit_softcapping": 20.0,
            "final_logit_softcapping": 10.0,
        },
    ),
    "gemma3": (
        "Gemma3ForCausalLM",
        {
            **GEMMA,
            "query_pre_attn_scalar": 14,
            "final_logit_softcapping": 10.0,
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "rope_theta": 7000.0, "factor": 8.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            },
        },
    ),
    "phi3": ("Phi3ForCausalLM", {**GROUPED, "sliding_window": 7}),
    "gptneox": (
        "GPTNeoXForCausalLM",
        {
            **SIZES,
            "hidden_size": 48,
            "layer_norm_eps": 1e-6,
            "use_parallel_residual": False,
            "rope_parameters": {**OTHER_BASE, "rope_theta": 10000.0, "partial_rotary_factor": 0.25},
        },
    ),
    "gpt2": (
        "GPT2LMHeadModel",
        {
            "vocab_size": VOCABULARY,
            "n_positions": 96,
            "n_embd": 36,
            "n_layer": 2,
            "n_head": 3,
            "initializer_range": 0.3,
            "bos_token_id": 0,
            "eos_token_id": 1,
        },
    ),
}

# Scaled rotary positions: a family, and what is said of them.
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
LONG = [1.0, 1.5, 2.25, 3.0, 4.75, 9.5]
ROPES: dict[str, tuple[str, dict[str, Any]]] = {
    "linear": (
        "llama",
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e6, "factor": 2.5}},
    ),
    "llama3": (
        "llama",
        {
            "rope_parameters": LLAMA3,
            "head_dim": 64,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
        },
    ),
    "yarn": (
        "qwen2",
        {
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 1e6,
                "factor": 4.0,
                "original_max_position_embeddings": 32,
                "beta_fast": 24.0,
                "beta_slow": 2.0,
            }
        },
    ),
    "yarn with its own attention factor": (
        "qwen3",
        {
            "rope_parameters": {
                "rope_type": "yarn",
                "rope_theta": 1e6,
                "factor": 4.0,
                "original_max_position_embeddings": 32,
                "attention_factor": 1.25,
            }
        },
    ),
    "longrope on a part of each head": (
        "phi3",
        {
            "head_dim": 16,
            "hidden_size": 96,
            "original_max_position_embeddings": 64,
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 10000.0,
                "partial_rotary_factor": 0.75,
                "long_factor": LONG,
                "short_factor": [factor / 2 + 0.5 for factor in LONG],
            },
        },
    ),
}


def make(family: str, **more: Any) -> PreTrainedModel:
    name, values = FAMILIES[family]
    model_class = getattr(transformers, name)
    torch.manual_seed(0)
    model = model_class(model_class.config_class(**{**values, **more})).eval()
    for parameter in model.parameters():
        if parameter.ndim == 1:  # biases are zeros and norms ones, which would hide an exchange
            torch.nn.init.normal_(parameter, 0.0, 0.3)
    return model
