"""Words in any script: how many a sample asks about, and whether a tokenizer knows any."""

from typing import Any

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


def knows_words(tokenizer: Any) -> bool:
    """Has a tokenizer of transformers any token with a letter or digit besides the special ones?

    transformers 5 makes one of special tokens alone where the files of the class are missing, to
    which every text is unknown.
    """
    special = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
    own = tokenizer.get_vocab().keys() - special
    return any(any(map(str.isalnum, token)) for token in own)
