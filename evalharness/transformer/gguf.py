"""GGUF files: converted once into a folder of config.json, tokenizer.json and safetensors.

The names of metadata and tensors are those of the GGUF specification (ggml-org/ggml, docs/gguf.md).
"""

import contextlib
import json
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.torch import save_file

from evalharness.errors import DataError

# Raised when a change of this file changes what a conversion gives.
CONVERTER_VERSION = 1

LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OTHER_NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}


def converted(path: Path, digest: str, cache: Path) -> Path:
    """The folder with the converted form of the GGUF file `path`, whose sha256 is `digest`.

    It is made in `cache` when it is not there yet; two processes may ask at once. Raises DataError
    for a damaged file and for an architecture other than llama.
    """
    folder = cache / "converted" / f"{digest[:24]}-{CONVERTER_VERSION}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
            try:
                _convert(path, unfinished)
                os.replace(unfinished, folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _convert(path: Path, folder: Path) -> None:
    try:
        reader = GGUFReader(path)
    except Exception as error:  # the reader lets numpy's own errors through
        raise DataError(f"{path} is not a whole GGUF file: {error}") from None
    architecture = _field(reader, path, "general.architecture")
    if architecture != "llama":
        raise DataError(
            f"{path}: the built-in transformer cannot read the GGUF architecture {architecture!r}; "
            "it knows 'llama'."
        )
    config = _config(reader, path)
    weights = {}
    for tensor in reader.tensors:
        if tensor.name == "rope_freqs.weight":
            raise DataError(f"{path}: the built-in transformer does not know rope scaling.")
        name = _name(tensor.name, path)
        weight = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        weights[name] = torch.from_numpy(_unpermuted(name, weight, config))
    config["tie_word_embeddings"] = "lm_head.weight" not in weights
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    _convert_tokenizer(path, folder)
    save_file(weights, folder / "model.safetensors")


def _field(reader: GGUFReader, path: Path, key: str) -> Any:
    field = reader.get_field(key)
    if field is None:
        raise DataError(f"{path}: the metadata key {key!r} is missing.")
    return field.contents()


def _config(reader: GGUFReader, path: Path) -> dict[str, Any]:
    """The metadata in the form of transformers' config.json."""

    def value(key: str) -> Any:
        return _field(reader, path, f"llama.{key}")

    heads = value("attention.head_count")
    rope_base = reader.get_field("llama.rope.freq_base")
    key_width = reader.get_field("llama.attention.key_length")
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": len(_field(reader, path, "tokenizer.ggml.tokens")),
        "hidden_size": value("embedding_length"),
        "num_hidden_layers": value("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": value("attention.head_count_kv"),
        "head_dim": key_width.contents() if key_width else value("embedding_length") // heads,
        "intermediate_size": value("feed_forward_length"),
        "max_position_embeddings": value("context_length"),
        "rope_theta": rope_base.contents() if rope_base else 10000.0,
        "rms_norm_eps": value("attention.layer_norm_rms_epsilon"),
    }


def _name(name: str, path: Path) -> str:
    if name in OTHER_NAMES:
        return OTHER_NAMES[name]
    parts = name.split(".")
    if len(parts) != 4 or parts[0] != "blk" or parts[2] not in LAYER_NAMES or parts[3] != "weight":
        raise DataError(f"{path}: the tensor {name!r} is not one of the Llama family.")
    return f"model.layers.{parts[1]}.{LAYER_NAMES[parts[2]]}.weight"


def _unpermuted(name: str, weight: np.ndarray, config: dict[str, Any]) -> np.ndarray:
    """Undo the order that llama.cpp gives the rows of query and key matrices.

    It stores the two halves of a head interleaved, for rotary positions on neighbouring pairs;
    transformers and the model here rotate the pair (i, i + D/2).
    """
    if "q_proj" in name:
        heads = config["num_attention_heads"]
    elif "k_proj" in name:
        heads = config["num_key_value_heads"]
    else:
        return weight
    pairs = weight.reshape(heads, -1, 2, weight.shape[1])
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(weight.shape))


def _convert_tokenizer(path: Path, folder: Path) -> None:
    """tokenizer.json, tokenizer_config.json and the chat template, by transformers' own reader."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
    tokenizer.save_pretrained(str(folder))
