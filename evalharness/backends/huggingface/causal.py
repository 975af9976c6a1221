"""Causal models of transformers as a backend."""

import copy
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evalharness.backends.answers import Asked, Texts, Totals, Work, causal_jobs, causal_work
from evalharness.backends.checkpoint_backend import PromptBackend
from evalharness.backends.encoding import check_vocabulary
from evalharness.backends.huggingface.context import context_length
from evalharness.backends.huggingface.forward import Forward, vocabulary_size
from evalharness.backends.huggingface.loading import FoundModel, check_model, load_model, said
from evalharness.backends.huggingface.options import refuse_options
from evalharness.backends.huggingface.packing import Layout, probed_layout
from evalharness.backends.huggingface.scoring import (
    score_packed,
    score_padded,
    sees_no_later_tokens,
)
from evalharness.backends.huggingface.token_scoring import packed_tokens, padded_tokens
from evalharness.backends.huggingface.tokens import read_tokenizer
from evalharness.backends.refusals import sees_later_tokens
from evalharness.backends.settings import check_thinking, template_variables
from evalharness.backends.token_scores import TokenTotals, given_before
from evalharness.engine.generation import Ends
from evalharness.engine.memory import is_out_of_memory
from evalharness.engine.scoring import Score
from evalharness.engine.token_scores import QueryTokens
from evalharness.engine.trie import Query
from evalharness.errors import DataError
from evalharness.records import Failure, Outcome, Scorable, TokenScores

# Tokens of a pack. On a CPU the mask, which is as wide as it is high, costs more than it saves in
# longer ones; a GPU needs more to be busy.
_PACK_ON_CPU, _PACK_ON_GPU = 512, 2_048

log = logging.getLogger("evalharness")


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A model, and what its probes have found.

    is_causal  does what follows a token depend on the tokens before it alone?
    layout     how packs are laid out, or None for padded batches
    """

    forward: Forward
    is_causal: bool
    layout: Layout | None


class CausalBackend(PromptBackend):
    """Scores and generates with a class of AutoModelForCausalLM, or of images and texts."""

    def __init__(self, found: FoundModel) -> None:
        """Raises DataError for a checkpoint whose parts do not belong together, and UsageError for
        thinking that its chat template cannot be told about.
        """
        self._found = found
        options = found.options
        refuse_options(
            found.spec,
            ("source_language", "target_language", "input"),
            f"{found.architecture} is a causal model, which is told in the prompt what to write",
        )
        tokenizer = read_tokenizer(
            found.folder,
            options.chat_template,
            template_variables(options.thinking),
            trust_remote_code=options.trust_remote_code,
        )
        check_thinking(found.spec, options.thinking, tokenizer)
        vocabulary = vocabulary_size(found.config)
        check_vocabulary(tokenizer, vocabulary, str(found.folder))
        super().__init__(found.folder, found.files, tokenizer, found.device)
        length = context_length(found)
        self.model = found.record(length, int(check_model(found).num_parameters()))
        self._packs = _PACK_ON_CPU if self._device.type == "cpu" else _PACK_ON_GPU
        self._loaded: _Loaded | None = None
        self.load_seconds = 0.0

    def in_other_batches(self) -> "CausalBackend":
        """The same weights, and another number of texts at once."""
        self._load()
        other = copy.copy(self)
        other._found = self._found.in_other_batches()
        other._packs = other._packs // 2
        return other

    def _score(self, asked: Asked) -> Iterator[tuple[int, Outcome]]:
        totals = Totals(self._work(asked), self.model.dtype)
        yield from totals.answered()
        for result in self._scores(totals.queries):
            yield from totals.add(result)

    def _work(self, asked: Asked) -> Iterator[tuple[int, Work[Query] | Failure]]:
        """What is computed for all that is scored: nothing where no score would be right."""
        if self._load().is_causal:
            yield from causal_work(asked, self.tokenizer, self.model.max_length)
            return
        reason = sees_later_tokens(self._found.architecture)
        yield from ((index, Failure(reason)) for index, _ in asked.scored)

    def _scores(self, queries: Sequence[Query]) -> Iterator[Score]:
        loaded = self._load()
        if loaded.layout is None:
            return score_padded(loaded.forward, queries, self._found.options.batch_size)
        return score_packed(loaded.forward, loaded.layout, queries, self._pack_size)

    @property
    def _pack_size(self) -> int:
        return min(self._packs, self.model.max_length)

    def token_scores(
        self, requests: Sequence[Scorable]
    ) -> Iterator[tuple[int, TokenScores | Failure]]:
        """As TokenScoring says."""
        work = self._work(Asked.of(enumerate(requests)))
        totals = TokenTotals(work, self.tokenizer, self.model.dtype, given_before)
        yield from totals.answered()
        for result in self._tokens(totals.queries):
            yield from totals.add(result)

    def _tokens(self, queries: Sequence[Query]) -> Iterator[QueryTokens]:
        loaded = self._load()
        if loaded.layout is None:
            return padded_tokens(loaded.forward, queries, self._found.options.batch_size)
        return packed_tokens(loaded.forward, loaded.layout, queries, self._pack_size)

    def _write(self, asked: Asked) -> Iterator[tuple[int, Outcome]]:
        from evalharness.backends.huggingface.writing import padding_is_right, write

        jobs = causal_jobs(asked, self.tokenizer, self.model.max_length)
        texts = Texts(jobs, self.model.dtype)
        yield from texts.answered()
        forward = self._load().forward
        continuations = write(
            forward,
            texts.jobs,
            Ends(self.tokenizer.decode, self.tokenizer.end_tokens),
            batch_size=self._found.options.batch_size,
            padding=padding_is_right(forward),
        )
        for result in continuations:
            yield texts.outcome(result)

    def _load(self) -> _Loaded:
        if self._loaded is None:
            started = time.perf_counter()
            model: Any = load_model(self._found)
            forward = Forward(model)
            is_causal = self._is_causal(forward)
            layout = probed_layout(forward, self.model.max_length) if is_causal else None
            if layout is None:
                log.info("%s: prompts are padded, not packed", self._found.architecture)
            self._loaded = _Loaded(forward, is_causal, layout)
            self.load_seconds = time.perf_counter() - started
        return self._loaded

    def _is_causal(self, forward: Forward) -> bool:
        """Raises DataError for a class that cannot read texts alone."""
        try:
            return sees_no_later_tokens(forward)
        except Exception as error:  # a class may want images, and fail in every way without them
            if is_out_of_memory(error):
                raise
            raise DataError(
                f"{self._found.folder}: transformers' {self._found.architecture} fails on a text: "
                f"{said(error)}"
            ) from None
