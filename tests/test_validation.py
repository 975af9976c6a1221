"""What strangers' plugins give is checked, and said in the words of the field that is wrong."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalharness.discovery import find_tasks
from evalharness.errors import DataError
from evalharness.measurement import Answered, measure_task
from evalharness.metrics.aggregation import mean
from evalharness.metrics.multiple_choice import ACCURACY
from evalharness.prompts.preparation import prepare
from evalharness.records import (
    DataIdentity,
    Generation,
    GenerationResponse,
    LogLikelihood,
    Message,
    Metric,
    PseudoLogLikelihood,
    Response,
    RollingLogLikelihood,
    Row,
    Sample,
    Sampling,
    Task,
)
from evalharness.results import SampleRow, TaskResult
from evalharness.samples import generation
from evalharness.validation import check_sample, task_problem


class Rows:
    """A source of three rows."""

    def rows(self) -> Iterator[Row]:
        for number in range(3):
            yield Row({"number": number}, f"data.jsonl, row {number + 1}")

    def identity(self) -> DataIdentity:
        return DataIdentity("rows", "1")


class One(Rows):
    """A source of one row."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def rows(self) -> Iterator[Row]:
        yield Row(self._fields, "data.jsonl, row 1")


def sample_of(row: Row) -> Sample:
    return generation(id=str(row["number"]), prompt="Q", references=["a"], max_tokens=3)


def constant(_sample: Sample, _responses: Sequence[Response]) -> tuple[float, ...]:
    return (0.5,)


METRIC = Metric("own", constant, mean())
TASK = Task(
    name="mine",
    family="bias",
    version=1,
    data=Rows(),
    sample=sample_of,
    metrics=(METRIC,),
)


def wrong(thing: Any, **fields: Any) -> Any:
    """A copy with fields that the types do not allow."""
    return replace(thing, **fields)


def changed(**fields: Any) -> Task:
    return replace(TASK, **fields)


def with_metric(**fields: Any) -> Task:
    return changed(metrics=(wrong(METRIC, **fields),))


# --- Tasks ---------------------------------------------------------------------------------------

WRONG_TASKS: list[tuple[dict[str, Any], str]] = [
    *(
        ({"name": name}, "name: expected 1 to 100 of the characters")
        for name in ("/abs/evil", "../../../evil", ".hidden", "", "a" * 101, "a\0", "a/b", "a\n",
                     "ä", "\ud800", None, 3)
    ),
    ({"family": "translatoin"}, "found 'translatoin'. Did you mean 'translation'?"),
    ({"family": None}, "family: expected one of translation, question_answering"),
    ({"version": 1.5}, "version: expected a whole number, found 1.5"),
    ({"version": True}, "version: expected a whole number, found True"),
    ({"data": [{"id": 1}]}, "data: expected a source with rows() and identity()"),
    ({"data": Rows}, "data: expected a source with rows() and identity()"),
    ({"shots": []}, "shots: expected a source with rows() and identity()"),
    ({"sample": None}, "sample: expected a function, found None"),
    ({"extract": "strip"}, "extract: expected a function, found 'strip'"),
    ({"languages": "en"}, "languages: expected a tuple of texts, found 'en'"),
    ({"languages": (1,)}, "languages[0]: expected a text, found 1"),
    ({"description": None}, "description: expected a text, found None"),
    ({"licence": "\ud800"}, "licence: '\\ud800' is half of a surrogate pair"),
    ({"metrics": ACCURACY}, "metrics: expected a tuple of one Metric or more, found Metric("),
    ({"metrics": ()}, "metrics: expected a tuple of one Metric or more, found ()"),
    ({"metrics": ("acc",)}, "metrics[0]: expected a Metric, found 'acc'"),
    ({"metrics": (METRIC, METRIC)}, "metrics: two metrics have the name 'own'"),
    *(
        ({"metrics": (wrong(METRIC, bounds=bounds),)}, "metrics[0].bounds: expected two numbers")
        for bounds in ((1, 1), (1, 0), (0, float("nan")), (0,), None, ("a", "b"), {0, 1})
    ),
    ({"metrics": (wrong(METRIC, name=None),)}, "metrics[0].name: expected a text, found None"),
    ({"metrics": (wrong(METRIC, measure=None),)}, "metrics[0].measure: expected a function"),
    ({"metrics": (wrong(METRIC, ideal=float("inf")),)}, "metrics[0].ideal: expected a number"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "message"), WRONG_TASKS)
