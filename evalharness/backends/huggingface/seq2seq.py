"""Encoder-decoder models of transformers as a backend: T5, BART, Marian, mBART, M2M100, NLLB, ...

The encoder reads shots and prompt, the decoder writes the text or is given the continuation, whose
tokens alone are scored: neither what the decoder begins with nor the end of the text counts.
"""

import copy
import inspect
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

from evalharness.backends.answers import Asked, Texts, Totals, Work
from evalharness.backends.checkpoint_backend import PromptBackend
from evalharness.backends.encoding import check_vocabulary
from evalharness.backends.huggingface.context import context_length
from evalharness.backends.huggingface.forbidden import forbid, forbidden_tokens
from evalharness.backends.huggingface.forward import Forward, vocabulary_size
from evalharness.backends.huggingface.languages import direction_of
from evalharness.backends.huggingface.loading import FoundModel, check_model, load_model
from evalharness.backends.huggingface.seq2seq_scoring import (
    TargetQuery,
    decoder_sees_no_later_tokens,
    padding_keeps_scores,
    score_targets,
)
from evalharness.backends.huggingface.seq2seq_tokens import (
    Lengths,
    SourceTokenizer,
    encode_sources,
    encode_targets,
)
from evalharness.backends.huggingface.token_scoring import decoded_tokens
from evalharness.backends.huggingface.tokens import library_tokenizer
from evalharness.backends.pieces import pieces_in
from evalharness.backends.refusals import (
    ENCODERS_NEED_A_SOURCE,
    NOT_MASKED,
    sees_later_tokens,
)
from evalharness.backends.settings import check_thinking
from evalharness.backends.token_scores import TokenTotals
from evalharness.engine.generation import Ends
from evalharness.errors import DataError
from evalharness.records import (
    Failure,
    Generation,
    Instance,
    LogLikelihood,
    Outcome,
    Pieces,
    PseudoLogLikelihood,
    Request,
    Scorable,
    TokenScores,
    WholeText,
    whole_prompt,
)

log = logging.getLogger("evalharness")


