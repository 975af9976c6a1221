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
        column = targets.tokens - start
        inside = (column >= 0) & (column < logits.shape[-1])
        found = logits[targets.rows, column.clamp(0, logits.shape[-1] - 1)]
        own = torch.where(inside, found, own)
        total = torch.logaddexp(total, logits.logsumexp(-1))
    return own - total[targets.rows], own >= largest[targets.rows]


def _targets(pack: Pack, device: torch.device) -> _Targets:
    places, rows = np.unique(pack.targets[:, 0], return_inverse=True)
    return _Targets(*(on_device(one, device) for one in (places, rows, pack.targets[:, 1])))


def _parts(model: Transformer, hidden: Tensor, tokens_at_once: int) -> Iterator[tuple[int, Tensor]]:
    """The first token of each part of the vocabulary, and the logits (P, part) of its tokens."""
    for start in range(0, model.config.vocabulary_size, tokens_at_once):
        yield start, model.logits(hidden, slice(start, start + tokens_at_once))
