"""HellaSwag: how does a description of an everyday scene go on? (Zellers et al. 2019).

Data: https://rowanzellers.com/hellaswag/, MIT. Hub: Rowan/hellaswag, the 10,042 questions of the
validation split (the test set has no public answers); few-shot examples from the train split.
Scenes come from ActivityNet's captions and from WikiHow, whose marks "[title]" and "[step]" are
left out.

    {"ind": 24, "activity_label": "Roof shingle removal", "ctx_a": "A man is sitting on a roof.",
     "ctx_b": "he", "ctx": "A man is sitting on a roof. he", "endings": ["is using ...", ...],
     "source_id": "activitynet~v_-JhWjGDPHMY", "split": "val", "split_type": "indomain",
     "label": "3"}

Prompt as lm-evaluation-harness (hellaswag): "{activity}: {ctx_a} {Ctx_b}", each ending after a
space. Primary metric: acc_norm. Id and fields checked against lm-evaluation-harness; not checked
against the hub from a closed network. The official jsonl file can be given by --data.
"""

import re

from evalharness.metrics.calibration import BRIER, ECE
from evalharness.metrics.multiple_choice import ACCURACY, ACCURACY_NORM
from evalharness.records import Row, Sample, Task
from evalharness.samples import multiple_choice
from evalharness.sources import HubDataset


def sample(row: Row) -> Sample:
    scene = f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}"
    return multiple_choice(
        id=str(row.number),
        prompt=cleaned(scene),
        choices=[cleaned(ending) for ending in row["endings"]],
        gold=int(row["label"]),
        group=row["source_id"],
        slices={
            "source": row["source_id"].partition("~")[0],
            "split_type": row["split_type"],
        },
    )


def cleaned(text: str) -> str:
    """A text without WikiHow's marks, in the very steps of lm-evaluation-harness."""
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


TASKS = (
    Task(
        name="hellaswag",
        family="question_answering",
        version=1,
        data=HubDataset("Rowan/hellaswag", split="validation"),
        shots=HubDataset("Rowan/hellaswag", split="train"),
        sample=sample,
        metrics=(ACCURACY_NORM, ACCURACY, BRIER, ECE),
        licence="MIT",
        description="How does a description of an everyday scene go on?",
        size=10042,
    ),
)