def test_a_task_with_a_wrong_field_is_refused_by_its_name(
    fields: Mapping[str, Any], message: str
) -> None:
    """A name wrote files outside the run folder; a metric that is no tuple ended `tasks list`."""
    problem = task_problem(changed(**fields))
    assert problem is not None
    assert message in problem


@pytest.mark.parametrize("name", ["a", "wmt14-en.de_v1+x", "counterfactual:toy", "9", "a" * 100])
def test_ordinary_names_are_accepted(name: str) -> None:
    assert task_problem(changed(name=name)) is None


def test_a_wrong_task_is_a_broken_plugin_and_its_neighbours_are_found(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from evalharness.metrics.multiple_choice import ACCURACY\n"
        "from evalharness.records import Task\n"
        "from evalharness.sources import LocalFile\n"
        "from pathlib import Path\n"
        "TASKS = [Task(name=name, family='bias', version=1, data=LocalFile(Path('x.jsonl')),"
        " sample=print, metrics=(ACCURACY,)) for name in ('../../evil', 'good')]\n"
    )
    catalogue = find_tasks([tmp_path])
    assert "good" in catalogue.tasks
    (plugin,) = catalogue.broken
    assert plugin.error.startswith("task '../../evil': name: expected ")


@pytest.mark.parametrize(
    "error", ["SystemExit(0)", "GeneratorExit()", "BaseException('no')", "StopIteration()"]
)
def test_whatever_a_plugin_raises_when_it_is_loaded_breaks_it_alone(
    tmp_path: Path, error: str
) -> None:
    (tmp_path / "mine.py").write_text(f"raise {error}\n")
    (plugin,) = find_tasks([tmp_path]).broken
    assert error.partition("(")[0] in plugin.error


