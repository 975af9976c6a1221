"""pytest-benchmark: planner, bootstrap, comparison. Not part of `make test`; nothing is judged.

python -m pytest benchmarks/test_speed.py
"""

import random
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from evalharness.compare.comparing import compare_runs
from evalharness.compare.records import Comparison, Settings
from evalharness.compare.runs import open_runs
from evalharness.discovery import Catalogue, FoundTask
from evalharness.engine.trie import Query, plan
from evalharness.metrics.multiple_choice import ACCURACY
from evalharness.metrics.translation import bleu
from evalharness.records import GenerationResponse, Sample, Task
from evalharness.run_folder import write_results, write_run
from evalharness.sources import LocalFile
from evalharness.statistics.summaries import Summary, summarize
from tests.report.runs import metric, run, task

VOCABULARY = 49_152
SHOTS, QUESTION, OPTION, OPTIONS, QUESTIONS_A_TASK = 100, 24, 4, 4, 1000
SEGMENTS = 2000
WORDS = 25
COMPARED = 100_000


@pytest.mark.parametrize("requests", [1000, 10_000, 100_000, 1_000_000])
def test_planner(benchmark: BenchmarkFixture, requests: int) -> None:
    """Four-way questions after few-shot examples that a thousand questions share."""
    queries = questions(requests)
    rounds = max(1, min(5, 200_000 // requests))
    packs = benchmark.pedantic(plan, args=(queries,), rounds=rounds, iterations=1)
    assert sum(len(pack.ends) for pack in packs) == requests


def questions(requests: int) -> list[Query]:
    """Tokens of so many (question, option) pairs; options of one question stand side by side."""
    generator = random.Random(0)

    def tokens(number: int) -> tuple[int, ...]:
        return tuple(generator.choices(range(VOCABULARY), k=number))

    queries: list[Query] = []
    while len(queries) < requests:
        if len(queries) % (QUESTIONS_A_TASK * OPTIONS) == 0:
            shots = tokens(SHOTS)
        question = shots + tokens(QUESTION)
        for _ in range(OPTIONS):
            option = tokens(OPTION)
            queries.append(Query(question + option[:-1], option))
    return queries[:requests]


@pytest.mark.parametrize("resamples", [10_000])
def test_bootstrap(benchmark: BenchmarkFixture, resamples: int) -> None:
    """The interval of corpus BLEU over 2,000 segments."""
    metric = bleu("en")
    statistics = np.array([metric.measure(*segment) for segment in segments()])
    groups = np.arange(len(statistics))

    def interval() -> Summary:
        (found,) = summarize([(metric, statistics)], groups, seed=0, replicates=resamples)
        return found

    summary = benchmark.pedantic(interval, rounds=3, iterations=1)
    assert summary.value is not None
    assert summary.interval is not None
    assert summary.interval[0] < summary.value < summary.interval[1]


def segments() -> list[tuple[Sample, list[GenerationResponse]]]:
    """Sentences of made-up words, and the same with one word in four changed."""
    generator = random.Random(0)
    words = [f"word{number}" for number in range(5000)]
    made = []
    for number in range(SEGMENTS):
        reference = generator.choices(words, k=generator.randint(5, 2 * WORDS))
        written = [
            generator.choice(words) if generator.random() < 0.25 else word for word in reference
        ]
        sample = Sample(id=str(number), requests=(), references=(" ".join(reference),))
        made.append((sample, [GenerationResponse(" ".join(written), "end")]))
    return made


@pytest.mark.parametrize("runs", [20])
def test_comparison(benchmark: BenchmarkFixture, tmp_path: Path, runs: int) -> None:
    """Runs of 100,000 samples each beside the first of them, ranks included."""
    folders = [tmp_path / f"run-{number}" for number in range(runs)]
    for number, folder in enumerate(folders):
        write_made_up_run(folder, 0.5 + number / 100)
    asked = Task(
        name="made-up",
        family="question_answering",
        version=1,
        data=LocalFile(tmp_path / "unread.jsonl"),
        sample=lambda row: Sample(id=row["id"], requests=()),
        metrics=(ACCURACY,),
    )
    catalogue = Catalogue({asked.name: FoundTask(asked, tmp_path)}, {}, ())

    def compared() -> Comparison:
        return compare_runs(open_runs([*map(str, folders)], None, print), catalogue, Settings())

    comparison = benchmark.pedantic(compared, rounds=3, iterations=1)
    assert len(comparison.rows) == runs - 1
    assert {row.difference.n for row in comparison.rows} == {COMPARED}


def write_made_up_run(folder: Path, share: float) -> None:
    """A run of a model that has so many of the same questions right."""
    right = np.random.default_rng(0).random(COMPARED) < share
    record, results = run(folder.name, {"made-up": task({"acc": metric(right.mean(), None)})})
    write_run(folder, record)
    write_results(folder, results)
    columns = {
        "id": [f"question-{number}" for number in range(COMPARED)],
        "group": pyarrow.nulls(COMPARED, pyarrow.string()),
        "statistics": [f'{{"acc": [{float(one)}], "acc_norm": [0.0]}}' for one in right],
    }
    (folder / "samples").mkdir()
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "samples" / "made-up.parquet")
