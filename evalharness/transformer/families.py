"""What each family of checkpoints is, in the words of transformers' config.json.

A family says which keys it reads, with the values that transformers' own class has for keys that
a config.json lacks. Keys of NEUTRAL that a family does not read must be neutral: a feature that is
ignored would give wrong scores without a word.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from evalharness.transformer.values import Values

FULL, SLIDING = "full_attention", "sliding_attention"

NormKind = Literal["root_mean_square", "layer"]
NormPlacement = Literal["before", "after", "both"]
QueryKeyNorm = Literal["none", "head", "width"]

NEUTRAL: Mapping[str, Any] = {
    "add_cross_attention": False,
    "attention_bias": False,
    "attn_logit_softcapping": None,
    "clip_qkv": None,
    "final_logit_softcapping": None,
    "layer_types": None,
    "mlp_bias": False,
    "partial_rotary_factor": 1.0,
    "rope_local_base_freq": None,
    "rotary_pct": 1.0,
    "sliding_window": None,
    "use_bidirectional_attention": False,
    "use_mrope": False,
    "use_parallel_residual": False,
}


def _full(values: Values) -> list[str]:
    return [FULL] * values.integer("num_hidden_layers")


def _sliding(values: Values) -> list[str]:
    """Every layer slides where there is a window at all."""
    kind = FULL if values.get("sliding_window") is None else SLIDING
    return [kind] * values.integer("num_hidden_layers")


def _qwen_pattern(values: Values) -> list[str]:
    """The layers from `max_window_layers` on slide, if any does."""
    layers = values.integer("num_hidden_layers")
    slide = values.flag("use_sliding_window") and values.get("sliding_window") is not None
    first = values.get("max_window_layers") if slide else layers
    return [SLIDING if layer >= first else FULL for layer in range(layers)]


def _gemma2_pattern(values: Values) -> list[str]:
    """Every second layer sees everything."""
    return [FULL if layer % 2 else SLIDING for layer in range(values.integer("num_hidden_layers"))]


def _gemma3_pattern(values: Values) -> list[str]:
    """Every sixth layer sees everything, unless `sliding_window_pattern` is another number."""
    every = values.integer("sliding_window_pattern")
    layers = range(values.integer("num_hidden_layers"))
    return [SLIDING if (layer + 1) % every else FULL for layer in layers]


@dataclass(frozen=True, slots=True)
class Family:
    """One architecture of transformers.

    keys             names of its own for keys that most families call otherwise (ours -> its own)
    defaults         keys that it reads and NEUTRAL ones that it knows, with transformers' defaults
    fixed            values that its class has always; a config.json that says otherwise is refused
    pattern          which layers slide, where `layer_types` does not say it
    query_key_norm   queries and keys are normalised over each head, over their whole width, or not
    gated            the feed-forward network is a gated one
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    pattern: Callable[[Values], list[str]] = _full
    norm: NormKind = "root_mean_square"
    norm_placement: NormPlacement = "before"
    query_key_norm: QueryKeyNorm = "none"
    gated: bool = True
    rotary: bool = True
    attention_output_bias: bool | None = None  # None: as the other projections have
    embeddings_scaled: bool = False  # by the square root of their width
    rope_types: Mapping[str, str] = field(default_factory=dict)  # names with another meaning

    def rope_type(self, name: str) -> str:
        return self.rope_types.get(name, name)


LLAMA_DEFAULTS = {
    "tie_word_embeddings": False,
    "hidden_act": "silu",
    "num_key_value_heads": None,
    "head_dim": None,
    "rope_theta": 10000.0,
}
QWEN_DEFAULTS = {
    **LLAMA_DEFAULTS,
    "use_sliding_window": False,
    "sliding_window": 4096,
    "max_window_layers": 28,
    "layer_types": None,
}
GEMMA_KEYS = {"hidden_act": "hidden_activation"}
GEMMA_DEFAULTS = {
    **LLAMA_DEFAULTS,
    "tie_word_embeddings": True,
    "hidden_act": "gelu_pytorch_tanh",
    "head_dim": 256,
    "attention_bias": False,
    "query_pre_attn_scalar": 256,
    "sliding_window": 4096,
    "layer_types": None,
}

FAMILIES: Mapping[str, Family] = {
    "LlamaForCausalLM": Family(
        defaults={**LLAMA_DEFAULTS, "attention_bias": False, "mlp_bias": False}
    ),
    "MistralForCausalLM": Family(
        defaults={**LLAMA_DEFAULTS, "sliding_window": 4096}, pattern=_sliding
    ),
    "Qwen2ForCausalLM": Family(
        defaults=QWEN_DEFAULTS,
        fixed={"attention_bias": True},
        pattern=_qwen_pattern,
        attention_output_bias=False,
    ),
    "Qwen3ForCausalLM": Family(
        defaults={**QWEN_DEFAULTS, "head_dim": 128, "attention_bias": False},
        pattern=_qwen_pattern,
        query_key_norm="head",
    ),
    "Gemma2ForCausalLM": Family(
        keys=GEMMA_KEYS,
        defaults={
            **GEMMA_DEFAULTS,
            "attn_logit_softcapping": 50.0,
            "final_logit_softcapping": 30.0,
        },
        pattern=_gemma2_pattern,
        norm_placement="both",
        embeddings_scaled=True,
    ),
    "Gemma3ForCausalLM": Family(
        keys=GEMMA_KEYS,
        defaults={
            **GEMMA_DEFAULTS,
            "rope_theta": 1_000_000.0,
            "rope_local_base_freq": 10_000.0,
            "final_logit_softcapping": None,
            "sliding_window_pattern": 6,
        },
        pattern=_gemma3_pattern,
        norm_placement="both",
        query_key_norm="head",
        embeddings_scaled=True,
    ),
    "Phi3ForCausalLM": Family(
        defaults={
            **LLAMA_DEFAULTS,
            "partial_rotary_factor": 1.0,
            "sliding_window": None,
            "original_max_position_embeddings": 4096,
        },
        pattern=_sliding,
        rope_types={"yarn": "longrope"},
    ),
    "Olmo2ForCausalLM": Family(
        defaults={**LLAMA_DEFAULTS, "attention_bias": False},
        norm_placement="after",
        query_key_norm="width",
    ),
    "GPTNeoXForCausalLM": Family(
        keys={
            "rope_theta": "rotary_emb_base",
            "partial_rotary_factor": "rotary_pct",
            "rms_norm_eps": "layer_norm_eps",
        },
        defaults={
            **LLAMA_DEFAULTS,
            "hidden_act": "gelu",
            "partial_rotary_factor": 0.25,
            "rotary_pct": 0.25,
            "attention_bias": True,
            "use_parallel_residual": True,
        },
        fixed={"mlp_bias": True},
        norm="layer",
        gated=False,
    ),
    "GPT2LMHeadModel": Family(
        keys={
            "hidden_size": "n_embd",
            "num_hidden_layers": "n_layer",
            "num_attention_heads": "n_head",
            "max_position_embeddings": "n_positions",
            "intermediate_size": "n_inner",
            "hidden_act": "activation_function",
            "rms_norm_eps": "layer_norm_epsilon",
        },
        defaults={
            "tie_word_embeddings": True,
            "hidden_act": "gelu_new",
            "num_key_value_heads": None,
            "head_dim": None,
            "intermediate_size": None,
            "scale_attn_weights": True,
            "scale_attn_by_inverse_layer_idx": False,
        },
        fixed={"attention_bias": True, "mlp_bias": True},
        norm="layer",
        gated=False,
        rotary=False,
    ),
}
