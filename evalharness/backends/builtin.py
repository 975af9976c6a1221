"""The built-in transformer as a backend."""

import math
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import torch
from pydantic import BaseModel, Field

from evalharness.backends.checkpoint import (
    MappedFile,
    description_files,
    digests,
    find_checkpoint,
    fingerprint,
)
from evalharness.backends.encoding import (
    EncodedJob,
    check_vocabulary,
    encode_generations,
    encode_log_likelihoods,
    encode_rolling,
)
from evalharness.backends.spec import ModelSpec, parse_options
from evalharness.engine.cost import limits_for, measure_pack_cost
from evalharness.engine.generation import Ends, generate
from evalharness.engine.scoring import Score, score
from evalharness.engine.trie import Limits, Query
from evalharness.errors import DataError, UsageError
from evalharness.records import (
    Cost,
    Failure,
    Generation,
    GenerationResponse,
    Instance,
    LogLikelihood,
    LogLikelihoodResponse,
    Model,
    Outcome,
    RollingLogLikelihood,
)
from evalharness.sources import file_digest
from evalharness.transformer.config import read_config
from evalharness.transformer.model import Transformer
from evalharness.transformer.tokenizer import Tokenizer
from evalharness.transformer.weights import check_weights, load_transformer, weight_files

# Raised when the engine changes in a way that changes answers: it is part of the fingerprint.
ENGINE_VERSION = 3


class BuiltinOptions(BaseModel):
    """Options of `builtin:`.

    max_length may only shorten the context of the model; pack_size (tokens; chosen by a measurement
    unless given) and slots (sequences) change how fast it answers and how much memory it takes,
    never what it answers. accept_licence says that the terms of a model of the catalogue are agreed
    to, before it is downloaded.
    """

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    revision: str | None = None
    chat_template: Path | None = None
    max_length: int | None = Field(default=None, ge=2)
    pack_size: int | None = Field(default=None, ge=1)
    slots: int = Field(default=64, ge=1)
    accept_licence: str | None = None


def open_builtin(spec: ModelSpec) -> "BuiltinBackend":
    """Find and check the checkpoint; the weights are loaded when they are first needed.

    Raises UsageError for options that do not fit, DataError for a checkpoint that cannot be read.
    """
    options = parse_options(spec, BuiltinOptions)
    folder = find_checkpoint(spec.reference, options.revision, options.accept_licence)
    return BuiltinBackend(spec, options, folder)


