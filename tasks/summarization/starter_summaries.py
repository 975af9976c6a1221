r"""Starter summaries: short news-like articles in two sentences.

Data: data/starter_summaries.jsonl, written for this project (Apache-2.0): 60 invented articles on
ten topics, see README.md. A summary has one sentence a line.

    {"id": "courts-03", "topic": "courts",
     "document": "Police in Novy Brod have solved a series of thefts in which only left shoes ...",
     "summary": "The thief who took thirty-one left shoes from shops in Novy Brod was a fox.\n..."}
"""

from pathlib import Path

from evalharness.extraction import first_paragraph
from evalharness.metrics.extractiveness import SUMMARY_STATISTICS
from evalharness.metrics.rouge import ALL_ROUGE
from evalharness.records import Row, Sample, Task
from evalharness.samples import summary
from evalharness.sources import LocalFile

DATA = Path(__file__).parent / "data"


def sample(row: Row) -> Sample:
    return summary(
        id=row["id"],
        instruction="Summarize the following article in two sentences",
        document=row["document"],
        references=[row["summary"]],
        max_tokens=80,
        slices={"topic": row["topic"]},
    )


TASKS = (
    Task(
        name="starter-summaries",
        family="summarization",
        version=1,
        data=LocalFile(DATA / "starter_summaries.jsonl"),
        shots=LocalFile(DATA / "starter_summaries_shots.jsonl"),
        sample=sample,
        extract=first_paragraph,
        metrics=(*ALL_ROUGE, *SUMMARY_STATISTICS),
        licence="Apache-2.0",
        description="Two-sentence summaries of short invented news articles.",
        size=60,
    ),
)