def test_an_interrupt_while_plugins_are_loaded_is_the_users(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        find_tasks([tmp_path])


# --- Samples -------------------------------------------------------------------------------------

LIKELIHOOD = LogLikelihood("p", "c")
DRAWN = Generation("p", 3)
SAMPLE = Sample(
    id="1", requests=(LIKELIHOOD, LIKELIHOOD), choices=("a", "b"), gold=(1,), slices={"x": "y"}
)

WRONG_SAMPLES: list[tuple[dict[str, Any], str]] = [
    ({"id": 1}, "id: expected a text, found 1"),
    ({"id": ["1"]}, "id: expected a text, found ['1']"),
    ({"id": None}, "id: expected a text, found None"),
    ({"id": ""}, "id: expected a text, found an empty one"),
    ({"id": "\ud800"}, "id: '\\ud800' is half of a surrogate pair"),
    ({"requests": None}, "requests: expected a tuple of requests, found None"),
    ({"requests": ()}, "the sample asks the model nothing"),
    ({"requests": ("Q",)}, "requests[0]: expected one of LogLikelihood, Generation"),
    ({"requests": (LIKELIHOOD, LogLikelihood("p", "\ud800"))}, "requests[1].continuation: "),
    ({"target": None}, "target: expected a text, found None"),
    ({"source": None}, "source: expected a text, found None"),
    ({"references": [1]}, "references[0]: expected a text, found 1"),
    ({"references": "abc"}, "references: expected a tuple of texts, found 'abc'"),
    ({"references": ("\ud800",)}, "references[0]: '\\ud800' is half"),
    ({"choices": (1, 2)}, "choices[0]: expected a text, found 1"),
    ({"gold": 1}, "gold: expected a tuple of indexes, found 1"),
    ({"gold": (2,)}, "gold: expected indexes of the 2 choices asked about, found (2,)"),
    ({"gold": (-1,)}, "gold: expected indexes of the 2 choices asked about, found (-1,)"),
    ({"gold": (True,)}, "gold: expected indexes"),
    ({"gold": (1,), "requests": (LIKELIHOOD,)}, "gold: expected indexes of the 1 choices"),
    ({"group": 3}, "group: expected a text, found 3"),
    ({"slices": ["x"]}, "slices: expected a dict of texts, found ['x']"),
    ({"slices": {"x": 1}}, "slices['x']: expected a text, found 1"),
    ({"slices": {1: "x"}}, "the name of a slice: expected a text, found 1"),
]

WRONG_REQUESTS: list[tuple[Any, str]] = [
    (LogLikelihood(None, "c"), ".prompt: expected a text, found None"),  # type: ignore[arg-type]
    (LogLikelihood((), "c"), ".prompt: expected a text, or one Message or more"),
    (LogLikelihood(("hi",), "c"), ".prompt[0]: expected a Message"),  # type: ignore[arg-type]
    (
        Generation((Message("robot", "hi"),), 1),  # type: ignore[arg-type]
        ".prompt[0].role: expected one of system, user, assistant, found 'robot'",
    ),
    (Generation((Message("user", "\ud800"),), 1), ".prompt[0].content: '\\ud800'"),
    (Generation("\udfff", 1), ".prompt: '\\udfff' is half of a surrogate pair"),
    (Generation("p", 0), ".max_tokens: expected a whole number from 1, found 0"),
    (Generation("p", -1), ".max_tokens: expected a whole number from 1, found -1"),
    (wrong(DRAWN, max_tokens=2.0), ".max_tokens: expected a whole number from 1, found 2.0"),
    (Generation("p", 1, ("",)), ".stop[0]: expected a text, found an empty one"),
    (wrong(DRAWN, stop="\n"), ".stop: expected a tuple of texts, found '\\n'"),
    (wrong(DRAWN, shots=(1,)), ".shots[0]: expected a text, found 1"),
    (wrong(DRAWN, sampling=0.8), ".sampling: expected a Sampling or None, found 0.8"),
    (wrong(DRAWN, sampling=Sampling(1.0, seed=-1)), ".sampling.seed: expected a whole number"),
    (wrong(DRAWN, sampling=Sampling(float("inf"))), ".sampling.temperature: expected a finite"),
    (PseudoLogLikelihood(""), ".text: expected a text, found an empty one"),
    (PseudoLogLikelihood("a", shared_with="\ud800"), ".shared_with: '\\ud800' is half"),
    *(
        (
            PseudoLogLikelihood("ab", span),  # type: ignore[arg-type]
            ".span: expected two whole numbers, of which 0 <= start",
        )
        for span in ((1, 1), (2, 1), (0, 3), (-1, 1), (0, 1.0), (1,), "01")
    ),
    (RollingLogLikelihood("\ud800"), ".text: '\\ud800' is half of a surrogate pair"),
]


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (None, "sample: expected a function that gives a Sample, found None"),
        *((replace(SAMPLE, **fields), message) for fields, message in WRONG_SAMPLES),
        *(
            (Sample(id="1", requests=(request,)), f"requests[0]{message}")
            for request, message in WRONG_REQUESTS
        ),
    ],
)
def test_a_wrong_sample_is_refused_before_inference_with_task_row_and_field(
    sample: Any, message: str
) -> None:
    """Most of these were internal errors, after everything had been answered."""
    check_sample(SAMPLE, "here")
    with pytest.raises(DataError) as raised:
        prepare(changed(sample=lambda _: sample), limit=None, num_fewshot=0, seed=0)
    assert str(raised.value).startswith("task 'mine': data.jsonl, row 1: ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": None}, "row 1: question: expected a text, found null."),
        ({"question": "Q", "answers": None}, "The field read last is 'answers': None."),
        ({"question": "Q", "answers": "x"}, "The field read last is 'answers': 'x'."),
    ],
)
def test_a_field_that_a_task_cannot_use_is_named(row: dict[str, Any], message: str) -> None:
    """An f-string wrote "None" into the prompt, and a type error told nothing of the field."""

    def sample(row: Row) -> Sample:
        prompt = f"Question: {row['question']}"
        answers = row["answers"]["text"] if "answers" in row else ["a"]
        return generation(id="1", prompt=prompt, references=answers, max_tokens=4)

    source = One(row)
    with pytest.raises(DataError) as raised:
        prepare(changed(sample=sample, data=source), limit=None, num_fewshot=0, seed=0)
    assert str(raised.value).startswith("task 'mine': data.jsonl, row 1: ")
    assert str(raised.value).endswith(message)


