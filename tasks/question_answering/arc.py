"""ARC: science questions of school examinations, an easy and a challenge set (Clark et al. 2018).

Data: https://allenai.org/data/arc, CC BY-SA 4.0. Hub: allenai/ai2_arc, configurations ARC-Easy
(2,376 questions of the test split) and ARC-Challenge (1,172: those that a retrieval and a
co-occurrence method both get wrong); few-shot examples from the train split. Most have four
options, a few three or five, labelled by letters or by numbers.

    {"id": "Mercury_7175875", "question": "Which factor will most likely cause a person to ...",
     "choices": {"text": ["a leg muscle relaxing ...", ...], "label": ["A", "B", "C", "D"]},
     "answerKey": "C"}

Prompt as lm-evaluation-harness (arc_easy, arc_challenge): "Question: {question}" and "Answer:",
each option after a space, without the options being shown; letters:arc-challenge shows them.
Primary metric: acc_norm. Ids and fields checked against lm-evaluation-harness; not checked against
the hub from a closed network. The official jsonl files can be given by --data.
"""

from evalharness.metrics.calibration import BRIER, ECE
from evalharness.metrics.multiple_choice import ACCURACY, ACCURACY_BYTES, ACCURACY_NORM
from evalharness.records import Row, Sample, Task
from evalharness.samples import multiple_choice
from evalharness.samples.published import labelled_question
from evalharness.sources import HubDataset


def sample(row: Row) -> Sample:
    question, choices, gold = labelled_question(row)
    return multiple_choice(
        id=row["id"], prompt=f"Question: {question}\nAnswer:", choices=choices, gold=gold
    )


TASKS = tuple(
    Task(
        name=f"arc-{name.lower()}",
        family="question_answering",
        version=1,
        data=HubDataset("allenai/ai2_arc", f"ARC-{name}"),
        shots=HubDataset("allenai/ai2_arc", f"ARC-{name}", split="train"),
        sample=sample,
        metrics=(ACCURACY_NORM, ACCURACY, ACCURACY_BYTES, BRIER, ECE),
        licence="CC BY-SA 4.0",
        description=f"Science questions of school examinations, the {name.lower()} set.",
        size=size,
    )
    for name, size in (("Easy", 2376), ("Challenge", 1172))
)
