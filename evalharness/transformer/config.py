"""What distinguishes one decoder-only transformer from another."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evalharness.errors import DataError, UsageError, did_you_mean
from evalharness.transformer.attention import AttentionKind
from evalharness.transformer.families import (
    FAMILIES,
    FULL,
    NEUTRAL,
    SLIDING,
    Family,
    NormKind,
    NormPlacement,
    QueryKeyNorm,
)
from evalharness.transformer.rope import Lengths, Rotation, context, rope_type_of, rotation
from evalharness.transformer.values import OTHER_WAY, Values

MOST_LAYERS = 10_000
Activation = Literal["silu", "gelu", "gelu_tanh", "relu"]

# transformers' names of the same function.
ACTIVATIONS: dict[str, Activation] = {
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}


@dataclass(frozen=True, slots=True)
class TransformerConfig:
    """Sizes and constants of a decoder-only transformer.

    architecture         transformers' name of its class
    max_length           positions of the context in use
    attention            scale, window and soft cap of each layer
    rotations            rotary positions of each layer; none where positions are learned
    learned_positions    rows of the table of learned positions; 0: there is none
    norm_placement       before attention and feed-forward network, after them, or both
    query_key_norm       queries and keys are normalised over each head, over their whole width, or
                         not at all
    parallel             attention and feed-forward network read the same residual stream
    gated                the feed-forward network has a gate
    embedding_scale      what embeddings are multiplied with
    logit_softcap        logits are bent to stay below this: c * tanh(x / c); None: they are not
    tied_embeddings      the output layer uses the embeddings' matrix
    """

    architecture: str
    vocabulary_size: int
    width: int  # of the residual stream
    layers: int
    heads: int
    key_value_heads: int
    head_width: int
    feed_forward_width: int
    max_length: int
    attention: tuple[AttentionKind, ...]
    rotations: tuple[Rotation, ...]
    learned_positions: int
    norm: NormKind
    norm_epsilon: float
    norm_placement: NormPlacement
    query_key_norm: QueryKeyNorm
    parallel: bool
    gated: bool
    activation: Activation
    query_key_value_bias: bool
    attention_output_bias: bool
    feed_forward_bias: bool
    embedding_scale: float
    logit_softcap: float | None
    tied_embeddings: bool

    @property
    def query_width(self) -> int:
        """Of all heads together."""
        return self.heads * self.head_width

    @property
    def key_width(self) -> int:
        """Of all key (or value) heads together."""
        return self.key_value_heads * self.head_width

    @property
    def parameters(self) -> int:
        """Number of weights; a matrix that is used twice counts once."""
        embeddings = self.vocabulary_size * self.width * (1 if self.tied_embeddings else 2)
        positions = self.learned_positions * self.width
        norm = self.width * (1 if self.norm == "root_mean_square" else 2)
        norms = norm * (4 if self.norm_placement == "both" else 2)
        layer = norms + self._attention_parameters() + self._feed_forward_parameters()
        return embeddings + positions + self.layers * layer + norm

    def _attention_parameters(self) -> int:
        inner = self.query_width + 2 * self.key_width
        normalised = {
            "none": 0,
            "head": 2 * self.head_width,
            "width": self.query_width + self.key_width,
        }
        return (
            self.width * (inner + self.query_width)
            + inner * self.query_key_value_bias
            + self.width * self.attention_output_bias
            + normalised[self.query_key_norm]
        )

    def _feed_forward_parameters(self) -> int:
        inner = self.feed_forward_width * (2 if self.gated else 1)
        biases = (inner + self.width) * self.feed_forward_bias
        return self.width * (inner + self.feed_forward_width) + biases


def read_config(folder: Path, max_length: int | None = None) -> TransformerConfig:
    """Read config.json as transformers writes it; `max_length` asks for another context.

    Raises DataError when the file is missing or damaged, a value is absent or impossible, the
    architecture is not one of FAMILIES, or it has a feature that the model here has not; and
    UsageError for a context longer than the model was trained for.
    """
    file = Values.read(folder)
    architecture = _architecture(file)
    family = FAMILIES[architecture]
    values = file.renamed(family.keys, {**family.fixed, **family.defaults})
    _check_features(family, values)
    width, heads = values.integer("hidden_size"), values.integer("num_attention_heads")
    head_width = _optional(values, "head_dim") or width // heads
    kinds = _layer_kinds(family, values)
    lengths, rotations = _rotations(family, values, kinds, head_width, max_length)
    attention_bias = values.flag("attention_bias")
    config = TransformerConfig(
        architecture=architecture,
        vocabulary_size=values.integer("vocab_size"),
        width=width,
        layers=len(kinds),
        heads=heads,
        key_value_heads=_optional(values, "num_key_value_heads") or heads,
        head_width=head_width,
        feed_forward_width=_optional(values, "intermediate_size") or 4 * width,
        max_length=lengths.used,
        attention=_attention(values, kinds, head_width),
        rotations=rotations,
        learned_positions=0 if family.rotary else lengths.trained,
        norm=family.norm,
        norm_epsilon=values.number("rms_norm_eps"),
        norm_placement=family.norm_placement,
        query_key_norm=family.query_key_norm,
        parallel=values.flag("use_parallel_residual"),
        gated=family.gated,
        activation=_activation(values),
        query_key_value_bias=attention_bias,
        attention_output_bias=(
            attention_bias if family.attention_output_bias is None else family.attention_output_bias
        ),
        feed_forward_bias=values.flag("mlp_bias"),
        embedding_scale=width**0.5 if family.embeddings_scaled else 1.0,
        logit_softcap=_softcap(values, "final_logit_softcapping"),
        tied_embeddings=values.flag("tie_word_embeddings"),
    )
    if heads % config.key_value_heads:
        raise values.wrong("num_key_value_heads", f"a number that divides {heads} heads")
    return config


def _architecture(file: Values) -> str:
    architectures = file.get("architectures") or ["(none named)"]
    if not isinstance(architectures, list):
        raise file.wrong("architectures", "a list of names of classes")
    name = str(architectures[0])
    if name not in FAMILIES:
        raise DataError(
            f"{file.where}: the built-in transformer does not know the architecture {name!r}; "
            f"it knows {', '.join(FAMILIES)}.{did_you_mean(name, FAMILIES)} {OTHER_WAY}"
        )
    return name


def _check_features(family: Family, values: Values) -> None:
    """Raises DataError for what the family's class in transformers, or the model here, lacks."""
    quantised = values.get("quantization_config")
    if quantised:
        raise values.unknown(f"quantised weights ({_method(quantised)})")
    unread = {key: value for key, value in NEUTRAL.items() if key not in family.defaults}
    for key, neutral in {**unread, **family.fixed}.items():
        value = values.get(key)
        if key in values and value != neutral and (value or neutral):
            raise values.unknown(f"{key!r} as {value!r} here")


