"""How far a score can be trusted: answers that were cut off, lost, empty or in a loop."""

import re
from collections.abc import Mapping, Sequence

from evalharness.errors import UsageError, did_you_mean
from evalharness.results import SampleRow, Validity

# Shares of samples above which a task is warned of. What is no fault of the model's answers
# (a failure, a start that was doubled) is told of at once.
THRESHOLDS: Mapping[str, float] = {
    "failed": 0.0,
    "truncated": 0.05,
    "lost_shots": 0.1,
    "unfinished": 0.1,
    "unfinished_thinking": 0.05,
    "empty": 0.05,
    "unparsed": 0.05,
    "looped": 0.05,
    "doubled_start": 0.0,
}
_WORDS: Mapping[str, str] = {
    "failed": "failed, and have no part in the score",
    "truncated": "lost the beginning of their prompt",
    "lost_shots": "lost few-shot examples",
    "unfinished": "were cut off at their limit of tokens",
    "unfinished_thinking": "were cut off while the model was thinking",
    "empty": "are empty",
    "unparsed": "have no answer that could be found in the text",
    "looped": "end by repeating themselves",
    "doubled_start": "begin with the token that starts a text twice",
}

# A text that repeats a piece so often, over so many characters, before it ends.
_REPEATS = 4
_REPEATED_CHARACTERS = 40
_LOOKED_AT = 600
_DOUBLED = re.compile(r"(<[^<>\s]{1,40}>|\[[A-Z]{2,10}\])\1")


def count(rows: Sequence[SampleRow]) -> Validity:
    """How many samples are to be read with care, by the reason."""
    return Validity(
        samples=len(rows),
        failed=sum(row.failed for row in rows),
        truncated=sum(row.truncated for row in rows),
        lost_shots=sum(row.lost_shots > 0 for row in rows),
        unfinished=sum(row.unfinished for row in rows),
        unfinished_thinking=sum(row.unfinished_thinking for row in rows),
        empty=sum(row.empty for row in rows),
        unparsed=sum(row.unparsed for row in rows),
        looped=sum(row.looped for row in rows),
        doubled_start=sum(row.doubled_start for row in rows),
    )


def is_loop(text: str) -> bool:
    """Does the text end with one piece four times or more, over at least forty characters?

    A piece may be a word, a sentence or a line; its last copy may have been cut off.
    """
    tail = text.rstrip()[-_LOOKED_AT:][::-1]
    # matches[p] is how long the text, read backwards, agrees with itself p characters on: with a
    # period p it has repeated a piece of p characters over p + matches[p] of them.
    matches = _agreement(tail)
    return any(
        length + period >= max(_REPEATS * period, _REPEATED_CHARACTERS)
        for period, length in enumerate(matches)
        if period
    )


def _agreement(text: str) -> list[int]:
    """The Z function: for each place how long the text from there agrees with its beginning."""
    found = [len(text)] + [0] * (len(text) - 1) if text else []
    left = right = 0
    for place in range(1, len(text)):
        length = min(right - place, found[place - left]) if place < right else 0
        while place + length < len(text) and text[length] == text[place + length]:
            length += 1
        if place + length > right:
            left, right = place, place + length
        found[place] = length
    return found


def starts_twice(prompt: str) -> bool:
    """Does a rendered prompt begin with one special token twice, such as <s><s>?"""
    return _DOUBLED.match(prompt) is not None


def read_share(text: str) -> tuple[str, float]:
    """Name and share of an option --warn-above. Raises UsageError for anything else."""
    name, _, share = text.partition("=")
    try:
        value = float(share)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"option --warn-above: {text!r} should be NAME=SHARE, such as empty=0.05.")
    return name, value


def read_thresholds(given: Mapping[str, float]) -> dict[str, float]:
    """All thresholds, with those that are given in the place of the usual ones.

    Raises UsageError for a name that is none, with the nearest.
    """
    for name in given:
        if name not in THRESHOLDS:
            raise UsageError(
                f"warn_above: there is no {name!r}; known are {', '.join(THRESHOLDS)}."
                f"{did_you_mean(name, THRESHOLDS)}"
            )
    return {**THRESHOLDS, **given}


def warnings(validity: Validity, thresholds: Mapping[str, float]) -> list[str]:
    """What a reader of the score must know, in words: each share above its threshold."""
    counts = {name: int(getattr(validity, name)) for name in thresholds}
    return [
        f"{number} of {validity.samples} samples {_WORDS[name]}"
        for name, number in counts.items()
        if validity.samples and number / validity.samples > thresholds[name]
    ]
