"""TriviaQA: trivia questions answered from memory (Joshi et al. 2017).

Data: https://nlp.cs.washington.edu/triviaqa/; the licence is unknown, says the data set's card.
Hub: mandarjoshi/trivia_qa, configuration rc.nocontext, the 17,944 rows of the validation split,
which are the questions of the Wikipedia and of the web set, 7,993 and 9,951: some stand in both,
and are one group here. Few-shot examples come from the train split.

    {"question": "Who was the man behind The Chipmunks?", "question_id": "tc_2", ...,
     "answer": {"aliases": ["David Seville", ...], "normalized_aliases": ["david seville", ...],
                "value": "David Seville", "type": "WikipediaEntity", ...}}

Prompt: "Question: {question}" and "Answer:". lm-evaluation-harness (triviaqa) puts a second
question mark. `exact_match` and `f1` are those of triviaqa_evaluation.py, on the first line, over
all aliases and the answers of people where a file has them. `exact_match_harness` is
lm-evaluation-harness's on the same answer, of which it takes what is before the first "." or ",",
without case and punctuation. Published figures differ in the set ("unfiltered" has 11,313
questions) and in the metric: compare like with like. Id and fields checked against
lm-evaluation-harness and the card; not checked against the hub from a closed network. The official
json files can be given by --data.
"""

from collections.abc import Mapping
from typing import Any

from evalharness.extraction import first_line
from evalharness.metrics.question_answering import (
    TRIVIA_EXACT_MATCH,
    TRIVIA_F1,
    TRIVIA_HARNESS_EXACT_MATCH,
    normalize_trivia,
)
from evalharness.records import Row, Sample, Task
from evalharness.samples import generation
from evalharness.samples.published import accepted_answers
from evalharness.sources import HubDataset


def sample(row: Row) -> Sample:
    official = "Answer" in row  # the official files write names with capitals
    question_id = row["QuestionId" if official else "question_id"]
    return generation(
        id=f"{question_id}-{row.number}",
        prompt=f"Question: {row['Question' if official else 'question']}\nAnswer:",
        references=accepted(row["Answer" if official else "answer"]),
        max_tokens=32,
        stop=("\n",),
        group=question_id,
    )


def accepted(answer: Mapping[str, Any]) -> list[str]:
    """The aliases; of those that the data set gives in its normal form, what they do not give.

    So the harness's metric, which has another normal form, sees the aliases as they are written.
    """
    fields = {name.lower().replace("_", ""): value for name, value in answer.items()}
    aliases = [*fields["aliases"], *fields.get("humananswers", ())]
    known = {normalize_trivia(alias) for alias in aliases}
    normalized = [alias for alias in fields["normalizedaliases"] if alias not in known]
    return accepted_answers(aliases + normalized)


TASKS = (
    Task(
        name="triviaqa",
        family="question_answering",
        version=1,
        data=HubDataset("mandarjoshi/trivia_qa", "rc.nocontext", split="validation"),
        shots=HubDataset("mandarjoshi/trivia_qa", "rc.nocontext", split="train"),
        sample=sample,
        extract=first_line,
        metrics=(TRIVIA_EXACT_MATCH, TRIVIA_F1, TRIVIA_HARNESS_EXACT_MATCH),
        licence="unknown, says the data set's card",
        description="Trivia questions, answered from memory.",
        size=17944,
    ),
)
