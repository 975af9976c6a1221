"""One decoding step: the next logits of every sequence.

On a GPU a step is captured as a CUDA graph for a few sizes and replayed, since launching its
hundreds of small kernels one by one takes longer than computing them.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from evalharness.engine.memory import is_out_of_memory
from evalharness.transformer.attention import SlotAttention
from evalharness.transformer.model import Transformer

log = logging.getLogger("evalharness")

Compute = Callable[[], None]
Capture = Callable[[Compute], Compute]
"""Takes a computation on fixed tensors, returns what computes the same on their new contents."""

# Captured steps attend to a multiple of this many positions.
_USED_STEP = 256


class Steps(Protocol):
    """Computes decoding steps on the first slots of a SlotAttention."""

    def run(self, tokens: Sequence[int], lengths: Sequence[int]) -> Tensor:
        """Logits (B, V) after one new token (B) of sequences that hold `lengths` (B) positions."""
        ...


def steps_for(model: Transformer, attention: SlotAttention) -> Steps:
    """Captured steps on a GPU, plain ones elsewhere."""
    if model.embedding.weight.device.type == "cuda":
        return CapturedSteps(model, attention, capture_cuda_graph)
    return PlainSteps(model, attention)


class PlainSteps:
    """Every step computes just the sequences and positions that there are."""

    def __init__(self, model: Transformer, attention: SlotAttention) -> None:
        self._model = model
        self._attention = attention

    @torch.inference_mode()
    def run(self, tokens: Sequence[int], lengths: Sequence[int]) -> Tensor:
        step = _Step(self._model, self._attention, len(tokens), max(lengths) + 1)
        step.set(tokens, lengths)
        step.compute()
        return step.logits


class CapturedSteps:
    """Steps of a few sizes, each captured once; what is too much is computed for unused slots.

    An unused slot gets a token at position 0, which the next prompt overwrites.
    """

    def __init__(self, model: Transformer, attention: SlotAttention, capture: Capture) -> None:
        self._model = model
        self._attention = attention
        self._capture = capture
        self._steps: dict[tuple[int, int], tuple[_Step, Compute]] = {}

    @torch.inference_mode()
    def run(self, tokens: Sequence[int], lengths: Sequence[int]) -> Tensor:
        rows = min(1 << (len(tokens) - 1).bit_length(), self._attention.slots)
        used = min(
            -(-(max(lengths) + 1) // _USED_STEP) * _USED_STEP,
            self._attention.capacity,
        )
        if (rows, used) not in self._steps:
            step = _Step(self._model, self._attention, rows, used)
            step.set(tokens, lengths)
            self._steps[rows, used] = (step, self._captured(step))
        step, replay = self._steps[rows, used]
        step.set(tokens, lengths)
        replay()
        return step.logits[: len(tokens)]

    def _captured(self, step: "_Step") -> Compute:
        try:
            return self._capture(step.compute)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            log.warning("decoding steps are not captured (%s), which is slower", error)
            return step.compute


class _Step:
    """Fixed tensors for a number of rows, and the computation on them."""

    def __init__(self, model: Transformer, attention: SlotAttention, rows: int, used: int) -> None:
        device = model.embedding.weight.device
        self._model = model
        self._attention = attention
        self._used = used
        self._tokens = torch.zeros(rows, dtype=torch.long, device=device)
        self._lengths = torch.zeros(rows, dtype=torch.long, device=device)
        self.logits = torch.empty(0)

    def set(self, tokens: Sequence[int], lengths: Sequence[int]) -> None:
        self._tokens[: len(tokens)] = torch.tensor(tokens, device=self._tokens.device)
        self._lengths.zero_()
        self._lengths[: len(lengths)] = torch.tensor(lengths, device=self._lengths.device)

    def compute(self) -> None:
        self._attention.begin_step(self._lengths, self._used)
        hidden = self._model(self._tokens[:, None], self._lengths[:, None], self._attention)
        self.logits = self._model.logits(hidden[:, 0])


def capture_cuda_graph(compute: Compute) -> Compute:
    """Record the kernels of a computation; the result launches them all at once.

    A computation is run before it is recorded, as torch.cuda.graph asks for: libraries set
    themselves up in the first run, which cannot be recorded.
    """
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        compute()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        compute()
    return graph.replay
