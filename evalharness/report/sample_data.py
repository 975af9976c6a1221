"""Samples packed for a page: gzip and base64, in pieces that a browser reads one at a time.

A packed piece holds no character that could end a script element, whatever a model wrote.
"""

import base64
import gzip
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalharness.report.sample_columns import TaskSamples, read_texts
from evalharness.report.sample_options import OptionRule, rule_of
from evalharness.report.sample_texts import (
    answer_surprisal,
    packed_sample,
    packed_tokens,
    read_answers,
    read_asked,
    read_stored_tokens,
)
from evalharness.report.sample_tokens import TokenRoom
from evalharness.report.text import (
    decimals,
    is_share,
    may_be_redacted,
    redacted,
    short,
    visible,
)
from evalharness.results import MetricResult, TaskRecord

LARGEST_PIECE = 512 * 1024
"""Of a shard in bytes; base64 makes four of three."""
_LARGEST_PACKED = LARGEST_PIECE * 3 // 4 - 1024
# So much text is hardly ever more than the largest piece once it is packed.
_TEXT_AT_ONCE = 1_200_000
_LEVEL = 5
# Texts of a sample that is too large for a piece are cut to fewer characters, down to this many.
_FEWEST = 16
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

    rules       for each model, how its options were compared
    numbers     pieces which together are the scores (m, n), float32, then, where there are any, the
                mean surprisals (m, n), float32, in bits, then the flags (m, n), uint16
    ids         pieces of JSON lists, which together are all ids
    tokens      pieces of JSON lists as long as those of the texts together
    decimals    of the scores of single samples, the same for all of them: 0 where all are whole
    is_share    are the scores written without the zero before the point, as on the leaderboard?
    total       how many samples there are; `shown` of them are here
    surprising  how many of them have tokens stored; those of `with_tokens` of them are here
    """

    name: str
    metric: str
    higher_is_better: bool
    has_ideal: bool
    best: float | None
    decimals: int
    is_share: bool
    language: str
    warning: str
    models: tuple[str, ...]
    rules: tuple[OptionRule, ...]
    total: int
    shown: int
    surprising: int
    with_tokens: int
    numbers: tuple[Piece, ...]
    ids: tuple[Piece, ...]
    texts: tuple[Piece, ...]
    tokens: tuple[Piece, ...]
    notes: tuple[str, ...]


def pack_task(
    samples: TaskSamples, chosen: NDArray[np.int64], *, longest: int, room: TokenRoom, keep: Keep
) -> PackedTask:
    """Pack the chosen samples; texts of more than `longest` characters are cut, which they say.

    Tokens are packed as far as there is room. Each piece is kept as soon as it is packed, so that
    few are in memory.
    """
    texts = _pack_texts(samples, chosen, longest, room, keep)
    surprising = ~np.isnan(texts.surprisals)
    arrays = [np.ascontiguousarray(samples.scores[:, chosen], dtype="<f4")]
    if surprising.any():
        arrays.append(texts.surprisals)
    arrays.append(np.ascontiguousarray(samples.flags[:, chosen], dtype="<u2"))
    metric = samples.metric_result
    best = metric.bounds[1] if metric.higher_is_better else metric.bounds[0]
    return PackedTask(
        name=visible(samples.name),
        metric=visible(samples.metric),
        higher_is_better=metric.higher_is_better,
        has_ideal=metric.ideal is not None,
        best=None if metric.ideal is not None else best,
        decimals=_decimals(arrays[0], metric),
        is_share=is_share(metric),
        language=language_of(samples.record),
        warning=visible(samples.record.content_warning),
        models=tuple(map(short, samples.models)),
        rules=tuple(map(rule_of, samples.metrics)),
        total=samples.n,
        shown=len(chosen),
        surprising=int(surprising.any(axis=0).sum()),
        with_tokens=texts.with_tokens,
        numbers=tuple(_numbers(b"".join(array.tobytes() for array in arrays), keep)),
        ids=_pack_all(samples.ids.take(chosen).to_pylist(), keep),
        texts=texts.texts,
        tokens=texts.tokens,
        notes=tuple(map(visible, samples.notes)),
    )


def _decimals(scores: NDArray[np.float32], metric: MetricResult) -> int:
    known = scores[np.isfinite(scores)]
    if not np.any(known % 1):
        return 0
    return decimals(float(np.abs(known).max()), metric)


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


class _Packer:
    """Packs items one after another into pieces: JSON lists of as many as fit one."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._held: list[str] = []
        self._size = self._first = 0
        self._pieces: list[Piece] = []

    def add(self, line: str) -> None:
        """Take the JSON of one more item."""
        self._held.append(line)
        self._size += len(line)
        if self._size >= _TEXT_AT_ONCE:
            self._flush()

    def pieces(self) -> tuple[Piece, ...]:
        """All pieces, once there are no more items."""
        if self._held:
            self._flush()
        return tuple(self._pieces)

    def _flush(self) -> None:
        self._split(self._held, self._first)
        self._first, self._held, self._size = self._first + len(self._held), [], 0

    def _split(self, lines: Sequence[str], first: int) -> None:
        """One piece, or two of half the items each where one is too large."""
        packed = _zipped(_bytes(f"[{','.join(lines)}]"))
        if len(packed) > _LARGEST_PACKED and len(lines) > 1:
            half = len(lines) // 2
            self._split(lines[:half], first)
            self._split(lines[half:], first + half)
            return
        name = self._keep(base64.b64encode(packed).decode("ascii"))
        self._pieces.append(Piece(first, len(lines), name))


