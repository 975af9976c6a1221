"""Answers made elsewhere, replayed: outputs:FILE?task=NAME.

FILE.jsonl    an object a line: "id" of a sample and its "text" (or "texts", one for each draw), or
              its "log_probabilities", one for each request in order, with "tokens" where a metric
              divides by them (both where a sample asks for both); "task" where a file answers
              several. Texts are taken as they are.
any other     a text a line, as many lines as the task has samples, in their order

Nothing is guessed: a sample without an answer fails and is named, as is an id that no sample has;
an answer that does not fit its sample, or a second one for it, refuses the file.
"""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evalharness.backends.spec import ModelSpec, parse_options
from evalharness.canonical import canonical
from evalharness.errors import DataError, did_you_mean
from evalharness.records import (
    Failure,
    Generation,
    GenerationResponse,
    Instance,
    LogLikelihoodResponse,
    Model,
    Outcome,
    Request,
    Response,
    Sample,
    as_text,
    whole_prompt,
)
from evalharness.sources.rows import read_rows
from evalharness.validation import first_problem

log = logging.getLogger("evalharness")

VERSION = 1
_SHOWN = 3  # ids named in a message; the rest is counted

Samples = Mapping[str, Mapping[str, Sample]]
"""The samples that are asked for, by task and id, in the order of the data."""


class OutputsOptions(BaseModel):
    """`task` is the task that lines answer which name none."""

    task: str | None = None