class BuiltinBackend:
    """Scores and generates with evalharness's own transformer and engine."""

    def __init__(self, spec: ModelSpec, options: BuiltinOptions, folder: Path) -> None:
        self._folder = folder
        self._options = options
        if options.chat_template is not None:
            _check_template(options.chat_template)
        # Digests come first: what is overwritten after them is found out when the model is loaded.
        described = digests(folder, description_files(folder)) | _template_digest(options)
        self._config = read_config(folder, options.max_length)
        self._tokenizer = Tokenizer(folder, options.chat_template)
        self._device = _device(options.device)
        self._dtype = _dtype(options.dtype, self._device)
        self._transformer: Transformer | None = None
        self._mapped: list[MappedFile] = []
        self._measured_limits: Limits | None = None
        self.load_seconds = 0.0
        check_vocabulary(self._tokenizer, self._config.vocabulary_size, str(folder))
        self._files = described | digests(folder, check_weights(folder, self._config))
        self.model = Model(
            spec=spec.text,
            name=_name(spec),
            fingerprint=fingerprint(
                self._files,
                {
                    "backend": f"builtin {ENGINE_VERSION}",
                    "dtype": _dtype_name(self._dtype),
                    "max_length": str(self._config.max_length),
                },
            ),
            architecture=self._config.architecture,
            parameters=self._config.parameters,
            dtype=_dtype_name(self._dtype),
            device=self._device.type,
            max_length=self._config.max_length,
        )

    @property
    def folder(self) -> Path:
        """Where the checkpoint is, in the form that transformers reads."""
        return self._folder

    @property
    def files(self) -> Mapping[str, str]:
        """sha256 of all that the fingerprint covers, by path in the folder."""
        return MappingProxyType(self._files)

    @property
    def vocabulary_size(self) -> int:
        """How many tokens have embeddings."""
        return self._config.vocabulary_size

    @property
    def tokenizer(self) -> Tokenizer:
        return self._tokenizer

    @property
    def peak_memory_bytes(self) -> int:
        """Of the GPU if there is one, else of this process so far."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        # Linux counts in kibibytes, macOS in bytes.
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

    def unsupported(self, instance: Instance) -> str | None:
        """Everything can be answered, but chats only with a chat template."""
        request = instance.request
        plain = isinstance(request, RollingLogLikelihood) or isinstance(request.prompt, str)
        if plain or self._tokenizer.has_chat_template:
            return None
        return "the prompts are chats, and the checkpoint has no chat template"

    def answer(self, instances: Sequence[Instance]) -> Iterator[tuple[int, Outcome]]:
        """Scores first, then texts. Equal requests are the caller's to merge.

        Raises DataError when the weights are overwritten while they are in use.
        """
        for index, outcome in self._answer(instances):
            # What leaves here was computed before this look at the files.
            self._check_not_overwritten()
            yield index, outcome

    def _answer(self, instances: Sequence[Instance]) -> Iterator[tuple[int, Outcome]]:
        scored: list[tuple[int, LogLikelihood]] = []
        rolled: list[tuple[int, RollingLogLikelihood]] = []
        written: list[tuple[int, Generation]] = []
        for index, instance in enumerate(instances):
            match instance.request:
                case LogLikelihood() as request:
                    scored.append((index, request))
                case RollingLogLikelihood() as request:
                    rolled.append((index, request))
                case Generation() as request:
                    written.append((index, request))
        if scored or rolled:
            yield from self._score(scored, rolled)
        if written:
            yield from self._generate(written)

    def _score(
        self,
        scored: list[tuple[int, LogLikelihood]],
        rolled: list[tuple[int, RollingLogLikelihood]],
    ) -> Iterator[tuple[int, Outcome]]:
        """All queries go to the engine together: those of a request may end in different packs."""
        length = self.model.max_length
        totals: list[_Total] = []
        encoded = encode_log_likelihoods(self._tokenizer, [one for _, one in scored], length)
        for (index, _), outcome in zip(scored, encoded, strict=True):
            if isinstance(outcome, Failure):
                yield index, outcome
            else:
                totals.append(
                    _Total(index, [outcome.query], outcome.truncated, outcome.dropped_shots)
                )
        windows = encode_rolling(self._tokenizer, [one for _, one in rolled], length)
        for (index, _), queries in zip(rolled, windows, strict=True):
            total = _Total(index, queries)
            if queries:
                totals.append(total)
            else:
                yield index, total.response(self.model.dtype)
        asked = [(query, total) for total in totals for query in total.queries]
        model = self._load()
        for result in score(model, [query for query, _ in asked], self._limits(model)):
            total = asked[result.query][1]
            total.scores.append(result)
            if len(total.scores) == len(total.queries):
                yield total.index, total.response(self.model.dtype)

    def _generate(self, requests: list[tuple[int, Generation]]) -> Iterator[tuple[int, Outcome]]:
        ready: list[tuple[int, EncodedJob]] = []
        encoded = encode_generations(
            self._tokenizer, [request for _, request in requests], self.model.max_length
        )
        for (index, _), outcome in zip(requests, encoded, strict=True):
            if isinstance(outcome, Failure):
                yield index, outcome
            else:
                ready.append((index, outcome))
        model = self._load()
        continuations = generate(
            model,
            [item.job for _, item in ready],
            Ends(self._tokenizer.decode, self._tokenizer.end_tokens),
            slots=self._options.slots,
            limits=self._limits(model),
        )
        for result in continuations:
            index, item = ready[result.job]
            if result.finish == "invalid":
                yield index, _not_finite(self.model.dtype)
                continue
            cost = Cost(
                seconds=result.seconds,
                prompt_tokens=len(item.job.tokens),
                computed_tokens=result.computed_tokens,
                generated_tokens=result.generated_tokens,
            )
            yield (
                index,
                GenerationResponse(
                    text=result.text,
                    finish=result.finish,
                    truncated=item.truncated,
                    dropped_shots=item.dropped_shots,
                    cost=cost,
                ),
            )

    def _limits(self, model: Transformer) -> Limits:
        if self._options.pack_size is not None:
            return Limits(pack_size=self._options.pack_size)
        if self._measured_limits is None:
            self._measured_limits = limits_for(measure_pack_cost(model), self._device)
        return self._measured_limits

    def _load(self) -> Transformer:
        if self._transformer is None:
            started = time.perf_counter()
            # On a CPU weights stay in the file, mapped into memory; elsewhere they are copies.
            if self._device.type == "cpu":
                self._mapped = [MappedFile.of(path) for path in weight_files(self._folder)]
            transformer = load_transformer(self._folder, self._config, self._dtype, self._device)
            self._check_unchanged()
            self._transformer = transformer
            self.load_seconds = time.perf_counter() - started
        return self._transformer

    def _check_unchanged(self) -> None:
        """Raises DataError when the files are not those that the fingerprint is of."""
        files = [*description_files(self._folder), *weight_files(self._folder)]
        now = digests(self._folder, files) | _template_digest(self._options)
        changed = sorted(name for name, _ in now.items() ^ self._files.items())
        if changed:
            raise DataError(
                f"{self._folder}: {changed[0]} changed while the checkpoint was loaded, so that "
                "its answers would be taken for those of another one. Run again when nothing "
                "writes to it."
            )

    def _check_not_overwritten(self) -> None:
        """Raises DataError when weights that are mapped into memory are others by now."""
        for file in self._mapped:
            if file.is_overwritten():
                raise DataError(
                    f"{file.path} was overwritten while the model answered from it. What was "
                    "answered before is stored; run again when nothing writes to the folder, or "
                    "on a copy of it."
                )


@dataclass(slots=True)
class _Total:
    """The scores of all queries of the request at `index`, as they come."""

    index: int
    queries: Sequence[Query]
    truncated: bool = False
    dropped_shots: int = 0
    scores: list[Score] = field(default_factory=list)

    def response(self, dtype: str) -> LogLikelihoodResponse | Failure:
        # An exact sum, in which the order of the packs does not show.
        log_probability = math.fsum(score.log_probability for score in self.scores)
        # A softmax of finite logits has no 0, whose logarithm would be infinite.
        if not math.isfinite(log_probability):
            return _not_finite(dtype)
        return LogLikelihoodResponse(
            log_probability=log_probability,
            tokens=sum(len(query.targets) for query in self.queries),
            greedy=all(score.greedy for score in self.scores),
            truncated=self.truncated,
            dropped_shots=self.dropped_shots,
            cost=Cost(
                seconds=sum(score.seconds for score in self.scores),
                prompt_tokens=sum(len(query.tokens) for query in self.queries),
                computed_tokens=sum(score.computed_tokens for score in self.scores),
            ),
        )


def _not_finite(dtype: str) -> Failure:
    """The failure of a request where a number overflowed, in the logits or before them."""
    advice = "the weights are damaged" if dtype == "float32" else "try dtype=float32"
    return Failure(f"the model's probabilities are not numbers (NaN) in {dtype}; {advice}")


def _name(spec: ModelSpec) -> str:
    """What tables call the model: the end of its path, and the options that change answers."""
    name = Path(spec.reference).name if "/" in spec.reference else spec.reference
    shown = [f"{key}={value}" for key, value in spec.options.items() if key not in _NEUTRAL]
    return f"{name} ({', '.join(shown)})" if shown else name


_NEUTRAL = ("pack_size", "slots", "device", "accept_licence")


def _device(wanted: str) -> torch.device:
    """Raises UsageError for a device that this machine has not."""
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        return torch.device(next(name for name, there in present.items() if there))
    if not present[wanted]:
        there = ", ".join(name for name, is_there in present.items() if is_there)
        raise UsageError(
            f"the device {wanted!r} is not to be had on this machine; there is {there}."
        )
    return torch.device(wanted)


def _dtype(wanted: str, device: torch.device) -> torch.dtype:
    if wanted == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    return {
        "float32": torch.float32,
        "bfloat16": torch.bfloat16,
        "float16": torch.float16,
    }[wanted]


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _check_template(path: Path) -> None:
    try:
        path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"chat_template: there is no file {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"chat_template: {path} cannot be read: {error}. It should be a text file in UTF-8."
        ) from None


def _template_digest(options: BuiltinOptions) -> dict[str, str]:
    """The chat template given in place of the checkpoint's own, wherever it lies."""
    path = options.chat_template
    return {} if path is None else {"?chat_template": file_digest(path)}