def _method(quantised: Any) -> str:
    """The name of the method in `quantization_config`, whatever a stranger put there."""
    named = quantised.get("quant_method") if isinstance(quantised, dict) else None
    return repr(named) if isinstance(named, str) else "quantization_config"


def _optional(values: Values, key: str) -> int | None:
    """A number that may be null, but not absent, where no default of the family stands for it."""
    return None if key in values and values.get(key) is None else values.integer(key)


def _layers(values: Values) -> int:
    """Their number; one that no checkpoint has would be planned for until memory runs out."""
    layers = values.integer("num_hidden_layers")
    if layers > MOST_LAYERS:
        raise values.wrong("num_hidden_layers", f"at most {MOST_LAYERS}")
    return layers


def _layer_kinds(family: Family, values: Values) -> Sequence[str]:
    """FULL or SLIDING for each layer."""
    layers = _layers(values)
    kinds = values.get("layer_types") or family.pattern(values)
    if not isinstance(kinds, list) or len(kinds) != layers:
        raise values.wrong("layer_types", f"a list of {layers} kinds")
    for kind in kinds:
        if kind not in (FULL, SLIDING):
            raise values.unknown(f"the layer type {kind!r} (it knows {FULL}, {SLIDING})")
    if SLIDING in kinds and values.get("use_sliding_window") is False:
        raise values.wrong("use_sliding_window", f"true where layer_types names {SLIDING}")
    return kinds


