"""Words in any script, and how many of them a sample asks about."""

import regex

from evalharness.records import Request, Sample, WholeText

# Scripts whose words are not separated by spaces: each character, with its marks, is a word.
_ALONE = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
WORD = regex.compile(rf"[{_ALONE}]\p{{M}}*|(?:(?![{_ALONE}])[\p{{L}}\p{{M}}\p{{N}}])+")
"""A run of letters and digits, or one character of a script that writes without spaces."""


def words_asked(sample: Sample) -> int:
    """How many words the sample asks about: those of its source, else of its first request.

    Few-shot examples, system prompts and candidates have no part in it, so that it is the same for
    every model. Of a sentence that is scored without a prompt, the sentence itself counts.
    """
    return len(WORD.findall(sample.source or _asked(sample.requests[0])))


def _asked(request: Request) -> str:
    if isinstance(request, WholeText):
        return request.text
    prompt = request.prompt if isinstance(request.prompt, str) else request.prompt[-1].content
    return prompt or getattr(request, "continuation", "")
