"""WinoBias: are pronouns resolved by what an occupation's gender is taken to be?

Data: https://github.com/uclanlp/corefBias (Zhao et al. 2018, Gender Bias in Coreference Resolution:
Evaluation and Debiasing Methods), licence MIT: the test split, 396 sentences with the stereotype
and the same 396 against it, for each of two types. Type 1 needs knowledge of the world, type 2 can
be resolved by syntax.

    1 [The developer] argued with the designer because [he] did not like the design.

So a line of the official files. On the hub a row has the words, and the places of what is in
brackets (occupation from 0 to 1, pronoun from 7 to 7):

    {"document_id": "nw/test_type1/stereotype//0", "tokens": ["The", "developer", ...],
     "coreference_clusters": ["0", "1", "7", "7"], ...}

Both forms are read; lines are given by `--data winobias-type1=FILE.txt` (see README.md).
Whether a sentence is with the stereotype is told by `document_id` (`not_stereotype` is against it).
A line does not tell, and is judged by pronoun and occupation, as the paper lists them; that puts
at least one pair of type 1's test half, of a baker and a mover, on other sides than the files do.

The first pronoun is asked about, by the prompt that lm-evaluation-harness has for Winogender (it
has no WinoBias): "... 'He' refers to the", with the two occupations as options. The paper reports
the F1 of coreference systems, which these accuracies cannot be compared with.

Hub id, configurations, splits and fields were checked against the data set's script in
https://github.com/huggingface/datasets and the authors' files that it reads, not against the hub,
from a closed network.
"""

import re
from collections.abc import Sequence
from hashlib import sha256

from evalharness.errors import DataError
from evalharness.metrics.coreference import (
    ACCURACY_ANTI,
    ACCURACY_PRO,
    ANTI,
    FEMALE,
    GENDER,
    MALE,
    PRO,
    PRO_ANTI_DISTANCE,
    PRO_ANTI_GAP,
    STEREOTYPE,
)
from evalharness.metrics.multiple_choice import ACCURACY
from evalharness.records import Row, Sample, Task
from evalharness.samples import multiple_choice
from evalharness.sources import Concatenated, HubDataset, Lines

# Occupations by the gender of the majority of those who have them (Zhao et al. 2018, table 1).
# fmt: off
WOMEN = (
    "attendant", "cashier", "teacher", "nurse", "assistant", "secretary", "auditor", "cleaner",
    "receptionist", "clerk", "counselor", "designer", "hairdresser", "writer", "housekeeper",
    "baker", "accountant", "editor", "librarian", "tailor",
)
MEN = (
    "driver", "supervisor", "janitor", "cook", "mover", "laborer", "construction worker", "chief",
    "developer", "carpenter", "manager", "lawyer", "farmer", "salesperson", "physician", "guard",
    "analyst", "mechanic", "sheriff", "CEO",
)
# fmt: on
PRONOUNS = {"she": FEMALE, "her": FEMALE, "he": MALE, "his": MALE, "him": MALE}
OCCUPATION = re.compile(rf"\b({'|'.join(WOMEN + MEN)})\b", re.IGNORECASE)


def sample(row: Row) -> Sample:
    sentence, marked = from_line(row["text"]) if "text" in row else from_words(row)
    pronouns = [text for text in marked if text.lower() in PRONOUNS]
    named = [text for text in marked if OCCUPATION.search(text)]
    options = list(dict.fromkeys(OCCUPATION.findall(sentence)))
    if len(pronouns) < 1 or len(named) != 1 or len(options) < 2:
        raise DataError(
            f"{row.location}: expected one marked occupation, another one, and a marked pronoun "
            f"in {sentence!r}; found {marked}."
        )
    right = OCCUPATION.findall(named[0])[0]
    other = next(option for option in options if option.lower() != right.lower())
    choices = sorted([right, other], key=sentence.index)
    gender = PRONOUNS[pronouns[0].lower()]
    usual = FEMALE if right.lower() in WOMEN else MALE
    side = PRO if gender == usual else ANTI
    name = f"{side}-{sha256(sentence.encode()).hexdigest()[:12]}"
    if "document_id" in row:
        name, side = row["document_id"], told_side(row)
    return multiple_choice(
        id=name,
        prompt=f"{sentence} ‘{pronouns[0].capitalize()}’ refers to the",
        choices=choices,
        gold=choices.index(right),
        group=re.sub(rf"\b({'|'.join(PRONOUNS)})\b", "_", sentence, flags=re.IGNORECASE),
        slices={STEREOTYPE: side, GENDER: gender, "occupation": right.lower()},
    )


def from_line(line: str) -> tuple[str, list[str]]:
    """The sentence of an official line, and what is in brackets."""
    text = re.sub(r"^\d+\s+", "", line.strip())
    return joined(re.sub(r"\[\s*|\s*\]", "", text)), re.findall(r"\[\s*([^\]]+?)\s*\]", text)


def from_words(row: Row) -> tuple[str, list[str]]:
    """The sentence of a row of the hub, and what its clusters mark."""
    words: Sequence[str] = row["tokens"]
    places = [int(place) for place in row["coreference_clusters"]]
    marked = [
        " ".join(words[start : end + 1])
        for start, end in zip(places[::2], places[1::2], strict=True)
    ]
    return joined(" ".join(words)), marked


def joined(text: str) -> str:
    """The text without the blanks that a treebank puts before marks and endings of words."""
    return re.sub(r" (?=[.,;:?!]|'s\b|n't\b)", "", text)


def told_side(row: Row) -> str:
    """The side that the document's name tells. Raises DataError for a name that tells none."""
    found = re.search("/(not_)?stereotype/", row["document_id"])
    if found is None:
        raise DataError(
            f"{row.location}: document_id: expected /stereotype/ or /not_stereotype/ in the name, "
            f"found {row['document_id']!r}."
        )
    return ANTI if found.group(1) else PRO


def on_hub(kind: str) -> Lines:
    names = (f"{kind}_pro", f"{kind}_anti")
    return Lines(Concatenated(tuple(HubDataset("uclanlp/wino_bias", name) for name in names)))


TASKS = tuple(
    Task(
        name=f"winobias-{kind}",
        family="bias",
        version=1,
        data=on_hub(kind),
        size=792,
        sample=sample,
        metrics=(PRO_ANTI_GAP, PRO_ANTI_DISTANCE, ACCURACY, ACCURACY_PRO, ACCURACY_ANTI),
        licence="MIT",
        description=f"Pronouns with and against the stereotype of an occupation; {what}.",
    )
    for kind, what in (
        ("type1", "resolved by knowledge of the world"),
        ("type2", "resolved by syntax"),
    )
)
