"""Run folders with samples, made up: four tasks, models of known ability, every figure invented."""

import math
import random
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np

from evalharness.compare.records import ComparedRun
from evalharness.discovery import Catalogue, FoundTask
from evalharness.metrics.aggregation import mean
from evalharness.records import Metric, Row, Sample, Task, TokenScore
from evalharness.report.evidence import Evidence, evidence_of, labelled
from evalharness.results import (
    MetricResult,
    ModelResult,
    Results,
    RunConfiguration,
    RunRecord,
    SampleRow,
    SliceResult,
    TaskCost,
    TaskRecord,
    TaskResult,
    Validity,
)
from evalharness.run_folder import read_run, write_results, write_run, write_samples
from evalharness.statistics.summaries import Summary, summarize

WORDS = [
    "the",
    "river",
    "bends",
    "where",
    "old",
    "willows",
    "lean",
    "and",
    "nobody",
    "counts",
    "the",
    "boats",
    "that",
    "pass",
]


@dataclass(frozen=True)
class MadeTask:
    """A task; `graded` ones score from 0 to 1, others 0 or 1. Ids begin with `ids` or its name.

    One with `options` is multiple choice, whose options are compared per character. The scores of
    one that is not `higher` are errors.
    """

    name: str
    family: str
    graded: bool = False
    options: int = 0
    ideal: float | None = None
    warning: str = ""
    ids: str = ""
    higher: bool = True

    @property
    def metric(self) -> Metric:
        name = "f1" if self.graded else "acc_norm" if self.options else "acc"
        if self.ideal is not None:
            name = "pct_stereotype"
        return Metric(
            name,
            measure=lambda _sample, _responses: (0.0,),
            aggregate=mean(),
            bounds=(0.0, 1.0),
            ideal=self.ideal,
            higher_is_better=self.higher,
            signature="an invented mean",
        )


TASKS = (
    MadeTask("capitals", "question_answering"),
    MadeTask("passages", "question_answering", graded=True),
    MadeTask("headlines", "summarization", graded=True),
    MadeTask("pairs", "bias", ideal=0.5, warning="Sentences that repeat stereotypes."),
)


@dataclass(frozen=True)
class MadeModel:
    """A model that is right with a probability, and what its first samples are to look like.

    With `tokens` the log-probability of each token is stored, with five alternatives; `flags` says
    which sample has one of the flags of a row.
    """

    name: str
    ability: float
    spec: str = ""
    series: str = ""
    step: int | None = None
    failed: int = 0
    unfinished: int = 0
    tasks: tuple[str, ...] = ("capitals", "passages", "headlines", "pairs")
    outputs: dict[int, str] = field(default_factory=dict)
    tokens: bool = False
    flags: dict[str, int] = field(default_factory=dict)


MODELS = (
    MadeModel("aspen-7b", 0.78),
    MadeModel("birch-7b", 0.74),
    MadeModel("cedar-3b", 0.61, unfinished=5),
    MadeModel("dogwood-1b", 0.45, failed=4),
    MadeModel("random", 0.25, spec="baseline:random", tasks=("capitals", "pairs")),
)


def catalogue(tasks: Sequence[MadeTask] = TASKS) -> Catalogue:
    """The tasks as installed."""
    return Catalogue({one.name: _installed(one) for one in tasks}, {}, ())


def _installed(task: MadeTask) -> FoundTask:
    def nothing(_row: Row) -> Sample:
        raise AssertionError("no sample is made")

    made = Task(
        name=task.name,
        family=cast("Any", task.family),
        version=1,
        data=cast("Any", None),
        sample=nothing,
        metrics=(task.metric,),
    )
    return FoundTask(made, Path("made.py"))


def write_runs(
    folder: Path,
    *,
    models: Sequence[MadeModel] = MODELS,
    tasks: Sequence[MadeTask] = TASKS,
    samples: int = 120,
) -> list[Path]:
    """A run folder for each model, below `folder`; models share what is hard about a sample."""
    return [_write_run(folder, model, tasks, samples) for model in models]


