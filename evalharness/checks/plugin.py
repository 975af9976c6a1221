"""tasks validate: is a plugin sound, on its real data and for answers of every kind?"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evalharness.backends import open_backend
from evalharness.discovery import Catalogue, FoundTask, find_tasks
from evalharness.errors import EvalharnessError, UsageError, did_you_mean
from evalharness.measurement import Answered, measure_task
from evalharness.prompts.preparation import PreparedTask, prepare
from evalharness.records import (
    Generation,
    GenerationResponse,
    LogLikelihood,
    LogLikelihoodResponse,
    Metric,
    Outcome,
    Request,
    Sample,
    Task,
    whole_prompt,
)
from evalharness.results import TaskResult
from evalharness.samples.shots import solved, with_shots

# Enough to see what an answer does to a score; the random baseline is as quick.
MEASURED = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: of which task, what, whether it is well, and what was found."""

    task: str
    name: str
    ok: bool
    detail: str


def check_plugins(path: Path) -> Iterator[Finding]:
    """Look at the plugin in a file, or at all of a folder. Its code is run.

    Raises UsageError when there is no plugin at the path.
    """
    folder = path if path.is_dir() else path.parent
    if not path.exists() or (path.is_file() and path.suffix != ".py"):
        near = folder.glob("*.py") if folder.is_dir() else ()
        hint = did_you_mean(path.name, [one.name for one in near])
        raise UsageError(f"there is no plugin {path}: give a .py file or a folder of them.{hint}")
    catalogue = find_tasks([folder])
    looked_at = 0
    for plugin in catalogue.broken:
        if _is_at(plugin.path, path):
            looked_at += 1
            yield Finding(plugin.path.name, "loads", False, plugin.error)
    for found in catalogue.tasks.values():
        if _is_at(found.path, path):
            looked_at += 1
            yield from check_task(found)
    for name, template in catalogue.templates.items():
        if _is_at(template.path, path):
            looked_at += 1
            for argument in template.template.examples:
                yield from _check_example(catalogue, f"{name}:{argument}")
    if not looked_at:
        raise UsageError(f"{path} has no plugins: .py files, not in data/ or tests/, with TASKS.")


def _check_example(catalogue: Catalogue, name: str) -> Iterator[Finding]:
    """The task that a template makes, which a plugin's code may fail to do."""
    try:
        found = catalogue.find(name)
    except EvalharnessError as error:
        yield Finding(name, "is made", False, str(error))
        return
    yield from check_task(found)


def _is_at(plugin: Path, path: Path) -> bool:
    return plugin.resolve().is_relative_to(path.resolve())


def check_task(found: FoundTask) -> Iterator[Finding]:
    """All that is looked at of one task; what rests on unsound rows is left out."""
    task = found.task
    try:
        prepared = prepare(task, limit=None, num_fewshot=0, seed=0)
    except EvalharnessError as error:
        yield Finding(task.name, "rows become samples", False, str(error))
        return
    yield Finding(
        task.name, "rows become samples", True, f"{prepared.record.n} with ids of their own"
    )
    for name, check in _CHECKS:
        try:
            problem, detail = check(prepared)
        except EvalharnessError as error:
            problem, detail = str(error), ""
        yield Finding(task.name, name, not problem, problem or detail)


Checked = tuple[str, str]
"""What is wrong, or "", and else what was found."""


def _stable(task: PreparedTask) -> Checked:
    again = prepare(task.task, limit=None, num_fewshot=0, seed=0)
    if [one.id for one in again.samples] != [one.id for one in task.samples]:
        return "read again, the rows have other ids or another order", ""
    if again.record.prompt_hash != task.record.prompt_hash:
        return "read again, the same rows ask something else", ""
    return "", "read again, the samples are the same"


def _size(task: PreparedTask) -> Checked:
    declared = task.task.size
    if declared and declared != task.record.n:
        return f"size={declared}, but there are {task.record.n} samples", ""
    return "", f"{task.record.n} samples" + ("" if declared else "; size= is not given")


def _described(task: PreparedTask) -> Checked:
    missing = [name for name in ("description", "licence") if not getattr(task.task, name)]
    # A licence is nobody's fault to lack: it is said, and breaks nothing.
    return "", f"not given: {', '.join(missing)}" if missing else "description and licence"


def _targets(task: PreparedTask) -> Checked:
    without = [sample.id for sample in task.samples if not _has_target(sample)]
    if without:
        return f"{len(without)} samples have no right answer, the first {without[0]!r}", ""
    if not any(map(_needs_target, task.samples)):
        return "", "none needs one, for what is looked at is how likely texts are"
    return "", "every sample has one"


def _has_target(sample: Sample) -> bool:
    if isinstance(sample.requests[0], Generation):
        return any(one.strip() for one in (*sample.references, sample.target))
    return bool(sample.gold) or not _needs_target(sample)


def _needs_target(sample: Sample) -> bool:
    """Texts whose likelihoods are compared, or that are scored as a whole, need none."""
    return isinstance(sample.requests[0], Generation) or bool(sample.target)


def _joins(task: PreparedTask) -> Checked:
    for sample in task.samples:
        for request in sample.requests:
            if problem := _join_problem(request):
                return f"sample {sample.id!r}: {problem}", ""
    return "", "one space between prompt and answer"


