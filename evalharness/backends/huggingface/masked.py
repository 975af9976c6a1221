"""Masked models of transformers as a backend: BERT, RoBERTa, ALBERT, ModernBERT and others.

The likelihood of a text is the sum over its tokens, each of which is masked alone (Salazar et al.
2020, https://aclanthology.org/2020.acl-main.240).
"""

import copy
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from evalharness.backends.answers import Asked, Totals, Work
from evalharness.backends.checkpoint_backend import CheckpointBackend
from evalharness.backends.encoding import check_vocabulary
from evalharness.backends.huggingface.context import context_length
from evalharness.backends.huggingface.forward import Forward, vocabulary_size
from evalharness.backends.huggingface.loading import FoundModel, check_model, load_model
from evalharness.backends.huggingface.masked_scoring import (
    MaskedQuery,
    padding_is_right,
    score_masked,
)
from evalharness.backends.huggingface.masked_tokens import MaskedTokenizer
from evalharness.backends.huggingface.options import refuse_options
from evalharness.backends.refusals import (
    MASKED_MODELS_SCORE_NO_CONTINUATIONS,
    MASKED_MODELS_WRITE_NOTHING,
)
from evalharness.records import (
    Failure,
    Generation,
    Instance,
    Outcome,
    Pieces,
    PseudoLogLikelihood,
    Request,
    as_text,
    whole_prompt,
)

log = logging.getLogger("evalharness")


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A model, and whether a probe has found that padding changes nothing."""

    forward: Forward
    padding: bool


class MaskedBackend(CheckpointBackend):
    """Scores texts with a class of AutoModelForMaskedLM."""

    has_chat_template = False

    def __init__(self, found: FoundModel) -> None:
        """Raises DataError for a checkpoint whose parts do not belong together, and UsageError for
        options that a masked model has no use for.
        """
        self._found = found
        super().__init__(found.folder, found.files, found.device)
        refuse_options(
            found.spec,
            ("chat_template", "thinking", "source_language", "target_language", "input"),
            f"{found.architecture} is a masked model, which reads no prompts",
        )
        self._tokenizer = MaskedTokenizer(found.folder, found.options.trust_remote_code)
        vocabulary = vocabulary_size(found.config)
        check_vocabulary(self._tokenizer, vocabulary, str(found.folder))
        model = check_model(found)
        length = context_length(found, _positions(model))
        self.model = found.record(length, int(model.num_parameters()))
        self._loaded: _Loaded | None = None
        self.load_seconds = 0.0

    def render(self, request: Request) -> str:
        """The text itself; the tokenizer puts the model's special tokens around it."""
        return as_text(whole_prompt(request))

    def pieces(self, request: Request) -> Pieces | Failure:
        """All tokens of the text, and those that are scored."""
        if not isinstance(request, PseudoLogLikelihood):
            return Failure(MASKED_MODELS_SCORE_NO_CONTINUATIONS)
        found = self._tokenizer.scored(request)
        if isinstance(found, Failure):
            return found
        text, places = found
        pieces = self._tokenizer.pieces(text)
        return Pieces(pieces, tuple(pieces[place] for place in places))

    def unsupported(self, instance: Instance) -> str | None:
        """All but texts that are scored with each token masked."""
        if isinstance(instance.request, PseudoLogLikelihood):
            return None
        if isinstance(instance.request, Generation):
            return MASKED_MODELS_WRITE_NOTHING
        return MASKED_MODELS_SCORE_NO_CONTINUATIONS

    def in_other_batches(self) -> "MaskedBackend":
        """The same weights, and another number of texts at once."""
        self._load()
        other = copy.copy(self)
        other._found = self._found.in_other_batches()
        return other

    def _answer(self, asked: Asked) -> Iterator[tuple[int, Outcome]]:
        work = ((index, self._work(request)) for index, request in asked.masked)
        totals: Totals[MaskedQuery] = Totals(work, self.model.dtype)
        yield from totals.answered()
        if not totals.queries:
            return
        loaded = self._load()
        scores = score_masked(
            loaded.forward,
            totals.queries,
            self._tokenizer.mask_token,
            batch_size=self._found.options.batch_size,
            padding=loaded.padding,
        )
        for score in scores:
            yield from totals.add(score)

    def _work(self, request: PseudoLogLikelihood) -> Work[MaskedQuery] | Failure:
        found = self._tokenizer.scored(request)
        if isinstance(found, Failure):
            return found
        text, places = found
        # Texts are there to be compared: one that lost a part would be another text.
        if len(text.tokens) > self.model.max_length:
            return Failure(
                f"the text has {len(text.tokens)} tokens, but the model's context is "
                f"{self.model.max_length}, and texts for masked models are not cut"
            )
        return Work([MaskedQuery(text.tokens, place) for place in places])

    def _load(self) -> _Loaded:
        if self._loaded is None:
            started = time.perf_counter()
            forward = Forward(load_model(self._found))
            padding = padding_is_right(forward, self._tokenizer.mask_token)
            if not padding:
                log.info("%s: texts are not padded", self._found.architecture)
            self._loaded = _Loaded(forward, padding)
            self.load_seconds = time.perf_counter() - started
        return self._loaded


def _positions(model: Any) -> int | None:
    """How many positions a table of positions has; None where it is no shorter than it says.

    RoBERTa and its kin number the positions of a text from one behind that of the padding.
    """
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            padding = module.padding_idx
            return None if padding is None else module.num_embeddings - padding - 1
    return None
