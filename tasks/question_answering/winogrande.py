"""WinoGrande: which of two nouns fills the gap of a sentence? (Sakaguchi et al. 2020).

Data: https://winogrande.allenai.org, licence CC BY (see the data set's card). Hub:
allenai/winogrande, configuration winogrande_xl, the 1,267 sentences of the validation split (the
test set has no public answers); few-shot examples from the train split. Sentences come in twins of
opposite answers.

    {"sentence": "Sarah was a much better surgeon than Maria so _ always got the easier cases.",
     "option1": "Sarah", "option2": "Maria", "answer": "2"}

Partial scoring (Trinh and Le 2018), as lm-evaluation-harness (winogrande): each noun is put into
the gap, and what comes after it is scored. So options have no lengths of their own, and acc is the
only metric. Id and fields checked against lm-evaluation-harness; not checked against the hub from
a closed network. The official jsonl file can be given by --data.
"""

from evalharness.metrics.calibration import BRIER, ECE
from evalharness.metrics.multiple_choice import ACCURACY
from evalharness.records import Row, Sample, Task
from evalharness.samples import choice_of_beginning
from evalharness.sources import HubDataset


def sample(row: Row) -> Sample:
    before, gap, after = row["sentence"].partition("_")
    if not gap:
        raise ValueError(f"the sentence has no gap _: {row['sentence']!r}")
    nouns = [row["option1"], row["option2"]]
    return choice_of_beginning(
        id=str(row.number),
        prompts=[f"{before}{noun}" for noun in nouns],
        continuation=after.strip(),
        choices=nouns,
        gold=int(row["answer"]) - 1,
    )


TASKS = (
    Task(
        name="winogrande",
        family="question_answering",
        version=1,
        data=HubDataset("allenai/winogrande", "winogrande_xl", split="validation"),
        shots=HubDataset("allenai/winogrande", "winogrande_xl", split="train"),
        sample=sample,
        metrics=(ACCURACY, BRIER, ECE),
        licence="see the data set's card",
        description="Which of two nouns fills the gap of a sentence?",
        size=1267,
    ),
)
