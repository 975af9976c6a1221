"""What a model thinks before it answers, and where its answer begins."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Marks:
    """What a model writes around its thinking.

    spelled_with  the tokens that the marks are made of where each is not a token of its own: text
                  may stand between these
    """

    opening: str
    closing: str
    spelled_with: tuple[str, ...] = ()

    @property
    def tokens(self) -> tuple[str, ...]:
        """What the vocabulary of a model with these marks has as tokens of their own."""
        return self.spelled_with or (self.opening, self.closing)

    def opened_by(self, prompt: str) -> bool:
        """Does the text that continues the prompt begin in the middle of the thinking?

        Templates such as that of DeepSeek-R1 write the opening mark themselves. A mark elsewhere in
        the prompt is a word of whoever wrote the prompt.
        """
        return prompt.rstrip().endswith(self.opening)


_KNOWN = (
    Marks("<think>", "</think>"),  # Qwen3, DeepSeek-R1, SmolLM3 and most others
    Marks("[THINK]", "[/THINK]"),  # Mistral's models that think
    Marks("<seed:think>", "</seed:think>"),  # Seed-OSS
    Marks("<|START_THINKING|>", "<|END_THINKING|>"),  # Cohere's Command
    # gpt-oss: the analysis is a channel of its own, and the answer the final one.
    Marks(
        "<|channel|>analysis<|message|>",
        "<|channel|>final<|message|>",
        ("<|channel|>", "<|message|>"),
    ),
)


@dataclass(frozen=True, slots=True)
class Thinking:
    """The marks of a model that thinks; `opened` if its prompt has begun the thinking already."""

    marks: Marks
    opened: bool

    def goes_on(self, recent: str, before: bool) -> bool:
        """Is the model thinking at the end of `recent`, where it was (or not) `before` it?"""
        opening = recent.rfind(self.marks.opening)
        closing = recent.rfind(self.marks.closing)
        return before if opening == closing else opening > closing

    def answer_in(self, text: str) -> int | None:
        """Where the answer begins in a text; None where the thinking has not ended.

        All up to the last closing mark is thinking, whether or not the text has the opening one,
        and so is the white space after it. An opening mark that nothing closes leaves no answer.
        """
        closing = text.rfind(self.marks.closing)
        if closing < 0:
            return None if self.opened or self.marks.opening in text else 0
        after = closing + len(self.marks.closing)
        if self.marks.opening in text[after:]:
            return None
        return len(text) - len(text[after:].lstrip())


def find_marks(knows: Callable[[str], bool], template: str | None) -> Marks | None:
    """The marks of a model, by its vocabulary or its chat template; None if it does not think.

    knows: is this text a token of its own in the vocabulary?

    A model that neither of them prepares for thinking may write such a mark like any other text.
    """
    for marks in _KNOWN:
        if all(map(knows, marks.tokens)) or marks.closing in (template or ""):
            return marks
    return None


def marks_in(text: str) -> Marks | None:
    """The marks that a text has, for where neither vocabulary nor template can be seen."""
    return next((one for one in _KNOWN if one.opening in text or one.closing in text), None)
