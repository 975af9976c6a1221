"""Log-probabilities of targets, from hidden states: the vocabulary goes by in parts.

With a large vocabulary the logits of a whole pack would dominate the memory. A part's logits are
reduced to their log-sum-exp while they are in the processor's cache, and the sums of the parts are
added up (Milakov & Gimelshein 2018, online normalizer calculation for softmax).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from evalharness.engine.packs import on_device
from evalharness.engine.trie import Pack
from evalharness.transformer.model import Transformer


def tokens_at_once_on(device: torch.device) -> int:
    """Tokens of the vocabulary in a part: on a CPU, the logits of a pack's rows fit its cache.

    On a GPU it is what a kernel needs to be busy; a thousand rows of float32 take 128 MB.
    """
    return 2_048 if device.type == "cpu" else 32_768


@dataclass(frozen=True, slots=True)
class _Targets:
    """The targets of a pack, by the place whose hidden state predicts them.

    places  (P,) each place once: the output layer runs there, however many targets it has
    rows    (K,) for each target, which of them
    tokens  (K,)
    """

    places: Tensor
    rows: Tensor
    tokens: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Likeliest:
    """Targets, and the likeliest tokens at their places, from the likeliest on.

    values        (K,) the log-probability of each target
    rows          (K,) for each target, which of the places it is at
    tokens        (P, A)
    alternatives  (P, A) their log-probabilities
    """

    values: Tensor
    rows: Tensor
    tokens: Tensor
    alternatives: Tensor

    def scored(self) -> Iterator[tuple[float, tuple[tuple[int, float], ...]]]:
        """Each target: its log-probability, and the tokens at its place with theirs."""
        places = [
            tuple(zip(tokens, values, strict=True))
            for tokens, values in zip(self.tokens.tolist(), self.alternatives.tolist(), strict=True)
        ]
        for value, row in zip(self.values.tolist(), self.rows.tolist(), strict=True):
            yield value, places[row]


@torch.inference_mode()
def likeliest_tokens(
    model: Transformer, hidden: Tensor, pack: Pack, tokens_at_once: int, alternatives: int
) -> Likeliest:
    """The targets of a pack as in target_scores, and the likeliest tokens at their places.

    hidden: (T, W). The likeliest of each part of the vocabulary compete with those before it.
    """
    targets = _targets(pack, hidden.device)
    chosen = hidden[targets.places]  # (P, W)
    total = chosen.new_full((len(chosen),), -torch.inf, dtype=torch.float32)
    own = total.new_zeros(len(targets.tokens))
    best, tokens = total.new_empty((len(chosen), 0)), targets.tokens.new_empty((len(chosen), 0))
    for start, logits in _parts(model, chosen, tokens_at_once):  # (P, part)
        own = _own(own, logits, targets, start)
        total = torch.logaddexp(total, logits.logsumexp(-1))
        values, columns = logits.topk(min(alternatives, logits.shape[-1]))
        best, tokens = torch.cat((best, values), -1), torch.cat((tokens, columns + start), -1)
        best, order = best.topk(min(alternatives, best.shape[-1]))
        tokens = tokens.gather(-1, order)
    return Likeliest(own - total[targets.rows], targets.rows, tokens, best - total[:, None])


@torch.inference_mode()
def target_scores(
    model: Transformer, hidden: Tensor, pack: Pack, tokens_at_once: int
) -> tuple[Tensor, Tensor]:
    """Log-probability (K,) of each target of a pack, and whether no other token is likelier (K,).

    hidden: (T, W).
    """
    targets = _targets(pack, hidden.device)
    chosen = hidden[targets.places]  # (P, W)
    total = chosen.new_full((len(chosen),), -torch.inf, dtype=torch.float32)
    largest = total.clone()
    own = total.new_zeros(len(targets.tokens))
    for start, logits in _parts(model, chosen, tokens_at_once):  # (P, part)
        largest = torch.maximum(largest, logits.amax(-1))
        own = _own(own, logits, targets, start)
        total = torch.logaddexp(total, logits.logsumexp(-1))
    return own - total[targets.rows], own >= largest[targets.rows]


def _own(own: Tensor, logits: Tensor, targets: _Targets, start: int) -> Tensor:
    """The logits (K,) of the targets, of which some are in this part of the vocabulary."""
    column = targets.tokens - start
    inside = (column >= 0) & (column < logits.shape[-1])
    found = logits[targets.rows, column.clamp(0, logits.shape[-1] - 1)]
    return torch.where(inside, found, own)


def _targets(pack: Pack, device: torch.device) -> _Targets:
    places, rows = np.unique(pack.targets[:, 0], return_inverse=True)
    return _Targets(*(on_device(one, device) for one in (places, rows, pack.targets[:, 1])))


def _parts(model: Transformer, hidden: Tensor, tokens_at_once: int) -> Iterator[tuple[int, Tensor]]:
    """The first token of each part of the vocabulary, and the logits (P, part) of its tokens."""
    for start in range(0, model.config.vocabulary_size, tokens_at_once):
        yield start, model.logits(hidden, slice(start, start + tokens_at_once))