def _join_problem(request: Request) -> str:
    prompt = whole_prompt(request)
    if not isinstance(prompt, str) or not isinstance(request, LogLikelihood | Generation):
        return ""
    if isinstance(request, Generation):
        ends = prompt != prompt.rstrip(" ")
        return "the prompt ends with a space, which a model's answer begins with" if ends else ""
    if not prompt:
        return ""
    before, after = prompt[-1], request.continuation[0]
    where = f"...{prompt[-12:]!r} and {request.continuation[:12]!r}..."
    if before.isspace() and after.isspace() and before != "\n":
        return f"a doubled space between {where}"
    if before.isalnum() and after.isalnum() and (before + after).isascii():
        return f"no space between {where}"
    return ""


def _examples(task: PreparedTask) -> Checked:
    own = task.task
    if own.shots is None:
        return "", "the task has none"
    shots = prepare(_of_shots(own), limit=None, num_fewshot=0, seed=0).samples
    tested = {solved(sample) for sample in task.samples}
    for shot in shots:
        if solved(shot) in tested:
            return f"the example {shot.id!r} is also evaluated", ""
    shown = str(whole_prompt(with_shots(task.samples[0], shots[:1]).requests[0]))
    if "  " in solved(shots[0]) and "  " not in shots[0].source:
        return f"a doubled space in the example {solved(shots[0])!r:.120}", ""
    return "", f"{len(shots)}, none of which is evaluated; a prompt begins {shown!r:.60}"


def _of_shots(task: Task) -> Task:
    """A task of the examples, so that they are read as its rows are."""
    assert task.shots is not None
    return replace(task, data=task.shots, shots=None)


def _scores(task: PreparedTask) -> Checked:
    """Metrics of perfect and of empty answers: defined, within bounds, the perfect ones best."""
    some = _first(task)
    best = _measured(some, _perfect)
    worst = _measured(some, _empty)
    primary = task.task.metrics[0]
    right = any(map(_needs_target, some.samples))
    undefined = []
    for metric in task.task.metrics:
        high, low = best.metrics[metric.name].value, worst.metrics[metric.name].value
        if high is None or low is None:
            undefined.append(metric.name)
        elif right and (problem := _score_problem(metric, high, low)):
            return problem, ""
    if primary.name in undefined:
        return f"{primary.name}, the primary one, is undefined for perfect or for empty answers", ""
    names = ("perfect", "empty") if right else ("the first text likeliest", "another")
    values = (_shown(found, primary.name) for found in (best, worst))
    shown = ", ".join(map(" ".join, zip(names, values, strict=True)))
    more = f"; undefined for one of them: {', '.join(undefined)}" if undefined else ""
    return "", f"{primary.name}: {shown}{more}"


def _score_problem(metric: Metric, best: float, worst: float) -> str:
    if metric.ideal is not None:
        return ""
    if (best < worst) if metric.higher_is_better else (best > worst):
        return f"{metric.name}: perfect answers get {best:.4g}, empty ones {worst:.4g}"
    return ""


def _random(task: PreparedTask) -> Checked:
    some = _first(task)
    backend = open_backend("baseline:random")
    instances = list(some.instances())
    answerable = all(backend.unsupported(instance) is None for instance in instances)
    if not answerable:
        return "", "it cannot answer this task"
    outcomes = dict(backend.answer(instances))
    result = _result(some, [outcomes[index] for index in range(len(instances))])
    scores = (f"{name} {_shown(result, name)}" for name in result.metrics)
    return "", f"{', '.join(scores)} on {some.record.n} samples"


def _first(task: PreparedTask) -> PreparedTask:
    limit = min(MEASURED, task.record.n)
    return prepare(task.task, limit=limit, num_fewshot=0, seed=0)


def _measured(task: PreparedTask, answer: Callable[[Sample, int], Outcome]) -> TaskResult:
    return _result(task, [answer(instance.sample, instance.index) for instance in task.instances()])


def _result(task: PreparedTask, outcomes: Sequence[Outcome]) -> TaskResult:
    answers = [
        Answered(instance, outcome, from_store=False)
        for instance, outcome in zip(task.instances(), outcomes, strict=True)
    ]
    return measure_task(task, answers, seed=0, peak_memory_bytes=0)[0]


def _perfect(sample: Sample, index: int) -> Outcome:
    """The right answer: a reference, or the right option likeliest; the first where none is."""
    if isinstance(sample.requests[index], Generation):
        text = next(iter(sample.references), sample.target)
        return GenerationResponse(f" {text}\n", "stop")
    likeliest = index in (sample.gold or (0,))
    return LogLikelihoodResponse(-1.0 if likeliest else -100.0, 1, likeliest)


def _empty(sample: Sample, index: int) -> Outcome:
    """No text at all, or a wrong option likeliest."""
    if isinstance(sample.requests[index], Generation):
        return GenerationResponse("", "end")
    return LogLikelihoodResponse(-100.0 if index in (sample.gold or (0,)) else -1.0, 1, False)


def _shown(result: TaskResult, name: str) -> str:
    value = result.metrics[name].value
    return "undefined" if value is None else f"{value:.4g}"


_CHECKS: tuple[tuple[str, Callable[[PreparedTask], Checked]], ...] = (
    ("stable", _stable),
    ("size", _size),
    ("described", _described),
    ("right answers", _targets),
    ("prompt joins", _joins),
    ("few-shot examples", _examples),
    ("metrics", _scores),
    ("baseline:random", _random),
)
