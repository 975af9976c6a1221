"""run --dry-run: what a suite would do."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import click

from evalharness.cli.opening import OpenedModel, open_suite
from evalharness.cli.printing import show
from evalharness.config import Suite
from evalharness.noise import drawn_samples
from evalharness.records import TokenScoring
from evalharness.runner import count_known, split_supported
from evalharness.store import STORE_NAME, Responses


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task as a run would ask it."""

    name: str
    samples: int
    requests: int
    source: str
    revision: str


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """A model as it would be run; `known` of the `requests` that it can answer are in the store.

    store_logprobs  the tokens of all answers would be scored after them, and stored
    noise_floor     how many requests would be asked again, by the way in which they are computed
    """

    name: str
    spec: str
    architecture: str
    parameters: int
    dtype: str
    device: str
    known: int
    requests: int
    store_logprobs: bool
    noise_floor: dict[str, int]


def print_plan(suite: Suite, output_format: str) -> None:
    """What a run would do. Nothing is computed, and no file is made."""
    opened = open_suite(suite)
    tasks = [
        PlannedTask(
            name=task.name,
            samples=task.record.n,
            requests=sum(1 for _ in task.instances()),
            source=task.record.source,
            revision=task.record.revision,
        )
        for task in opened.tasks
    ]
    models = _planned_models(suite, opened.models)
    if output_format == "json":
        plan = {"tasks": [asdict(task) for task in tasks], "models": [asdict(m) for m in models]}
        click.echo(json.dumps(plan, indent=1))
        return
    for task in tasks:
        show(f"task {task.name}: {task.samples} samples, {task.requests} requests")
        show(f"     {task.source} ({task.revision})")
    for model in models:
        show(
            f"model {model.name}: {model.architecture}, {model.parameters:,} parameters, "
            f"{model.dtype} on {model.device}: {model.known} of {model.requests} requests are in "
            "the store"
        )
        if model.store_logprobs:
            show("     token log-probabilities are stored: a second pass over all texts")
        for way, requests in model.noise_floor.items():
            show(f"     noise floor: {requests} requests are asked again in {way}")


def _planned_models(suite: Suite, opened: Sequence[OpenedModel]) -> list[PlannedModel]:
    planned = []
    with Responses(suite.output / STORE_NAME) as responses:
        for one in opened:
            known, total = count_known(one.backend, one.tasks, responses)
            model = one.backend.model
            planned.append(
                PlannedModel(
                    name=model.name,
                    spec=model.spec,
                    architecture=model.architecture,
                    parameters=model.parameters,
                    dtype=model.dtype,
                    device=model.device,
                    known=known,
                    requests=total,
                    store_logprobs=suite.store_logprobs and isinstance(one.backend, TokenScoring),
                    noise_floor=_noise_floor(suite, one),
                )
            )
    return planned


def _noise_floor(suite: Suite, one: OpenedModel) -> dict[str, int]:
    """Each way asks the same samples again."""
    supported, _ = split_supported(one.backend, one.tasks)
    again = [sample for task in supported for sample in drawn_samples(task, seed=suite.seed)]
    return {way.name: sum(len(sample.requests) for sample in again) for way in one.noise}