def evidence(
    folders: Sequence[Path], *, baseline: str | None = None, tasks: Sequence[MadeTask] = TASKS
) -> Evidence:
    """The evidence of run folders that were written by `write_runs`."""
    return evidence_of(read(folders), catalogue(tasks), baseline=baseline, alpha=0.05)


def read(folders: Sequence[Path]) -> list[ComparedRun]:
    """The runs of folders, in the order of a report."""
    return labelled([(folder, read_run(folder)) for folder in folders])


def _write_run(folder: Path, model: MadeModel, tasks: Sequence[MadeTask], samples: int) -> Path:
    run_id = f"{model.name[:20]}-{zlib.crc32(f'{model.name}{model.step}'.encode()):08x}"
    place = folder / f"run-{zlib.crc32(run_id.encode()):08x}"
    own = [task for task in tasks if task.name in model.tasks]
    results = {}
    for task in own:
        rows = _rows(model, task, samples)
        write_samples(place, task.name, rows)
        results[task.name] = _result(task, rows, model)
    described = ModelResult(
        spec=model.spec or f"builtin:{model.name}",
        name=model.name,
        fingerprint=f"{zlib.crc32(model.name.encode()):08x}" * 8,
        architecture="LlamaForCausalLM",
        parameters=0 if model.spec else 1_000_000_000,
        dtype="float32",
        device="cpu",
        max_length=8192,
        series=model.series,
        step=model.step,
    )
    record = RunRecord(
        run_id=run_id,
        command=("evalharness", "run"),
        configuration=RunConfiguration(limit=None, num_fewshot=0, seed=0),
        model=described,
        environment={"evalharness": "0.1.0"},
        tasks={task.name: _record(task, samples) for task in own},
        status="complete",
        started=datetime(2026, 1, 2, tzinfo=UTC),
        finished=datetime(2026, 1, 3, tzinfo=UTC),
    )
    write_run(place, record)
    write_results(place, Results(run_id=run_id, model=described, tasks=results, load_seconds=1.0))
    return place


def _record(task: MadeTask, samples: int) -> TaskRecord:
    return TaskRecord(
        version=1,
        family=task.family,
        source=f"{task.name}.jsonl",
        revision="sha256:00",
        n=samples,
        num_fewshot=0,
        prompt_hash="aa" * 32,
        languages=("en",),
        description=f"Invented questions about {task.name}.",
        content_warning=task.warning,
    )


def _rows(model: MadeModel, task: MadeTask, samples: int) -> list[SampleRow]:
    shared = random.Random(task.name)
    own = random.Random(f"{model.name} {model.step} {task.name}")
    rows = []
    for number in range(samples):
        hardness = shared.random()
        target = " ".join(shared.sample(WORDS, 5))
        prompt = f"Question {number}: what is said of {' '.join(shared.sample(WORDS, 6))}?\nAnswer:"
        failed = number < model.failed
        luck = 0.6 * hardness + 0.4 * own.random()
        score = float(luck < model.ability)
        if task.graded:
            score = round(min(1.0, max(0.0, 1.3 * model.ability - luck + 0.3)), 2)
        words = target.split()
        answer = " ".join(words[: max(1, round(len(words) * score))]) if score < 1 else target
        answer = model.outputs.get(number, answer)
        row = SampleRow(
            id=f"{task.ids or task.name}-{number:05}",
            group=None,
            slices={"length": "short" if hardness < 0.5 else "long"},
            prompt_hash="aa" * 32,
            prompts=[prompt],
            target=target,
            references=[target],
            responses=[] if failed else [answer],
            extracted=[] if failed else [answer.strip()],
            statistics=None if failed else {task.metric.name: [score]},
            truncated=False,
            lost_shots=0,
            unfinished=number < model.unfinished,
            unfinished_thinking=False,
            empty=False,
            unparsed=False,
            looped=False,
            doubled_start=False,
            failed=failed,
            error="The server did not answer." if failed else "",
            words=3 + int(30 * hardness),
        )
        if task.options and not failed:
            of_sample = random.Random(f"{task.name} {number}")
            row = _with_options(row, of_sample, own, task.options, right=score == 1)
        if model.tokens and not failed:
            texts = row.continuations or row.responses
            row = replace(row, tokens=[_tokens(text, own) for text in texts])
        rows.append(_flagged(row, number, model))
    return rows


