"""evaluate(): from tasks and a model to a run folder. Reads top-down."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from evalharness.environment import describe_environment
from evalharness.errors import DataError, UsageError
from evalharness.journal import Journal
from evalharness.measurement import Answered, measure_task
from evalharness.prompts.preparation import PreparedTask, run_id, why_unsupported
from evalharness.records import Backend, Cost, Failure, Instance, Outcome, TokenScoring
from evalharness.results import ModelResult, Results, RunConfiguration, RunRecord, TaskResult
from evalharness.run_folder import is_finished, read_run, write_results, write_run, write_samples
from evalharness.store import STORE_NAME, Responses, Store, request_key
from evalharness.token_pass import (
    TokenScorer,
    in_min_k_parts,
    read_tokens,
    store_tokens,
    with_tokens,
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How many requests of a run are answered; `from_store` of them were known before.

    `unit` is what is counted: in a second pass, texts whose tokens are scored one by one.
    """

    model: str
    answered: int
    total: int
    from_store: int
    unit: str = "requests answered"


@dataclass(frozen=True, slots=True)
class EvaluatedRun:
    """Where a run was written, and what it found.

    `errors` are the tasks that could not be measured or written, with the reason: with any of them
    the run is not finished, and `results` are those of the other tasks. `failures` has, for each
    task with samples that failed, why the first of them did. `unscored` says why texts have no
    log-probabilities of their tokens, and how many, where these were asked for.
    """

    folder: Path
    record: RunRecord
    results: Results
    errors: dict[str, Exception]
    failures: dict[str, str]
    unscored: Mapping[str, int] = field(default_factory=dict)

    @property
    def failed_share(self) -> float:
        """The largest share of failed samples of any task."""
        shares = [task.validity.failed / task.n for task in self.results.tasks.values()]
        return max(shares, default=0.0)


class NothingSupportedError(UsageError):
    """The model can answer none of the tasks; `skipped` says why not for each."""

    def __init__(self, model: str, skipped: dict[str, str]) -> None:
        super().__init__(f"{model} can answer none of the tasks.")
        self.skipped = skipped


def evaluate(
    backend: Backend,
    tasks: Sequence[PreparedTask],
    *,
    output: Path,
    configuration: RunConfiguration,
    command: Sequence[str],
    report: Callable[[Progress], None],
) -> EvaluatedRun:
    """Answer every request of every task with one model, measure, and write the run folder.

    What is in the store of `output` is not asked again. Tasks that this kind of model cannot
    answer are skipped, which run.json says. Log-probabilities of tokens are stored if they are
    asked for and the backend has them; `store_logprobs` of run.json says so. results.json is
    written last, and only when everything else is. Raises NothingSupportedError when all tasks are
    skipped, before anything is written, and DataError when a file cannot be written.
    """
    supported, skipped = split_supported(backend, tasks)
    if not supported:
        raise NothingSupportedError(backend.model.name, skipped)
    scorer = _token_scorer(backend, configuration)
    record = RunRecord(
        run_id=run_id(backend.model, tasks, configuration.seed),
        command=tuple(command),
        configuration=configuration.model_copy(update={"store_logprobs": scorer is not None}),
        model=_model_result(backend),
        environment=describe_environment(),
        tasks={task.name: task.record for task in supported},
        skipped=skipped,
        status="running",
        started=datetime.now(UTC),
    )
    folder = output / record.run_id
    with Store(output / STORE_NAME) as store:
        # A finished run of the same name is the same work: it stays whole until the new one is.
        if not is_finished(folder):
            write_run(folder, record)
        answers = answer_all(backend, supported, store, report)
        unscored = {} if scorer is None else _store_tokens(scorer, answers, store, report)
        tokens = None if scorer is None else store
        results, errors = _measure_all(
            backend, supported, answers, folder, configuration.seed, tokens
        )
    results = _with_noise_of_before(folder, results)
    failures = _failures(answers)
    if errors:
        return EvaluatedRun(folder, record, results, errors, failures, unscored)
    finished = record.model_copy(update={"status": "complete", "finished": datetime.now(UTC)})
    write_run(folder, finished)
    write_results(folder, results)
    return EvaluatedRun(folder, finished, results, {}, failures, unscored)


def _failures(answers: Sequence[Answered]) -> dict[str, str]:
    """The first failure of each task that has any."""
    reasons: dict[str, str] = {}
    for answer in answers:
        if isinstance(answer.outcome, Failure):
            reasons.setdefault(answer.instance.task, answer.outcome.error)
    return reasons


def split_supported(
    backend: Backend, tasks: Sequence[PreparedTask]
) -> tuple[list[PreparedTask], dict[str, str]]:
    """The tasks that the backend can answer, and for the others the reason why not."""
    supported, skipped = [], {}
    for task in tasks:
        reason = why_unsupported(backend, task)
        if reason is None:
            supported.append(task)
        else:
            skipped[task.name] = reason
    return supported, skipped


