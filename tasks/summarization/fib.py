"""FIB: is a true summary likelier than a false one? (Tam et al. 2022, arXiv 2211.08412)

Data: https://huggingface.co/datasets/r-three/fib, 3,579 pairs, test only, licence CC BY 4.0:
documents of XSum and CNN/DM, a summary that annotators found consistent, and one that they found
inconsistent, written (XSum) or extracted (CNN/DM) by a model. An invented row in the original's
form:

    {"id": "10000001", "input": "The ferry to Novy Brod will leave an hour later from May ...",
     "correct_choice": "The ferry will leave an hour later.", "lbl": 1,
     "list_choices": [" The ferry will leave an hour earlier.",
                      "The ferry will leave an hour later."],
     "distractor_model": "bart-base", "dataset": "xsum"}

The paper reports the choice by pointwise mutual information per token (`pmi_per_token_accuracy`),
for each distractor model the median over three prompts, averaged over these. We ask with the second
of its prompts only and take all pairs alike; its script also leaves the first token of a summary
out. So our figures are near to the paper's, not the same. The card asks for XSum and CNN/DM apart:
see the slices. The primary metric is the plain comparison of likelihoods.

Fields were checked against the authors' repository and another project's notebook, the number
against the card; not against the hub, from a closed network.
"""

from hashlib import sha256

from evalharness.metrics.factual_pairs import FACTUAL_PAIRS
from evalharness.records import Row, Sample, Task
from evalharness.samples import factual_pair
from evalharness.sources import HubDataset


def sample(row: Row) -> Sample:
    correct, choices = row["correct_choice"], row["list_choices"]
    others = [choice for choice in choices if choice.strip() != correct.strip()]
    if len(choices) != 2 or len(others) != 1:
        raise ValueError(f"list_choices: expected {correct!r:.60} and one other, found {choices!r}")
    corrupted = sha256(others[0].encode()).hexdigest()[:8]
    return factual_pair(
        id=f"{row['dataset']}-{row['id']}-{row['distractor_model']}-{corrupted}",
        prompts=(f'The summary of "{row["input"]}" is', 'The summary of "" is'),
        correct=correct,
        corrupted=others[0],
        group=f"{row['dataset']}-{row['id']}",
        slices={"dataset": row["dataset"], "distractor_model": row["distractor_model"]},
    )


TASKS = (
    Task(
        name="fib",
        family="summarization",
        version=1,
        data=HubDataset("r-three/fib"),
        sample=sample,
        metrics=FACTUAL_PAIRS,
        licence="CC BY 4.0",
        description="Is a consistent summary likelier than an inconsistent one?",
        size=3_579,
    ),
)
