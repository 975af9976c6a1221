"""LoRA adapters as PEFT saves them, put on a model without changing or copying its weights.

Source: Hu et al. 2021 (arXiv 2106.09685): a projection W x becomes W x + s B (A x), with A
(r, inputs) and B (outputs, r). s is alpha / r, or alpha / sqrt(r) where `use_rslora` says so
(Kalajdzievski 2023, arXiv 2312.03732).

An adapter comes from a stranger: its patterns are compared as names and not run as regular
expressions, and whatever would change answers and is not known here is refused by name.
"""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from evalharness.errors import DataError, did_you_mean
from evalharness.transformer.config import TransformerConfig
from evalharness.transformer.lora_settings import OTHER_WAY, LoraSettings
from evalharness.transformer.model import Transformer
from evalharness.transformer.names import NAMES, Names
from evalharness.transformer.weights import DTYPES, tensors_of

SETTINGS = "adapter_config.json"
# The preferred one first.
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True)
class Update:
    """What a projection gives more: `up` (outputs, r), scaled by s, times `down` (r, inputs)."""

    down: Tensor
    up: Tensor


@dataclass(frozen=True, slots=True)
class Adapter:
    """Updates by our names of the projections; those of a fused projection share one `down`."""

    folder: Path
    updates: Mapping[str, Update]
    parameters: int


def adapter_files(folder: Path) -> list[Path]:
    """The two files that an adapter is made of. Raises DataError when one is not there."""
    for name in WEIGHTS:
        if (folder / SETTINGS).is_file() and (folder / name).is_file():
            return [folder / SETTINGS, folder / name]
    raise DataError(
        f"{folder} is not an adapter as PEFT saves it: it should hold {SETTINGS} and {WEIGHTS[0]} "
        f"(or {WEIGHTS[1]})."
    )


def read_adapter(folder: Path, config: TransformerConfig) -> Adapter:
    """Read an adapter for a base with this config; what it does not fit is found out here.

    Raises DataError, naming file and tensor, for another kind of adapter, settings that the
    built-in transformer does not know, tensors that are missing, unknown, misshapen or not finite.
    """
    settings_file, weights_file = adapter_files(folder)
    settings = LoraSettings.read(settings_file)
    pairs = _pairs(weights_file, settings)
    fitting = _Fitting(weights_file, config)
    updates: dict[str, Update] = {}
    for module, (down, up) in pairs.items():
        more = dict(fitting.updates(module, down, up, settings))
        if more.keys() & updates.keys():
            raise DataError(f"{weights_file} changes {module!r} twice, under two names.")
        updates |= more
    _check_complete(weights_file, pairs, settings, fitting)
    parameters = sum(each.numel() for pair in pairs.values() for each in pair)
    return Adapter(folder, updates, parameters)


def adapted(base: Transformer, adapter: Adapter) -> Transformer:
    """A model beside `base` that shares its weights, and has the adapter's updates.

    Raises DataError where the dtype of the base cannot hold an update.
    """
    shared = {id(each): each for each in chain(base.parameters(), base.buffers())}
    model = copy.deepcopy(base, shared)
    for name, update in adapter.updates.items():
        parent, _, own = name.rpartition(".")
        linear: nn.Linear = model.get_submodule(name)  # type: ignore[assignment]
        down, up = (each.to(linear.weight) for each in (update.down, update.up))
        if not (down.isfinite().all() and up.isfinite().all()):
            raise DataError(
                f"{adapter.folder}: the update of {name!r} has values that {linear.weight.dtype} "
                "cannot hold; choose another dtype."
            )
        setattr(model.get_submodule(parent), own, Adapted(linear, down, up))
    return model.eval().requires_grad_(False)


class Adapted(nn.Module):
    """A projection of the base with a low-rank product added to what it gives."""

    def __init__(self, linear: nn.Linear, down: Tensor, up: Tensor) -> None:
        super().__init__()
        self.linear = linear
        self.down = nn.Parameter(down, requires_grad=False)
        self.up = nn.Parameter(up, requires_grad=False)

    def forward(self, hidden: Tensor) -> Tensor:
        more = functional.linear(functional.linear(hidden, self.down), self.up)
        return self.linear(hidden).add_(more)  # type: ignore[no-any-return]


def _pairs(path: Path, settings: LoraSettings) -> dict[str, tuple[Tensor, Tensor]]:
    """A and B of each module, by the base's own name of it."""
    halves: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors_of(path):
        module, _, half = name.removesuffix(".weight").rpartition(".")
        if not name.startswith(_PREFIX) or f"{module}.{half}.weight" != name:
            raise _unknown(path, name)
        if half not in ("lora_A", "lora_B"):
            raise _unknown(path, name)
        if tensor.dtype not in DTYPES:
            raise DataError(f"{path}: the tensor {name!r} has the dtype {tensor.dtype}.")
        if not tensor.isfinite().all():
            raise DataError(f"{path}: the tensor {name!r} has values that are NaN or infinite.")
        if tensor.dim() != 2:
            raise DataError(
                f"{path}: the tensor {name!r} should be a matrix, but its shape is "
                f"{tuple(tensor.shape)}."
            )
        halves.setdefault(module.removeprefix(_PREFIX), {})[half] = tensor
    if not halves:
        raise DataError(f"{path} holds no tensors.")
    return {module: _whole(path, module, parts, settings) for module, parts in halves.items()}


