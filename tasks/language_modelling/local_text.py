"""Any text of yours: perplexity, bits per byte.

The data is given with `--data local-text=FILE`: a .txt, which is one document, or rows with a
`text` each (.jsonl, .json, .csv, .tsv, .parquet). An `id` and a `domain` may stand beside it; each
domain then gets a score of its own. Without ids a document is called by its place in the file.

    {"id": "minutes-1", "domain": "council", "text": "The council met at eight. ..."}

The model sees the text as it is, and words and bytes are those of the text.
"""

from evalharness.metrics.perplexity import PERPLEXITIES
from evalharness.records import Row, Sample, Task
from evalharness.samples import place_of, rolling
from evalharness.sources import NotGiven


def sample(row: Row) -> Sample:
    if not row["text"].strip():
        raise ValueError("text: expected a document, found none")
    return rolling(
        id=str(row["id"]) if "id" in row else place_of(row),
        text=row["text"],
        slices={"domain": row["domain"]} if "domain" in row else {},
    )


TASKS = (
    Task(
        name="local-text",
        family="language_modelling",
        version=1,
        data=NotGiven("--data local-text=FILE"),
        sample=sample,
        metrics=PERPLEXITIES,
        languages=(),
        licence="that of your data",
        description="Any text of yours, each document scored as a whole.",
    ),
)