def _pack_all(items: Iterable[Any], keep: Keep) -> tuple[Piece, ...]:
    packer = _Packer(keep)
    for item in items:
        packer.add(_line(item))
    return packer.pieces()


def _bytes(line: str) -> bytes:
    """A lone surrogate, which a damaged file may hold, cannot be encoded as it is."""
    return line.encode("utf-8", "replace")


def _line(item: Any) -> str:
    line = _ENCODE(item)
    # Few samples have anything to take out; to look at each of their texts takes long.
    return _ENCODE(_redacted(item)) if may_be_redacted(line) else line


def _fitting(item: Callable[[int], Any], most: int) -> str:
    """The JSON of an item whose parts have at most that length, or less where it fits no piece."""
    while True:
        line = _line(item(most))
        # Packed it is hardly ever longer, and packing each text twice would take long.
        if 4 * len(line) < _LARGEST_PACKED or most < _FEWEST:
            return line
        text = _bytes(f"[{line}]")
        if len(text) < _LARGEST_PACKED - 1024 or len(_zipped(text)) <= _LARGEST_PACKED:
            return line
        most //= 2


# --- The texts of one sample ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _PackedTexts:
    """Texts and tokens, and the mean surprisal (m, n) of each sample to each model, or NaN."""

    texts: tuple[Piece, ...]
    tokens: tuple[Piece, ...]
    surprisals: NDArray[np.float32]
    with_tokens: int


def _pack_texts(
    samples: TaskSamples, chosen: NDArray[np.int64], longest: int, room: TokenRoom, keep: Keep
) -> _PackedTexts:
    of_texts, of_tokens = _Packer(keep), _Packer(keep)
    surprisals = np.full((len(samples.models), len(chosen)), np.nan, dtype="<f4")
    left = math.inf if room.in_all is None else room.in_all
    with_tokens = 0
    for number, texts in enumerate(read_texts(samples, chosen)):
        asked = read_asked(texts.shared)
        tokens = read_stored_tokens(texts.own)
        answers = read_answers(texts.own, asked, samples.metrics, tokens)
        sample = partial(packed_sample, texts.shared, asked, texts.own, answers)
        of_texts.add(_fitting(sample, longest))
        count = sum(min(len(one), room.in_output) for stored in tokens for one in stored)
        if count:
            surprisals[:, number] = [
                answer_surprisal(asked, answer, stored)
                for answer, stored in zip(answers, tokens, strict=True)
            ]
        if not 0 < count <= left:
            of_tokens.add("0")
            continue
        left -= count
        with_tokens += 1
        of_tokens.add(_fitting(partial(packed_tokens, answers, tokens), room.in_output))
    kept = of_tokens.pieces() if with_tokens else ()
    return _PackedTexts(of_texts.pieces(), kept, surprisals, with_tokens)


def _redacted(value: Any) -> Any:
    """The same with every text in it redacted."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {redacted(key): _redacted(one) for key, one in value.items()}
    return [_redacted(one) for one in value] if isinstance(value, list) else value
