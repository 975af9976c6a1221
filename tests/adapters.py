"""LoRA adapters as PEFT saves them, made up by tests, and transformers' own model with them.

PEFT's class is the oracle where peft is installed; else the definition of LoRA, merged by hand into
the weights of transformers' model: W + s B A (Hu et al. 2021), transposed where transformers stores
the inputs first.
"""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

SETTINGS: dict[str, Any] = {
    "alpha_pattern": {},
    "auto_mapping": None,
    "base_model_name_or_path": "somewhere/else",
    "bias": "none",
    "exclude_modules": None,
    "fan_in_fan_out": False,
    "inference_mode": True,
    "init_lora_weights": True,
    "layer_replication": None,
    "layers_pattern": None,
    "layers_to_transform": None,
    "loftq_config": {},
    "lora_alpha": 16,
    "lora_bias": False,
    "lora_dropout": 0.1,
    "megatron_config": None,
    "megatron_core": "megatron.core",
    "modules_to_save": None,
    "peft_type": "LORA",
    "peft_version": "0.18.0",
    "qalora_group_size": 16,
    "r": 4,
    "rank_pattern": {},
    "revision": None,
    "target_modules": ["q_proj", "v_proj"],
    "target_parameters": None,
    "task_type": "CAUSAL_LM",
    "trainable_token_indices": None,
    "use_dora": False,
    "use_qalora": False,
    "use_rslora": False,
}


def write_settings(folder: Path, **settings: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({**SETTINGS, **settings}))


def make_adapter(
    folder: Path, base: PreTrainedModel, targets: Sequence[str], *, seed: int = 0, **settings: Any
) -> None:
    """Save a random adapter that changes the modules of `base` whose names end in `targets`."""
    generator = torch.manual_seed(seed)
    tensors: dict[str, Tensor] = {}
    for name, module in base.named_modules():
        if not any(name.endswith(f".{target}") for target in targets):
            continue
        rank = settings.get("rank_pattern", {}).get(
            name.rpartition(".")[2], settings.get("r", SETTINGS["r"])
        )
        outputs, inputs = _size(module)
        tensors[f"base_model.model.{name}.lora_A.weight"] = _random(generator, rank, inputs)
        tensors[f"base_model.model.{name}.lora_B.weight"] = _random(generator, outputs, rank)
    write_settings(folder, target_modules=list(targets), **settings)
    save_file(tensors, folder / "adapter_model.safetensors")


def _random(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=generator) * 0.2


def _size(module: torch.nn.Module) -> tuple[int, int]:
    """Outputs and inputs; transformers' Conv1D stores them the other way round."""
    weight = module.weight
    assert isinstance(weight, Tensor)
    rows, columns = weight.shape
    return (columns, rows) if type(module).__name__ == "Conv1D" else (rows, columns)


@torch.no_grad()
def with_adapter(base: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """Transformers' model with the adapter: by peft, else merged by hand. `base` is changed."""
    try:
        from peft import PeftModel
    except ImportError:
        return merged(base, folder)
    return PeftModel.from_pretrained(base, str(folder)).eval()


@torch.no_grad()
def merged(base: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """W + s B A in place of each W that the adapter changes."""
    settings = json.loads((folder / "adapter_config.json").read_text())
    tensors = load_file(folder / "adapter_model.safetensors")
    for name in {re.sub(r"\.lora_[AB]\.weight$", "", each) for each in tensors}:
        down, up = (tensors[f"{name}.lora_{half}.weight"] for half in "AB")
        module = base.get_submodule(name.removeprefix("base_model.model."))
        own = name.rpartition(".")[2]
        alpha = settings["alpha_pattern"].get(own, settings["lora_alpha"])
        rank = settings["rank_pattern"].get(own, settings["r"])
        scale = alpha / (math.sqrt(rank) if settings["use_rslora"] else rank)
        update = scale * up @ down
        module.weight += update.t() if type(module).__name__ == "Conv1D" else update
    return base