class Seq2seqBackend(PromptBackend):
    """Scores and generates with a class of AutoModelForSeq2SeqLM."""

    def __init__(self, found: FoundModel) -> None:
        """Raises DataError for a checkpoint whose parts do not belong together, and UsageError for
        languages that are missing or not known.
        """
        self._found = found
        model = check_model(found)
        _check_class(found, model)
        library = library_tokenizer(found.folder, found.options.trust_remote_code)
        self._direction = direction_of(found, library)
        tokenizer = SourceTokenizer(found, library, self._direction)
        check_thinking(found.spec, found.options.thinking, tokenizer)
        check_vocabulary(tokenizer, vocabulary_size(found.config), str(found.folder))
        super().__init__(found.folder, found.files, tokenizer, found.device)
        self._sources = tokenizer
        length = context_length(found)
        # LED reads more than it can write.
        written = getattr(found.config, "max_decoder_position_embeddings", None) or length
        self._lengths = Lengths(length, min(length, written))
        self.model = found.record(length, int(model.num_parameters()))
        self._forward: Forward | None = None
        self.load_seconds = 0.0

    @property
    def reads_sources(self) -> bool:
        """Translation models do, unless `input` says otherwise: those with languages, Marian."""
        asked = self._found.options.input
        translates = self._direction.has_languages or self._found.config.model_type == "marian"
        return asked == "source" or (asked == "auto" and translates)

    def unsupported(self, instance: Instance) -> str | None:
        """What has no prompt is: there would be nothing for the encoder to read."""
        reason = super().unsupported(instance)
        if reason is None:
            request = instance.request
            if isinstance(request, WholeText) or not whole_prompt(request):
                return ENCODERS_NEED_A_SOURCE
        return reason

    def pieces(self, request: Request) -> Pieces | Failure:
        """The source with the special tokens around it, and the target."""
        if isinstance(request, PseudoLogLikelihood):
            return Failure(NOT_MASKED)
        lengths, direction = self._lengths, self._direction
        given: Sequence[int]
        if isinstance(request, LogLikelihood):
            (work,) = encode_targets(self._sources, [request], direction.scoring_start, lengths)
            if isinstance(work, Failure):
                return work
            given, scored = work.parts[0].source, work.parts[0].targets
        elif isinstance(request, Generation):
            (job,) = encode_sources(self._sources, [request], direction.writing_start, lengths)
            if isinstance(job, Failure):
                return job
            given, scored = job.job.tokens, ()
        else:
            return Failure(ENCODERS_NEED_A_SOURCE)
        parts = (tuple(pieces_in(self._sources, tokens)) for tokens in (given, scored))
        return Pieces(*parts)

    def in_other_batches(self) -> "Seq2seqBackend":
        """The same weights, and another number of texts at once."""
        self._load()
        other = copy.copy(self)
        other._found = self._found.in_other_batches()
        return other

    def _score(self, asked: Asked) -> Iterator[tuple[int, Outcome]]:
        totals = Totals(self._work(asked), self.model.dtype)
        yield from totals.answered()
        for score in score_targets(
            self._load(),
            totals.queries,
            batch_size=self._found.options.batch_size,
            padding=self._pads_targets(),
        ):
            yield from totals.add(score)

    def token_scores(
        self, requests: Sequence[Scorable]
    ) -> Iterator[tuple[int, TokenScores | Failure]]:
        """As TokenScoring says, of targets given their sources."""
        work = self._work(Asked.of(enumerate(requests)))
        totals = TokenTotals(work, self._sources, self.model.dtype, lambda query: query.start)
        yield from totals.answered()
        for result in decoded_tokens(
            self._load(),
            totals.queries,
            batch_size=self._found.options.batch_size,
            padding=self._pads_targets(),
        ):
            yield from totals.add(result)

    def _work(self, asked: Asked) -> Iterator[tuple[int, Work[TargetQuery] | Failure]]:
        """What is computed for all that is scored: nothing where no score would be right."""
        start = self._direction.scoring_start
        if not decoder_sees_no_later_tokens(self._load(), start):
            reason = sees_later_tokens(self._found.architecture)
            yield from ((index, Failure(reason)) for index, _ in asked.scored)
            return
        requests = [request for _, request in asked.scored]
        work = encode_targets(self._sources, requests, start, self._lengths)
        yield from zip((index for index, _ in asked.scored), work, strict=True)

    def _pads_targets(self) -> bool:
        padding = padding_keeps_scores(self._load(), self._direction.scoring_start)
        if not padding:
            log.info("%s: texts are not padded", self._found.architecture)
        return padding

    def _write(self, asked: Asked) -> Iterator[tuple[int, Outcome]]:
        from evalharness.backends.huggingface.writing import padding_is_right, write

        requests = [request for _, request in asked.written]
        start = self._direction.writing_start
        jobs = encode_sources(self._sources, requests, start, self._lengths)
        indices = (index for index, _ in asked.written)
        texts = Texts(zip(indices, jobs, strict=True), self.model.dtype)
        yield from texts.answered()
        forward = self._load()
        continuations = write(
            forward,
            texts.jobs,
            Ends(self.tokenizer.decode, self.tokenizer.end_tokens),
            batch_size=self._found.options.batch_size,
            padding=padding_is_right(forward, start),
            decoder_start=start,
        )
        for result in continuations:
            yield texts.outcome(result)

    def _load(self) -> Forward:
        if self._forward is None:
            started = time.perf_counter()
            model = load_model(self._found)
            forbid(model, forbidden_tokens(self._found))
            self._forward = Forward(model)
            self.load_seconds = time.perf_counter() - started
        return self._forward


def _check_class(found: FoundModel, model: Any) -> None:
    """Raises DataError for a class that does not go from text to text in the usual way."""
    from transformers import GenerationMixin

    asked = inspect.signature(model.forward).parameters
    missing = {"input_ids", "decoder_input_ids", "encoder_outputs"} - asked.keys()
    if missing or type(model).generate is not GenerationMixin.generate:
        reason = "reads no texts" if missing else "generates in a way of its own"
        raise DataError(
            f"{found.folder}: {found.architecture} {reason}. hf: runs encoder-decoder models that "
            "read and write texts: T5, BART, Marian, mBART, M2M100, NLLB, Pegasus and others."
        )
