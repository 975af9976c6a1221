r"""SAMSum: summaries of messenger chats (Gliwa et al. 2019).

Data: https://huggingface.co/datasets/knkarthick/samsum, a copy as csv of the corpus, whose own
repository holds a script that `datasets` no longer runs; the 819 chats of the test split. Licence
CC BY-NC-ND 4.0. An invented row in the original's form:

    {"id": "13800001-2", "dialogue": "Ada: Did you feed the cat?\r\nBen: Which one?\r\nAda: Ours!",
     "summary": "Ada asks Ben whether he has fed their cat."}

There is no published prompt for language models: ours is that of cnn-dailymail in other words. Line
breaks become "\n". Fields and splits were checked against other projects' code and a listing of the
repository's files, not against the hub, from a closed network.
"""

from evalharness.extraction import first_paragraph
from evalharness.metrics.extractiveness import SUMMARY_STATISTICS
from evalharness.metrics.rouge import ALL_ROUGE
from evalharness.records import Row, Sample, Task
from evalharness.samples import summary
from evalharness.sources import HubDataset


def sample(row: Row) -> Sample:
    # The training split has an empty chat, for which a csv gives nothing.
    dialogue = "\n".join((row["dialogue"] or "").splitlines())
    return summary(
        id=str(row["id"]),  # those of a csv may be read as numbers
        instruction="Summarize the following dialogue",
        document=dialogue,
        references=[row["summary"]],
        max_tokens=128,
    )


TASKS = (
    Task(
        name="samsum",
        family="summarization",
        version=1,
        data=HubDataset("knkarthick/samsum"),
        shots=HubDataset("knkarthick/samsum", split="train"),
        sample=sample,
        extract=first_paragraph,
        metrics=(*ALL_ROUGE, *SUMMARY_STATISTICS),
        licence="CC BY-NC-ND 4.0",
        description="Short summaries of messenger chats.",
        size=819,
    ),
)