def test_a_field_that_may_be_null_and_a_text_that_says_none_are_accepted() -> None:
    def sample(row: Row) -> Sample:
        prompt = f"{row['hint'] or 'No hint.'} {row['question']}"
        return generation(id="1", prompt=prompt, references=["a"], max_tokens=4)

    rows = (
        {"hint": None, "question": "Why?"},
        {"hint": "x", "question": "None?"},
        {"hint": None, "question": "Which of these? (D) None of the above"},
    )
    for row in rows:
        source = One(row)
        prepared = prepare(changed(sample=sample, data=source), limit=None, num_fewshot=0, seed=0)
        assert len(prepared.samples) == 1


def test_an_answer_among_choices_that_is_generated_can_be_an_example() -> None:
    """The one request of a generated answer was looked up at the index of the right choice."""

    def lettered(row: Row) -> Sample:
        made = replace(sample_of(row), choices=("A", "B", "C"), gold=(2,))
        return replace(made, requests=(Generation(f"Question {row.location}", 3),))

    class Others(Rows):
        def rows(self) -> Iterator[Row]:
            yield Row({"number": 9}, "shots.jsonl, row 1")

    task = changed(sample=lettered, shots=Others())
    (sample, *_) = prepare(task, limit=None, num_fewshot=1, seed=0).samples
    assert sample.requests[0].shots == ("Question shots.jsonl, row 1 a\n\n",)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (lambda _: [{"id": 1}], "expected each row to be a Row, found {'id': 1}"),
        (lambda _: [None], "expected each row to be a Row, found None"),
        (lambda _: 1 / 0, "ZeroDivisionError"),
        (lambda _: sys.exit(0), "SystemExit: 0"),
    ],
)
def test_a_source_of_ones_own_that_fails_is_named(
    monkeypatch: pytest.MonkeyPatch, rows: Any, message: str
) -> None:
    monkeypatch.setattr(Rows, "rows", rows)
    with pytest.raises(DataError, match="task 'mine': its data cannot be read: ") as raised:
        prepare(TASK, limit=None, num_fewshot=0, seed=0)
    assert message in str(raised.value)


def test_a_limit_beyond_all_machine_integers_is_no_limit() -> None:
    assert prepare(TASK, limit=10**30, num_fewshot=0, seed=0).record.n == 3


# --- What is computed ----------------------------------------------------------------------------


def measured(task: Task) -> tuple[TaskResult, list[SampleRow]]:
    ready = prepare(task, limit=None, num_fewshot=0, seed=0)
    answers = [Answered(one, GenerationResponse(" a ", "end"), False) for one in ready.instances()]
    return measure_task(ready, answers, seed=0, peak_memory_bytes=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((float("nan"),), "ValueError: the statistics: expected one finite number or more"),
        ((float("inf"),), "ValueError: the statistics: expected one finite number or more"),
        ((), "ValueError: the statistics: expected one finite number or more"),
        (0.5, "TypeError: 'float' object is not iterable"),
        (None, "TypeError: 'NoneType' object is not iterable"),
        ("12", "ValueError: the statistics: expected numbers, found '12'"),
        (("1",), "ValueError: the statistics: expected numbers, found ('1',)"),
    ],
)
def test_what_is_no_finite_number_is_no_statistic(given: Any, message: str) -> None:
    with pytest.raises(DataError) as raised:
        measured(with_metric(measure=lambda _sample, _responses: given))
    assert str(raised.value).startswith(
        f"task 'mine': the metric 'own' cannot measure the sample '0': {message}"
    )
    assert str(raised.value).endswith(" All responses are stored.")


def test_each_sample_of_a_task_has_as_many_statistics() -> None:
    """Numpy said that the array was inhomogeneous."""

    def measure(sample: Sample, _responses: Sequence[Response]) -> tuple[float, ...]:
        return (0.5,) * (1 + (sample.id == "1"))

    with pytest.raises(DataError, match=r"'own' cannot measure the sample '1': .*2 statistics"):
        measured(with_metric(measure=measure))


@pytest.mark.parametrize(
    "given", [(np.float32(0.5),), [np.int64(1)], np.array([0.5]), (True,), (1,)]
)
def test_numbers_of_all_kinds_are_statistics_and_can_be_written(given: Any) -> None:
    """numpy.float32 could not be written as JSON."""
    _, rows = measured(with_metric(measure=lambda _sample, _responses: given))
    assert json.loads(json.dumps(rows[0].statistics)) == {"own": [float(given[0])]}
    assert rows[0].statistics is not None
    assert type(rows[0].statistics["own"][0]) is float