def count_known(
    backend: Backend, tasks: Sequence[PreparedTask], store: Responses
) -> tuple[int, int]:
    """How many of all requests would be answered from the store, and how many there are."""
    supported, _ = split_supported(backend, tasks)
    instances = [instance for task in supported for instance in task.instances()]
    places = _places(backend, instances)
    known = store.known(list(places)) if backend.model.reusable else {}
    return sum(len(places[key]) for key in known), len(instances)


def answer_all(
    backend: Backend,
    tasks: Sequence[PreparedTask],
    store: Store,
    report: Callable[[Progress], None],
) -> list[Answered]:
    """Every instance of every task with its outcome, from the store or from the backend."""
    instances = [instance for task in tasks for instance in task.instances()]
    places = _places(backend, instances)
    outcomes: dict[int, Outcome] = {}
    known = store.known(list(places)) if backend.model.reusable else {}
    for key, response in known.items():
        outcomes.update(_spread(response, places[key]))
    from_store = frozenset(outcomes)

    def tell() -> None:
        report(Progress(backend.model.name, len(outcomes), len(instances), len(from_store)))

    tell()
    missing = [key for key in places if key not in known]
    asked = [instances[places[key][0]] for key in missing]
    with Journal(store, keep=backend.model.reusable) as journal:
        for index, outcome in backend.answer(asked):
            journal.add(missing[index], outcome)
            outcomes.update(_spread(outcome, places[missing[index]]))
            tell()
    return [
        Answered(instance, outcomes[index], index in from_store)
        for index, instance in enumerate(instances)
    ]


def _places(backend: Backend, instances: Sequence[Instance]) -> dict[str, list[int]]:
    """For each key the instances that one answer serves: equal requests are asked once."""
    places: dict[str, list[int]] = {}
    for index, instance in enumerate(instances):
        if backend.model.reusable:
            key = request_key(backend.model.fingerprint, instance.request)
        else:
            key = str(index)
        places.setdefault(key, []).append(index)
    return places


def _spread(outcome: Outcome, places: Sequence[int]) -> Iterator[tuple[int, Outcome]]:
    """One outcome for several instances: its cost is counted once."""
    yield places[0], outcome
    if len(places) == 1:
        return
    free = outcome if isinstance(outcome, Failure) else replace(outcome, cost=Cost())
    yield from ((place, free) for place in places[1:])


def _token_scorer(backend: Backend, configuration: RunConfiguration) -> TokenScorer | None:
    """The backend, if tokens are to be stored and it can score them."""
    wanted = configuration.store_logprobs
    return backend if wanted and isinstance(backend, TokenScoring) else None


def _store_tokens(
    scorer: TokenScorer,
    answers: Sequence[Answered],
    store: Store,
    report: Callable[[Progress], None],
) -> Mapping[str, int]:
    def tell(done: int, total: int, from_store: int) -> None:
        report(Progress(scorer.model.name, done, total, from_store, "texts scored by token"))

    return store_tokens(scorer, answers, store, tell)


def _measure_all(
    backend: Backend,
    tasks: Sequence[PreparedTask],
    answers: Sequence[Answered],
    folder: Path,
    seed: int,
    tokens_in: Store | None,
) -> tuple[Results, dict[str, Exception]]:
    """The results of the tasks that could be measured, and for the others what went wrong.

    tokens_in: where the tokens of the answers are stored, if they are
    """
    own: dict[str, list[Answered]] = {task.name: [] for task in tasks}
    for answer in answers:
        own[answer.instance.task].append(answer)
    results: dict[str, TaskResult] = {}
    errors: dict[str, Exception] = {}
    for task in tasks:
        # A metric may be a stranger's: what it gets wrong takes nothing from the other tasks.
        try:
            given = own[task.name]
            tokens = (
                {}
                if tokens_in is None
                else read_tokens(backend.model.fingerprint, given, tokens_in)
            )
            result, rows = measure_task(
                in_min_k_parts(task, tokens),
                given,
                seed=seed,
                peak_memory_bytes=backend.peak_memory_bytes,
                render=backend.render,
            )
            write_samples(folder, task.name, with_tokens(rows, tokens))
        except Exception as error:
            errors[task.name] = error
        else:
            results[task.name] = result
    found = Results(
        run_id=folder.name,
        model=_model_result(backend),
        tasks=results,
        load_seconds=backend.load_seconds,
    )
    return found, errors


def _with_noise_of_before(folder: Path, results: Results) -> Results:
    """A noise floor that was found before is kept as long as the scores are the same."""
    if not is_finished(folder):
        return results
    try:
        _, before = read_run(folder)
    except DataError:  # a damaged run is written anew
        return results
    tasks = {}
    for name, task in results.tasks.items():
        old = before.tasks.get(name)
        same = old is not None and old.metrics == task.metrics
        tasks[name] = task.model_copy(update={"noise": old.noise}) if old and same else task
    return results.model_copy(update={"tasks": tasks})


def _model_result(backend: Backend) -> ModelResult:
    values = asdict(backend.model)
    del values["reusable"]
    return ModelResult(**values)
