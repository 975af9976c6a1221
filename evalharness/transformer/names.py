"""transformers' names of weights -> ours, for each family, and the matrices that are split here.

A name is that of a layer's module: `.weight` and `.bias` follow it; `{}` stands for the number of
a layer.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evalharness.transformer.config import TransformerConfig

Conversion = Callable[[Tensor, TransformerConfig], Sequence[Tensor]]


def _whole(weight: Tensor, _: TransformerConfig) -> Sequence[Tensor]:
    return (weight,)


def _one_more(weight: Tensor, _: TransformerConfig) -> Sequence[Tensor]:
    """Gemma multiplies with 1 + weight; added in float32, whatever the file has."""
    return (weight.float() + 1,)


def _transposed(weight: Tensor, _: TransformerConfig) -> Sequence[Tensor]:
    """GPT-2 stores (inputs, outputs)."""
    return (weight.t(),)


def _query_key_value(weight: Tensor, config: TransformerConfig) -> Sequence[Tensor]:
    """Phi-3: (all queries, all keys, all values)."""
    return torch.split_with_sizes(weight, [config.query_width, config.key_width, config.key_width])


def _query_key_value_transposed(weight: Tensor, config: TransformerConfig) -> Sequence[Tensor]:
    return _query_key_value(weight.t(), config)


def _query_key_value_by_head(weight: Tensor, config: TransformerConfig) -> Sequence[Tensor]:
    """GPT-NeoX: head after head, (its queries, its keys, its values) each."""
    by_head = weight.view(config.heads, 3, config.head_width, *weight.shape[1:])
    return [part.flatten(0, 1) for part in by_head.unbind(1)]


def _gate_up(weight: Tensor, config: TransformerConfig) -> Sequence[Tensor]:
    """Phi-3: (gate, up)."""
    return torch.split_with_sizes(weight, [config.feed_forward_width] * 2)


_STORED_BY_INPUT = (_transposed, _query_key_value_transposed)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a weight goes: to one of ours, or to several that are fused in it."""

    names: tuple[str, ...]
    convert: Conversion = _whole

    def rows(self, outputs: Tensor, config: TransformerConfig) -> Sequence[Tensor]:
        """A matrix with a row for each output of the weight, divided as the weight is.

        Raises RuntimeError where it cannot be divided.
        """
        stored = outputs.t() if self.convert in _STORED_BY_INPUT else outputs
        return self.convert(stored, config)


@dataclass(frozen=True, slots=True)
class Names:
    """The weights of one family.

    prefix    what stands before every name; some checkpoints leave it out
    targets   our names for each of its own
    ignored   constants in older checkpoints, which the model computes itself
    """

    prefix: str
    targets: Mapping[str, Target]
    ignored: re.Pattern[str] = re.compile(r"rotary_emb\.inv_freq$")

    def target(self, name: str) -> Target | None:
        """Our names for one in a file, or None where it is not of this family."""
        general, layer = re.subn(r"(?<=\.)\d+(?=\.)", "{}", name.removeprefix(self.prefix), count=1)
        module, _, kind = general.rpartition(".")
        if module not in self.targets or kind not in ("weight", "bias"):
            return None
        number = re.search(r"\.(\d+)\.", name) if layer else None
        found = self.targets[module]
        ours = (f"{each}.{kind}".format(number[1] if number else "") for each in found.names)
        return Target(tuple(ours), found.convert)

    def origin(self, ours: str) -> str:
        """What a file calls the weight that one of ours is taken from."""
        number = re.search(r"(?<=\.)\d+(?=\.)", ours)
        general = re.sub(r"(?<=\.)\d+(?=\.)", "{}", ours, count=1)
        module, _, kind = general.rpartition(".")
        for theirs, target in self.targets.items():
            if module in target.names:
                prefix = "" if theirs == "lm_head" else self.prefix
                return f"{prefix}{theirs}.{kind}".format(number[0] if number else "")
        return ours


def _targets(layer: str, names: Mapping[str, str | Target]) -> dict[str, Target]:
    """Names without a dot in front are whole; `.name` is inside each layer, on both sides."""
    targets = {}
    for theirs, found in names.items():
        target = found if isinstance(found, Target) else Target((found,))
        inside = theirs.startswith(".")
        ours = tuple(f"layers.{{}}{name}" if inside else name for name in target.names)
        targets[f"{layer}.{{}}{theirs}" if inside else theirs] = Target(ours, target.convert)
    return targets


