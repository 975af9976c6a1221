"""rescore: metrics of a finished run computed again from stored responses, without a model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from evalharness.backends import open_backend
from evalharness.contamination import SLICE
from evalharness.discovery import Catalogue
from evalharness.errors import DataError
from evalharness.prompts.letters import as_asked
from evalharness.prompts.preparation import PreparedTask, prepare, render_plainly
from evalharness.records import (
    Backend,
    Failure,
    Generation,
    Instance,
    Model,
    Outcome,
    Request,
    Sample,
    Scorable,
    TokenScores,
)
from evalharness.results import Results, RunRecord, SampleRow
from evalharness.run_folder import read_run, read_sample_rows
from evalharness.runner import EvaluatedRun, Progress, evaluate
from evalharness.sources.choice import with_data


def rescore(
    folder: Path,
    catalogue: Catalogue,
    *,
    command: Sequence[str],
    report: Callable[[Progress], None],
) -> EvaluatedRun:
    """Measure the answers of a run again, with the tasks and metrics as they are now.

    The responses are those in the store beside the run folder. A task whose version is another one
    since then makes a run of its own; else the run takes the place of the old one. Baselines and
    replayed outputs, which are not stored, answer again.

    Raises DataError for a run that is not whole, a task that asks something else now, and a
    response that is not stored; UsageError for a task that is no longer there.
    """
    record, results = read_run(folder)
    names = [*record.tasks, *record.skipped]
    tasks = with_data([catalogue.find(name).task for name in names], record.configuration.data)
    asked = record.configuration
    prepared = [
        prepare(task, limit=asked.limit, num_fewshot=asked.num_fewshot, seed=asked.seed)
        for task in tasks
    ]
    stored = StoredAnswers(record, results)
    converted = as_asked(stored, prepared, asked)
    known = []
    for task in converted:
        _check_asked(record, task)
        rows = read_sample_rows(folder, task.name) if task.name in record.tasks else {}
        stored.learn(task, rows)
        known.append(_in_parts(task, rows))
    return evaluate(
        _backend(stored),
        known,
        output=folder.parent,
        configuration=asked,
        command=command,
        report=report,
    )


def _in_parts(task: PreparedTask, rows: Mapping[str, SampleRow]) -> PreparedTask:
    """Samples that were looked for in a training text are in the same parts as then."""

    def parts(sample: Sample) -> Mapping[str, str]:
        before = rows[sample.id].slices if sample.id in rows else {}
        own = {SLICE: before[SLICE]} if SLICE in before else {}
        return {**sample.slices, **own}

    samples = tuple(replace(sample, slices=parts(sample)) for sample in task.samples)
    return replace(task, samples=samples)


def _backend(stored: "StoredAnswers") -> Backend:
    scheme = stored.model.spec.partition(":")[0]
    return open_backend(stored.model.spec) if scheme in ("baseline", "outputs") else stored


def _check_asked(record: RunRecord, task: PreparedTask) -> None:
    before = record.tasks.get(task.name)
    if before is not None and before.prompt_hash != task.record.prompt_hash:
        raise DataError(
            f"the task {task.name!r} asks something else than in the run {record.run_id} (version "
            f"{before.version} then, {task.record.version} now; {before.source} then, "
            f"{task.record.source} now): the answers do not fit. Run the model again."
        )


@dataclass
class StoredAnswers:
    """In the place of a model: what it answered is in the store, where the runner looks first."""

    record: RunRecord
    results: Results
    _prompts: dict[Request, str] = field(default_factory=dict)
    _failures: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        return Model(**self.record.model.model_dump())

    @property
    def load_seconds(self) -> float:
        return self.results.load_seconds

    @property
    def peak_memory_bytes(self) -> int:
        costs = (task.cost.peak_memory_bytes for task in self.results.tasks.values())
        return max(costs, default=0)

    @property
    def has_chat_template(self) -> bool:
        tasks = self.record.tasks.values()
        return self.record.configuration.chat == "on" or any(task.chat for task in tasks)

    @property
    def reads_sources(self) -> bool:
        methods = [task.method for task in self.record.tasks.values()]
        return any(method is not None and method.name == "source" for method in methods)

    def learn(self, task: PreparedTask, rows: Mapping[str, SampleRow]) -> None:
        """Take over, by sample, what the model was shown and which requests failed."""
        for sample in task.samples:
            row = rows.get(sample.id)
            if row is None:
                continue
            self._prompts.update(zip(sample.requests, row.prompts, strict=True))
            if row.failed:
                self._failures[task.name, sample.id] = row.error

    def render(self, request: Request) -> str:
        """The prompt as the model was given it."""
        return self._prompts.get(request) or render_plainly(request)

    def unsupported(self, instance: Instance) -> str | None:
        """What the model could not be asked; in the place of a task asked for letters, its own."""
        task = self.record.tasks.get(instance.task)
        if task and task.method and not isinstance(instance.request, Generation):
            return task.method.reason
        return self.record.skipped.get(instance.task)

    def answer(self, instances: Sequence[Instance]) -> Iterator[tuple[int, Outcome]]:
        """What is not in the store failed before, or is lost. Raises DataError for a lost one."""
        for index, instance in enumerate(instances):
            error = self._failures.get((instance.task, instance.sample.id))
            if error is None:
                raise DataError(
                    f"an answer to the sample {instance.sample.id!r} of {instance.task!r} is not "
                    "in the store beside the run. Run the model again: what is stored is not "
                    "computed again."
                )
            yield index, Failure(error)

    def token_scores(
        self, requests: Sequence[Scorable]
    ) -> Iterator[tuple[int, TokenScores | Failure]]:
        """None: those that the run found are in the store, where the runner looks first."""
        for index, _ in enumerate(requests):
            yield index, Failure("they were not found by the run, or are no longer stored")