def _flagged(row: SampleRow, number: int, model: MadeModel) -> SampleRow:
    flags: dict[str, Any] = {
        # Some are counts.
        name: type(getattr(row, name))(1)
        for name, place in model.flags.items()
        if place == number
    }
    return replace(row, **flags) if flags else row


def _with_options(
    row: SampleRow, of_sample: random.Random, own: random.Random, number: int, *, right: bool
) -> SampleRow:
    """The same question with options of unequal length, of which the model takes the right one."""
    choices = [" ".join(of_sample.sample(WORDS, of_sample.randint(1, 6))) for _ in range(number)]
    gold = of_sample.randrange(number)
    per_character = [-own.uniform(0.3, 0.6) for _ in choices]
    taken = gold if right else (gold + 1) % number
    per_character[taken] = -0.25
    values = [len(choice) * value for choice, value in zip(choices, per_character, strict=True)]
    return replace(
        row,
        prompts=row.prompts * number,
        target=choices[gold],
        references=[],
        responses=[repr(value) for value in values],
        extracted=[],
        choices=choices,
        gold=[gold],
        continuations=[f" {choice}" for choice in choices],
    )


def _tokens(text: str, own: random.Random) -> list[TokenScore]:
    """Words with the space before them as tokens, each with its five likeliest alternatives."""
    tokens = []
    for word in re.findall(r"\s*\S+|\s+$", text):
        shares = sorted((own.expovariate(1) ** 3 for _ in range(6)), reverse=True)
        words = [f" {one}" for one in own.sample(WORDS, 6)]
        place = min(int(own.expovariate(0.7)), 5)
        words[place] = word
        ranked = [
            (one, math.log(share / sum(shares))) for one, share in zip(words, shares, strict=True)
        ]
        tokens.append(TokenScore(word, ranked[place][1], tuple(ranked[:5])))
    return tokens


def _result(task: MadeTask, rows: Sequence[SampleRow], model: MadeModel) -> TaskResult:
    return TaskResult(
        version=1,
        family=task.family,
        n=len(rows),
        num_fewshot=0,
        prompt_hash="aa" * 32,
        metrics={task.metric.name: _score(task, rows)},
        slices={
            "length": {
                length: SliceResult(n=len(some), metrics={task.metric.name: _score(task, some)})
                for length in ("long", "short")
                if (some := [row for row in rows if row.slices["length"] == length])
            }
        },
        validity=Validity(samples=len(rows), failed=model.failed, unfinished=model.unfinished),
        cost=TaskCost(
            request_seconds=0.0 if model.spec else 4 * model.ability**6 * len(rows),
            prompt_tokens=0 if model.spec else 30 * len(rows),
            computed_tokens=0 if model.spec else 20 * len(rows),
            generated_tokens=0 if model.spec else 5 * len(rows),
            peak_memory_bytes=2**30,
            from_store=0,
            requests=len(rows),
        ),
    )


def _score(task: MadeTask, rows: Sequence[SampleRow]) -> MetricResult:
    found = [row.statistics[task.metric.name] for row in rows if row.statistics is not None]
    summary = Summary(None, None, None)
    if found:
        (summary,) = summarize([(task.metric, np.array(found))], np.arange(len(found)), seed=0)
    return MetricResult(
        value=summary.value,
        interval=summary.interval,
        stderr=summary.stderr,
        method=summary.method,
        higher_is_better=task.higher,
        ideal=task.ideal,
        bounds=(0.0, 1.0),
        signature=task.metric.signature,
    )
