"""PEFT adapters: what is checked before a model is loaded, and putting one on it."""

import json
import warnings
from pathlib import Path
from typing import Any

from torch import Tensor

from evalharness.errors import DataError
from evalharness.transformer.adapters import SETTINGS, adapter_files
from evalharness.transformer.chat import read_json
from evalharness.transformer.weights import tensors_of


def check_adapter(model: Any, folder: Path) -> None:
    """Raises DataError for an adapter whose weights are not those that it has on this model.

    model: without weights, on torch's "meta" device; it is changed. The name of the base in the
    adapter's config is no more than a hint (a base has other paths elsewhere): modules and shapes
    decide.
    """
    from peft import get_peft_model_state_dict
    from peft.mapping_func import get_peft_model

    config = _config(folder)
    hint = f"It was made for {config.base_model_name_or_path!r}."
    if getattr(config, "is_prompt_learning", False):
        raise DataError(
            f"adapter: {folder} is of the type {config.peft_type.value}, which puts learned tokens "
            "before each prompt. hf: takes adapters that change layers, such as LoRA."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            adapted = get_peft_model(model, config, low_cpu_mem_usage=True)
    except Exception as error:  # peft raises what its methods like
        text = " ".join(str(error).split())
        raise DataError(
            f"adapter: {folder} does not fit the model: {ascii(text[:300])[1:-1]} {hint}"
        ) from None
    weights = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    _, weights_file = adapter_files(folder)
    needed = {name: tuple(weight.shape) for name, weight in weights.items()}
    found = dict(tensors_of(weights_file))
    _compare(folder, needed, found, hint)


def put_adapter(model: Any, folder: Path) -> Any:
    """The model with the adapter's layers in its own; nothing of them is merged."""
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapted = PeftModel.from_pretrained(
            model, str(folder), config=_config(folder), local_files_only=True
        )
    return adapted.get_base_model()


def _config(folder: Path) -> Any:
    try:
        from peft import PeftConfig
    except ImportError:
        raise DataError(
            "adapter: the package 'peft' is not installed. Install it: pip install "
            "'evalharness[peft]'."
        ) from None
    values = read_json(folder / SETTINGS)
    try:
        return PeftConfig.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:
        text = ascii(" ".join(str(error).split())[:300])[1:-1]
        raise DataError(
            f"adapter: {folder / SETTINGS} cannot be used (peft_type "
            f"{json.dumps(values.get('peft_type'))}): {text}"
        ) from None


def _compare(
    folder: Path, needed: dict[str, tuple[int, ...]], found: dict[str, Tensor], hint: str
) -> None:
    for name in sorted(needed.keys() | found.keys()):
        if name not in found:
            problem = f"the weight {name!r} is missing"
        elif name not in needed:
            problem = f"the model has no place for the weight {name!r}"
        elif needed[name] != tuple(found[name].shape):
            problem = (
                f"the weight {name!r} should have the shape {needed[name]} on this model, but its "
                f"shape is {tuple(found[name].shape)}"
            )
        elif not found[name].isfinite().all():
            problem = f"the weight {name!r} has values that are NaN or infinite"
        else:
            continue
        raise DataError(f"adapter: {folder} does not fit the model: {problem}. {hint}")
