"""Every request is answered once, kept at once, and counted where it belongs."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from evalharness.metrics.multiple_choice import ACCURACY
from evalharness.prompts.preparation import PreparedTask, prepare
from evalharness.records import (
    Cost,
    DataIdentity,
    Failure,
    Instance,
    LogLikelihood,
    LogLikelihoodResponse,
    Model,
    Outcome,
    Request,
    Row,
    Sample,
    Task,
    whole_prompt,
)
from evalharness.results import RunConfiguration
from evalharness.runner import Progress, answer_all, evaluate
from evalharness.samples import multiple_choice
from evalharness.store import Store


class Rows:
    """A source of numbers."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = numbers

    def rows(self) -> Iterator[Row]:
        for number in self._numbers:
            yield Row({"number": number}, f"row {number}")

    def identity(self) -> DataIdentity:
        return DataIdentity("numbers", "1")


def question(row: Row) -> Sample:
    number = row["number"]
    return multiple_choice(
        id=str(number), prompt=f"{number}?", choices=["yes", "no"], gold=number % 2
    )


def task(name: str, numbers: Sequence[int]) -> PreparedTask:
    made = Task(
        name=name,
        family="question_answering",
        version=1,
        data=Rows(numbers),
        sample=question,
        metrics=(ACCURACY,),
    )
    return prepare(made, limit=None, num_fewshot=0, seed=0)


class Fake:
    """Likes "yes", answers backwards, fails at the prompt `broken`, and notes what it is asked."""

    load_seconds = 0.0
    peak_memory_bytes = 1
    has_chat_template = False

    def __init__(self, broken: str = "") -> None:
        self.asked: list[LogLikelihood] = []
        self.broken = broken
        self.model = Model("fake:x", "fake", "f" * 64, "none", 0, "none", "none", 99)

    def render(self, request: Request) -> str:
        return str(whole_prompt(request))

    def unsupported(self, instance: Instance) -> str | None:  # noqa: ARG002
        return None

    def answer(self, instances: Sequence[Instance]) -> Iterator[tuple[int, Outcome]]:
        for index in reversed(range(len(instances))):
            request = instances[index].request
            assert isinstance(request, LogLikelihood)
            self.asked.append(request)
            if request.prompt == self.broken:
                yield index, Failure("broken")
            else:
                value = -1.0 if request.continuation == " yes" else -2.0
                yield index, LogLikelihoodResponse(value, 1, greedy=False, cost=Cost(1.0, 5, 5))


def run(fake: Fake, tasks: list[PreparedTask], folder: Path) -> dict[str, float | None]:
    done = evaluate(
        fake,
        tasks,
        output=folder,
        configuration=RunConfiguration(limit=None, num_fewshot=0, seed=0),
        command=("test",),
        report=lambda _: None,
    )
    return {name: result.metrics["acc"].value for name, result in done.results.tasks.items()}


def test_each_task_is_measured_by_its_own_answers(tmp_path: Path) -> None:
    """The answer "yes" is right where the number is even."""
    tasks = [task("even", range(0, 20, 2)), task("odd", range(1, 20, 2)), task("all", range(8))]
    assert run(Fake(), tasks, tmp_path) == {"even": 1.0, "odd": 0.0, "all": 0.5}


def test_equal_requests_of_several_tasks_are_asked_once_and_cost_once(tmp_path: Path) -> None:
    fake = Fake()
    tasks = [task("one", range(5)), task("two", range(3, 9))]
    with Store(tmp_path / "responses.sqlite") as store:
        answers = answer_all(fake, tasks, store, lambda _: None)
    assert len(fake.asked) == len(set(fake.asked)) == 2 * 9
    assert [answer.instance for answer in answers] == [
        instance for one in tasks for instance in one.instances()
    ]
    outcomes = [answer.outcome for answer in answers]
    assert all(isinstance(outcome, LogLikelihoodResponse) for outcome in outcomes)
    costs = [one.cost.seconds for one in outcomes if isinstance(one, LogLikelihoodResponse)]
    assert sum(costs) == 2 * 9


def test_what_failed_is_asked_again_and_the_rest_is_not(tmp_path: Path) -> None:
    tasks = [task("one", range(5))]
    said: list[Progress] = []
    with Store(tmp_path / "responses.sqlite") as store:
        answer_all(Fake(broken="3?"), tasks, store, said.append)
        again = Fake()
        answers = answer_all(again, tasks, store, said.append)
    assert {request.prompt for request in again.asked} == {"3?"}
    assert [answer.from_store for answer in answers] == [True] * 6 + [False] * 2 + [True] * 2
    assert (said[-1].answered, said[-1].total, said[-1].from_store) == (10, 10, 8)


def test_answers_are_kept_when_the_run_is_interrupted(tmp_path: Path) -> None:
    tasks = [task("one", range(5))]

    def interrupt(progress: Progress) -> None:
        if progress.answered == 4:
            raise KeyboardInterrupt

    with Store(tmp_path / "responses.sqlite") as store:
        with pytest.raises(KeyboardInterrupt):
            answer_all(Fake(), tasks, store, interrupt)
        again = Fake()
        answer_all(again, tasks, store, lambda _: None)
    assert len(again.asked) == 10 - 4


class Choosy(Fake):
    """Can answer the task "first" only."""

    def unsupported(self, instance: Instance) -> str | None:
        return None if instance.task == "first" else "it is not the first"


def test_a_run_that_skips_a_task_is_another_than_one_that_was_not_asked_it(tmp_path: Path) -> None:
    """Both had one folder: the second run took the place of the first, and told of no task less."""
    tasks = [task("first", range(3)), task("second", range(3))]
    names = []
    for asked in (tasks[:1], tasks, tasks):
        done = evaluate(
            Choosy(),
            asked,
            output=tmp_path,
            configuration=RunConfiguration(limit=None, num_fewshot=0, seed=0),
            command=("evalharness",),
            report=lambda _: None,
        )
        names.append(done.folder.name)
        assert set(done.results.tasks) == {"first"}
    assert names[0] != names[1] == names[2]
