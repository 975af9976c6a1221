"""Has a model seen the test? Samples whose words stand in its training text, or in an example.

Two texts have something in common when thirteen words in a row are the same (Brown et al. 2020,
appendix C), whatever their case and punctuation. That is a hint, and no proof: a model may not have
learnt what it was shown, and may have seen a text in other words.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalharness.errors import DataError
from evalharness.prompts.preparation import PreparedTask
from evalharness.records import LogLikelihood, Prompt, Sample, WholeText
from evalharness.sources.rows import READERS, read_rows

WORDS = 13
SLICE = "contamination"
CLEAN, SOME, MOST, SHORT = "clean", "below half", "half or more", "too short to tell"
PLAIN = (".md", ".rst", ".text")

# More samples than this share of a task have the words of its prompts in common, not of their data.
_TEMPLATE_SHARE = 0.5
_WORD = re.compile(r"\w+")
_BASE = np.uint64(0x9E3779B97F4A7C15)

Grams = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class TrainingText:
    """What was read: `identity` is a sha256 over all of it; `left_out` are files of other kinds."""

    identity: str
    files: int
    words: int
    left_out: tuple[str, ...]


def mark_contamination(
    tasks: Sequence[PreparedTask], folder: Path
) -> tuple[list[PreparedTask], TrainingText]:
    """The same tasks, each sample in a slice that says how much of it stands in the training text.

    folder: text files, or files of rows (jsonl, csv, parquet, ...) whose texts are looked at

    The text is read once, a file at a time; what is held in memory is the tests. Raises DataError
    for a folder that is not there or has no text, and for a file that cannot be read.
    """
    grams = [[_grams(text_of(sample)) for sample in task.samples] for task in tasks]
    every = [one for some in grams for one in some]
    wanted = np.unique(np.concatenate([np.empty(0, np.uint64), *every]))
    seen = np.zeros(len(wanted), dtype=bool)
    training = _read_all(folder, wanted, seen)
    found = wanted[seen]
    marked = [
        replace(
            task,
            samples=tuple(
                replace(sample, slices={**sample.slices, SLICE: share_name(share)})
                for sample, share in zip(task.samples, _shares(own, found), strict=True)
            ),
        )
        for task, own in zip(tasks, grams, strict=True)
    ]
    return marked, training


def shared_with_examples(task: PreparedTask) -> tuple[str, ...]:
    """The ids of the samples that have thirteen words in a row in common with an example."""
    if not task.examples:
        return ()
    examples = np.concatenate([_grams(text_of(example)) for example in task.examples])
    shares = _shares([_grams(text_of(sample)) for sample in task.samples], np.unique(examples))
    return tuple(sample.id for sample, share in zip(task.samples, shares, strict=True) if share)


def share_name(share: float | None) -> str:
    """The part of a test that a sample belongs to."""
    if share is None:
        return SHORT
    if share == 0:
        return CLEAN
    return SOME if share < 0.5 else MOST


def text_of(sample: Sample) -> str:
    """What a sample asks, without examples, and its right answer."""
    request = sample.requests[0]
    if isinstance(request, WholeText):
        return sample.source or request.text
    asked = _content(request.prompt)
    if isinstance(request, LogLikelihood) and not sample.gold:
        options = (one.continuation for one in sample.requests if isinstance(one, LogLikelihood))
        return f"{asked} {' '.join(options)}"
    return f"{asked} {sample.target}"


def _content(prompt: Prompt) -> str:
    """A prompt without what makes it a chat: the system's turn, and who says what."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(turn.content for turn in prompt if turn.role != "system")


def _grams(text: str) -> Grams:
    """A number for every thirteen words in a row; none for a shorter text."""
    return _rolled(_numbers(_WORD.findall(text.lower())))


def _numbers(words: Sequence[str]) -> Grams:
    # Python's own hash differs between processes, which keep none of these numbers.
    return np.array([hash(word) & 0xFFFFFFFFFFFFFFFF for word in words], dtype=np.uint64)


def _rolled(numbers: Grams) -> Grams:
    """A polynomial of each window, modulo 2^64."""
    length = len(numbers) - WORDS + 1
    if length < 1:
        return np.empty(0, np.uint64)
    total = np.zeros(length, np.uint64)
    for place in range(WORDS):
        total = total * _BASE + numbers[place : place + length]
    return total


def _shares(grams: Sequence[Grams], found: Grams) -> list[float | None]:
    """The share of each sample's own windows that were found; None where there are none.

    What most samples have in common comes from the prompt's template, and is left out.
    """
    common = _common(grams)
    shares: list[float | None] = []
    for own in grams:
        own = np.setdiff1d(own, common)
        shares.append(float(np.isin(own, found).mean()) if len(own) else None)
    return shares


def _common(grams: Sequence[Grams]) -> Grams:
    if len(grams) < 4:
        return np.empty(0, np.uint64)
    values, counts = np.unique(
        np.concatenate([np.unique(own) for own in grams]), return_counts=True
    )
    return values[counts > _TEMPLATE_SHARE * len(grams)]


# --- The training text ---------------------------------------------------------------------------


def _read_all(folder: Path, wanted: Grams, seen: NDArray[np.bool_]) -> TrainingText:
    if not folder.exists():
        raise DataError(f"there is no training text {folder}.")
    paths = [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.is_file())
    digest = hashlib.sha256()
    files = words = 0
    left_out = []
    for path in paths:
        if path.suffix not in (*READERS, *PLAIN):
            left_out.append(str(path))
            continue
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error}.") from None
        digest.update(hashlib.sha256(content).digest())
        files += 1
        for text in _texts(content, path):
            found = _WORD.findall(text.lower())
            words += len(found)
            _mark(_rolled(_numbers(found)), wanted, seen)
    if not files:
        known = ", ".join((*READERS, *PLAIN))
        raise DataError(f"the training text {folder} has no files that are text: {known}.")
    return TrainingText(f"sha256:{digest.hexdigest()}", files, words, tuple(left_out))


def _mark(grams: Grams, wanted: Grams, seen: NDArray[np.bool_]) -> None:
    if not len(wanted) or not len(grams):
        return
    places = np.minimum(np.searchsorted(wanted, grams), len(wanted) - 1)
    seen[places[wanted[places] == grams]] = True


def _texts(content: bytes, path: Path) -> Iterator[str]:
    if path.suffix in PLAIN:
        yield content.decode("utf-8", errors="replace")
        return
    for row in read_rows(content, path.suffix, str(path)):
        yield " ".join(_strings(row))


def _strings(value: Any) -> Iterable[str]:
    """All texts in a row, in whatever lists and objects they stand."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)
