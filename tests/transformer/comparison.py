"""The built-in transformer and transformers' own, side by side."""

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from evalharness.transformer.attention import causal_attention
from evalharness.transformer.config import read_config
from evalharness.transformer.model import Transformer
from evalharness.transformer.weights import load_transformer

LONG = 37  # longer than every window


def rope(**parameters: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_theta": 500.0, **parameters}}


YARN = {
    "rope_type": "yarn",
    "factor": 4.0,
    "original_max_position_embeddings": 64,
    "beta_fast": 4.0,
    "beta_slow": 0.5,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
LONGROPE = {
    "rope_type": "longrope",
    "short_factor": [1.0, 1.3, 1.5],
    "long_factor": [2.0, 5.0, 9.0],
}


def load(folder: Path, dtype: torch.dtype = torch.float32) -> Transformer:
    return load_transformer(folder, read_config(folder), dtype, torch.device("cpu"))


def tokens_of(length: int = LONG, rows: int = 2) -> torch.Tensor:
    return torch.randint(2, 300, (rows, length), generator=torch.manual_seed(1))


@torch.inference_mode()
def logits(model: Transformer, tokens: torch.Tensor) -> torch.Tensor:
    positions = torch.arange(tokens.shape[1]).expand(len(tokens), -1)
    return model.logits(model(tokens, positions, causal_attention(tokens)))


@torch.inference_mode()
def difference(ours: Transformer, theirs: PreTrainedModel, tokens: torch.Tensor) -> float:
    return float((logits(ours, tokens) - theirs(tokens).logits).abs().max())
