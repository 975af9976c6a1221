"""Packs through transformers' classes: who sees whom is a 4-D mask, and a probe tells whether a
class takes it as it is meant.

A mask that is given takes the place of the one that a class makes, its sliding window included. So
windows are built into the mask, one for each type of layer where a class has several.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evalharness.backends.huggingface.forward import Forward, TargetLogits, agree, row_scores
from evalharness.engine.trie import Limits, Pack, Query, plan

_FULL, _SLIDING = "full_attention", "sliding_attention"
# A window that is shorter than the texts of the probe.
_PROBED_WINDOW = 4


@dataclass(frozen=True, slots=True)
class Layout:
    """How a class takes the mask of a pack.

    kinds   a mask for each of these types of layer; none: one mask for all layers
    window  tokens that a sliding layer sees, itself included; None: there is no such layer
    """

    kinds: tuple[str, ...] = ()
    window: int | None = None

    def masks(self, pack: Pack, like: Tensor) -> Any:
        """What is given as attention_mask: (1, 1, T, T) of 0 and the lowest number of the dtype,
        or one of them for each type of layer.
        """
        made = {
            kind: _mask(pack, self.window if kind == _SLIDING else None, like)
            for kind in (self.kinds or (_FULL if self.window is None else _SLIDING,))
        }
        return made if self.kinds else next(iter(made.values()))


def _mask(pack: Pack, window: int | None, like: Tensor) -> Tensor:
    """A place sees its ancestors; with a window, those of them that are no further away."""
    device = like.device
    reach, positions = (torch.from_numpy(one).to(device) for one in (pack.reach, pack.positions))
    places = torch.arange(len(reach), device=device)
    sees = (places[:, None] >= places) & (places[:, None] < reach)
    if window is not None:
        sees &= positions[:, None] - positions < window
    mask = torch.zeros(sees.shape, dtype=like.dtype, device=device)
    return mask.masked_fill_(~sees, torch.finfo(like.dtype).min)[None, None]


def pack_logits(forward: Forward, layout: Layout, pack: Pack) -> TargetLogits:
    """The logits after which the targets of a pack are asked for."""
    if pack.stems:
        raise ValueError("a pack with stems needs their keys and values")
    places, rows = np.unique(pack.targets[:, 0], return_inverse=True)
    tokens, positions, columns, own, targets = (
        torch.from_numpy(numbers).to(forward.device)
        for numbers in (pack.tokens, pack.positions, places, rows, pack.targets[:, 1])
    )
    like = torch.empty(0, dtype=forward.dtype, device=forward.device)
    logits = forward.logits(
        tokens[None],
        columns,
        attention_mask=layout.masks(pack, like),
        position_ids=positions[None],
    )[0]
    return TargetLogits(logits, own.to(logits.device), targets.to(logits.device))


def probed_layout(forward: Forward, max_length: int) -> Layout | None:
    """The layout by which a forest of random texts is as likely as each text alone, or None."""
    if not forward.takes("position_ids"):
        return None
    config = forward.model.config.get_text_config()
    for layout in _layouts(config, max_length):
        try:
            if _is_right(forward, config, layout):
                return layout
        except Exception:  # a class that cannot take such a mask may fail in every way
            continue
    return None


def _layouts(config: Any, max_length: int) -> Sequence[Layout]:
    """What could be right by the config; a window is never left out where it can be felt."""
    window = getattr(config, "sliding_window", None)
    if getattr(config, "use_sliding_window", None) is False:
        window = None
    kinds = set(getattr(config, "layer_types", None) or ())
    if not kinds:
        return [Layout(window=window if window and window < max_length else None)]
    if kinds == {_FULL}:
        return [Layout()]
    if not kinds <= {_FULL, _SLIDING} or not isinstance(window, int):
        return []
    several = Layout(tuple(sorted(kinds)), window)
    return [several, Layout(window=window)] if kinds == {_SLIDING} else [several]


def _is_right(forward: Forward, config: Any, layout: Layout) -> bool:
    """With a short window in place of the layout's, so that the probe's texts are longer than it:
    classes read it from their config when they make a mask.
    """
    queries = _forest(config.vocab_size)
    with _short_window(config, layout) as probed:
        (pack,) = plan(queries, Limits(1 << 20, minimum_stem=1 << 40))
        packed, _ = row_scores(pack_logits(forward, probed, pack))
        alone = [_alone(forward, query) for query in queries]
    # Each token but the last is followed by a target: a target's number is the depth it is after.
    found = np.full((len(queries), max(len(query.tokens) for query in queries)), np.nan)
    expected = found.copy()
    found[pack.targets[:, 2], pack.positions[pack.targets[:, 0]]] = packed.cpu()
    for number, values in enumerate(alone):
        expected[number, : len(values)] = values
    asked = np.isfinite(expected)
    return agree(torch.from_numpy(found[asked]), torch.from_numpy(expected[asked]), forward.dtype)


@contextmanager
def _short_window(config: Any, layout: Layout) -> Iterator[Layout]:
    if layout.window is None:
        yield layout
        return
    config.sliding_window = _PROBED_WINDOW
    try:
        yield Layout(layout.kinds, _PROBED_WINDOW)
    finally:
        config.sliding_window = layout.window


def _forest(vocabulary_size: int) -> list[Query]:
    """Texts of random tokens, of which some begin alike; all tokens but the first are targets."""
    numbers = np.random.default_rng(0)

    def text(length: int) -> tuple[int, ...]:
        return tuple(numbers.integers(0, vocabulary_size, length).tolist())

    stem, branch = text(9), text(6)
    texts = [
        stem + branch + text(5),
        stem + branch + text(8),
        stem + text(11),
        text(13),
        text(3),
    ]
    return [Query(one[:-1], one[1:]) for one in texts]


def _alone(forward: Forward, query: Query) -> list[float]:
    tokens = torch.tensor([query.tokens], device=forward.device)
    columns = torch.arange(tokens.shape[1], device=forward.device)
    logits = forward.logits(tokens, columns)[0]
    targets = torch.tensor(query.targets, device=logits.device)
    return row_scores(TargetLogits(logits, columns.to(logits.device), targets))[0].tolist()
