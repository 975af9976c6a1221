"""Answers made elsewhere belong to the right samples, or are refused; nothing is guessed."""

import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.backends import open_backend
from evalharness.errors import DataError, UsageError
from evalharness.metrics.bias import ICAT
from evalharness.metrics.translation import bleu, chrf
from evalharness.prompts.preparation import PreparedTask, prepare
from evalharness.records import (
    Failure,
    Generation,
    GenerationResponse,
    Instance,
    LogLikelihood,
    LogLikelihoodResponse,
    Outcome,
    Sample,
    Task,
)
from evalharness.results import RunConfiguration
from evalharness.runner import EvaluatedRun, evaluate
from evalharness.samples import generation
from evalharness.sources import LocalFile
from tests.workplace import Workplace

WRITE = Generation("Say it:", 8)


def samples(*requests: Any, ids: Sequence[str] = ("a", "b", "c")) -> list[Sample]:
    return [Sample(id=id, requests=requests or (WRITE,)) for id in ids]


def instances(some: Sequence[Sample], task: str = "t") -> list[Instance]:
    return [
        Instance(task, sample, index) for sample in some for index in range(len(sample.requests))
    ]


def replay(path: Path, asked: Sequence[Instance], options: str = "") -> list[Outcome]:
    answered = dict(open_backend(f"outputs:{path}{options}").answer(asked))
    return [answered[index] for index in range(len(asked))]


def texts(outcomes: Sequence[Outcome]) -> list[str]:
    return [out.text if isinstance(out, GenerationResponse) else "FAILED" for out in outcomes]


def jsonl(path: Path, *values: Any) -> Path:
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values), encoding="utf-8")
    return path


def test_texts_and_log_probabilities_are_given_to_the_requests_of_their_sample(
    tmp_path: Path,
) -> None:
    asked = [
        Sample(id="one", requests=(WRITE,)),
        Sample(id="2", requests=(WRITE, WRITE)),
        Sample(id="three", requests=(LogLikelihood("", "a"), LogLikelihood("", "b"))),
    ]
    path = jsonl(
        tmp_path / "system.jsonl",
        {"id": "three", "log_probabilities": [-1.5, 0], "tokens": [2, 3]},
        {"id": 2, "texts": ["first\nline", ""]},
        {"id": "one", "text": "ein"},
    )
    assert replay(path, instances(asked)) == [
        GenerationResponse("ein", finish="end"),
        GenerationResponse("first\nline", finish="end"),
        GenerationResponse("", finish="end"),
        LogLikelihoodResponse(-1.5, tokens=2, greedy=False),
        LogLikelihoodResponse(0.0, tokens=3, greedy=False),
    ]


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=9), min_size=1, max_size=8).flatmap(
        lambda answers: st.tuples(st.just(answers), st.permutations(list(answers)))
    )
)
def test_the_order_of_lines_with_ids_does_not_matter(
    drawn: tuple[dict[str, str], list[str]],
) -> None:
    answers, order = drawn
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "system.jsonl"
        jsonl(path, *({"id": id, "text": answers[id]} for id in order))
        asked = instances(samples(ids=list(answers)))
        assert texts(replay(path, asked)) == list(answers.values())


