"""The noise floor: how far scores move when only the way of computing them changes.

Sums of floating-point numbers depend on their order, and the order on the batch (He 2025, Defeating
Nondeterminism in LLM Inference). A part of the samples is answered again in batches of another
size, or in another dtype; what moves then is no difference between models.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evalharness.measurement import Answered, group_codes, guarded, measure_task
from evalharness.prompts.preparation import PreparedTask
from evalharness.records import (
    Backend,
    GenerationResponse,
    LogLikelihoodResponse,
    Metric,
    Outcome,
    Sample,
    Statistics,
)
from evalharness.results import Jitter, NoiseFloor
from evalharness.run_folder import write_results
from evalharness.runner import EvaluatedRun
from evalharness.statistics.intervals import normal_quantile
from evalharness.statistics.paired import compare_pair
from evalharness.statistics.summaries import LEVEL
from evalharness.store import STORE_NAME, Responses, request_key

SHARE, LEAST = 0.02, 10
"""Of a task's samples, and at least so many, are answered again."""
_MOVED = 1e-3


@dataclass(frozen=True, slots=True)
class OtherWay:
    """Another way to compute the same answers; `open` gives the backend that goes it."""

    name: str
    open: Callable[[], Backend]


@dataclass(frozen=True, slots=True)
class _Part:
    """The samples of a task that are answered again, with their first answers; `n` are all."""

    task: PreparedTask
    first: list[Answered]
    n: int


def add_noise_floor(
    run: EvaluatedRun, tasks: Sequence[PreparedTask], ways: Sequence[OtherWay], *, seed: int
) -> EvaluatedRun:
    """The same run, whose results say for each task how far it moves in each of the ways.

    The first answers are those in the store. results.json is written again. Raises what a backend
    raises, and leaves the results as they were then.
    """
    if run.errors:
        return run
    with Responses(run.folder.parent / STORE_NAME) as store:
        parts = [
            _part(task, run.results.model.fingerprint, store, seed)
            for task in tasks
            if task.name in run.results.tasks
        ]
    found: dict[str, list[NoiseFloor]] = {part.task.name: [] for part in parts}
    for way in ways:
        for part, again in zip(parts, _answer_again(way.open(), parts), strict=True):
            found[part.task.name].append(_floor(way.name, part, again, seed))
    results = run.results.model_copy(
        update={
            "tasks": {
                name: task.model_copy(update={"noise": tuple(found.get(name, ()))})
                for name, task in run.results.tasks.items()
            }
        }
    )
    write_results(run.folder, results)
    return replace(run, results=results)


def drawn_samples(task: PreparedTask, *, seed: int) -> list[Sample]:
    """The samples of a task that are answered again, by chance."""
    wanted = min(len(task.samples), max(LEAST, math.ceil(SHARE * len(task.samples))))
    return random.Random(f"{seed} noise {task.name}").sample(task.samples, wanted)


def _part(task: PreparedTask, fingerprint: str, store: Responses, seed: int) -> _Part:
    """Of the samples that were drawn those of which all requests were answered."""
    drawn = drawn_samples(task, seed=seed)
    keys = {
        sample.id: [request_key(fingerprint, request) for request in sample.requests]
        for sample in drawn
    }
    known = store.known([key for own in keys.values() for key in own])
    chosen = replace(
        task, samples=tuple(s for s in drawn if all(key in known for key in keys[s.id]))
    )
    first = [
        Answered(instance, known[keys[instance.sample.id][instance.index]], from_store=True)
        for instance in chosen.instances()
    ]
    return _Part(chosen, first, len(task.samples))


def _answer_again(backend: Backend, parts: Sequence[_Part]) -> list[list[Answered]]:
    instances = [instance for part in parts for instance in part.task.instances()]
    outcomes: dict[int, Outcome] = dict(backend.answer(instances))
    answered = iter(
        [Answered(instance, outcomes[place], False) for place, instance in enumerate(instances)]
    )
    return [[next(answered) for _ in part.first] for part in parts]


def _floor(way: str, part: _Part, again: Sequence[Answered], seed: int) -> NoiseFloor:
    pairs = [
        (first.outcome, second.outcome) for first, second in zip(part.first, again, strict=True)
    ]
    before, after = (_measured(part.task, answers, seed) for answers in (part.first, again))
    both = [sample for sample in part.task.samples if sample.id in before.keys() & after.keys()]
    statistics = {
        metric.name: (_column(before, both, metric), _column(after, both, metric))
        for metric in part.task.task.metrics
    }
    return NoiseFloor(
        way=way,
        samples=len(both),
        changed=_changed(*statistics[part.task.task.metrics[0].name]) if both else 0,
        texts=_changed_texts(pairs),
        largest=_largest_change(pairs),
        metrics={
            metric.name: _jitter(
                guarded(part.task, metric), *statistics[metric.name], both, part.n, seed
            )
            for metric in (part.task.task.metrics if both else ())
        },
    )


def _measured(
    task: PreparedTask, answers: Sequence[Answered], seed: int
) -> dict[str, dict[str, list[float]]]:
    """The statistics of the samples that did not fail, by id."""
    _, rows = measure_task(task, answers, seed=seed, peak_memory_bytes=0)
    return {row.id: row.statistics for row in rows if row.statistics is not None}


def _column(
    measured: dict[str, dict[str, list[float]]], samples: Sequence[Sample], metric: Metric
) -> Statistics:
    return np.array([measured[sample.id][metric.name] for sample in samples], dtype=float)


def _changed(first: Statistics, second: Statistics) -> int:
    same = np.isclose(first, second, rtol=_MOVED, atol=1e-12)
    return int((~same.all(axis=1)).sum())


def _jitter(
    metric: Metric,
    first: Statistics,
    second: Statistics,
    samples: Sequence[Sample],
    n: int,
    seed: int,
) -> Jitter:
    """How far the score moved, and may move on all n samples.

    Of m samples whose score moved by d, with a standard error s, each adds to the difference with a
    mean square of m s^2 + d^2; the mean of n independent ones has a variance of 1 / n of that.
    """
    found = compare_pair(metric, second, first, group_codes(samples), seed=seed)
    width = None
    if found.difference is not None and math.isfinite(found.stderr):
        width = normal_quantile(LEVEL) * math.sqrt(
            (len(first) * found.stderr**2 + found.difference**2) / n
        )
    return Jitter(difference=found.difference, half_width=width)


def _changed_texts(pairs: Iterable[tuple[Outcome, Outcome]]) -> int | None:
    texts = [
        first.text != second.text
        for first, second in pairs
        if isinstance(first, GenerationResponse) and isinstance(second, GenerationResponse)
    ]
    return sum(texts) if texts else None


def _largest_change(pairs: Iterable[tuple[Outcome, Outcome]]) -> float | None:
    changes = [
        abs(first.log_probability - second.log_probability)
        for first, second in pairs
        if isinstance(first, LogLikelihoodResponse) and isinstance(second, LogLikelihoodResponse)
    ]
    return max(changes, default=None)
