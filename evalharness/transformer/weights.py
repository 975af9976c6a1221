"""Weights from a folder of *.safetensors; names of other projects become ours here."""

import json
import re
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from evalharness.errors import DataError
from evalharness.transformer.config import TransformerConfig
from evalharness.transformer.model import Transformer

# transformers' names of the Llama family -> ours; `{}` stands for the number of a layer.
LLAMA_NAMES = {
    "model.embed_tokens.weight": "embedding.weight",
    "model.layers.{}.input_layernorm.weight": "layers.{}.attention_norm.weight",
    "model.layers.{}.self_attn.q_proj.weight": "layers.{}.attention.query.weight",
    "model.layers.{}.self_attn.k_proj.weight": "layers.{}.attention.key.weight",
    "model.layers.{}.self_attn.v_proj.weight": "layers.{}.attention.value.weight",
    "model.layers.{}.self_attn.o_proj.weight": "layers.{}.attention.output.weight",
    "model.layers.{}.post_attention_layernorm.weight": "layers.{}.feed_forward_norm.weight",
    "model.layers.{}.mlp.gate_proj.weight": "layers.{}.feed_forward.gate.weight",
    "model.layers.{}.mlp.up_proj.weight": "layers.{}.feed_forward.up.weight",
    "model.layers.{}.mlp.down_proj.weight": "layers.{}.feed_forward.down.weight",
    "model.norm.weight": "norm.weight",
    "lm_head.weight": "output.weight",
}
# Older checkpoints carry constants that the model computes itself.
IGNORED = re.compile(r"rotary_emb\.inv_freq$")


def weight_files(folder: Path) -> list[Path]:
    """The *.safetensors files of a checkpoint, in order.

    Raises DataError when there is none, or one that the index names is missing.
    """
    index = folder / "model.safetensors.index.json"
    if index.exists():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        missing = [name for name in names if not (folder / name).exists()]
        if missing:
            raise DataError(f"{folder}: {index.name} names {missing[0]!r}, which is not there.")
        return [folder / name for name in names]
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise DataError(f"{folder} has no *.safetensors file, so there are no weights to load.")
    return files


def load_transformer(
    folder: Path, config: TransformerConfig, dtype: torch.dtype, device: torch.device
) -> Transformer:
    """Build the model with the weights of a folder, memory-mapped where no conversion is needed.

    Raises DataError for a damaged file and for weights that are missing, unknown or misshapen.
    """
    state: dict[str, Tensor] = {}
    for path in weight_files(folder):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 - not a mapping
                    if not IGNORED.search(name):
                        state[_our_name(name, path)] = file.get_tensor(name).to(device, dtype)
        except SafetensorError as error:
            raise DataError(f"{path} is damaged: {error}. Fetch or save it again.") from None
    if config.tied_embeddings:
        state["output.weight"] = state.get("embedding.weight", torch.empty(0))
    with torch.device("meta"):
        model = Transformer(config)
    _check_shapes(model, state, folder)
    model.load_state_dict(state, assign=True)
    return model.eval().requires_grad_(False)


def _our_name(name: str, path: Path) -> str:
    number = re.search(r"\.(\d+)\.", name)
    layer = number.group(1) if number else ""
    general = name.replace(f".{layer}.", ".{}.", 1) if number else name
    if general not in LLAMA_NAMES:
        raise DataError(f"{path}: the weight {name!r} is not one of the Llama family.")
    return LLAMA_NAMES[general].format(layer)


def _check_shapes(model: Transformer, state: dict[str, Tensor], folder: Path) -> None:
    expected = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    for name in sorted(expected.keys() | state.keys()):
        wanted, found = expected.get(name), tuple(state[name].shape) if name in state else None
        if wanted != found:
            raise DataError(
                f"{folder}: weight {name!r} should have the shape {wanted} by config.json, "
                f"but it has {found}."
            )