_NotPositive = Annotated[float, Field(le=0, allow_inf_nan=False)]
_Positive = Annotated[int, Field(ge=1)]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str | int
    task: str | None = None
    text: str | None = None
    texts: Annotated[list[str], Field(min_length=1)] | None = None
    log_probabilities: Annotated[list[_NotPositive], Field(min_length=1)] | None = None
    tokens: list[_Positive] | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a file says of one sample; `tokens` are 0 where they are not told."""

    where: str
    texts: tuple[str, ...] = ()
    log_probabilities: tuple[float, ...] = ()
    tokens: tuple[int, ...] = ()


class _Answers(Protocol):
    """The content of a file. `tasks` has None where answers name no task."""

    @property
    def tasks(self) -> frozenset[str | None]: ...

    def of(self, samples: Samples) -> Mapping[tuple[str, str], _Answer]:
        """The answers by task and id. Raises DataError for those that cannot be assigned."""
        ...


def open_outputs(spec: ModelSpec) -> "OutputsBackend":
    """Read and check the file. Raises UsageError for wrong options, DataError for a wrong file."""
    options = parse_options(spec, OutputsOptions)
    path = Path(spec.reference).expanduser()
    content = _read(path)
    answers: _Answers
    if path.suffix == ".jsonl":
        answers = _Records(path, content, options.task)
    else:
        answers = _Lines(path, content, options.task)
    identity = [f"outputs {VERSION}", hashlib.sha256(content).hexdigest(), options.task]
    model = Model(
        spec=spec.text,
        name=path.stem,
        fingerprint=hashlib.sha256(canonical(identity)).hexdigest(),
        architecture="none",
        parameters=0,
        dtype="none",
        device="none",
        max_length=0,
        reusable=False,
    )
    return OutputsBackend(model, path, answers)


def _read(path: Path) -> bytes:
    if path.suffix == ".json":
        raise DataError(
            f"{path}: answers in JSON have an object a line. Save them so, and call the file "
            f"{path.stem}.jsonl."
        )
    try:
        return path.read_bytes()
    except FileNotFoundError:
        names = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(f"there is no file {path}.{did_you_mean(path.name, names)}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from None


class OutputsBackend:
    """Answers from a file."""

    load_seconds = 0.0
    peak_memory_bytes = 0
    has_chat_template = False

    def __init__(self, model: Model, path: Path, answers: _Answers) -> None:
        self.model = model
        self._path = path
        self._answers = answers

    def render(self, request: Request) -> str:
        """The prompt itself: what the answers were made from is not known."""
        return as_text(whole_prompt(request))

    def unsupported(self, instance: Instance) -> str | None:
        tasks = self._answers.tasks
        if None in tasks or instance.task in tasks:
            return None
        named = sorted(task for task in tasks if task is not None)
        return (
            f"{self._path} has answers for {_some(named)}, not for this task."
            f"{did_you_mean(instance.task, named)}"
        )

    def check(self, instances: Sequence[Instance]) -> None:
        """Raises DataError when the file does not fit the samples of a run."""
        self._outcomes(_samples(instances))

    def answer(self, instances: Sequence[Instance]) -> Iterator[tuple[int, Outcome]]:
        """Raises DataError, before the first answer, when the file does not fit the samples."""
        samples = _samples(instances)
        outcomes = self._outcomes(samples)
        self._tell_missing(samples, outcomes)
        self._tell_unknown(samples)
        for index, instance in enumerate(instances):
            key = instance.task, instance.sample.id
            if key in outcomes:
                yield index, outcomes[key][instance.index]
            else:
                yield index, Failure(f"{self._path.name} has no answer for the id {key[1]!r}")

    def _outcomes(self, samples: Samples) -> dict[tuple[str, str], tuple[Response, ...]]:
        """The responses to all requests of each sample that has an answer."""
        answers = self._answers.of(samples) if samples else {}
        outcomes = {
            (task, id): _responses(answers[task, id], sample)
            for task, some in samples.items()
            for id, sample in some.items()
            if (task, id) in answers
        }
        for task, some in samples.items():
            if not any((task, id) in outcomes for id in some):
                raise DataError(
                    f"{self._path}: none of its ids is one of the task {task!r}: it has "
                    f"{_some([id for _, id in answers])}, and the task has {_some(list(some))} "
                    "(see evalharness tasks preview)."
                )
        return outcomes

    def _tell_missing(
        self, samples: Samples, outcomes: Mapping[tuple[str, str], tuple[Response, ...]]
    ) -> None:
        for task, some in samples.items():
            missing = [id for id in some if (task, id) not in outcomes]
            if missing:
                log.warning(
                    "%s: %d of %d samples of %s have no answer and fail: %s",
                    *(self._path, len(missing), len(some), task, _some(missing)),
                )

    def _tell_unknown(self, samples: Samples) -> None:
        answers = self._answers.of(samples)
        unknown = [key for key in answers if key[0] in samples and key[1] not in samples[key[0]]]
        if unknown:
            nearest = [
                f"{id!r} ({answers[task, id].where.rpartition(', ')[2]})"
                f"{did_you_mean(id, samples[task])}"
                for task, id in unknown[:_SHOWN]
            ]
            more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
            log.warning(
                "%s: %d of its ids are of no sample that is asked (with --limit, those of samples "
                "left out are among them): %s%s",
                *(self._path, len(unknown), " ".join(nearest), more),
            )


def _samples(instances: Sequence[Instance]) -> Samples:
    samples: dict[str, dict[str, Sample]] = defaultdict(dict)
    for instance in instances:
        samples[instance.task].setdefault(instance.sample.id, instance.sample)
    return samples


def _responses(answer: _Answer, sample: Sample) -> tuple[Response, ...]:
    """The answers to the requests of a sample, in order."""
    written = sum(isinstance(request, Generation) for request in sample.requests)
    asked = {"texts": written, "log_probabilities": len(sample.requests) - written}
    given = {"texts": len(answer.texts), "log_probabilities": len(answer.log_probabilities)}
    for kind, number in asked.items():
        if given[kind] != number:
            raise DataError(
                f"{answer.where}: the sample {sample.id!r} asks for {number} {kind}, but "
                f"{given[kind]} are given."
            )
    texts = iter(answer.texts)
    scores = iter(zip(answer.log_probabilities, answer.tokens, strict=True))
    return tuple(
        GenerationResponse(next(texts), finish="end")
        if isinstance(request, Generation)
        else LogLikelihoodResponse(*next(scores), greedy=False)
        for request in sample.requests
    )


def _some(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def _only_task(path: Path, samples: Samples) -> str:
    """The task that answers belong to which name none. Raises DataError for several."""
    if len(samples) > 1:
        raise DataError(
            f"{path}: it does not say which of {len(samples)} tasks it answers "
            f"({_some(list(samples))}). Give outputs:{path}?task=NAME, or lines of .jsonl with a "
            '"task".'
        )
    return next(iter(samples))


class _Lines:
    """A text a line. Only a line feed ends a line, with or without a carriage return before it."""

    def __init__(self, path: Path, content: bytes, task: str | None) -> None:
        self._path = path
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise DataError(f"{path}, line {line}: not valid UTF-8 ({error.reason}).") from None
        lines = text.removesuffix("\n").split("\n") if text else []
        self._texts = [line.removesuffix("\r") for line in lines]
        self.tasks: frozenset[str | None] = frozenset([task])

    def of(self, samples: Samples) -> Mapping[tuple[str, str], _Answer]:
        task = _only_task(self._path, samples)
        if len(self._texts) != len(samples[task]):
            blank = " (the last one is blank)" if self._texts and not self._texts[-1] else ""
            raise DataError(
                f"{self._path} has {len(self._texts)} lines{blank}, but the task {task!r} asks for "
                f"{len(samples[task])} samples: line and sample could not be told to belong "
                "together. Give every sample a line, run without --limit, or name ids in a .jsonl."
            )
        return {
            (task, id): _Answer(f"{self._path}, line {number}", texts=(text,))
            for number, (id, text) in enumerate(
                zip(samples[task], self._texts, strict=True), start=1
            )
        }


class _Records:
    """Answers by task and id."""

    def __init__(self, path: Path, content: bytes, task: str | None) -> None:
        self._path = path
        self._answers: dict[tuple[str | None, str], _Answer] = {}
        for row in read_rows(content, ".jsonl", str(path)):
            key, answer = _record(row, row.location, task)
            if key in self._answers:
                raise DataError(
                    f"{row.location}: the id {key[1]!r} is answered a second time, after "
                    f"{self._answers[key].where}."
                )
            self._answers[key] = answer
        self.tasks = frozenset(task for task, _ in self._answers)

    def of(self, samples: Samples) -> Mapping[tuple[str, str], _Answer]:
        if None not in self.tasks:
            return {(task or "", id): each for (task, id), each in self._answers.items()}
        only = _only_task(self._path, samples)
        answers: dict[tuple[str, str], _Answer] = {}
        for (task, id), answer in self._answers.items():
            before = answers.setdefault((task or only, id), answer)
            if before is not answer:
                raise DataError(
                    f"{answer.where}: the id {id!r} is answered a second time, after "
                    f"{before.where}."
                )
        return answers


def _record(
    values: Mapping[str, object], where: str, task: str | None
) -> tuple[tuple[str | None, str], _Answer]:
    """Task and id of a line, and its answer. Raises DataError with file, line and key."""
    try:
        line = _Line.model_validate(dict(values))
    except ValidationError as error:
        raise DataError(f"{where}: {first_problem(error, _Line)}") from None
    written = (line.text is not None) + (line.texts is not None)
    if written > 1 or not (written or line.log_probabilities):
        raise DataError(
            f'{where}: expected one of "text" and "texts", or "log_probabilities", or such a text '
            "with log-probabilities where a sample asks for both."
        )
    texts = tuple(line.texts or ()) if line.text is None else (line.text,)
    scores = tuple(line.log_probabilities or ())
    if line.tokens is not None and len(line.tokens) != len(scores):
        raise DataError(
            f"{where}: tokens: expected a number for each of {len(scores)} log_probabilities, "
            f"found {len(line.tokens)}."
        )
    tokens = (0,) * len(scores) if line.tokens is None else tuple(line.tokens)
    chosen = task if line.task is None else line.task
    return (chosen, str(line.id)), _Answer(where, texts, scores, tokens)
