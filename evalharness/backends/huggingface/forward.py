"""One forward pass of a model of transformers: log-probabilities where they are asked for."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from evalharness.engine.targets import Likeliest

# By how much numbers of the size of logits may differ between two orders of computing the same: the
# largest difference, and their mean. float16 and bfloat16 have 11 and 8 significant bits, so that a
# logit of about 16 is rounded by up to 1/256 and 1/32, and the values of every layer are rounded
# before. With SmolLM2 135M and Gemma 3 270M in bfloat16, right masks gave means up to 0.026 and
# differences up to 0.6; masks or positions that were wrong gave means from 0.42 and differences
# from 3.5.
_LARGEST = {torch.float32: 1e-4, torch.float16: 0.25, torch.bfloat16: 2.0}
_MEAN = {torch.float32: 1e-4, torch.float16: 0.02, torch.bfloat16: 0.1}
# The share of the probability that rounding may give to other tokens.
_MOVED = 0.1


class Forward:
    """Calls a model, whose output layer runs only where its class allows to say so."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device: torch.device = model.get_input_embeddings().weight.device
        self.dtype: torch.dtype = model.dtype
        self._asked = inspect.signature(model.forward).parameters

    @property
    def vocabulary_size(self) -> int:
        """How many tokens have logits."""
        return vocabulary_size(self.model.config)

    def takes(self, argument: str) -> bool:
        """Does the class name this argument of its forward pass?"""
        return argument in self._asked

    @torch.inference_mode()
    def logits(self, tokens: Tensor, columns: Tensor, **seen: Any) -> Tensor:
        """Logits (B, C, V) of the tokens (B, T) at the columns (C,).

        seen: the attention mask and the positions, as the class wants them.
        """
        if self.takes("use_cache"):
            seen = {**seen, "use_cache": False}
        if self.takes("logits_to_keep"):
            found = self.model(input_ids=tokens, logits_to_keep=columns, **seen).logits
            if found.shape[1] == len(columns):
                return found  # type: ignore[no-any-return]
        else:
            found = self.model(input_ids=tokens, **seen).logits
        return found[:, columns.to(found.device)]  # type: ignore[no-any-return]

    @torch.inference_mode()
    def logits_at(self, tokens: Tensor, places: Tensor, **seen: Any) -> Tensor:
        """Logits (B, V) of the tokens (B, T) at one place (B,) of each row."""
        found = self.model(input_ids=tokens, **seen).logits
        rows = torch.arange(len(places), device=found.device)
        return found[rows, places.to(found.device)]  # type: ignore[no-any-return]


def vocabulary_size(config: Any) -> int:
    """How many tokens have embeddings; where encoder and decoder are models of their own, in both.

    config: a PreTrainedConfig
    """
    texts = [config.get_text_config(), getattr(config, "encoder", None)]
    texts.append(getattr(config, "decoder", None))
    return min(int(text.vocab_size) for text in texts if hasattr(text, "vocab_size"))


@dataclass(frozen=True, slots=True, eq=False)
class TargetLogits:
    """Logits (P, V) of some places; of each target (K,) the row of its place, and its token."""

    logits: Tensor
    rows: Tensor
    tokens: Tensor


def row_scores(found: TargetLogits) -> tuple[Tensor, Tensor]:
    """Log-probability (K,) of each target, and whether no other token is likelier (K,)."""
    values = found.logits.float()
    own = values[found.rows, found.tokens]
    total, largest = values.logsumexp(-1), values.amax(-1)
    return own - total[found.rows], own >= largest[found.rows]


def row_likeliest(found: TargetLogits, alternatives: int) -> Likeliest:
    """The targets, and the likeliest tokens at their places."""
    values = found.logits.float()
    total = values.logsumexp(-1)
    own = values[found.rows, found.tokens] - total[found.rows]
    best, tokens = values.topk(min(alternatives, values.shape[-1]))
    return Likeliest(own, found.rows, tokens, best - total[:, None])


def agree(found: Tensor, expected: Tensor, dtype: torch.dtype) -> bool:
    """Are log-probabilities or logits equal, but for what the dtype rounds? NaN never is."""
    differences = (found.float() - expected.float()).abs()
    return bool(differences.max() <= _LARGEST[dtype] and differences.mean() <= _MEAN[dtype])


def alike(found: Tensor, expected: Tensor) -> bool:
    """Are the distributions of two logits (..., V) the same but for rounding, whatever the model?

    Where `agree` decides how to compute, and a doubt costs time only, a doubt here would cost all
    scores: large models in bfloat16 move a few hundredths of the probability, another context
    moves most of it. Logits that are not numbers say nothing here: their scores fail by themselves.
    """
    distances = (found.float().softmax(-1) - expected.float().softmax(-1)).abs().sum(-1) / 2
    return not bool((distances > _MOVED).any())


def padded(
    rows: Sequence[Sequence[int]], device: torch.device, left: bool
) -> tuple[Tensor, Tensor]:
    """Tokens (B, T) and mask (B, T) of rows that are filled up to the longest one.

    The padding is the token 0, which the mask hides.
    """
    longest = max(map(len, rows))
    tokens = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    for row, own in enumerate(rows):
        place = slice(longest - len(own), longest) if left else slice(0, len(own))
        tokens[row, place] = torch.tensor(own)
        mask[row, place] = 1
    return tokens.to(device), mask.to(device)
