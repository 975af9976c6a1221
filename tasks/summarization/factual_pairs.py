"""Factual pairs of your own: is the correct summary likelier than a corrupted one?

The data is given with `--data factual-pairs=FILE`, a row for each pair; `id` and `kind` (of the
corruption: a swapped name, a negation) may be left out:

    {"id": "1", "kind": "number", "document": "The council voted by seven to four ...",
     "correct": "Seven councillors voted for it.", "corrupted": "Four councillors voted for it."}

The prompt is that of cnn-dailymail. For mutual information the summary stands alone, after one
space, as in acc_mutual_info of multiple choice. Pairs of one document are not independent: they are
one group.
"""

from hashlib import sha256

from evalharness.metrics.factual_pairs import FACTUAL_PAIRS
from evalharness.records import Row, Sample, Task
from evalharness.samples import factual_pair
from evalharness.sources import NotGiven


def sample(row: Row) -> Sample:
    document = row["document"]
    texts = "\n".join([document, row["correct"], row["corrupted"]])
    return factual_pair(
        id=str(row["id"]) if "id" in row else sha256(texts.encode()).hexdigest()[:16],
        prompts=(f"Summarize the following article:\n\n{document}\n\nSummary:", ""),
        correct=row["correct"],
        corrupted=row["corrupted"],
        group=sha256(document.encode()).hexdigest()[:16],
        slices={"kind": row["kind"]} if "kind" in row else {},
    )


TASKS = (
    Task(
        name="factual-pairs",
        family="summarization",
        version=1,
        data=NotGiven("--data factual-pairs=FILE"),
        sample=sample,
        metrics=FACTUAL_PAIRS,
        licence="that of your data",
        description="Is the correct summary of a pair of yours likelier than the corrupted one?",
    ),
)
