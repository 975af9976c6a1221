"""How much room a text takes in a figure, where nothing can measure it: rather more than less."""

import unicodedata

# Of the letters of figures, 13 pixels high, in the widest of the usual fonts.
_WIDE, _CAPITAL, _USUAL, _NARROW = 13.0, 10.0, 8.2, 5.2
_NARROW_ONES = frozenset("iljtfrI.,:;'|!()[]- ")
_WIDE_ONES = frozenset("mwMW@%—…")


def text_width(text: str) -> float:
    """About how many pixels a text takes; not less than most fonts do."""
    return sum(map(_letter_width, text))


def _letter_width(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    if letter in _WIDE_ONES or unicodedata.east_asian_width(letter) in "WF":
        return _WIDE
    if letter in _NARROW_ONES:
        return _NARROW
    return _CAPITAL if letter.isupper() else _USUAL


def fitting(text: str, room: float) -> str:
    """The text, or its beginning and its end, where checkpoints differ, in `room` pixels."""
    if text_width(text) <= room:
        return text
    kept = len(text)
    while kept > 2 and text_width(_shortened(text, kept)) > room:
        kept -= 1
    return _shortened(text, kept)


def _shortened(text: str, kept: int) -> str:
    end = kept // 2
    return f"{text[: kept - end]}…{text[len(text) - end :]}"
