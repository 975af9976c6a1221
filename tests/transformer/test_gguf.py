"""GGUF files are converted to exactly what transformers reads from them."""

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from evalharness.errors import DataError
from evalharness.transformer.attention import causal_attention
from evalharness.transformer.config import read_config
from evalharness.transformer.gguf import converted
from evalharness.transformer.tokenizer import Tokenizer
from evalharness.transformer.weights import load_transformer
from tests.models import CHAT_TEMPLATE, make_tokenizer

WIDTH, HEADS, KEY_VALUE_HEADS, LAYERS, FEED_FORWARD = 64, 4, 2, 2, 96


def write_gguf(
    path: Path,
    *,
    architecture: str = "llama",
    tied: bool = True,
    quantisation: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
) -> None:
    """A tiny random model in the form that llama.cpp gives it."""
    tokenizer = make_tokenizer()
    vocabulary = tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_VALUE_HEADS)
    writer.add_rope_freq_base(5000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if place < 2 else 1 for place in range(len(tokens))])
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_chat_template(CHAT_TEMPLATE)
    shapes = {
        "token_embd": (len(tokens), WIDTH),
        **({} if tied else {"output": (len(tokens), WIDTH)}),
        "output_norm": (WIDTH,),
    }
    keys = WIDTH // HEADS * KEY_VALUE_HEADS
    for layer in range(LAYERS):
        shapes |= {
            f"blk.{layer}.attn_norm": (WIDTH,),
            f"blk.{layer}.attn_q": (WIDTH, WIDTH),
            f"blk.{layer}.attn_k": (keys, WIDTH),
            f"blk.{layer}.attn_v": (keys, WIDTH),
            f"blk.{layer}.attn_output": (WIDTH, WIDTH),
            f"blk.{layer}.ffn_norm": (WIDTH,),
            f"blk.{layer}.ffn_gate": (FEED_FORWARD, WIDTH),
            f"blk.{layer}.ffn_up": (FEED_FORWARD, WIDTH),
            f"blk.{layer}.ffn_down": (WIDTH, FEED_FORWARD),
        }
    generator = np.random.default_rng(0)
    for name, shape in shapes.items():
        weight = generator.normal(0, 0.3, shape).astype(np.float32)
        if len(shape) == 1 or quantisation is gguf.GGMLQuantizationType.F32:
            writer.add_tensor(f"{name}.weight", weight)
        else:
            packed = gguf.quants.quantize(weight, quantisation)
            writer.add_tensor(f"{name}.weight", packed, raw_dtype=quantisation)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(
    "quantisation",
    [
        gguf.GGMLQuantizationType.F32,
        gguf.GGMLQuantizationType.F16,
        gguf.GGMLQuantizationType.Q4_1,
        gguf.GGMLQuantizationType.Q8_0,
    ],
    ids=lambda kind: kind.name,
)
def test_logits_equal_those_of_transformers_own_reader(
    tmp_path: Path, tied: bool, quantisation: gguf.GGMLQuantizationType
) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf(path, tied=tied, quantisation=quantisation)
    folder = converted(path, "0" * 64, tmp_path / "cache")
    ours = load_transformer(folder, read_config(folder), torch.float32, torch.device("cpu"))
    theirs = AutoModelForCausalLM.from_pretrained(
        str(tmp_path),
        gguf_file=path.name,
        dtype=torch.float32,
        quantization_config=GgufConfig(dequantize=True),
    ).eval()
    tokens = torch.arange(2, 40)[None]
    with torch.inference_mode():
        found = ours.logits(ours(tokens, torch.arange(38)[None], causal_attention(tokens)))
        assert (found - theirs(tokens).logits).abs().max() < 1e-4


def test_tokens_and_chat_template_equal_those_of_transformers_own_reader(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf(path)
    ours = Tokenizer(converted(path, "0" * 64, tmp_path / "cache"))
    theirs = AutoTokenizer.from_pretrained(str(tmp_path), gguf_file=path.name)
    text = "The quick brown fox, 22 日本語"
    assert ours.encode([text]) == [theirs(text, add_special_tokens=False).input_ids]
    assert ours.has_chat_template
    assert ours.start_token == 0
    assert ours.end_tokens == {1}


def test_a_second_call_converts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf(path)
    folder = converted(path, "1" * 64, tmp_path / "cache")
    before = (folder / "model.safetensors").stat().st_mtime_ns
    path.unlink()
    again = converted(path, "1" * 64, tmp_path / "cache")
    assert (again / "model.safetensors").stat().st_mtime_ns == before


def test_an_unknown_architecture_is_refused_by_name_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf(path, architecture="mamba")
    with pytest.raises(DataError, match="'mamba'"):
        converted(path, "2" * 64, tmp_path / "cache")
    assert [entry.suffix for entry in (tmp_path / "cache" / "converted").iterdir()] == [".lock"]


@pytest.mark.parametrize("keep", [0, 3, 200, -100])
def test_a_truncated_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="not a whole GGUF file"):
        converted(path, "3" * 64, tmp_path / "cache")
