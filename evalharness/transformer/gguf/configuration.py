"""The metadata of a GGUF file in the form of transformers' config.json."""

from collections.abc import Mapping
from typing import Any

from evalharness.errors import DataError, did_you_mean
from evalharness.transformer.gguf.architectures import (
    ARCHITECTURES,
    FOREIGN_SETTINGS,
    Architecture,
    Key,
    Rotation,
)
from evalharness.transformer.gguf.reading import GgufFile
from evalharness.transformer.gguf.rope import rope_parameters
from evalharness.transformer.values import OTHER_WAY

SPECIAL_TOKENS = {
    "bos_token_id": "tokenizer.ggml.bos_token_id",
    "eos_token_id": "tokenizer.ggml.eos_token_id",
    "pad_token_id": "tokenizer.ggml.padding_token_id",
}


def architecture_of(file: GgufFile) -> Architecture:
    """The architecture of a file. Raises DataError when there is no way to convert it."""
    name = file.architecture
    if name not in ARCHITECTURES:
        raise DataError(
            f"{file.path}: GGUF files of the architecture {name!r} cannot be converted; known are "
            f"{', '.join(ARCHITECTURES)}.{did_you_mean(name, ARCHITECTURES)} {OTHER_WAY}"
        )
    return ARCHITECTURES[name]


def configuration(file: GgufFile, architecture: Architecture) -> dict[str, Any]:
    """What config.json says of the model, but for its dtype.

    Raises DataError for a setting that is missing, impossible, or has no counterpart.
    """
    layers = file.count(file.own("block_count"))
    if layers > len(file.tensors):
        raise DataError(
            f"{file.path} is damaged: it says that the model has {layers} layers, but has only "
            f"{len(file.tensors)} tensors."
        )
    _check_foreign_settings(file, architecture)
    config = {
        "architectures": [architecture.transformers_class],
        "model_type": architecture.model_type,
        "vocab_size": _vocabulary_size(file),
        "tie_word_embeddings": "output.weight" not in file.tensors,
        **{name: _setting(file, key) for name, key in architecture.keys.items()},
        **architecture.constants,
        **_special_tokens(file),
    }
    for switch, parts in architecture.biased_if.items():
        config[switch] = f"blk.0.{parts[0]}.bias" in file.tensors
    if architecture.rotation is not Rotation.NONE:
        config |= _positions(file, architecture, config)
    if architecture.period:
        config |= _windows(file, architecture, config)
    return config


def _check_foreign_settings(file: GgufFile, architecture: Architecture) -> None:
    known = {key.name for key in architecture.keys.values()}
    for name, neutral in FOREIGN_SETTINGS.items():
        found = file.metadata.get(file.own(name), neutral[0])
        if name not in known and found not in neutral:
            raise DataError(
                f"{file.path}: {file.own(name)} is {found}, which transformers' "
                f"{architecture.transformers_class} has no setting for. Give the original "
                "checkpoint instead of this conversion of it."
            )


def _setting(file: GgufFile, key: Key) -> Any:
    name = file.own(key.name)
    if key.absent is not ... and not file.metadata.get(name):
        return key.absent
    if key.kind is bool:
        return True
    return file.count(name) if key.kind is int else file.number(name)


def _vocabulary_size(file: GgufFile) -> int:
    """The rows of the embeddings; the metadata's own count is often left out."""
    if "token_embd.weight" not in file.tensors:
        raise DataError(f"{file.path}: the tensor 'token_embd.weight' is missing.")
    return file.tensors["token_embd.weight"].shape[0]


def _special_tokens(file: GgufFile) -> dict[str, int | None]:
    """Numbers outside the vocabulary stand for no token, as in llama.cpp.

    None is written out, since transformers' classes have numbers of their own for what is left out.
    """
    size = _vocabulary_size(file)
    found = {name: file.metadata.get(key) for name, key in SPECIAL_TOKENS.items()}
    return {
        name: token if isinstance(token, int) and token < size else None
        for name, token in found.items()
    }


def _positions(
    file: GgufFile, architecture: Architecture, config: Mapping[str, Any]
) -> dict[str, Any]:
    """The width of a head and how it is turned by its position."""
    usual_width = config["hidden_size"] // config["num_attention_heads"]
    width = file.count(file.own("attention.key_length"), usual_width)
    if file.metadata.get(file.own("attention.value_length"), width) != width:
        raise DataError(f"{file.path}: keys and values of different widths cannot be converted.")
    rope = rope_parameters(file, width, architecture.rotation)
    found: dict[str, Any] = {"head_dim": width, "rope_parameters": rope}
    if architecture.window_base:
        base = file.number(file.own("rope.freq_base_swa"), architecture.window_base)
        window = {"rope_theta": base, "rope_type": "default"}
        found["rope_parameters"] = {"full_attention": rope, "sliding_attention": window}
    elif rope["rope_type"] == "longrope":
        # Phi-3's config class reads it beside the rope parameters, and takes 4,096 where it is not.
        found["original_max_position_embeddings"] = rope["original_max_position_embeddings"]
    return found


def _windows(
    file: GgufFile, architecture: Architecture, config: Mapping[str, Any]
) -> dict[str, Any]:
    """Which layers see a window only, and the width of a head that queries are scaled for."""
    layers = config["num_hidden_layers"]
    pattern = file.metadata.get(file.own("attention.sliding_window_pattern"), architecture.period)
    if isinstance(pattern, int):
        pattern = [(layer + 1) % pattern != 0 if pattern else False for layer in range(layers)]
    if config["sliding_window"] is None:
        pattern = [False] * layers
    if not isinstance(pattern, list) or len(pattern) != layers:
        raise DataError(f"{file.path}: the pattern of windows is not one of {layers} layers.")
    width = config["head_dim"]
    if layers == architecture.query_width_layers:
        width = config["hidden_size"] // config["num_attention_heads"]
    return {
        "layer_types": [
            "sliding_attention" if is_seen else "full_attention" for is_seen in pattern
        ],
        "query_pre_attn_scalar": width,
    }
