"""SQuAD 2.0: as SQuAD 1.1, but half of the questions have no answer (Rajpurkar et al. 2018).

Data: https://rajpurkar.github.io/SQuAD-explorer/, CC BY-SA 4.0. Hub: rajpurkar/squad_v2, the 11,873
questions of the validation split (the official "dev set"); few-shot examples from the train split.

    {"id": "5ad39d53604f3c001a3fe8d1", "title": "Normans", "context": "The Normans (Norman: ...",
     "question": "Who gave their name to Normandy in the 1000's and 1100's",
     "answers": {"text": [], "answer_start": []}}

The official file is read as it is, too (`--data squad-v2=dev-v2.0.json`); see squad.py.
Prompt as lm-evaluation-harness (squadv2): title, background, question, answer, an empty line
between them; an example without an answer says "unanswerable". A second request gives the
probability of " unanswerable" after the prompt, by which best_exact and best_f1 choose their
threshold. Metrics: those of evaluate-v2.0.py. One difference to lm-evaluation-harness: an answer
that is the word "unanswerable" counts as none, as the examples teach it; there it is a wrong
answer, so that NoAns_* stay near 0. What is measured of any other text is the same
(tests/metrics). Fields and id checked against public scripts that load the data set;
lm-evaluation-harness loads the copy lighteval/squad_v2; not checked against the hub from a closed
network.
"""

from dataclasses import replace

from evalharness.extraction import first_line
from evalharness.metrics.squad_v2 import NO_ANSWER, SQUAD_V2
from evalharness.records import LogLikelihood, Row, Sample, Task
from evalharness.samples import generation
from evalharness.samples.published import passage_group, reading_prompt
from evalharness.sources import HubDataset, Questions


def sample(row: Row) -> Sample:
    """A question, whose second request scores that it has no answer."""
    prompt = reading_prompt(row)
    answers = row["answers"]["text"]
    asked = generation(
        id=row["id"],
        prompt=prompt,
        references=answers or [""],
        max_tokens=64,
        stop=("\n",),
        source=row["context"],
        group=passage_group(row["context"]),
        slices={"answerable": "yes" if answers else "no"},
    )
    no_answer = LogLikelihood(prompt, f" {NO_ANSWER}")
    return replace(
        asked, requests=(*asked.requests, no_answer), target=answers[0] if answers else NO_ANSWER
    )


TASKS = (
    Task(
        name="squad-v2",
        family="question_answering",
        version=1,
        data=Questions(HubDataset("rajpurkar/squad_v2", split="validation")),
        shots=HubDataset("rajpurkar/squad_v2", split="train"),
        sample=sample,
        extract=first_line,
        metrics=SQUAD_V2,
        licence="CC BY-SA 4.0",
        description="Questions about paragraphs of Wikipedia, half of them unanswerable.",
    ),
)
