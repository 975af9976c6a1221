"""Runs made up for tests of the report: plausible in form, invented in every figure."""

import random
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalharness.discovery import Catalogue
from evalharness.report.evidence import Evidence, evidence_of, labelled
from evalharness.report.leaderboard import Run
from evalharness.results import (
    MetricResult,
    ModelResult,
    Results,
    RunConfiguration,
    RunRecord,
    SliceResult,
    TaskCost,
    TaskRecord,
    TaskResult,
    Validity,
)
from evalharness.validity import THRESHOLDS


def metric(
    value: float | None,
    interval: tuple[float, float] | None,
    *,
    percent: bool = False,
    higher: bool = True,
    ideal: float | None = None,
) -> MetricResult:
    return MetricResult(
        value=value,
        interval=interval,
        stderr=None,
        higher_is_better=higher,
        ideal=ideal,
        bounds=(0.0, 100.0) if percent else (0.0, 1.0),
        signature="a signature",
    )


def task(metrics: dict[str, MetricResult], *, failed: int = 0, **changes: Any) -> TaskResult:
    values: dict[str, Any] = {
        "version": 1,
        "family": "question_answering",
        "n": 40,
        "num_fewshot": 0,
        "prompt_hash": "aa" * 32,
        "metrics": metrics,
        "slices": {"domain": {"x": SliceResult(n=10, metrics=metrics)}},
        "validity": Validity(samples=40, failed=failed),
        "cost": TaskCost(
            request_seconds=1.5,
            prompt_tokens=1234,
            computed_tokens=999,
            generated_tokens=0,
            peak_memory_bytes=2**30,
            from_store=3,
            requests=160,
        ),
    }
    return TaskResult(**{**values, **changes})


def run(
    name: str,
    tasks: dict[str, TaskResult],
    *,
    limit: int | None = None,
    spec: str | None = None,
    caveat: str = "",
) -> Run:
    run_id = f"run-{zlib.crc32(name.encode()):010}"
    model = ModelResult(
        spec=spec or f"builtin:{name}",
        name=name,
        fingerprint=f"{zlib.crc32(name.encode()):08x}" * 8,
        architecture="LlamaForCausalLM",
        parameters=134_515_008,
        dtype="float32",
        device="cpu",
        max_length=8192,
    )
    record = RunRecord(
        run_id=run_id,
        command=("evalharness", "run"),
        configuration=RunConfiguration(limit=limit, num_fewshot=0, seed=0),
        model=model,
        environment={"evalharness": "0.1.0"},
        tasks={
            key: TaskRecord(
                version=value.version,
                family=value.family,
                source="data.jsonl",
                revision="sha256:00",
                n=value.n,
                num_fewshot=value.num_fewshot,
                prompt_hash=value.prompt_hash,
                description="What the task asks.",
                caveat=caveat,
            )
            for key, value in tasks.items()
        },
        status="complete",
        started=datetime(2026, 1, 2, tzinfo=UTC),
        finished=datetime(2026, 1, 3, tzinfo=UTC),
    )
    return record, Results(run_id=run_id, model=model, tasks=tasks, load_seconds=1.0)


def evidence_of_runs(
    runs: Sequence[Run],
    *,
    baseline: str | None = None,
    thresholds: Mapping[str, float] = THRESHOLDS,
) -> Evidence:
    """What a report is about, of runs whose samples are not at hand."""
    found = labelled([(Path("nowhere"), one) for one in runs])
    nothing = Catalogue({}, {}, ())
    return evidence_of(found, nothing, baseline=baseline, alpha=0.05, thresholds=thresholds)


def many(models: int, tasks: int) -> Sequence[Run]:
    generator = random.Random(0)
    families = ("bias", "question_answering", "summarization", "translation")
    runs = []
    for number in range(models):
        results = {}
        for place in range(tasks):
            value = generator.random()
            scores = {"acc": metric(value, (value - 0.05, value + 0.05))}
            results[f"task-{place}"] = task(scores, family=families[place % 4])
        runs.append(run(f"model-{number}", results))
    return runs
