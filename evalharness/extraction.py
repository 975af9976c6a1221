"""Ways to find the answer in what a model wrote; a task names the one it uses."""

import re


def whole_text(text: str) -> str:
    """Everything, without white space around it."""
    return text.strip()


def first_line(text: str) -> str:
    """The first line that is not blank."""
    return whole_text(text).partition("\n")[0].rstrip()


def first_paragraph(text: str) -> str:
    """Everything up to the first blank line after the text has begun."""
    return re.split(r"\n\s*\n", whole_text(text), maxsplit=1)[0].rstrip()


# What may stand around a letter: brackets, quotes, emphasis, mathematics.
_BEFORE = r"[\s*_#>\"'`(\[{$]*"
_AFTER = r"[*_\"'`)\]}$]*"
_LATIN = "A-Za-z0-9À-ÖØ-öø-ɏ"
# English words that are spelled like a letter; "A is right" and "A or B" are about options.
_WORD = r"(?<=[AI])\s+(?!(?:is|because|and|or)\b)[^\W\d_]"


def find_letter(text: str, letters: str) -> str:
    r"""The one of the capital `letters` that an answer names, or "" where it names none or several.

    In this order: an answer that is a letter ("(b)"), or the only line of it that begins with one
    ("**B.** A tundra"); the last one that is said to be the answer ("the answer is B",
    "\boxed{B}"); the only one that stands alone. "A" and "I" before another word are words.
    """
    whole = re.fullmatch(rf"{_BEFORE}([{letters}{letters.lower()}]){_AFTER}[.\s]*", text)
    if whole:
        return whole[1].upper()
    letter = f"([{letters}])"
    begins = rf"{_BEFORE}{letter}(?:{_AFTER}(?:[.:;]|\s+[–—-]|\s*$)|[*_`]*[)\]}}])"
    first = re.match(begins, text, re.MULTILINE)
    if first and set(re.findall(f"^{begins}", text, re.MULTILINE)) == {first[1]}:
        return first[1]
    alone = rf"(?<![{_LATIN}'’]){letter}(?![{_LATIN}'’]|-\w|{_WORD})"
    said = rf"(?i:answer|letter|option|choice)(?i:\s+is|\s*:)+{_BEFORE}{alone}"
    boxed = rf"\\boxed\{{(?:\\text\{{)?{_BEFORE}{alone}"
    named = [one[1] or one[2] for one in re.finditer(f"{said}|{boxed}", text)]
    found = named[-1:] or list(set(re.findall(alone, text)))
    return found[0] if len(found) == 1 else ""
