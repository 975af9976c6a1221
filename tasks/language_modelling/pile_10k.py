"""Pile-10k: the first 10,000 documents of the Pile (Gao et al. 2020), from many sources.

Data: https://huggingface.co/datasets/NeelNanda/pile-10k, whose only split is called train; for the
licence see its card. An invented row in the original's form:

    {"text": "The council met at eight. ...", "meta": {"pile_set_name": "Pile-CC"}}

They stem from the Pile's training part: models trained on the Pile have seen them. Split, field and
metrics are those of lm-evaluation-harness (pile_10k); each source is a slice. Not checked against
the hub, from a closed network.
"""

from evalharness.metrics.perplexity import PERPLEXITIES
from evalharness.records import Row, Sample, Task
from evalharness.samples import place_of, rolling
from evalharness.sources import HubDataset


def sample(row: Row) -> Sample:
    return rolling(
        id=place_of(row), text=row["text"], slices={"source": row["meta"]["pile_set_name"]}
    )


TASKS = (
    Task(
        name="pile-10k",
        family="language_modelling",
        version=1,
        data=HubDataset("NeelNanda/pile-10k", split="train"),
        sample=sample,
        metrics=PERPLEXITIES,
        licence="see the data set's card",
        description="The first documents of the Pile, from 22 sources.",
        size=10_000,
        content_warning="Some of the texts, which come from the web, are offensive.",
    ),
)
