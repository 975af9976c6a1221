"""English texts with the genders of words and names exchanged.

The map goes both ways: what is swapped twice is the text again, but for what English has one word
for, "her" (him or his) and "his" (her or hers), where the next word decides, and "Mrs", which
becomes "Mr". Lists are short on purpose, and a name is always swapped with the same other one.
Words of men are exchanged for words of women only; "they" stays.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

# fmt: off
_WORDS = (
    ("he", "she"), ("himself", "herself"), ("man", "woman"), ("men", "women"), ("boy", "girl"),
    ("boys", "girls"), ("male", "female"), ("males", "females"), ("father", "mother"),
    ("fathers", "mothers"), ("dad", "mom"), ("dads", "moms"), ("daddy", "mommy"),
    ("son", "daughter"), ("sons", "daughters"), ("brother", "sister"), ("brothers", "sisters"),
    ("husband", "wife"), ("husbands", "wives"), ("uncle", "aunt"), ("uncles", "aunts"),
    ("nephew", "niece"), ("nephews", "nieces"), ("grandfather", "grandmother"),
    ("grandfathers", "grandmothers"), ("grandpa", "grandma"), ("grandson", "granddaughter"),
    ("grandsons", "granddaughters"), ("stepfather", "stepmother"), ("stepson", "stepdaughter"),
    ("boyfriend", "girlfriend"), ("boyfriends", "girlfriends"), ("gentleman", "lady"),
    ("gentlemen", "ladies"), ("sir", "madam"), ("mr", "ms"), ("widower", "widow"),
    ("groom", "bride"), ("fiancé", "fiancée"), ("actor", "actress"), ("actors", "actresses"),
    ("waiter", "waitress"), ("waiters", "waitresses"), ("steward", "stewardess"),
    ("businessman", "businesswoman"), ("businessmen", "businesswomen"),
    ("chairman", "chairwoman"), ("spokesman", "spokeswoman"), ("salesman", "saleswoman"),
    ("policeman", "policewoman"), ("policemen", "policewomen"), ("landlord", "landlady"),
    ("schoolboy", "schoolgirl"), ("masculine", "feminine"), ("manhood", "womanhood"),
    ("fatherhood", "motherhood"), ("boyhood", "girlhood"), ("brotherhood", "sisterhood"),
)
_NAMES = (
    ("James", "Mary"), ("John", "Linda"), ("Robert", "Barbara"), ("Michael", "Jennifer"),
    ("William", "Elizabeth"), ("David", "Susan"), ("Richard", "Jessica"), ("Joseph", "Sarah"),
    ("Thomas", "Karen"), ("Charles", "Nancy"), ("Christopher", "Lisa"), ("Daniel", "Emily"),
    ("Matthew", "Ashley"), ("Anthony", "Kimberly"), ("Steven", "Donna"), ("Paul", "Laura"),
    ("Andrew", "Michelle"), ("Kenneth", "Carol"), ("Kevin", "Amanda"), ("Brian", "Melissa"),
    ("George", "Deborah"), ("Timothy", "Stephanie"), ("Edward", "Rebecca"), ("Jason", "Sharon"),
    ("Jeffrey", "Cynthia"), ("Ryan", "Amy"), ("Jacob", "Anna"), ("Nicholas", "Angela"),
    ("Gary", "Brenda"), ("Eric", "Pamela"), ("Peter", "Emma"), ("Henry", "Alice"),
    ("Harry", "Lucy"), ("Oliver", "Olivia"), ("Noah", "Sophia"), ("Tom", "Jane"),
    ("Jack", "Kate"), ("Ben", "Julia"), ("Luke", "Maria"), ("Simon", "Helen"),
)
# After these, "her" is "him" rather than "his", and "his" is "hers" rather than "her".
_NO_NOUN = frozenset((
    "a", "about", "after", "again", "against", "all", "although", "an", "and", "are", "as", "at",
    "away", "because", "been", "before", "but", "by", "can", "could", "did", "do", "does", "down",
    "during", "for", "from", "had", "has", "have", "he", "her", "here", "his", "how", "i", "if",
    "in", "into", "is", "it", "may", "might", "must", "not", "now", "of", "off", "on", "onto", "or",
    "out", "over", "she", "should", "since", "so", "than", "that", "the", "then", "there", "they",
    "this", "though", "through", "to", "too", "under", "until", "up", "was", "we", "were", "what",
    "when", "where", "which", "while", "who", "why", "will", "with", "within", "without", "would",
    "you",
))
# fmt: on


def _both_ways(pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {one: other for pair in pairs for one, other in (pair, pair[::-1])}


_SWAPS = {**_both_ways(_WORDS), "him": "her", "hers": "his", "mrs": "mr"}
_NAME_SWAPS = _both_ways(_NAMES)
_WORD = re.compile(r"[^\W\d_]+")
_NEXT_WORD = re.compile(r"[ \t]+([^\W\d_]+)")


@dataclass(frozen=True, slots=True)
class _Change:
    start: int
    end: int
    text: str


# Each metric of a task swaps the same texts of a sample, some of which are whole articles.
@lru_cache(maxsize=256)
def swap(text: str) -> str:
    """The text with all genders exchanged; the case of words is kept."""
    pieces, done = [], 0
    for change in _changes(text):
        pieces += [text[done : change.start], change.text]
        done = change.end
    return "".join([*pieces, text[done:]])


def moved(text: str, position: int) -> int:
    """Where a place of the text is after the swap. A place within a word is that of its end."""
    changes = [one for one in _changes(text) if one.start < position]
    return position + sum(len(one.text) - (min(one.end, position) - one.start) for one in changes)


def _changes(text: str) -> Iterator[_Change]:
    for word in _WORD.finditer(text):
        found = word.group()
        other = _NAME_SWAPS.get(found.capitalize()) if found[0].isupper() else None
        if other is None:
            other = _other_word(found.lower(), text, word.end())
        if other is not None:
            yield _Change(word.start(), word.end(), _in_case_of(found, other))


def _other_word(word: str, text: str, end: int) -> str | None:
    """The other word in lower case, or None; `end` is where the word ends in the text."""
    if word not in ("her", "his"):
        return _SWAPS.get(word)
    following = _NEXT_WORD.match(text, end)
    before_noun = following is not None and following.group(1).lower() not in _NO_NOUN
    if word == "her":
        return "his" if before_noun else "him"
    return "her" if before_noun else "hers"


def _in_case_of(word: str, other: str) -> str:
    if len(word) > 1 and word.isupper():
        return other.upper()
    return other[0].upper() + other[1:] if word[0].isupper() else other.lower()
