"""Before anything is answered: rows become samples, few-shot examples are drawn, all is checked."""

import hashlib
import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from evalharness.canonical import canonical
from evalharness.errors import DataError, UsageError
from evalharness.records import (
    Backend,
    DataIdentity,
    Instance,
    Model,
    Request,
    Row,
    Sample,
    Source,
    Task,
    as_text,
    whole_prompt,
)
from evalharness.results import TaskRecord
from evalharness.samples.shots import solved, with_shots
from evalharness.sources import UnreachableError
from evalharness.validation import check_sample, plugin_code

_END = object()
_MARK = "⟦null⟧"

Render = Callable[[Request], str]
"""All that a model is given for a request, as text: Backend.render."""


def render_plainly(request: Request) -> str:
    """The prompt itself, where no model renders it."""
    return as_text(whole_prompt(request))


@dataclass(frozen=True, slots=True)
class PreparedTask:
    """A task with the samples of one run, few-shot `examples` included as shots of each request."""

    task: Task
    samples: tuple[Sample, ...]
    record: TaskRecord
    examples: tuple[Sample, ...] = ()

    @property
    def name(self) -> str:
        return self.task.name

    def instances(self) -> Iterator[Instance]:
        """Every request of every sample, in order."""
        for sample in self.samples:
            for index in range(len(sample.requests)):
                yield Instance(self.task.name, sample, index)


def prepare(task: Task, *, limit: int | None, num_fewshot: int, seed: int) -> PreparedTask:
    """Read the first `limit` rows (all if None) and put `num_fewshot` examples before each prompt.

    A task that defines no examples, such as one that scores whole texts, is run without any, which
    its record says. Raises DataError for a row that is no sample, two samples of one id, no rows at
    all, and an example that is also evaluated; UsageError when the task has not enough examples, or
    asks in a way before which none can stand.
    """
    samples = _samples(task, task.data, limit)
    try:
        shots = _draw_shots(task, num_fewshot, seed, samples)
        prompted = tuple(with_shots(sample, shots) for sample in samples)
    except ValueError as error:
        raise UsageError(f"task {task.name!r}: {error}; run it without --num-fewshot.") from None
    identity = _identity(task, task.data)
    record = TaskRecord(
        version=task.version,
        family=task.family,
        source=identity.name,
        revision=identity.revision,
        n=len(prompted),
        num_fewshot=len(shots),
        prompt_hash=prompt_hash(prompted),
        languages=task.languages,
        licence=task.licence,
        description=task.description,
        caveat=task.caveat,
        content_warning=task.content_warning,
    )
    return PreparedTask(task, prompted, record, tuple(shots))


def _samples(task: Task, source: Source, limit: int | None) -> list[Sample]:
    samples: list[Sample] = []
    location_of: dict[str, str] = {}
    for row in _rows(task, source, limit):
        sample = _sample(task, row)
        if sample.id in location_of:
            raise DataError(
                f"task {task.name!r}: {row.location}: the id {sample.id!r} is also that of "
                f"{location_of[sample.id]}."
            )
        location_of[sample.id] = row.location
        samples.append(sample)
    if not samples:
        raise DataError(f"task {task.name!r}: {_identity(task, source).name} has no rows.")
    return samples


def _rows(task: Task, source: Source, limit: int | None) -> Iterator[Row]:
    """The first rows of a source, which may be a stranger's too."""
    where = f"task {task.name!r}: its data cannot be read"
    with plugin_code(where), _reaching(task):
        rows = iter(source.rows())
    number = 0
    while limit is None or number < limit:
        with plugin_code(where), _reaching(task):
            row = next(rows, _END)
        if row is _END:
            return
        if not isinstance(row, Row):
            raise DataError(f"{where}: expected each row to be a Row, found {row!r:.80}.")
        yield row
        number += 1


@contextmanager
def _reaching(task: Task) -> Iterator[None]:
    """Says what can be done where data cannot be fetched."""
    try:
        yield
    except UnreachableError as error:
        ways = [
            f"take it from elsewhere with --data {task.name}={o.name}" for o in task.alternatives
        ]
        ways += [way.replace("{task}", task.name) for way in error.ways]
        raise DataError(
            f"task {task.name!r}: {error} Where it cannot be reached: {'; '.join(ways)}."
        ) from None


