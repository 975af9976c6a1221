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
        # A token spells at least one byte, so that no stop string has more tokens than bytes.
        longest = max((len(mark.encode()) for mark in job.stop), default=0)
        self._window = longest + _MARGIN

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
            if any(mark in recent for mark in self._job.stop):
                text, stopped = cut(self._decode(generated), self._job.stop)
                if stopped:
                    return text, "stop"
        if len(generated) >= self._job.max_tokens:
            return self._final(generated, "length")
        return None

    def _final(self, tokens: Sequence[int], otherwise: Literal["end", "length"]) -> Ending:
        text, stopped = cut(self._decode(tokens), self._job.stop)
        return text, "stop" if stopped else otherwise


def cut(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """The text before the first stop string in it, and whether there was one."""
    places = [place for mark in stop if (place := text.find(mark)) >= 0]
    return (text[: min(places)], True) if places else (text, False)