LLAMA: Mapping[str, str | Target] = {
    "embed_tokens": "embedding",
    ".input_layernorm": ".attention_norm",
    ".self_attn.q_proj": ".attention.query",
    ".self_attn.k_proj": ".attention.key",
    ".self_attn.v_proj": ".attention.value",
    ".self_attn.o_proj": ".attention.output",
    ".post_attention_layernorm": ".feed_forward_norm",
    ".mlp.gate_proj": ".feed_forward.gate",
    ".mlp.up_proj": ".feed_forward.up",
    ".mlp.down_proj": ".feed_forward.down",
    "norm": "norm",
    "lm_head": "output",
}
QUERY_KEY_NORMS: Mapping[str, str | Target] = {
    ".self_attn.q_norm": ".attention.query_norm",
    ".self_attn.k_norm": ".attention.key_norm",
}
GEMMA_NORMS: Mapping[str, str | Target] = {
    ".input_layernorm": Target((".attention_norm",), _one_more),
    ".post_attention_layernorm": Target((".attention_output_norm",), _one_more),
    ".pre_feedforward_layernorm": Target((".feed_forward_norm",), _one_more),
    ".post_feedforward_layernorm": Target((".feed_forward_output_norm",), _one_more),
    "norm": Target(("norm",), _one_more),
}
GEMMA_QUERY_KEY_NORMS: Mapping[str, str | Target] = {
    ".self_attn.q_norm": Target((".attention.query_norm",), _one_more),
    ".self_attn.k_norm": Target((".attention.key_norm",), _one_more),
}
OLMO2_NORMS: Mapping[str, str | Target] = {
    ".post_attention_layernorm": ".attention_output_norm",
    ".post_feedforward_layernorm": ".feed_forward_output_norm",
}
FUSED: tuple[str, str, str] = (".attention.query", ".attention.key", ".attention.value")
PHI3: Mapping[str, str | Target] = {
    ".self_attn.qkv_proj": Target(FUSED, _query_key_value),
    ".mlp.gate_up_proj": Target((".feed_forward.gate", ".feed_forward.up"), _gate_up),
}
NEOX: Mapping[str, str | Target] = {
    "embed_in": "embedding",
    ".input_layernorm": ".attention_norm",
    ".attention.query_key_value": Target(FUSED, _query_key_value_by_head),
    ".attention.dense": ".attention.output",
    ".post_attention_layernorm": ".feed_forward_norm",
    ".mlp.dense_h_to_4h": ".feed_forward.up",
    ".mlp.dense_4h_to_h": ".feed_forward.down",
    "final_layer_norm": "norm",
    "lm_head": "output",
    "embed_out": "output",  # as older versions of transformers name it
}
GPT2: Mapping[str, str | Target] = {
    "wte": "embedding",
    "wpe": "position_embedding",
    ".ln_1": ".attention_norm",
    ".attn.c_attn": Target(FUSED, _query_key_value_transposed),
    ".attn.c_proj": Target((".attention.output",), _transposed),
    ".ln_2": ".feed_forward_norm",
    ".mlp.c_fc": Target((".feed_forward.up",), _transposed),
    ".mlp.c_proj": Target((".feed_forward.down",), _transposed),
    "ln_f": "norm",
    "lm_head": "output",
}


def _llama(*others: Mapping[str, str | Target]) -> Names:
    """Llama's names, but for those whose place one of the others takes."""
    given = {theirs: target for each in others for theirs, target in each.items()}
    taken = {
        name for target in given.values() if isinstance(target, Target) for name in target.names
    }
    kept = {theirs: ours for theirs, ours in LLAMA.items() if ours not in taken}
    return Names("model.", _targets("layers", {**kept, **given}))


NAMES: Mapping[str, Names] = {
    "LlamaForCausalLM": _llama(),
    "MistralForCausalLM": _llama(),
    "Qwen2ForCausalLM": _llama(),
    "Qwen3ForCausalLM": _llama(QUERY_KEY_NORMS),
    "Gemma2ForCausalLM": _llama(GEMMA_NORMS),
    "Gemma3ForCausalLM": _llama(GEMMA_NORMS, GEMMA_QUERY_KEY_NORMS),
    "Phi3ForCausalLM": _llama(PHI3),
    "Olmo2ForCausalLM": _llama(OLMO2_NORMS, QUERY_KEY_NORMS),
    "GPTNeoXForCausalLM": Names(
        "gpt_neox.",
        _targets("layers", NEOX),
        re.compile(r"(rotary_emb\.inv_freq|attention\.(bias|masked_bias))$"),
    ),
    "GPT2LMHeadModel": Names(
        "transformer.", _targets("h", GPT2), re.compile(r"\.attn\.(bias|masked_bias)$")
    ),
}
