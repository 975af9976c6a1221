"""What distinguishes one decoder-only transformer from another."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalharness.errors import DataError, did_you_mean

# Names of transformers' own classes, as config.json gives them.
KNOWN_ARCHITECTURES = ("LlamaForCausalLM",)


@dataclass(frozen=True, slots=True)
class TransformerConfig:
    """Sizes and constants of a decoder-only transformer of the Llama family."""

    vocabulary_size: int
    width: int  # of the residual stream
    layers: int
    heads: int
    key_value_heads: int
    head_width: int
    feed_forward_width: int
    max_length: int  # positions that the model was trained for
    rope_base: float
    norm_epsilon: float
    tied_embeddings: bool

    @property
    def parameters(self) -> int:
        """Number of weights; a matrix that is used twice counts once."""
        attention = self.width * self.head_width * 2 * (self.heads + self.key_value_heads)
        layer = attention + 3 * self.width * self.feed_forward_width + 2 * self.width
        embeddings = self.vocabulary_size * self.width * (1 if self.tied_embeddings else 2)
        return self.layers * layer + embeddings + self.width


def read_config(folder: Path) -> TransformerConfig:
    """Read config.json as transformers writes it.

    Raises DataError when the file is missing or damaged, a value is absent or impossible, or the
    architecture is not one of KNOWN_ARCHITECTURES.
    """
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"{folder} has no config.json, so it is not a checkpoint folder. It should hold "
            "config.json, tokenizer.json and *.safetensors."
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not valid JSON: {error}.") from None
    if not isinstance(values, dict):
        raise DataError(f"{path} should hold one JSON object.")
    _check_architecture(path, values)
    return _from_values(path, values)


def _check_architecture(path: Path, values: dict[str, Any]) -> None:
    architectures = values.get("architectures") or ["(none named)"]
    if architectures[0] not in KNOWN_ARCHITECTURES:
        raise DataError(
            f"{path}: the built-in transformer does not know the architecture "
            f"{architectures[0]!r}; it knows {', '.join(KNOWN_ARCHITECTURES)}."
            f"{did_you_mean(str(architectures[0]), KNOWN_ARCHITECTURES)}"
        )
    unsupported = {
        "rope scaling": values.get("rope_scaling") or _scaled(values.get("rope_parameters")),
        "attention biases": values.get("attention_bias"),
        "feed-forward biases": values.get("mlp_bias"),
        "an activation other than silu": values.get("hidden_act", "silu") != "silu",
    }
    for feature, present in unsupported.items():
        if present:
            raise DataError(f"{path}: the built-in transformer does not know {feature}.")


def _scaled(rope_parameters: dict[str, Any] | None) -> bool:
    return rope_parameters is not None and rope_parameters.get("rope_type") not in (None, "default")


def _from_values(path: Path, values: dict[str, Any]) -> TransformerConfig:
    rope = values.get("rope_parameters") or {}
    try:
        heads = values["num_attention_heads"]
        config = TransformerConfig(
            vocabulary_size=values["vocab_size"],
            width=values["hidden_size"],
            layers=values["num_hidden_layers"],
            heads=heads,
            key_value_heads=values.get("num_key_value_heads") or heads,
            head_width=values.get("head_dim") or values["hidden_size"] // heads,
            feed_forward_width=values["intermediate_size"],
            max_length=values["max_position_embeddings"],
            rope_base=float(rope.get("rope_theta") or values.get("rope_theta") or 10000.0),
            norm_epsilon=values["rms_norm_eps"],
            tied_embeddings=values.get("tie_word_embeddings", False),
        )
    except KeyError as error:
        raise DataError(f"{path}: the key {error.args[0]!r} is missing.") from None
    if config.heads % config.key_value_heads or config.head_width % 2:
        raise DataError(
            f"{path}: {config.heads} heads of width {config.head_width} do not fit "
            f"{config.key_value_heads} key/value heads."
        )
    return config