def _identity(task: Task, source: Source) -> DataIdentity:
    where = f"task {task.name!r}: its data cannot be identified"
    with plugin_code(where), _reaching(task):
        identity = source.identity()
    if not isinstance(identity, DataIdentity) or not all(
        isinstance(text, str) for text in (identity.name, identity.revision)
    ):
        raise DataError(f"{where}: expected a DataIdentity of two texts, found {identity!r:.80}.")
    return identity


class _WatchedRow(Row):
    """A row that keeps what a task has read of it; the field read last is at the end."""

    __slots__ = ("read",)

    def __init__(self, row: Row) -> None:
        super().__init__(dict(row), row.location, row.number)
        self.read: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        self.read.pop(name, None)
        self.read[name] = super().__getitem__(name)
        return self.read[name]

    def read_last(self) -> str:
        """For an error that tells nothing of the field that it is about."""
        if not self.read:
            return "No field of the row had been read."
        name, value = list(self.read.items())[-1]
        return f"The field read last is {name!r}: {value!r:.80}."


def _check_nulls(task: Task, row: _WatchedRow, sample: Sample, where: str) -> None:
    """Raises DataError for a field that is null and stands as None in what the task made of it.

    A field may be null where a task expects that, but an f-string writes None without a word. With
    a mark in its place the same sample comes out, but for the mark, where it was written.
    """
    made = repr(sample)
    if "None" not in made:
        return
    for name in [name for name, value in row.read.items() if value is None]:
        try:
            marked = repr(task.sample(Row({**row, name: _MARK}, row.location, row.number)))
        except Exception:  # a text is not what the task expects there
            continue
        if _MARK in marked and marked.replace(_MARK, "None") == made:
            raise DataError(f"{where}: {name}: expected a text, found null.")


def _sample(task: Task, row: Row) -> Sample:
    """A task's own function meets data of strangers here: whatever it raises names the row."""
    where = f"task {task.name!r}: {row.location}"
    watched = _WatchedRow(row)
    try:
        with plugin_code(where):
            sample = task.sample(watched)
    except DataError as error:
        # Other errors have words of the plugin's own.
        if isinstance(error.__cause__, AttributeError | LookupError | TypeError | UnicodeError):
            raise DataError(f"{error} {watched.read_last()}") from error.__cause__
        raise
    check_sample(sample, where)
    _check_nulls(task, watched, sample, where)
    return sample


def _draw_shots(
    task: Task, number: int, seed: int, evaluated: Sequence[Sample]
) -> Sequence[Sample]:
    """The same examples for all samples, so that their text is shared and computed once."""
    if number == 0 or task.shots is None:
        return ()
    pool = _samples(task, task.shots, None)
    if number > len(pool):
        raise UsageError(
            f"task {task.name!r} has {len(pool)} few-shot examples, but {number} are asked for."
        )
    shots = random.Random(f"{seed} {task.name}").sample(pool, number)
    tested = {solved(sample) for sample in evaluated}
    for shot in shots:
        if solved(shot) in tested:
            raise DataError(
                f"task {task.name!r}: the few-shot example {shot.id!r} is one of the samples "
                "that are evaluated."
            )
    return shots


def why_unsupported(backend: Backend, task: PreparedTask) -> str | None:
    """Why the backend cannot be asked the task, by the first request that it refuses, or None."""
    reasons = (backend.unsupported(instance) for instance in task.instances())
    return next((reason for reason in reasons if reason), None)


def prompt_hash(samples: Sequence[Sample]) -> str:
    """sha256 over all that is asked and all that a score depends on, sample by sample."""
    digest = hashlib.sha256()
    for sample in samples:
        content = [
            sample.id,
            [[type(request).__name__, request] for request in sample.requests],
            sample.target,
            sample.references,
            sample.choices,
            sample.gold,
            sample.source,
            sample.group,
        ]
        digest.update(canonical(content) + b"\n")
    return digest.hexdigest()


def run_id(model: Model, tasks: Sequence[PreparedTask], seed: int) -> str:
    """A name that the same work always gets, so that a run started again goes on where it was."""
    content = [
        model.fingerprint,
        [
            [task.name, task.record.version, task.record.prompt_hash, _chat(task.record)]
            for task in tasks
        ],
        seed,
    ]
    digest = hashlib.sha256(canonical(content)).hexdigest()
    readable = re.sub(r"[^a-z0-9.]+", "-", model.name.lower()).strip("-.")[:60]
    return f"{readable or 'model'}-{digest[:10]}"


def _chat(record: TaskRecord) -> dict[str, str | None] | None:
    return None if record.chat is None else record.chat.model_dump()
