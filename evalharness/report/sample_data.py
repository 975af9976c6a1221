"""Samples packed for a page: gzip and base64, in pieces that a browser reads one at a time.

A packed piece holds no character that could end a script element, whatever a model wrote.
"""

import base64
import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalharness.report.sample_columns import TaskSamples, read_texts
from evalharness.report.text import may_be_redacted, redacted, short, visible
from evalharness.results import TaskRecord

LARGEST_PIECE = 512 * 1024
"""Of a shard in bytes; base64 makes four of three."""
_LARGEST_PACKED = LARGEST_PIECE * 3 // 4 - 1024
# So much text is hardly ever more than the largest piece once it is packed.
_TEXT_AT_ONCE = 1_200_000
_LEVEL = 5
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


Keep = Callable[[str], str]
"""Puts packed data somewhere, and says by which name it is found there."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Where packed data is; `first` and `count` are the samples whose texts it holds."""

    first: int
    count: int
    name: str


@dataclass(frozen=True, slots=True)
class PackedTask:
    """A task's samples.

    numbers  pieces which together are the scores (m, n), float32, then the flags (m, n), uint16
    ids      pieces of JSON lists, which together are all ids
    total    how many samples there are; `shown` of them are here
    """

    name: str
    metric: str
    higher_is_better: bool
    has_ideal: bool
    best: float | None
    language: str
    warning: str
    models: tuple[str, ...]
    total: int
    shown: int
    numbers: tuple[Piece, ...]
    ids: tuple[Piece, ...]
    texts: tuple[Piece, ...]
    notes: tuple[str, ...]


def pack_task(
    samples: TaskSamples, chosen: NDArray[np.int64], *, longest: int, keep: Keep
) -> PackedTask:
    """Pack the chosen samples; texts of more than `longest` characters are cut, which they say.

    Each piece is kept as soon as it is packed, so that few are in memory.
    """
    scores = np.ascontiguousarray(samples.scores[:, chosen], dtype="<f4")
    flags = np.ascontiguousarray(samples.flags[:, chosen], dtype="<u2")
    metric = samples.metric_result
    best = metric.bounds[1] if metric.higher_is_better else metric.bounds[0]
    return PackedTask(
        name=visible(samples.name),
        metric=visible(samples.metric),
        higher_is_better=metric.higher_is_better,
        has_ideal=metric.ideal is not None,
        best=None if metric.ideal is not None else best,
        language=language_of(samples.record),
        warning=visible(samples.record.content_warning),
        models=tuple(map(short, samples.models)),
        total=samples.n,
        shown=len(chosen),
        numbers=tuple(_numbers(scores.tobytes() + flags.tobytes(), keep)),
        ids=tuple(_texts(samples.ids.take(chosen).to_pylist(), keep)),
        texts=tuple(_texts(_sample_texts(samples, chosen, longest), keep)),
        notes=tuple(map(visible, samples.notes)),
    )


def language_of(record: TaskRecord) -> str:
    """The language of a task's texts where it has one; "" where there are several."""
    return visible(record.languages[0]) if len(record.languages) == 1 else ""


def pack(data: bytes) -> str:
    """Gzip without a time in it, then base64."""
    return base64.b64encode(_zipped(data)).decode("ascii")


def _zipped(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=_LEVEL, mtime=0)


def _numbers(data: bytes, keep: Keep) -> Iterator[Piece]:
    for start in range(0, len(data), _LARGEST_PACKED):
        part = data[start : start + _LARGEST_PACKED]
        yield Piece(start, len(part), keep(pack(part)))


def _texts(texts: Iterable[Any], keep: Keep) -> Iterator[Piece]:
    """JSON lists of as many items as fit one piece."""
    held: list[str] = []
    size = first = 0
    for text in texts:
        line = _ENCODE(text)
        # Few samples have anything to take out; to look at each of their texts takes long.
        if may_be_redacted(line):
            line = _ENCODE(_redacted(text))
        held.append(line)
        size += len(line)
        if size >= _TEXT_AT_ONCE:
            yield from _split(held, first, keep)
            first, held, size = first + len(held), [], 0
    if held:
        yield from _split(held, first, keep)


def _split(lines: Sequence[str], first: int, keep: Keep) -> Iterator[Piece]:
    """One piece, or two of half the items each where one is too large."""
    # A lone surrogate, which a damaged file may hold, cannot be encoded as it is.
    packed = _zipped(f"[{','.join(lines)}]".encode("utf-8", "replace"))
    if len(packed) > _LARGEST_PACKED and len(lines) > 1:
        half = len(lines) // 2
        yield from _split(lines[:half], first, keep)
        yield from _split(lines[half:], first + half, keep)
        return
    yield Piece(first, len(lines), keep(base64.b64encode(packed).decode("ascii")))


# --- The texts of one sample ---------------------------------------------------------------------


def _sample_texts(
    samples: TaskSamples, chosen: NDArray[np.int64], longest: int
) -> Iterator[dict[str, Any]]:
    """Of each sample what is the same for all models once, and each model's own."""
    for texts in read_texts(samples, chosen):
        prompts: dict[tuple[str, ...], int] = {}
        outputs = [row and _output(row, prompts, longest) for row in texts.own]
        shared = texts.shared
        yield {
            "s": json.loads(shared["slices"]),
            "t": _cut(shared["target"], longest),
            "r": [_cut(text, longest) for text in shared["references"]],
            "p": [[_cut(text, longest) for text in asked] for asked in prompts],
            "o": outputs,
        }


def _output(row: dict[str, Any], prompts: dict[tuple[str, ...], int], longest: int) -> list[Any]:
    """The place of the prompt among the sample's prompts, responses, answers, and an error."""
    asked = tuple(dict.fromkeys(row["prompts"]))
    responses, extracted = row["responses"], row["extracted"]
    return [
        prompts.setdefault(asked, len(prompts)),
        [_cut(text, longest) for text in responses],
        # Of what is extracted only what differs from the response is worth a place.
        0 if extracted == responses else [_cut(text, longest) for text in extracted],
        row["error"],
    ]


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[:longest]} ⟦{len(text) - longest:,} more characters are not shown⟧"


def _redacted(value: Any) -> Any:
    """The same with every text in it redacted."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {redacted(key): _redacted(one) for key, one in value.items()}
    return [_redacted(one) for one in value] if isinstance(value, list) else value
