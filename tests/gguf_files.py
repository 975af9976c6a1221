"""Tiny GGUF files of transformers' models, as llama.cpp's conversion scripts write them.

Names of tensors come from the gguf package; what happens to the weights and which settings are
written was taken from the scripts (ggml-org/llama.cpp, conversion/), family by family.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from tests.models import CHAT_TEMPLATE, make_tokenizer

# GGUF's architecture of each model_type of transformers.
ARCHITECTURES = {
    "llama": gguf.MODEL_ARCH.LLAMA,
    "qwen2": gguf.MODEL_ARCH.QWEN2,
    "qwen3": gguf.MODEL_ARCH.QWEN3,
    "olmo2": gguf.MODEL_ARCH.OLMO2,
    "gemma2": gguf.MODEL_ARCH.GEMMA2,
    "gemma3_text": gguf.MODEL_ARCH.GEMMA3,
    "phi3": gguf.MODEL_ARCH.PHI3,
    "gpt_neox": gguf.MODEL_ARCH.GPTNEOX,
    "gpt2": gguf.MODEL_ARCH.GPT2,
}
# Settings by transformers' names, for GPT-2 by those that it calls its own by.
SETTINGS = {
    "max_position_embeddings": "context_length",
    "hidden_size": "embedding_length",
    "num_hidden_layers": "block_count",
    "intermediate_size": "feed_forward_length",
    "num_attention_heads": "attention.head_count",
    "num_key_value_heads": "attention.head_count_kv",
    "rms_norm_eps": "attention.layer_norm_rms_epsilon",
    "layer_norm_eps": "attention.layer_norm_epsilon",
    "layer_norm_epsilon": "attention.layer_norm_epsilon",
    "use_parallel_residual": "use_parallel_residual",
    "sliding_window": "attention.sliding_window",
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
}
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6

Entries = Mapping[str, Any]


def byte_level(tokenizer: PreTrainedTokenizerFast | None = None, **more: Any) -> dict[str, Any]:
    """What a GGUF file says of a byte-level BPE tokenizer, under `tokenizer.ggml.`."""
    tokenizer = tokenizer or make_tokenizer()
    numbers = tokenizer.get_vocab()
    tokens = sorted(numbers, key=numbers.__getitem__)
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    special = set(tokenizer.all_special_tokens)
    return {
        "model": "gpt2",
        "pre": "default",
        "tokens": tokens,
        "token_type": [CONTROL if token in special else NORMAL for token in tokens],
        "merges": [" ".join(merge) for merge in model["merges"]],
        "bos_token_id": numbers["<s>"],
        "eos_token_id": numbers["</s>"],
        **more,
    }


def sentencepiece(
    texts: Sequence[str], added: Sequence[str] = (), vocabulary: int = 400, **more: Any
) -> dict[str, Any]:
    """The same of a SentencePiece vocabulary learnt from `texts`, with `added` parts of text."""
    learning = Tokenizer(models.BPE())
    learning.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, show_progress=False)
    learning.train_from_iterator(texts, trainer)
    numbers = learning.get_vocab()
    pieces = sorted(numbers, key=numbers.__getitem__)
    pieces = [piece for piece in pieces if piece.replace("▁", " ") not in added]
    # SentencePiece puts what it merged, best first, before single characters.
    pieces = [piece for piece in pieces if len(piece) > 1] + [p for p in pieces if len(p) == 1]
    named = ["<unk>", "<s>", "</s>"]
    of_bytes = [f"<0x{byte:02X}>" for byte in range(256)]
    types = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [USER_DEFINED] * len(added)
    before = len(types)
    return {
        "model": "llama",
        "tokens": [*named, *of_bytes, *added, *pieces],
        "scores": [0.0] * before + [-float(place) for place in range(len(pieces))],
        "token_type": types + [NORMAL] * len(pieces),
        "unknown_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        **more,
    }


def write_gguf(
    path: Path,
    model: PreTrainedModel,
    tokenizer: Entries | None = None,
    kind: Kind = Kind.F32,
    settings: Entries = MappingProxyType({}),
) -> None:
    """Write a model with matrices of `kind`; `settings` are added to the architecture's own.

    A setting whose name begins with "split." or "general." is one of the file.
    """
    config = model.config
    architecture = ARCHITECTURES[config.model_type]
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[architecture])
    for name, value in {**architecture_settings(config), **settings}.items():
        whole = name.startswith(("split.", "general."))
        add_entry(writer, name if whole else f"{writer.arch}.{name}", value)
    for name, value in (byte_level() if tokenizer is None else tokenizer).items():
        add_entry(writer, f"tokenizer.ggml.{name}", value)
    writer.add_chat_template(CHAT_TEMPLATE)
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    for name, weight in model.state_dict().items():
        if name not in (model._tied_weights_keys or {}) or not config.tie_word_embeddings:
            ours = names.get_name(name, try_suffixes=(".weight", ".bias"))
            assert ours is not None, name
            add_tensor(writer, ours, changed(name, weight.float().numpy(), config), kind)
    for name, factors in rope_tables(config):
        writer.add_tensor(name, np.array(factors, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_entry(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value)


def architecture_settings(config: Any) -> dict[str, Any]:
    """The settings of an architecture, by GGUF's names without the architecture's own."""
    found = {
        name: getattr(config, theirs)
        for theirs, name in SETTINGS.items()
        if getattr(config, theirs, None) is not None
    }
    if config.model_type == "gpt2":
        return {**found, "feed_forward_length": 4 * config.n_embd}
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    if "head_dim" in config.to_dict():
        found |= {"attention.key_length": width, "attention.value_length": width}
    return found | rope_settings(config, width)


def rope_settings(config: Any, width: int) -> dict[str, Any]:
    rope = config.rope_parameters.get("full_attention", config.rope_parameters)
    found: dict[str, Any] = {}
    if config.model_type != "gpt_neox":
        found["rope.freq_base"] = float(rope["rope_theta"])
    if config.model_type in ("llama", "gpt_neox", "phi3"):
        found["rope.dimension_count"] = int(width * rope.get("partial_rotary_factor", 1.0))
    if rope["rope_type"] in ("linear", "yarn"):
        found |= {"rope.scaling.type": rope["rope_type"], "rope.scaling.factor": rope["factor"]}
    if rope["rope_type"] in ("yarn", "longrope"):
        original = rope["original_max_position_embeddings"]
        found["rope.scaling.original_context_length"] = original
    if rope["rope_type"] == "yarn":
        for theirs, name in (
            ("attention_factor", "yarn_attn_factor"),
            ("beta_fast", "yarn_beta_fast"),
            ("beta_slow", "yarn_beta_slow"),
        ):
            if theirs in rope:
                found[f"rope.scaling.{name}"] = float(rope[theirs])
    if rope["rope_type"] == "longrope":
        scale = config.max_position_embeddings / original
        factor = math.sqrt(1 + math.log(scale) / math.log(original)) if scale > 1 else 1.0
        found["rope.scaling.attn_factor"] = factor
    return found


def rope_tables(config: Any) -> Iterator[tuple[str, list[float]]]:
    rope = getattr(config, "rope_parameters", None) or {"rope_type": "default"}
    if rope.get("rope_type") == "longrope":
        yield "rope_factors_long.weight", rope["long_factor"]
        yield "rope_factors_short.weight", rope["short_factor"]
    if rope.get("rope_type") == "llama3":
        yield "rope_freqs.weight", llama3_factors(rope, config.head_dim)


def llama3_factors(rope: Mapping[str, float], width: int) -> list[float]:
    """What each frequency is divided by, in float32 as the script computes it."""
    context = rope["original_max_position_embeddings"]
    low, high, factor = rope["low_freq_factor"], rope["high_freq_factor"], rope["factor"]
    steps = torch.arange(0, width, 2, dtype=torch.float32) / width
    factors = []
    for frequency in 1.0 / (rope["rope_theta"] ** steps):
        length = 2 * math.pi / frequency
        if length < context / high:
            factors.append(1.0)
        elif length > context / low:
            factors.append(factor)
        else:
            smooth = (context / length - low) / (high - low)
            factors.append(float(1 / ((1 - smooth) / factor + smooth)))
    return factors


def changed(name: str, weight: np.ndarray, config: Any) -> np.ndarray:
    """A weight of transformers as the scripts store it."""
    kind = config.model_type
    if kind == "llama" and name.split(".")[-2] in ("q_proj", "k_proj"):
        of_keys = name.split(".")[-2] == "k_proj"
        heads = config.num_key_value_heads if of_keys else config.num_attention_heads
        halves = weight.reshape(heads, 2, len(weight) // heads // 2, *weight.shape[1:])
        return halves.swapaxes(1, 2).reshape(weight.shape)
    if kind.startswith("gemma") and name.endswith("norm.weight"):
        return weight + 1
    if kind == "gpt2" and name.endswith(("attn.weight", "proj.weight", "fc.weight")):
        return weight.T
    if kind == "gpt_neox" and ".query_key_value." in name:
        heads, rest = config.num_attention_heads, weight.shape[1:]
        parts = weight.reshape(heads, 3, len(weight) // heads // 3, *rest)
        return np.concatenate([parts[:, part].reshape(-1, *rest) for part in range(3)])
    return weight


def add_tensor(writer: gguf.GGUFWriter, name: str, weight: np.ndarray, kind: Kind) -> None:
    """One-dimensional weights are always in float32."""
    if weight.ndim == 1 or kind is Kind.F32:
        writer.add_tensor(name, np.ascontiguousarray(weight))
    elif kind in (Kind.Q4_K, Kind.Q6_K):
        writer.add_tensor(name, random_blocks(weight.shape, kind), raw_dtype=kind)
    else:
        packed = gguf.quants.quantize(np.ascontiguousarray(weight), kind)
        writer.add_tensor(name, packed, raw_dtype=kind)


def random_blocks(shape: tuple[int, ...], kind: Kind) -> np.ndarray:
    """The gguf package cannot make these; any bytes are valid but those of the scales, float16."""
    size, bytes_each = gguf.GGML_QUANT_SIZES[kind]
    generator = np.random.default_rng(math.prod(shape))
    blocks = generator.integers(0, 256, (math.prod(shape) // size, bytes_each)).astype(np.uint8)
    scales = generator.uniform(0.0001, 0.001, (len(blocks), 2)).astype(np.float16).view(np.uint8)
    if kind is Kind.Q4_K:
        blocks[:, :4] = scales
    else:
        blocks[:, -2:] = scales[:, :2]
    return blocks.reshape(*shape[:-1], -1)