def _attention(values: Values, kinds: Sequence[str], head_width: int) -> tuple[AttentionKind, ...]:
    window = values.integer("sliding_window") if SLIDING in kinds else None
    scale = _scale(values, head_width)
    by_depth = values.flag("scale_attn_by_inverse_layer_idx")
    return tuple(
        AttentionKind(
            scale=scale / (layer + 1) if by_depth else scale,
            window=window if kind == SLIDING else None,
            softcap=_softcap(values, "attn_logit_softcapping"),
        )
        for layer, kind in enumerate(kinds)
    )


def _scale(values: Values, head_width: int) -> float:
    if "scale_attn_weights" in values and not values.flag("scale_attn_weights"):
        return 1.0
    if "query_pre_attn_scalar" in values:
        head_width = values.integer("query_pre_attn_scalar")
    return float(head_width**-0.5)


def _softcap(values: Values, key: str) -> float | None:
    return None if values.get(key) is None else values.number(key)


def _activation(values: Values) -> Activation:
    name = str(values.get("hidden_act"))
    if name not in ACTIVATIONS:
        raise values.unknown(
            f"the activation {name!r} (it knows {', '.join(ACTIVATIONS)})"
            f"{did_you_mean(name, ACTIVATIONS)}"
        )
    return ACTIVATIONS[name]


def _rotations(
    family: Family,
    values: Values,
    kinds: Sequence[str],
    head_width: int,
    max_length: int | None,
) -> tuple[Lengths, tuple[Rotation, ...]]:
    """The lengths of the context, and the rotation of each layer."""
    trained = values.integer("max_position_embeddings")
    if max_length is not None and max_length > trained:
        raise UsageError(
            f"max_length is {max_length}, but the model was trained for {trained} ({values.where})."
        )
    if not family.rotary:
        return Lengths(max_length or trained, trained), ()
    parameters = {kind: _rope_parameters(family, values, kind) for kind in dict.fromkeys(kinds)}
    default = min(context(each, trained) for each in parameters.values())
    lengths = Lengths(max_length or default, trained)
    rotations = {kind: rotation(each, head_width, lengths) for kind, each in parameters.items()}
    return lengths, tuple(rotations[kind] for kind in kinds)


def _rope_parameters(family: Family, values: Values, kind: str) -> Values:
    """`rope_parameters` of transformers 5, or rope_theta and rope_scaling of older versions."""
    by_kind = "rope_local_base_freq" in family.defaults
    given = _given_by_kind(values, kind) if by_kind else _given(values)
    theta = "rope_local_base_freq" if by_kind and kind == SLIDING else "rope_theta"
    length = "original_max_position_embeddings"
    filled = {
        "rope_theta": values.get(theta),
        "partial_rotary_factor": values.get("partial_rotary_factor") or 1.0,
        length: values.get("max_position_embeddings"),
        **given,
    }
    if length in family.defaults:
        filled[length] = values.get(length)
    if filled["partial_rotary_factor"] != 1 and "partial_rotary_factor" not in family.defaults:
        raise values.unknown("rotary positions on a part of each head in this family")
    rope_type = rope_type_of(filled)
    return values.inner("rope parameters", {**filled, "rope_type": family.rope_type(rope_type)})


def _given(values: Values) -> dict[str, Any]:
    given = values.mapping("rope_scaling") or values.mapping("rope_parameters")
    if FULL in given or SLIDING in given:
        raise values.unknown("rope parameters that differ between layers of this family")
    return given


def _given_by_kind(values: Values, kind: str) -> dict[str, Any]:
    """Layers that slide have a rotation of their own; the older rope_scaling is of the others."""
    nested = values.mapping("rope_parameters")
    for key in nested:
        if key not in (FULL, SLIDING):
            raise values.unknown(f"the layer type {key!r} in rope_parameters")
    scaling = values.mapping("rope_scaling") if kind == FULL else {}
    return {**(nested.get(kind) or {}), **scaling}
