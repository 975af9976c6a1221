"""The noise floor: a part of the samples is answered again, and what moves is told."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.backends import open_backend
from evalharness.backends.spec import parse_spec, with_option
from evalharness.cli.plan import print_plan
from evalharness.cli.suite import run_suite
from evalharness.config import Suite
from evalharness.errors import DataError
from evalharness.metrics.multiple_choice import ACCURACY
from evalharness.noise import LEAST, OtherWay, add_noise_floor
from evalharness.prompts.preparation import PreparedTask, prepare
from evalharness.records import (
    Backend,
    DataIdentity,
    Failure,
    Generation,
    GenerationResponse,
    Instance,
    LogLikelihood,
    LogLikelihoodResponse,
    Model,
    Outcome,
    PseudoLogLikelihood,
    Rebatching,
    Request,
    Row,
    Sample,
    Task,
    whole_prompt,
)
from evalharness.report.noise_words import noise_words
from evalharness.results import NoiseFloor, RunConfiguration
from evalharness.run_folder import read_run
from evalharness.runner import EvaluatedRun, evaluate
from evalharness.samples import multiple_choice
from tests.encoder_models import make_masked, make_seq2seq
from tests.models import make_llama
from tests.plugins import write_plugin


class Numbers:
    """A source of numbers."""

    def __init__(self, count: int) -> None:
        self._count = count

    def rows(self) -> Iterator[Row]:
        yield from (Row({"number": number}, f"row {number}") for number in range(self._count))

    def identity(self) -> DataIdentity:
        return DataIdentity("numbers", "1")


def question(row: Row) -> Sample:
    return multiple_choice(
        id=str(row["number"]), prompt=f"{row['number']}?", choices=["yes", "no"], gold=0
    )


def yes_or_no(count: int) -> PreparedTask:
    task = Task(
        name="numbers",
        family="question_answering",
        version=1,
        data=Numbers(count),
        sample=question,
        metrics=(ACCURACY,),
    )
    return prepare(task, limit=None, num_fewshot=0, seed=0)


class Fake:
    """Says "yes", but "no" to the numbers in `no`; fails at those in `broken`."""

    load_seconds = 0.0
    peak_memory_bytes = 1
    has_chat_template = False
    model = Model("fake:x", "fake", "f" * 64, "none", 0, "none", "none", 99)

    def __init__(self, no: Sequence[int] = (), broken: Sequence[int] = ()) -> None:
        self.no = no
        self.broken = broken
        self.asked: list[int] = []

    def render(self, request: Request) -> str:
        return str(whole_prompt(request))

    def unsupported(self, instance: Instance) -> str | None:  # noqa: ARG002
        return None

    def answer(self, instances: Sequence[Instance]) -> Iterator[tuple[int, Outcome]]:
        for index, instance in enumerate(instances):
            request = instance.request
            assert isinstance(request, LogLikelihood)
            number = int(str(request.prompt).rstrip("?"))
            self.asked.append(number)
            if number in self.broken:
                yield index, Failure("broken")
                continue
            liked = " no" if number in self.no else " yes"
            value = -1.0 if request.continuation == liked else -2.0
            yield index, LogLikelihoodResponse(value, 1, greedy=False)


def answered(fake: Fake, task: PreparedTask, folder: Path) -> EvaluatedRun:
    return evaluate(
        fake,
        [task],
        output=folder,
        configuration=RunConfiguration(limit=None, num_fewshot=0, seed=0),
        command=("test",),
        report=lambda _: None,
    )


def floor_of(run: EvaluatedRun, task: PreparedTask, other: Backend) -> NoiseFloor:
    done = add_noise_floor(run, [task], [OtherWay("other batches", lambda: other)], seed=0)
    assert read_run(done.folder)[1] == done.results
    (floor,) = done.results.tasks["numbers"].noise
    return floor


@pytest.mark.parametrize(("count", "expected"), [(4, 4), (10, 10), (400, LEAST), (1000, 20)])
def test_two_percent_of_the_samples_and_at_least_ten_are_answered_again(
    tmp_path: Path, count: int, expected: int
) -> None:
    task, other = yes_or_no(count), Fake()
    floor = floor_of(answered(Fake(), task, tmp_path), task, other)
    assert floor.samples == len(set(other.asked)) == expected
    assert (floor.changed, floor.largest, floor.texts) == (0, 0.0, None)


def test_what_moved_is_counted_and_the_score_of_all_may_move_by_its_root_mean_square(
    tmp_path: Path,
) -> None:
    """Of 10 samples all of which are known, 3 are answered otherwise the second time."""
    task = yes_or_no(10)
    floor = floor_of(answered(Fake(), task, tmp_path), task, Fake(no=(1, 4, 7)))
    assert (floor.samples, floor.changed, floor.largest) == (10, 3, 1.0)
    moved = floor.metrics["acc"]
    assert moved.difference == pytest.approx(-0.3)
    # The sample's variance has n - 1 below it.
    differences = np.array([-1.0] * 3 + [0.0] * 7)
    square = differences.var(ddof=1) + differences.mean() ** 2
    assert moved.half_width == pytest.approx(1.959964 * math.sqrt(square / 10), rel=1e-6)


def test_a_sample_that_failed_is_not_answered_again(tmp_path: Path) -> None:
    task, other = yes_or_no(10), Fake()
    floor = floor_of(answered(Fake(broken=(2, 3)), task, tmp_path), task, other)
    assert floor.samples == 8
    assert not {2, 3} & set(other.asked)


def test_a_failure_of_the_second_answer_takes_its_sample_out(tmp_path: Path) -> None:
    task = yes_or_no(10)
    floor = floor_of(answered(Fake(), task, tmp_path), task, Fake(broken=(5,)))
    assert (floor.samples, floor.changed) == (9, 0)


def test_words_say_how_far_a_score_may_move_only_where_something_moved(tmp_path: Path) -> None:
    """Ten samples that stay the same are no proof that the score does."""
    task = yes_or_no(10)
    run = answered(Fake(), task, tmp_path)
    result = run.results.tasks["numbers"]
    still = noise_words(floor_of(run, task, Fake()), result)
    assert still == ("in other batches 0 of 10 samples moved, log-probabilities moved by at most 0")
    moved = noise_words(floor_of(run, task, Fake(no=(1, 4, 7))), result)
    assert moved.startswith("in other batches 3 of 10 samples moved")
    assert moved.endswith("acc may move by ±.352")


def test_a_noise_floor_is_kept_until_the_score_changes(tmp_path: Path) -> None:
    """A run that is started again without the option writes its results anew."""
    task = yes_or_no(10)
    floor = floor_of(answered(Fake(), task, tmp_path), task, Fake(no=(1,)))
    again = answered(Fake(), task, tmp_path)
    assert again.results.tasks["numbers"].noise == (floor,)

    halved = replace(ACCURACY, aggregate=lambda *given: 0.5 * ACCURACY.aggregate(*given))
    other = replace(task, task=replace(task.task, metrics=(halved,)))
    assert answered(Fake(), other, tmp_path).results.tasks["numbers"].noise == ()


def test_results_stay_as_they_are_where_the_second_answer_cannot_be_had(tmp_path: Path) -> None:
    task = yes_or_no(10)
    run = answered(Fake(), task, tmp_path)

    def broken() -> Backend:
        raise DataError("the weights are gone.")

    with pytest.raises(DataError, match="the weights are gone"):
        add_noise_floor(run, [task], [OtherWay("float16", broken)], seed=0)
    assert read_run(run.folder)[1] == run.results


# --- Real backends -------------------------------------------------------------------------------

WRITTEN = [Generation("The quick brown", 6), Generation("A", 6), Generation("The lazy dog is", 6)]
SCORED = [LogLikelihood("The quick", f" {word}") for word in ("fox", "dog", "brown fox jumps", "a")]
MASKED = [PseudoLogLikelihood("The older nurse was slow."), PseudoLogLikelihood("A nurse was slow")]


def answers(backend: Backend, requests: Sequence[Request]) -> list[Outcome]:
    sample = Sample(id="s", requests=tuple(requests))
    found = dict(backend.answer([Instance("t", sample, place) for place in range(len(requests))]))
    return [found[place] for place in range(len(requests))]


def close(first: Outcome, second: Outcome) -> bool:
    if isinstance(first, GenerationResponse) and isinstance(second, GenerationResponse):
        return first.text == second.text
    assert isinstance(first, LogLikelihoodResponse)
    assert isinstance(second, LogLikelihoodResponse)
    return math.isclose(first.log_probability, second.log_probability, abs_tol=1e-4)


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("spec", "requests"),
    [
        ("builtin:{}/llama", [*SCORED, *WRITTEN]),
        ("builtin:{}/llama?pack_size=128&slots=1", [*SCORED, *WRITTEN]),
        ("hf:{}/llama", [*SCORED, *WRITTEN]),
        ("hf:{}/llama?batch_size=1", [*SCORED, *WRITTEN]),
        ("hf:{}/masked", MASKED),
        ("hf:{}/t5", [*SCORED, *WRITTEN]),
    ],
)
def test_every_backend_of_checkpoints_answers_alike_in_other_batches_with_one_set_of_weights(
    tmp_path: Path, spec: str, requests: list[Request]
) -> None:
    make_llama(tmp_path / "llama")
    make_masked(tmp_path / "masked", "BertForMaskedLM")
    make_seq2seq(tmp_path / "t5", "T5")
    backend = open_backend(spec.format(tmp_path))
    assert isinstance(backend, Rebatching)
    first = answers(backend, requests)
    other: Any = backend.in_other_batches()
    assert other._load() is backend._load()  # type: ignore[attr-defined]
    assert all(map(close, first, answers(other, requests)))
    assert other.model == backend.model


def run(folder: Path, *models: str, **more: Any) -> int:
    suite = Suite(
        models=models,
        tasks=("toy-*",),
        tasks_dir=(folder / "plugins",),
        output=folder / "runs",
        **more,
    )
    return run_suite(suite, ["evalharness"], "table", debug=False)


@pytest.mark.usefixtures("cache")
def test_a_run_tells_what_moves_in_other_batches_and_in_another_dtype(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_llama(tmp_path / "llama", max_position_embeddings=512)
    write_plugin(tmp_path / "plugins")
    assert run(tmp_path, f"builtin:{tmp_path}/llama", noise_floor=True, noise_dtype="bfloat16") == 0
    assert "noise floor of toy-choice, llama: in other batches 0 of 10" in capsys.readouterr().out
    (path,) = (tmp_path / "runs").glob("*/results.json")
    tasks = json.loads(path.read_text())["tasks"]
    batches, half = tasks["toy-choice"]["noise"]
    assert (batches["way"], half["way"]) == ("other batches", "bfloat16")
    assert batches["largest"] < 1e-4 < half["largest"]
    assert tasks["toy-answer"]["noise"][0]["texts"] == 0


@pytest.mark.usefixtures("cache")
def test_a_dry_run_says_how_much_would_be_asked_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As much as the run then asks; nothing of a model that computes nothing."""
    make_llama(tmp_path / "llama", max_position_embeddings=512)
    write_plugin(tmp_path / "plugins")
    suite = Suite(
        models=(f"builtin:{tmp_path}/llama", "baseline:random"),
        tasks=("toy-choice",),
        tasks_dir=(tmp_path / "plugins",),
        output=tmp_path / "runs",
        noise_dtype="bfloat16",
    )
    print_plan(suite, "json")
    built, random = json.loads(capsys.readouterr().out)["models"]
    asked_again = 3 * LEAST  # each question has three options
    assert built["noise_floor"] == {"other batches": asked_again, "bfloat16": asked_again}
    assert random["noise_floor"] == {}
    print_plan(suite, "table")
    assert "noise floor: 30 requests are asked again in bfloat16" in capsys.readouterr().out


@pytest.mark.usefixtures("cache")
def test_what_computes_nothing_has_no_noise_floor_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_plugin(tmp_path / "plugins")
    assert run(tmp_path, "baseline:random", noise_floor=True) == 0
    assert "random: no noise floor" in capsys.readouterr().err


@given(
    st.sampled_from(["builtin:a/b", "hf:~/x+y", "builtin:a?dtype=float16", "hf:a?adapter=b/c+d"]),
    st.sampled_from(["dtype", "adapter"]),
    st.text(st.characters(codec="utf-8"), min_size=1),
)
def test_an_option_is_put_into_a_spec_whatever_else_it_has(
    text: str, name: str, value: str
) -> None:
    before, after = parse_spec(text), parse_spec(with_option(text, name, value))
    assert after.options == {**before.options, name: value}
    assert (after.scheme, after.reference) == (before.scheme, before.reference)
