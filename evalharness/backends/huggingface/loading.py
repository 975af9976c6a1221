"""From a spec to a checkpoint that transformers can load, checked before any work is spent."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from evalharness.backends.checkpoint import description_files, digests, find_checkpoint, fingerprint
from evalharness.backends.huggingface.adapter import check_adapter, put_adapter
from evalharness.backends.huggingface.kinds import (
    ModelClass,
    architecture_of,
    class_of,
    own_class_is_known,
)
from evalharness.backends.huggingface.options import HuggingfaceOptions
from evalharness.backends.huggingface.quantisation import (
    Quantisation,
    check_method,
    quantisation_of,
)
from evalharness.backends.settings import (
    check_unchanged,
    checkpoint_options,
    choose_device,
    choose_dtype,
    digests_beside,
    dtype_name,
    model_name,
)
from evalharness.backends.spec import ModelSpec
from evalharness.engine.memory import is_out_of_memory
from evalharness.errors import DataError, UsageError
from evalharness.records import Model
from evalharness.transformer.gguf import quantisation_before
from evalharness.transformer.values import Values
from evalharness.transformer.weights import tensors_of, weight_files

# Raised by a change that changes answers: it is part of the fingerprint.
HUGGINGFACE_VERSION = 3
# What tokenizers without a tokenizer.json are read from.
_TOKENIZER_FILES = ("*.model", "*.txt", "*.tiktoken", "*.spm")
# Requests in a batch where other batches are asked for; the second where the first is usual.
_OTHER_BATCHES = (1, 8)

log = logging.getLogger("evalharness")


@dataclass(frozen=True, slots=True, eq=False)
class FoundModel:
    """A checkpoint that is there and of a known kind, and how it is to be loaded.

    config        transformers' PreTrainedConfig
    attention     name of the attention in transformers
    quantisation  how the weights are quantised, or None
    files         sha256 of every file by its path, adapter and chat template included
    """

    spec: ModelSpec
    options: HuggingfaceOptions
    folder: Path
    config: Any
    model_class: ModelClass
    architecture: str
    device: torch.device
    dtype: torch.dtype
    attention: str
    quantisation: Quantisation | None
    files: dict[str, str]

    def in_other_batches(self) -> "FoundModel":
        """The same with one request in a batch, or several where one is usual."""
        size = next(size for size in _OTHER_BATCHES if size != self.options.batch_size)
        return replace(self, options=self.options.model_copy(update={"batch_size": size}))

    def record(self, max_length: int, parameters: int) -> Model:
        """What tables and the store need to know, for a context of that length."""
        import transformers

        settings = {
            "backend": f"hf {HUGGINGFACE_VERSION}, transformers {transformers.__version__}",
            "kind": self.model_class.kind,
            "dtype": dtype_name(self.dtype),
            "quantisation": str(self.quantisation and self.quantisation.method),
            "max_length": str(max_length),
            "thinking": self.options.thinking or "",
        }
        for option in ("source_language", "target_language"):
            if (language := getattr(self.options, option)) is not None:
                settings[option] = language
        if self.options.adapter is not None:
            import peft

            settings["adapter"] = f"peft {peft.__version__}"
        return Model(
            spec=self.spec.text,
            name=model_name(self.spec),
            fingerprint=fingerprint(self.files, settings),
            architecture=self.architecture,
            parameters=parameters,
            dtype=dtype_name(self.dtype),
            device=self.device.type,
            max_length=max_length,
            series=self.spec.series,
            step=self.spec.step,
            quantisation=str(self.quantisation or quantisation_before(self.folder)),
        )


def find_model(spec: ModelSpec) -> FoundModel:
    """Raises UsageError for options that do not fit, DataError for files that cannot be used."""
    options = checkpoint_options(spec, HuggingfaceOptions)
    if options.device_map is not None and options.device != "auto":
        raise UsageError(
            f"model {spec.text!r}: device_map spreads the model over all devices; give it or "
            "device, not both."
        )
    folder = find_checkpoint(
        spec.reference, options.revision, options.accept_licence, _further_files(options)
    )
    # Digests come first: what is overwritten after them is found out when the model is loaded.
    described = _described(folder, options)
    config = read_config(folder, options.trust_remote_code)
    model_class = class_of(config, str(folder / "config.json"))
    quantisation = quantisation_of(config)
    check_method(quantisation, str(folder))
    device = choose_device(options.device)
    for path in weight_files(folder):
        for _ in tensors_of(path):
            pass  # a file that is cut off is found by its header
    return FoundModel(
        spec=spec,
        options=options,
        folder=folder,
        config=config,
        model_class=model_class,
        architecture=architecture_of(config),
        device=device,
        dtype=choose_dtype(options.dtype, device),
        attention=_attention(config),
        quantisation=quantisation,
        files=described | digests(folder, weight_files(folder)),
    )


def _further_files(options: HuggingfaceOptions) -> tuple[str, ...]:
    """Patterns of what a checkpoint may have besides the files that builtin: reads."""
    return (*_TOKENIZER_FILES, "*.py") if options.trust_remote_code else _TOKENIZER_FILES


def _described(folder: Path, options: HuggingfaceOptions) -> dict[str, str]:
    """Digests of all that changes answers, but for the weights."""
    files = description_files(folder, _further_files(options))
    return digests(folder, files) | digests_beside(options)


def read_config(folder: Path, trust_remote_code: bool) -> Any:
    """config.json as transformers' own class for it.

    Raises DataError for one that is missing or damaged, of a type that transformers does not know,
    or whose class is in a Python file of the checkpoint, which is run only when asked for.
    """
    from transformers import AutoConfig

    values = Values.read(folder)
    named = [str(name) for name in values.get("architectures") or []]
    brought = values.mapping("auto_map")
    if brought and not trust_remote_code and not any(map(own_class_is_known, named)):
        files = sorted({str(name).split("--")[-1].split(".")[0] for name in brought.values()})
        raise DataError(
            f"{values.where}: the class {', '.join(map(repr, named)) or '(none named)'} is in the "
            f"Python file {', '.join(repr(f'{file}.py') for file in files)} of the checkpoint "
            "(auto_map), which would be run on this machine. Read it; if you trust it, add "
            "trust_remote_code=true to the options."
        )
    try:
        with quiet():
            return AutoConfig.from_pretrained(
                str(folder), trust_remote_code=trust_remote_code, local_files_only=True
            )
    except Exception as error:  # whatever values a stranger's file has
        raise DataError(f"{values.where}: transformers cannot use it: {said(error)}") from None


def _attention(config: Any) -> str:
    """The faster attention, but where scores are bent: there it would leave that out."""
    text = config.get_text_config()
    return "eager" if getattr(text, "attn_logit_softcapping", None) else "sdpa"


def check_model(found: FoundModel) -> Any:
    """The model without its weights (on torch's "meta" device), after names and shapes of the
    weights in the files and of those of the adapter were compared with what it needs.

    Of a quantised checkpoint only its adapter is looked at, since its weights have other shapes.
    Raises DataError for what is missing or misshapen.
    """
    if found.quantisation is None:
        model = _read(found, {"device_map": "meta"})
    else:
        model = _without_weights(found)
    if found.options.adapter is not None:
        check_adapter(model, found.options.adapter)
    return model


def load_model(found: FoundModel) -> Any:
    """The model with its weights and its adapter, ready to answer.

    Raises DataError for what check_model finds, for values that are not finite, and for files that
    were changed since they were found.
    """
    place = found.options.device_map or {"": found.device}
    model = _read(found, {"device_map": place})
    if found.options.adapter is not None:
        model = put_adapter(model, found.options.adapter)
    now = _described(found.folder, found.options)
    check_unchanged(
        found.folder, found.files, now | digests(found.folder, weight_files(found.folder))
    )
    _check_finite(found, model)
    return model.eval().requires_grad_(False)


def _read(found: FoundModel, how: dict[str, Any]) -> Any:
    """from_pretrained, whose many errors become one."""
    import transformers

    auto_class = getattr(transformers, found.model_class.auto_class)
    first = weight_files(found.folder)[0]
    try:
        with quiet():
            model, problems = auto_class.from_pretrained(
                str(found.folder),
                config=found.config,
                dtype=found.dtype,
                attn_implementation=found.attention,
                trust_remote_code=found.options.trust_remote_code,
                use_safetensors=first.suffix == ".safetensors",
                local_files_only=True,
                weights_only=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                **how,
            )
    except Exception as error:  # transformers and its quantisers raise whatever they like
        if found.attention == "sdpa" and _lacks_attention(error):
            return _read(replace(found, attention="eager"), how)
        if is_out_of_memory(error):
            raise DataError(
                f"{found.folder}: the memory of {found.device} does not suffice to load the model. "
                "Use a smaller dtype, device_map=auto, or a device with more memory."
            ) from None
        raise DataError(
            f"{found.folder}: transformers cannot load {found.architecture}: {said(error)}"
        ) from None
    _check_names(found, problems)
    return model


def _lacks_attention(error: Exception) -> bool:
    return isinstance(error, ValueError) and "does not support an attention" in str(error)


def _check_names(found: FoundModel, problems: dict[str, Any]) -> None:
    """Raises DataError for weights that the files lack or have in other shapes."""
    if missing := sorted(problems["missing_keys"]):
        raise DataError(
            f"{found.folder}: the weight {missing[0]!r} is missing. A file of the checkpoint may "
            f"be, or its weights are of another class than {found.architecture}, which config.json "
            "names: fetch or save the checkpoint again."
        )
    for name, theirs, ours in sorted(problems["mismatched_keys"]):
        raise DataError(
            f"{found.folder}: by config.json, the weight {name!r} should have the shape "
            f"{tuple(ours)}, but its shape is {tuple(theirs)}."
        )
    for problem in problems.get("error_msgs") or ():
        raise DataError(f"{found.folder}: {said(problem)}")
    if unused := sorted(problems["unexpected_keys"]):
        log.warning(
            "%s: %s has no use for %d of the weights, such as %r",
            *(found.folder, found.architecture, len(unused), unused[0]),
        )


def _without_weights(found: FoundModel) -> Any:
    """The model as it would be without quantisation."""
    import copy

    import transformers

    config = copy.deepcopy(found.config)
    del config.quantization_config
    auto_class = getattr(transformers, found.model_class.auto_class)
    with quiet(), torch.device("meta"):
        return auto_class.from_config(
            config, trust_remote_code=found.options.trust_remote_code, dtype=found.dtype
        )


def _check_finite(found: FoundModel, model: Any) -> None:
    """Raises DataError for NaN and infinities: a model that has them scores anything or nothing.

    The sum is finite only if all are, and is much cheaper than asking each.
    """
    for name, weight in model.named_parameters():
        # Weights that torchao quantised say that they are float32, and cannot be summed.
        quantised = type(weight) is not torch.nn.Parameter or weight.dtype.itemsize < 2
        if weight.is_meta or quantised or not weight.is_floating_point():
            continue
        if not (weight.sum(dtype=torch.float32).isfinite() or weight.isfinite().all()):
            raise DataError(
                f"{found.folder}: the weight {name!r} has values that are NaN or infinite in "
                f"{dtype_name(weight.dtype)}. If the file is not damaged, choose another dtype."
            )


def said(error: object) -> str:
    """The beginning of an error's text on one line, without what a terminal would act on."""
    text = " ".join(str(error).split()) or type(error).__name__
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    return shown if len(shown) <= 400 else f"{shown[:400]}..."


@contextmanager
def quiet() -> Iterator[None]:
    """Without the reports and progress bars of transformers: what they say becomes our errors."""
    from transformers.utils import logging as theirs

    level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity(theirs.CRITICAL)
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        theirs.set_verbosity(level)
        if bars:
            theirs.enable_progress_bar()
