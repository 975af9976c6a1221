r"""CNN/DailyMail: the highlights of news articles (Hermann et al. 2015, Nallapati et al. 2016).

Data: https://huggingface.co/datasets/abisee/cnn_dailymail, version 3.0.0 (See et al. 2017: names
are not made anonymous), the 11,490 articles of the test split. Licence Apache-2.0, says its card.
The highlights, one a line, are the reference. An invented row in the original's form:

    {"article": "(Novy Brod) A ferry that had been missing since Monday was found ...",
     "highlights": "Ferry found in its own harbour .\nNobody had looked behind the silo .",
     "id": "5d1e0f7a2c9b4e6f8a0b1c2d3e4f5a6b7c8d9e0f"}

Prompt, limit of tokens, stemmed ROUGE-1, 2 and L as in lm-evaluation-harness
(cnn_dailymail_abisee), whose BERTScore is an extra here, see README.md. Here the highlights keep
their line breaks, which rougeLsum needs and the others do not see. Id, configuration and fields
were checked against that project's task file, not against the hub, from a closed network.
"""

from evalharness.extraction import first_paragraph
from evalharness.metrics.extractiveness import SUMMARY_STATISTICS
from evalharness.metrics.rouge import ALL_ROUGE
from evalharness.records import Row, Sample, Task
from evalharness.samples import summary
from evalharness.sources import HubDataset


def sample(row: Row) -> Sample:
    return summary(
        id=row["id"],
        instruction="Summarize the following article",
        document=row["article"],
        references=[row["highlights"]],
        max_tokens=128,
    )


TASKS = (
    Task(
        name="cnn-dailymail",
        family="summarization",
        version=1,
        data=HubDataset("abisee/cnn_dailymail", name="3.0.0"),
        shots=HubDataset("abisee/cnn_dailymail", name="3.0.0", split="train"),
        sample=sample,
        extract=first_paragraph,
        metrics=(*ALL_ROUGE, *SUMMARY_STATISTICS),
        licence="Apache-2.0, says the data set's card",
        description="Highlights of CNN and Daily Mail articles, three to four sentences.",
        size=11_490,
    ),
)
