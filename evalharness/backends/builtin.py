"""The built-in transformer as a backend."""

import copy
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from pydantic import Field

from evalharness.backends.answers import Asked, Texts, Totals, causal_jobs, causal_work
from evalharness.backends.bases import Bases
from evalharness.backends.checkpoint import (
    MappedFile,
    description_files,
    digests,
    find_checkpoint,
    fingerprint,
)
from evalharness.backends.checkpoint_backend import PromptBackend
from evalharness.backends.encoding import check_vocabulary
from evalharness.backends.settings import (
    CheckpointOptions,
    check_thinking,
    check_unchanged,
    checkpoint_options,
    choose_device,
    choose_dtype,
    digests_beside,
    dtype_name,
    model_name,
    template_variables,
)
from evalharness.backends.spec import ModelSpec
from evalharness.backends.token_scores import TokenTotals, given_before
from evalharness.engine.cost import limits_for, measure_pack_cost
from evalharness.engine.generation import Ends, generate
from evalharness.engine.scoring import score
from evalharness.engine.token_scores import score_tokens
from evalharness.engine.trie import Limits
from evalharness.errors import DataError
from evalharness.records import (
    ALTERNATIVES,
    Failure,
    Instance,
    Model,
    Outcome,
    Scorable,
    TokenScores,
)
from evalharness.transformer.adapters import adapted, read_adapter
from evalharness.transformer.config import read_config
from evalharness.transformer.gguf import quantisation_before
from evalharness.transformer.model import Transformer
from evalharness.transformer.tokenizer import Tokenizer
from evalharness.transformer.weights import check_weights, load_transformer, weight_files

# Raised when the engine changes in a way that changes answers: it is part of the fingerprint.
ENGINE_VERSION = 4
# Tokens of a pack and slots where other batches are asked for; the second where the first is usual.
_OTHER_PACKS, _OTHER_SLOTS = (128, 512), (1, 4)


class BuiltinOptions(CheckpointOptions):
    """Options of `builtin:`.

    pack_size (tokens; chosen by a measurement unless given) and slots (sequences) change how fast
    it answers and how much memory it takes, never what it answers. adapter must be a LoRA adapter.
    """

    pack_size: int | None = Field(default=None, ge=1)
    slots: int = Field(default=64, ge=1)


def open_builtin(spec: ModelSpec, bases: Bases) -> "BuiltinBackend":
    """Find and check the checkpoint; the weights are loaded when they are first needed.

    bases: what the model shares with others that stand on the same checkpoint.

    Raises UsageError for options that do not fit, DataError for a checkpoint that cannot be read.
    """
    options = checkpoint_options(spec, BuiltinOptions)
    folder = find_checkpoint(spec.reference, options.revision, options.accept_licence)
    return BuiltinBackend(spec, options, folder, bases)