@pytest.mark.parametrize(
    ("extract", "message"),
    [
        (lambda _: None, "ValueError: the answer: expected a text, found None"),
        (lambda _: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda _: sys.exit(0), "SystemExit: 0"),
        (lambda _: "\ud800", "ValueError: the answer: '\\ud800' is half of a surrogate pair"),
    ],
)
def test_an_extraction_that_fails_names_task_and_sample(extract: Any, message: str) -> None:
    expected = f"task 'mine': no answer can be extracted for the sample '0': {message}"
    with pytest.raises(DataError, match=re.escape(expected)):
        measured(changed(extract=extract))


@pytest.mark.parametrize(
    ("aggregate", "message"),
    [
        (lambda _s, _w, _g: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda _s, _w, _g: sys.exit(0), "SystemExit: 0"),
        (lambda _s, _w, _g: 0.5, "ValueError: expected values of the shape (1,), found ()"),
        (lambda _s, w, _g: np.full(len(w), 50.0),
         "ValueError: the value 50.0 is outside the bounds 0.0 to 1.0"),
        (lambda _s, w, _g: np.full(len(w), -np.inf),
         "ValueError: the value -inf is outside the bounds 0.0 to 1.0"),
    ],
)  # fmt: skip
def test_an_aggregation_that_fails_names_task_and_metric(aggregate: Any, message: str) -> None:
    """A score outside the bounds ended in a "math domain error"."""
    expected = f"task 'mine': the metric 'own' cannot be aggregated: {message}"
    with pytest.raises(DataError, match=re.escape(expected)):
        measured(with_metric(aggregate=aggregate))


def test_an_infinite_score_is_refused_even_within_infinite_bounds() -> None:
    task = with_metric(
        aggregate=lambda _s, w, _g: np.full(len(w), np.inf), bounds=(0.0, float("inf"))
    )
    with pytest.raises(DataError, match="infinite; give NaN where the metric is undefined"):
        measured(task)


def test_a_score_that_rounding_leaves_beyond_its_bounds_is_one_at_them() -> None:
    """Wilson's interval took the root of a negative number."""
    task = with_metric(aggregate=lambda _s, w, _g: np.full(len(w), 1 + 1e-15))
    result = measured(task)[0].metrics["own"]
    assert result.value == pytest.approx(1.0)
    assert result.interval is not None
    assert result.interval[0] < result.interval[1] <= 1.0


def raising(error: BaseException) -> Any:
    def function(*_: object) -> Any:
        raise error

    return function


@pytest.mark.parametrize("error", [SystemExit(0), StopIteration(), GeneratorExit()])
def test_a_plugin_cannot_end_the_run_with_a_status_of_its_own(error: BaseException) -> None:
    """sys.exit(0) in a plugin ended the run without a word, as if it had been well."""
    for task in (
        changed(sample=raising(error)),
        changed(extract=raising(error)),
        with_metric(measure=raising(error)),
        with_metric(aggregate=raising(error)),
    ):
        with pytest.raises(DataError, match=f"task 'mine': .*{type(error).__name__}") as raised:
            measured(task)
        assert raised.value.exit_code == 2


def test_an_interrupt_in_a_plugin_is_the_users() -> None:
    with pytest.raises(KeyboardInterrupt):
        measured(changed(sample=raising(KeyboardInterrupt())))


def test_what_plugins_print_does_not_reach_the_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--format json` was no JSON any more."""

    def loud(name: str, function: Any) -> Any:
        def printing(*given: Any) -> Any:
            print(name)
            return function(*given)

        return printing

    metric = wrong(METRIC, measure=loud("measure", constant), aggregate=loud("aggregate", mean()))
    task = changed(
        sample=loud("sample", sample_of), extract=loud("extract", str), metrics=(metric,)
    )
    (tmp_path / "mine.py").write_text("print('import')\n")
    find_tasks([tmp_path])
    measured(task)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert set(printed.err.split()) == {"import", "sample", "extract", "measure", "aggregate"}
