"""Tokens that an encoder-decoder model is never to write, though it gives them a high score."""

from typing import Any

import torch
from torch import Tensor

from evalharness.backends.huggingface.forward import vocabulary_size
from evalharness.backends.huggingface.loading import FoundModel
from evalharness.transformer.chat import read_json

# Far below every other score, and still a number in float16: minus infinity would make NaN of the
# difference of two equal scores.
_NEVER = -1e4


def forbidden_tokens(found: FoundModel) -> tuple[int, ...]:
    """What `bad_words_ids` forbids, and the padding of Marian models.

    Marian itself knows no padding. Its checkpoints, converted for transformers, have a padding
    whose score is 0 while those of words may all be lower: written, it takes the place of the
    text, and in the softmax it leaves the words next to nothing
    (https://github.com/huggingface/transformers/pull/5126). They forbid it by `bad_words_ids`,
    which a fine-tuned one may have lost. Words of several tokens, which transformers forbids after
    their beginning only, are left alone: no known model needs that.
    """
    files = (read_json(found.folder / name) for name in ("generation_config.json", "config.json"))
    named: list[object] = [file.get("bad_words_ids") for file in files]
    words = next((some for some in named if isinstance(some, list) and some), [])
    size = vocabulary_size(found.config)
    alone = {
        word[0]
        for word in words
        if isinstance(word, list) and len(word) == 1 and type(word[0]) is int
    }
    if found.config.model_type == "marian":
        alone.add(found.config.pad_token_id)
    return tuple(sorted(token for token in alone if token is not None and 0 <= token < size))


def forbid(model: Any, tokens: tuple[int, ...]) -> None:
    """From here on none of the tokens is written, nor has a part of the softmax."""
    layer = model.get_output_embeddings()
    if not tokens or layer is None:
        return

    def leave_out(_layer: Any, _given: Any, logits: Tensor) -> Tensor:
        places = torch.tensor(tokens, device=logits.device)
        return logits.index_fill(-1, places, _NEVER)

    layer.register_forward_hook(leave_out)