@given(st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8")), min_size=1))
def test_plain_lines_end_at_line_feeds_only(lines: list[str]) -> None:
    """A text may hold U+2028, a form feed and all else that str.splitlines() would cut at."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "system.de"
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())
        asked = instances(samples(ids=[str(number) for number in range(len(lines))]))
        found = texts(replay(path, asked))
    first = lines[0].removeprefix("\ufeff")  # a byte order mark
    assert found == [line.removesuffix("\r") for line in (first, *lines[1:])]


def test_the_last_line_needs_no_line_feed_and_a_blank_one_is_an_empty_answer(
    tmp_path: Path,
) -> None:
    path = tmp_path / "system.txt"
    path.write_bytes(b"x\r\ny\r\nz")
    assert texts(replay(path, instances(samples()))) == ["x", "y", "z"]
    path.write_bytes(b"x\n\n\n")
    assert texts(replay(path, instances(samples()))) == ["x", "", ""]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x\ny\n", r"has 2 lines, but the task 't' asks for 3 samples"),
        (b"x\ny\nz\n\n", r"has 4 lines \(the last one is blank\), but .* 3 samples"),
        (b"", r"has 0 lines"),
        (b"x\n\xff\nz\n", r"system.txt, line 2: not valid UTF-8"),
    ],
)
def test_lines_that_do_not_fit_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "system.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        replay(path, instances(samples()))


def test_missing_and_unknown_ids_are_counted_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = jsonl(
        tmp_path / "system.jsonl",
        {"id": "question-1", "text": "one"},
        {"id": "question2", "text": "two"},
        {"id": "\x1b[2J", "text": "hidden"},
    )
    asked = instances(samples(ids=[f"question-{number}" for number in range(1, 7)]))
    with caplog.at_level(logging.WARNING):
        outcomes = replay(path, asked)
    assert texts(outcomes) == ["one", *["FAILED"] * 5]
    assert outcomes[1] == Failure("system.jsonl has no answer for the id 'question-2'")
    missing, unknown = caplog.messages
    assert "5 of 6 samples of t have no answer" in missing
    assert missing.endswith("'question-2', 'question-3', 'question-4' and 2 more")
    assert "2 of its ids are of no sample" in unknown
    assert "'question2' (row 2) Did you mean 'question-2'?" in unknown
    assert "\x1b" not in unknown


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([{"id": "a", "text": "x"}, {"id": "a", "text": "x"}], "row 2.*'a' is answered a second"),
        ([{"id": "a"}], "row 1: expected one of"),
        ([{"id": "a", "text": "x", "texts": ["x"]}], "row 1: expected one of"),
        ([{"text": "x"}], "row 1: id: Field required"),
        ([{"id": True, "text": "x"}], "row 1: id"),
        ([{"id": "a", "txt": "x"}], "row 1: txt: .*Did you mean 'text'"),
        ([{"id": "a", "text": 3}], "row 1: text: .*string, found 3"),
        ([{"id": "a", "texts": []}], "row 1: texts"),
        ([{"id": "a", "texts": ["x", "y"]}], "row 1: .*'a' asks for 1 texts, but 2 are given"),
        ([{"id": "a", "log_probabilities": [-1]}], "row 1: .*asks for 1 texts, but 0 are given"),
        ([{"id": "a", "log_probabilities": [0.5]}], "less than or equal to 0, found 0.5"),
        ([{"id": "a", "log_probabilities": [float("nan")]}], "log_probabilities.0"),
        ([{"id": "a", "log_probabilities": [-1], "tokens": [1, 2]}], "each of 1 log_prob.*found 2"),
        ([{"id": "a", "log_probabilities": [-1], "tokens": [0]}], "tokens.0"),
        ([{"id": "z", "text": "x"}], "none of its ids is one of the task 't': it has 'z'"),
        (["a"], "row 1: expected a JSON object"),
        ([], "has no rows"),
    ],
)
def test_a_line_that_is_wrong_is_named_with_its_key(
    tmp_path: Path, values: list[Any], message: str
) -> None:
    path = jsonl(tmp_path / "system.jsonl", *values)
    with pytest.raises(DataError, match=f"system.jsonl.*{message}"):
        replay(path, instances(samples()))


def test_a_sample_that_asks_for_a_text_and_a_log_probability_gets_both(tmp_path: Path) -> None:
    """SQuAD 2.0 asks for an answer, and how likely it is that there is none."""
    both = Sample(id="a", requests=(Generation("Q", 5), LogLikelihood("Q", " unanswerable")))
    path = jsonl(tmp_path / "o.jsonl", {"id": "a", "text": "Oslo", "log_probabilities": [-2.5]})
    assert replay(path, instances([both])) == [
        GenerationResponse("Oslo", "end"),
        LogLikelihoodResponse(-2.5, tokens=0, greedy=False),
    ]
    path = jsonl(tmp_path / "o.jsonl", {"id": "a", "text": "Oslo"})
    with pytest.raises(DataError, match="asks for 1 log_probabilities, but 0 are given"):
        replay(path, instances([both]))


def test_a_file_for_several_tasks_names_them(tmp_path: Path) -> None:
    both = [*instances(samples(), "t"), *instances(samples(ids=["a"]), "u")]
    path = jsonl(
        tmp_path / "system.jsonl",
        *({"id": id, "task": "t", "text": f"t {id}"} for id in "abc"),
        {"id": "a", "text": "u a"},
    )
    with pytest.raises(DataError, match=r"which of 2 tasks it answers \('t', 'u'\).*task=NAME"):
        replay(path, both)
    assert texts(replay(path, both, "?task=u")) == ["t a", "t b", "t c", "u a"]
    with pytest.raises(DataError, match=r"'a' is answered a second time, after .*row 1"):
        replay(path, both, "?task=t")
    plain = tmp_path / "system.txt"
    plain.write_text("x\ny\nz\n")
    with pytest.raises(DataError, match="which of 2 tasks"):
        replay(plain, both)
    assert texts(replay(plain, instances(samples(), "t"), "?task=t")) == ["x", "y", "z"]


def test_tasks_that_a_file_does_not_answer_are_skipped_with_the_nearest(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "system.jsonl", {"id": "a", "task": "wmt-de", "text": "x"})
    backend = open_backend(f"outputs:{path}")
    (known,), (other,) = (instances(samples(ids=["a"]), task) for task in ("wmt-de", "wmt-fr"))
    assert backend.unsupported(known) is None
    reason = backend.unsupported(other)
    assert reason is not None
    assert "has answers for 'wmt-de', not for this task. Did you mean 'wmt-de'?" in reason


def test_the_fingerprint_is_of_the_bytes_and_of_the_task(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "my system.jsonl", {"id": "a", "text": "x"})

    def fingerprint(options: str = "") -> str:
        model = open_backend(f"outputs:{path}{options}").model
        assert model.name == "my system"
        assert not model.reusable
        return model.fingerprint

    first, chosen = fingerprint(), fingerprint("?task=t")
    jsonl(path, {"id": "a", "text": "y"})
    assert len({first, chosen, fingerprint()}) == 3


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("sytem.jsonl", DataError, "Did you mean 'system.jsonl'"),
        ("folder", DataError, "cannot be read"),
        ("answers.json", DataError, r"an object a line.*answers\.jsonl"),
        ("system.jsonl?tsk=t", UsageError, "Did you mean 'task'"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, error: type[Exception], message: str
) -> None:
    (tmp_path / "folder").mkdir()
    jsonl(tmp_path / "system.jsonl", {"id": "a", "text": "x"})
    with pytest.raises(error, match=message):
        open_backend(f"outputs:{tmp_path / name}")


# --- Runs ----------------------------------------------------------------------------------------


def run(spec: str, tasks: Sequence[PreparedTask], folder: Path) -> EvaluatedRun:
    return evaluate(
        open_backend(spec),
        tasks,
        output=folder / "runs",
        configuration=RunConfiguration(limit=None, num_fewshot=0, seed=0),
        command=("evalharness",),
        report=lambda _: None,
    )


@pytest.mark.oracle
@pytest.mark.parametrize("system", ["Online-W", "Lan-Bridge", "PROMT", "OpenNMT"])
def test_published_systems_get_their_published_scores(
    oracles: Path, tmp_path: Path, system: str
) -> None:
    """Lines of WMT 2022, as the shared task has them, against its reference A."""
    folder = oracles / "wmt22"

    def lines(name: str) -> list[str]:
        text = (folder / f"generaltest2022.en-de.{name}").read_text(encoding="utf-8")
        return text.removesuffix("\n").split("\n")

    data = jsonl(
        tmp_path / "data.jsonl",
        *(
            {"id": str(number), "source": source, "reference": reference}
            for number, (source, reference) in enumerate(
                zip(lines("src.en"), lines("ref.A.de"), strict=True)
            )
        ),
    )

    def sample(row: Mapping[str, Any]) -> Sample:
        return generation(
            id=row["id"], prompt=row["source"], references=[row["reference"]], max_tokens=256
        )

    task = Task(
        name="wmt22", family="translation", version=1, data=LocalFile(data), sample=sample,
        metrics=(bleu("de"), chrf()),
    )  # fmt: skip
    prepared = prepare(task, limit=None, num_fewshot=0, seed=0)
    done = run(
        f"outputs:{folder}/generaltest2022.en-de.hyp.{system}.de", [prepared], tmp_path
    ).results
    rows = [line.split("\t") for line in (folder / "expected.tsv").read_text().splitlines()]
    published = {name: float(score) for _, row_system, _, _, name, score in rows[1:]
                 if row_system == system}  # fmt: skip
    found = {name: metric.value for name, metric in done.tasks["wmt22"].metrics.items()}
    assert found["bleu"] == pytest.approx(published["bleu-A"], abs=1e-6)
    assert found["chrf"] == pytest.approx(published["chrf-A"], abs=1e-6)


def command(workplace: Workplace, spec: str, *arguments: str) -> Any:
    return workplace("run", "-m", spec, "--tasks-dir", "plugins", *arguments)


def answered(workplace: Workplace, numbers: range) -> None:
    jsonl(
        workplace.folder / "system.jsonl",
        *({"id": f"q{number}", "text": str(number + 1)} for number in numbers),
    )


def test_samples_without_an_answer_fail_and_exit_with_3(workplace: Workplace) -> None:
    answered(workplace, range(1, 31))  # q0 has none, q30 is unknown
    arguments = ("-t", "toy-answer", "--format", "json")
    done = command(workplace, "outputs:system.jsonl", *arguments)
    assert done.returncode == 3, done.stderr
    assert "1 of 30 samples of toy-answer have no answer and fail: 'q0'" in done.stderr
    assert "1 of its ids are of no sample" in done.stderr
    assert "'q30' (row 30)" in done.stderr
    (result,) = json.loads(done.stdout)
    assert result["tasks"]["toy-answer"]["validity"]["failed"] == 1
    # Gold answers are every third number + 1.
    assert result["tasks"]["toy-answer"]["metrics"]["exact_match"]["value"] == pytest.approx(
        900 / 29
    )
    allowed = command(workplace, "outputs:system.jsonl", *arguments, "--allow-failed", "0.04")
    assert allowed.returncode == 0


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_file_that_does_not_fit_ends_the_run_before_other_models_begin(
    workplace: Workplace, dry: tuple[str, ...]
) -> None:
    (workplace.folder / "system.txt").write_text("x\n")
    done = command(
        workplace, "builtin:checkpoint", "-m", "outputs:system.txt", "-t", "toy-answer", *dry
    )
    assert done.returncode == 2
    assert "system.txt has 1 lines, but the task 'toy-answer' asks for 30 samples" in done.stderr
    assert not (workplace.folder / "runs").exists()


def test_a_score_per_token_asks_for_the_number_of_tokens() -> None:
    """It divided by zero."""
    sample = Sample(id="a", requests=tuple(LogLikelihood("", text) for text in "xyz"))
    responses = [LogLikelihoodResponse(-1.0, tokens=0, greedy=False)] * 3
    with pytest.raises(DataError, match="'a' is scored by mean log-probability per token"):
        ICAT.measure(sample, responses)