def _whole(
    path: Path, module: str, halves: Mapping[str, Tensor], settings: LoraSettings
) -> tuple[Tensor, Tensor]:
    """Both halves, of the rank that the settings say."""
    rank = settings.rank_of(module)
    for half, side in (("lora_A", 0), ("lora_B", 1)):
        name = f"{_PREFIX}{module}.{half}.weight"
        if half not in halves:
            raise DataError(f"{path}: the tensor {name!r} is missing.")
        if halves[half].shape[side] != rank:
            raise DataError(
                f"{path}: the tensor {name!r} has the shape {tuple(halves[half].shape)}, but by "
                f"{SETTINGS} its rank is {rank}."
            )
    return halves["lora_A"], halves["lora_B"]


def _unknown(path: Path, name: str) -> DataError:
    if "lora_magnitude_vector" in name:
        what = "belongs to DoRA"
    elif "lora_embedding" in name:
        what = "adapts an embedding"
    elif "lora_" in name:
        what = "is not a lora_A.weight or lora_B.weight"
    else:
        what = "is a weight of its own (modules_to_save, or an embedding of another size)"
    return DataError(
        f"{path}: the tensor {name!r} {what}, which the built-in transformer does not know. "
        f"{OTHER_WAY}"
    )


class _Fitting:
    """Which projections the base has, and how an update is divided among fused ones."""

    def __init__(self, path: Path, config: TransformerConfig) -> None:
        self._path = path
        self._config = config
        self._names: Names = NAMES[config.architecture]
        with torch.device("meta"):
            modules = Transformer(config).named_modules()
        self._linears = {
            name: module
            for name, module in modules
            if isinstance(module, nn.Linear) and name.startswith("layers.")
        }

    def short(self, module: str) -> str:
        """The base's name of a module, without what some checkpoints leave out."""
        return module.removeprefix(self._names.prefix)

    def modules(self) -> Iterable[str]:
        """What the base calls its projections, without prefix."""
        origins = (self._names.origin(f"{name}.weight") for name in self._linears)
        return dict.fromkeys(self.short(each.removesuffix(".weight")) for each in origins)

    def updates(
        self, module: str, down: Tensor, up: Tensor, settings: LoraSettings
    ) -> Iterable[tuple[str, Update]]:
        """Our names and updates of one module. Raises DataError where it does not fit the base."""
        target = self._names.target(f"{module}.weight")
        ours = () if target is None else [each.removesuffix(".weight") for each in target.names]
        if target is None or not all(name in self._linears for name in ours):
            raise DataError(
                f"{self._path}: the adapter changes {module!r}, which is not a projection in a "
                f"layer of this {self._config.architecture} of {self._config.layers} layers: it "
                f"is for another base, or one that only peft can change. {OTHER_WAY}"
                f"{did_you_mean(self.short(module), self.modules())}"
            )
        linears = [self._linears[name] for name in ours]
        wanted = (sum(each.out_features for each in linears), linears[0].in_features)
        if (len(up), down.shape[1]) != wanted:
            raise DataError(
                f"{self._path}: {_PREFIX + module!r}, lora_A and lora_B, changes {down.shape[1]} "
                f"inputs to {len(up)} outputs, but in the base it is {wanted[1]} to {wanted[0]}: "
                "the adapter is for another base."
            )
        scaled = up.float() * settings.scale_of(module)
        if not scaled.isfinite().all():
            raise DataError(
                f"{self._path}: the tensor {_PREFIX + module + '.lora_B.weight'!r} times the scale "
                "of the adapter is infinite."
            )
        for name, part in zip(ours, target.rows(scaled, self._config), strict=True):
            yield name, Update(down, part)


def _check_complete(
    path: Path, modules: Iterable[str], settings: LoraSettings, fitting: _Fitting
) -> None:
    """The file must hold just the modules of the base that the settings name.

    Where they are named by a pattern, nobody but the file says which they are.
    """
    if settings.targets is None:
        return
    found = {fitting.short(module): module for module in modules}
    targeted = {module for module in fitting.modules() if settings.targets.name(module)}
    for module in sorted(targeted - found.keys()):
        raise DataError(
            f"{path}: by {SETTINGS} the adapter changes {module!r}, but the file has no tensors "
            "for it: it is not whole, or for another base."
        )
    for module in sorted(found.keys() - targeted):
        raise DataError(
            f"{path} has tensors for {found[module]!r}, which target_modules of {SETTINGS} does "
            "not name: the two files do not belong together."
        )
