"""A task plugin and its data, written by a test."""

import json
from pathlib import Path

PLUGIN = '''
"""Toy tasks."""
from pathlib import Path

from evalharness.metrics.multiple_choice import ACCURACY, ACCURACY_NORM
from evalharness.metrics.question_answering import EXACT_MATCH, TOKEN_F1
from evalharness.records import Task
from evalharness.samples import generation, multiple_choice
from evalharness.sources import LocalFile

DATA = LocalFile(Path(__file__).parent / "data" / "toy.jsonl")
SHOTS = LocalFile(Path(__file__).parent / "data" / "shots.jsonl")


def choice(row):
    return multiple_choice(
        id=row["id"],
        prompt=f"Question: {row['question']}\\nAnswer:",
        choices=row["choices"],
        gold=row["gold"],
        slices={"parity": row["parity"]},
    )


def answer(row):
    return generation(
        id=row["id"],
        prompt=f"Question: {row['question']}\\nAnswer:",
        references=[row["choices"][row["gold"]]],
        max_tokens=8,
        stop=("\\n",),
    )


TASKS = tuple(
    Task(
        name=name,
        family="question_answering",
        version=1,
        data=DATA,
        sample=sample,
        metrics=metrics,
        shots=shots,
    )
    for name, sample, metrics, shots in (
        ("toy-choice", choice, (ACCURACY, ACCURACY_NORM), SHOTS),
        ("toy-answer", answer, (EXACT_MATCH, TOKEN_F1), SHOTS),
    )
)
'''


def rows(start: int, stop: int) -> list[dict[str, object]]:
    return [
        {
            "id": f"q{number}",
            "question": f"What comes after {number}?",
            "choices": [str(number + 1), str(number + 2), f"not {number}"],
            "gold": number % 3,
            "parity": "even" if number % 2 == 0 else "odd",
        }
        for number in range(start, stop)
    ]


def write_plugin(folder: Path, samples: int = 30) -> Path:
    """Write toy.py with its data in `folder`; returns the folder."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    (folder / "toy.py").write_text(PLUGIN)
    write_rows(data / "toy.jsonl", rows(0, samples))
    write_rows(data / "shots.jsonl", rows(1000, 1006))
    return folder


def write_rows(path: Path, values: list[dict[str, object]]) -> None:
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values))
