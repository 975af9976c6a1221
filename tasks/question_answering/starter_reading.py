"""Starter reading: questions about short passages, a quarter of which the passage does not answer.

Data: data/starter_reading.jsonl, written for this project (Apache-2.0): 22 passages with four
questions each, see README.md. What they tell is invented: it cannot be known from elsewhere.

    {"id": "clock-1", "passage": "The town clock of Merrow was eleven minutes slow for most of ...",
     "question": "By how much was the town clock slow?", "answers": ["eleven minutes"], ...}
"""

from pathlib import Path

from evalharness.extraction import first_line
from evalharness.metrics.question_answering import EXACT_MATCH, TOKEN_F1
from evalharness.records import Row, Sample, Task
from evalharness.samples import generation
from evalharness.sources import LocalFile

DATA = Path(__file__).parent / "data"
INSTRUCTION = (
    "Answer the question with words from the background, "
    'or with "unanswerable" if the background does not answer it.'
)


def sample(row: Row) -> Sample:
    """One question; the questions about one passage are a group."""
    return generation(
        id=row["id"],
        prompt=(
            f"{INSTRUCTION}\n\nTitle: {row['title']}\nBackground: {row['passage']}\n"
            f"Question: {row['question']}\nAnswer:"
        ),
        references=row["answers"] or ["unanswerable"],
        max_tokens=24,
        stop=("\n\n", "\nQuestion:"),
        source=row["passage"],
        group=row["passage_id"],
        slices={"answerable": "yes" if row["answers"] else "no", "type": row["type"]},
    )


TASKS = (
    Task(
        name="starter-reading",
        family="question_answering",
        version=1,
        data=LocalFile(DATA / "starter_reading.jsonl"),
        shots=LocalFile(DATA / "starter_reading_shots.jsonl"),
        sample=sample,
        extract=first_line,
        metrics=(TOKEN_F1, EXACT_MATCH),
        licence="Apache-2.0",
        description="Questions about short invented passages, some of them unanswerable.",
    ),
)