class BuiltinBackend(PromptBackend):
    """Scores and generates with evalharness's own transformer and engine."""

    def __init__(
        self, spec: ModelSpec, options: BuiltinOptions, folder: Path, bases: Bases
    ) -> None:
        self._options = options
        # Digests come first: what is overwritten after them is found out when the model is loaded.
        described = digests(folder, description_files(folder)) | digests_beside(options)
        self._config = read_config(folder, options.max_length)
        tokenizer = Tokenizer(folder, options.chat_template, template_variables(options.thinking))
        check_thinking(spec, options.thinking, tokenizer)
        check_vocabulary(tokenizer, self._config.vocabulary_size, str(folder))
        weights = digests(folder, check_weights(folder, self._config))
        super().__init__(folder, described | weights, tokenizer, choose_device(options.device))
        self._dtype = choose_dtype(options.dtype, self._device)
        self._transformer: Transformer | None = None
        self._mapped: list[MappedFile] = []
        self._measured_limits: Limits | None = None
        self.load_seconds = 0.0
        parameters = self._config.parameters
        if options.adapter is not None:
            parameters += read_adapter(options.adapter, self._config).parameters
        self._base = bases.base(
            (folder, frozenset(weights.items()), self._config, self._dtype, self._device),
            # Not a method: the base may outlive this model, and would keep it.
            partial(load_transformer, folder, self._config, self._dtype, self._device),
        )
        self.model = Model(
            spec=spec.text,
            name=model_name(spec),
            fingerprint=fingerprint(
                self.files,
                {
                    "backend": f"builtin {ENGINE_VERSION}",
                    "dtype": dtype_name(self._dtype),
                    "max_length": str(self._config.max_length),
                    "thinking": options.thinking or "",
                },
            ),
            architecture=self._config.architecture,
            parameters=parameters,
            dtype=dtype_name(self._dtype),
            device=self._device.type,
            max_length=self._config.max_length,
            series=spec.series,
            step=spec.step,
            quantisation=quantisation_before(folder),
        )

    @property
    def vocabulary_size(self) -> int:
        """How many tokens have embeddings."""
        return self._config.vocabulary_size

    def answer(self, instances: Sequence[Instance]) -> Iterator[tuple[int, Outcome]]:
        """As every backend of a checkpoint. Raises DataError when the weights are overwritten while
        they are in use.
        """
        for index, outcome in super().answer(instances):
            # What leaves here was computed before this look at the files.
            self._check_not_overwritten()
            yield index, outcome

    def in_other_batches(self) -> "BuiltinBackend":
        """The same weights, packs of another size, and another number of texts written at once."""
        usual = self._limits(self._load()).pack_size
        other = copy.copy(self)
        other._options = self._options.model_copy(
            update={
                "pack_size": next(size for size in _OTHER_PACKS if size != usual),
                "slots": next(slots for slots in _OTHER_SLOTS if slots != self._options.slots),
            }
        )
        return other

    def token_scores(
        self, requests: Sequence[Scorable]
    ) -> Iterator[tuple[int, TokenScores | Failure]]:
        """As TokenScoring says. Raises DataError as `answer` does."""
        work = causal_work(Asked.of(enumerate(requests)), self.tokenizer, self.model.max_length)
        totals = TokenTotals(work, self.tokenizer, self.model.dtype, given_before)
        yield from totals.answered()
        model = self._load()
        for result in score_tokens(model, totals.queries, self._limits(model), ALTERNATIVES):
            for index, scores in totals.add(result):
                self._check_not_overwritten()
                yield index, scores

    def _score(self, asked: Asked) -> Iterator[tuple[int, Outcome]]:
        """All queries go to the engine together: those of a request may end in different packs."""
        work = causal_work(asked, self.tokenizer, self.model.max_length)
        totals = Totals(work, self.model.dtype)
        yield from totals.answered()
        model = self._load()
        for result in score(model, totals.queries, self._limits(model)):
            yield from totals.add(result)

    def _write(self, asked: Asked) -> Iterator[tuple[int, Outcome]]:
        jobs = causal_jobs(asked, self.tokenizer, self.model.max_length)
        texts = Texts(jobs, self.model.dtype)
        yield from texts.answered()
        model = self._load()
        continuations = generate(
            model,
            texts.jobs,
            Ends(self.tokenizer.decode, self.tokenizer.end_tokens),
            slots=self._options.slots,
            limits=self._limits(model),
        )
        for result in continuations:
            yield texts.outcome(result)

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
                self._mapped = [MappedFile.of(path) for path in weight_files(self.folder)]
            base = self._base.transformer()
            if self._device.type == "cuda":
                # What the model before has left is free for the cache of this one.
                torch.cuda.empty_cache()
            adapter = self._options.adapter
            model = base if adapter is None else adapted(base, read_adapter(adapter, self._config))
            self._check_unchanged()
            self._transformer = model
            self.load_seconds = time.perf_counter() - started
        return self._transformer

    def _check_unchanged(self) -> None:
        """Raises DataError when the files are not those that the fingerprint is of."""
        files = [*description_files(self.folder), *weight_files(self.folder)]
        now = digests(self.folder, files) | digests_beside(self._options)
        try:
            check_unchanged(self.folder, self.files, now)
        except DataError:
            self._base.let_go()
            raise

    def _check_not_overwritten(self) -> None:
        """Raises DataError when weights that are mapped into memory are others by now."""
        for file in self._mapped:
            if file.is_overwritten():
                raise DataError(
                    f"{file.path} was overwritten while the model answered from it. What was "
                    "answered before is stored; run again when nothing writes to the folder, or "
                    "on a copy of it."
                )
