"""SQuAD 1.1: questions about paragraphs of Wikipedia, answered by a span (Rajpurkar et al. 2016).

Data: https://rajpurkar.github.io/SQuAD-explorer/, CC BY-SA 4.0. Hub: rajpurkar/squad, the 10,570
questions of the validation split (the official "dev set"; the test set is not public); few-shot
examples from the train split. On the hub each row is one question, in the official files
(`--data squad=dev-v1.1.json`) each is an article with paragraphs of questions; both are read:

    {"id": "56be4db0acb8001400a502ec", "title": "Super_Bowl_50", "context": "Super Bowl 50 was ...",
     "question": "Which NFL team represented the AFC at Super Bowl 50?",
     "answers": {"text": ["Denver Broncos", "Denver Broncos"], "answer_start": [177, 177]}}
    {"title": "Super_Bowl_50", "paragraphs": [{"context": "Super Bowl 50 was ...", "qas": [
     {"id": "56be4db0acb8001400a502ec", "question": "Which NFL team represented the AFC at ...",
      "answers": [{"answer_start": 177, "text": "Denver Broncos"}, ...]}, ...]}, ...]}

Prompt: title, background, question, answer, an empty line between them, as lm-evaluation-harness
asks SQuAD 2.0 (it has no task of 1.1). The answer is the first line. Metrics: those of
evaluate-v1.1.py. The questions about one paragraph are drawn together for the intervals.
Fields and id checked against public scripts that load the data set; not checked against the hub
from a closed network.
"""

from evalharness.extraction import first_line
from evalharness.metrics.question_answering import EXACT_MATCH, TOKEN_F1
from evalharness.records import Row, Sample, Task
from evalharness.samples import generation
from evalharness.samples.published import accepted_answers, passage_group, reading_prompt
from evalharness.sources import HubDataset, Questions


def sample(row: Row) -> Sample:
    return generation(
        id=row["id"],
        prompt=reading_prompt(row),
        references=accepted_answers(row["answers"]["text"]),
        max_tokens=64,
        stop=("\n",),
        source=row["context"],
        group=passage_group(row["context"]),
    )


TASKS = (
    Task(
        name="squad",
        family="question_answering",
        version=1,
        data=Questions(HubDataset("rajpurkar/squad", split="validation")),
        shots=HubDataset("rajpurkar/squad", split="train"),
        sample=sample,
        extract=first_line,
        metrics=(TOKEN_F1, EXACT_MATCH),
        licence="CC BY-SA 4.0",
        description="Questions about paragraphs of Wikipedia, answered by a span of it.",
        size=10570,
    ),
)
