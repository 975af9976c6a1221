"""What each GGUF architecture is in transformers: the names of weights and of settings, as data.

GGUF's names are those of the gguf package (gguf.constants, gguf.tensor_mapping); what llama.cpp
changes in a weight, and the values it takes where a file leaves a setting out, are in its
conversion scripts and models (ggml-org/llama.cpp).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import Any


class Change(Enum):
    """What llama.cpp does to a weight, to be undone."""

    QUERY_ROWS_INTERLEAVED = auto()  # for rotary positions on neighbouring pairs
    KEY_ROWS_INTERLEAVED = auto()
    ONE_ADDED = auto()  # Gemma multiplies by 1 + weight
    TRANSPOSED = auto()  # GPT-2 keeps (in, out)
    HEADS_TAKEN_APART = auto()  # GPT-NeoX keeps query, key and value of each head together


class Rotation(Enum):
    """Which part of a head is turned by its position."""

    NONE = auto()  # positions are embedded
    WHOLE = auto()
    PART = auto()  # rope.dimension_count elements of it


@dataclass(frozen=True, slots=True)
class Key:
    """A value of the metadata, `ARCHITECTURE.name`; `absent` holds where it is left out or 0."""

    name: str
    absent: Any = ...  # it must be there
    kind: type = int


@dataclass(frozen=True, slots=True)
class Architecture:
    """How the files of one GGUF architecture become a checkpoint of transformers.

    parts, layer_parts: GGUF's names and transformers', without the ending `.weight` or `.bias`;
        those in a layer also without the beginning, which is `blk.N.` in GGUF.
    layer: how transformers' names in layer {} begin.
    biased: the parts that have a bias as well.
    biased_if: switches of transformers' config for further biases, and the parts that have one
        then; a switch is on if the file has the first of them in its first layer.
    period: each period of so many layers that see a window only ends with one that sees all;
        0: there is no such pattern.
    window_base: rope_theta of the layers that see a window only; 0: that of all.
    query_width_layers: with so many layers, queries are scaled for a head of hidden_size / heads
        in place of its true width; 0: never.
    """

    transformers_class: str
    model_type: str
    parts: Mapping[str, str]
    layer: str
    layer_parts: Mapping[str, str]
    keys: Mapping[str, Key]
    constants: Mapping[str, Any]
    changes: Mapping[str, Change] = field(default_factory=dict)
    biased: frozenset[str] = frozenset()
    biased_if: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rotation: Rotation = Rotation.WHOLE
    period: int = 0
    window_base: float = 0.0
    query_width_layers: int = 0


# --- Parts that several architectures have in common ---------------------------------------------

LAYER = "model.layers.{}."
PARTS = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
QUERY_KEY_VALUE = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
}
QUERY_KEY_NORMS = {"attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}
ATTENTION = {**QUERY_KEY_VALUE, "attn_output": "self_attn.o_proj"}
GATED = {"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
NORMS_BEFORE = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
NORMS_AFTER = {
    "post_attention_norm": "post_attention_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
NORMS_AROUND = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    **NORMS_AFTER,
}

SIZES = {
    "hidden_size": Key("embedding_length"),
    "intermediate_size": Key("feed_forward_length"),
    "num_hidden_layers": Key("block_count"),
    "num_attention_heads": Key("attention.head_count"),
    "max_position_embeddings": Key("context_length"),
}
GROUPED_SIZES = {
    **SIZES,
    "num_key_value_heads": Key("attention.head_count_kv"),
    "rms_norm_eps": Key("attention.layer_norm_rms_epsilon", kind=float),
}
SILU = {"hidden_act": "silu"}
GEMMA = {"hidden_activation": "gelu_pytorch_tanh", "attention_bias": False}

# --- The architectures ---------------------------------------------------------------------------

LLAMA = Architecture(
    transformers_class="LlamaForCausalLM",
    model_type="llama",
    parts=PARTS,
    layer=LAYER,
    layer_parts={**NORMS_BEFORE, **ATTENTION, **GATED},
    keys=GROUPED_SIZES,
    constants=SILU,
    changes={
        "attn_q": Change.QUERY_ROWS_INTERLEAVED,
        "attn_k": Change.KEY_ROWS_INTERLEAVED,
    },
    biased_if={"attention_bias": tuple(ATTENTION), "mlp_bias": tuple(GATED)},
)

QWEN2 = Architecture(
    transformers_class="Qwen2ForCausalLM",
    model_type="qwen2",
    parts=PARTS,
    layer=LAYER,
    layer_parts={**NORMS_BEFORE, **ATTENTION, **GATED},
    keys=GROUPED_SIZES,
    constants={**SILU, "use_sliding_window": False},
    biased=frozenset(QUERY_KEY_VALUE),
)

QWEN3 = Architecture(
    transformers_class="Qwen3ForCausalLM",
    model_type="qwen3",
    parts=PARTS,
    layer=LAYER,
    layer_parts={**NORMS_BEFORE, **ATTENTION, **QUERY_KEY_NORMS, **GATED},
    keys=GROUPED_SIZES,
    constants={**SILU, "attention_bias": False, "use_sliding_window": False},
)

OLMO2 = Architecture(
    transformers_class="Olmo2ForCausalLM",
    model_type="olmo2",
    parts=PARTS,
    layer=LAYER,
    layer_parts={**ATTENTION, **QUERY_KEY_NORMS, **GATED, **NORMS_AFTER},
    keys=GROUPED_SIZES,
    constants={**SILU, "attention_bias": False},
)

GEMMA2 = Architecture(
    transformers_class="Gemma2ForCausalLM",
    model_type="gemma2",
    parts=PARTS,
    layer=LAYER,
    layer_parts={**NORMS_AROUND, **ATTENTION, **GATED},
    keys={
        **GROUPED_SIZES,
        "sliding_window": Key("attention.sliding_window", absent=4096),
        "attn_logit_softcapping": Key("attn_logit_softcapping", absent=50.0, kind=float),
        "final_logit_softcapping": Key("final_logit_softcapping", absent=30.0, kind=float),
    },
    constants=GEMMA,
    changes=dict.fromkeys(("output_norm", *NORMS_AROUND), Change.ONE_ADDED),
    period=2,
    query_width_layers=46,
)

GEMMA3 = Architecture(
    transformers_class="Gemma3ForCausalLM",
    model_type="gemma3_text",
    parts=PARTS,
    layer=LAYER,
    layer_parts={**NORMS_AROUND, **ATTENTION, **QUERY_KEY_NORMS, **GATED},
    keys={
        **GROUPED_SIZES,
        "sliding_window": Key("attention.sliding_window", absent=None),
        "final_logit_softcapping": Key("final_logit_softcapping", absent=None, kind=float),
    },
    constants=GEMMA,
    changes=dict.fromkeys(
        ("output_norm", *NORMS_AROUND, *QUERY_KEY_NORMS),
        Change.ONE_ADDED,
    ),
    period=6,
    window_base=10000.0,
    query_width_layers=62,
)

PHI3 = Architecture(
    transformers_class="Phi3ForCausalLM",
    model_type="phi3",
    parts=PARTS,
    layer=LAYER,
    layer_parts={
        **NORMS_BEFORE,
        "attn_qkv": "self_attn.qkv_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_up": "mlp.gate_up_proj",
        "ffn_down": "mlp.down_proj",
    },
    keys={
        **GROUPED_SIZES,
        "sliding_window": Key("attention.sliding_window", absent=None),
    },
    constants=SILU,
    rotation=Rotation.PART,
)

GPT_NEOX_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_qkv": "attention.query_key_value",
    "attn_output": "attention.dense",
    "ffn_norm": "post_attention_layernorm",
    "ffn_up": "mlp.dense_h_to_4h",
    "ffn_down": "mlp.dense_4h_to_h",
}
GPT_NEOX = Architecture(
    transformers_class="GPTNeoXForCausalLM",
    model_type="gpt_neox",
    parts={
        "token_embd": "gpt_neox.embed_in",
        "output_norm": "gpt_neox.final_layer_norm",
        "output": "embed_out",
    },
    layer="gpt_neox.layers.{}.",
    layer_parts=GPT_NEOX_LAYER,
    keys={
        **SIZES,
        "layer_norm_eps": Key("attention.layer_norm_epsilon", kind=float),
        "use_parallel_residual": Key("use_parallel_residual", absent=False, kind=bool),
    },
    constants={"hidden_act": "gelu", "attention_bias": True},
    changes={"attn_qkv": Change.HEADS_TAKEN_APART},
    biased=frozenset(("output_norm", *GPT_NEOX_LAYER)),
    rotation=Rotation.PART,
)

GPT2_MATRICES = {
    "attn_qkv": "attn.c_attn",
    "attn_output": "attn.c_proj",
    "ffn_up": "mlp.c_fc",
    "ffn_down": "mlp.c_proj",
}
GPT2_LAYER = {"attn_norm": "ln_1", "ffn_norm": "ln_2", **GPT2_MATRICES}
GPT2 = Architecture(
    transformers_class="GPT2LMHeadModel",
    model_type="gpt2",
    parts={
        "token_embd": "transformer.wte",
        "position_embd": "transformer.wpe",
        "output_norm": "transformer.ln_f",
        "output": "lm_head",
    },
    layer="transformer.h.{}.",
    layer_parts=GPT2_LAYER,
    keys={
        "n_embd": Key("embedding_length"),
        "n_inner": Key("feed_forward_length"),
        "n_layer": Key("block_count"),
        "n_head": Key("attention.head_count"),
        "n_positions": Key("context_length"),
        "layer_norm_epsilon": Key("attention.layer_norm_epsilon", kind=float),
    },
    constants={"activation_function": "gelu_new"},
    changes=dict.fromkeys(GPT2_MATRICES, Change.TRANSPOSED),
    biased=frozenset(("output_norm", *GPT2_LAYER)),
    rotation=Rotation.NONE,
)

ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "llama": LLAMA,
        "qwen2": QWEN2,
        "qwen3": QWEN3,
        "olmo2": OLMO2,
        "gemma2": GEMMA2,
        "gemma3": GEMMA3,
        "phi3": PHI3,
        "gptneox": GPT_NEOX,
        "gpt2": GPT2,
    }
)

# Tensors that are no weights but factors of rotary frequencies, one for each pair of a head.
FREQUENCIES = "rope_freqs.weight"
LONG, SHORT = "rope_factors_long.weight", "rope_factors_short.weight"
ROPE_TABLES = (FREQUENCIES, LONG, SHORT)

# Settings that change what a model computes and that none of these classes of transformers has,
# unless it is in an architecture's keys, with the values that mean nothing.
FOREIGN_SETTINGS: Mapping[str, tuple[Any, ...]] = MappingProxyType(
    {
        "expert_count": (0,),
        "attention.sliding_window": (0,),
        "attention.causal": (True,),
        "attention.clamp_kqv": (0.0,),
        "attention.max_alibi_bias": (0.0,),
        "attention.scale": (0.0,),
        "attn_logit_softcapping": (0.0,),
        "final_logit_softcapping": (0.0,),
        "embedding_scale": (0.0, 1.0),
        "residual_scale": (0.0, 1.0),
        "logit_scale": (0.0, 1.0),
    }
)
