"""When a text ends: end tokens, stop strings, and the number of tokens it may have."""

from collections.abc import Callable, Sequence
from typing import Literal

from evalharness.engine.jobs import NO_TOKEN, Finish, Job

Decode = Callable[[Sequence[int]], str]
Ending = tuple[str, Finish]
"""The final text, and why it ended."""

# Tokens that are decoded besides those that could spell the stop string: the first token of a
# window may lose its leading space, and special tokens have no text.
_MARGIN = 4


class Stopping:
    """Decides for one job, after each token, whether its text has ended."""

    def __init__(self, job: Job, decode: Decode, end_tokens: frozenset[int]) -> None:
        self._job = job
        self._decode = decode
        self._end_tokens = end_tokens
        marks = (
            () if job.thinking is None else (job.thinking.marks.opening, job.thinking.marks.closing)
        )
        # A token spells at least one byte, so that no stop string has more tokens than bytes.
        longest = max((len(mark.encode()) for mark in (*job.stop, *marks)), default=0)
        self._window = longest + _MARGIN
        self._thinks = job.thinking is not None and job.thinking.opened

    def ending(self, generated: Sequence[int]) -> Ending | None:
        """The text of the tokens generated so far if it has ended with the last of them, or None.

        Only the end of the text is decoded while it goes on; the whole of it once.
        """
        if generated[-1] == NO_TOKEN:
            return "", "invalid"
        if generated[-1] in self._end_tokens:
            return self._final(generated[:-1], "end")
        if self._job.stop:
            recent = self._decode(generated[-self._window :])
            if self._job.thinking is not None:
                self._thinks = self._job.thinking.goes_on(recent, self._thinks)
            if not self._thinks and any(mark in recent for mark in self._job.stop):
                text, stopped = self._cut(self._decode(generated))
                if stopped:
                    return text, "stop"
        if len(generated) >= self._job.max_tokens:
            return self._final(generated, "length")
        return None

    def _final(self, tokens: Sequence[int], otherwise: Literal["end", "length"]) -> Ending:
        text, stopped = self._cut(self._decode(tokens))
        return text, "stop" if stopped else otherwise

    def _cut(self, text: str) -> tuple[str, bool]:
        """As cut(), but what the model thinks before its answer may hold stop strings."""
        start = 0 if self._job.thinking is None else self._job.thinking.answer_in(text)
        if start is None:
            return text, False
        answer, stopped = cut(text[start:], self._job.stop)
        return text[:start] + answer, stopped


def cut(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """The text before the first stop string in it, and whether there was one."""
    places = [place for mark in stop if (place := text.find(mark)) >= 0]
    return (text[: min(places)], True) if places else (text, False)
