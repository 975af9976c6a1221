"""Multiple choice of a model that scores no texts: asked for a letter, by a metric of its own."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from evalharness.backends import open_backend
from evalharness.measurement import Answered, measure_task
from evalharness.metrics.multiple_choice import ACCURACY
from evalharness.prompts.chat import ask_in_chat
from evalharness.prompts.letters import Room, as_asked, ask_for_letters, lettered_prompt
from evalharness.prompts.preparation import PreparedTask, prepare, run_id
from evalharness.prompts.preview import preview
from evalharness.records import (
    DataIdentity,
    Generation,
    GenerationResponse,
    LogLikelihood,
    Message,
    Row,
    Sample,
    Task,
    whole_prompt,
)
from evalharness.results import ChatMode, Method, RunConfiguration, TaskResult
from evalharness.samples import generation, likelihood_comparison, multiple_choice
from tests.backends import faulty_server
from tests.backends.faulty_server import Call, FaultyServer, Reply, honest, without_scores
from tests.plugins import write_plugin
from tests.workplace import Workplace

ROOM = Room(16, ("\n",))
FOG = multiple_choice(
    id="fog",
    prompt="Question: Where is fog?\nAnswer:",
    choices=["a marsh", "a tundra", "the plains"],
    gold=1,
)
SHOT = multiple_choice(
    id="shot", prompt="Question: What is wet?\nAnswer:", choices=["sand", "rain"], gold=1
)


class Rows:
    """A source with one row for each sample."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples

    def rows(self) -> Iterator[Row]:
        for sample in self._samples:
            yield Row({"sample": sample}, sample.id)

    def identity(self) -> DataIdentity:
        return DataIdentity("rows", "1")


def task(*samples: Sample, shots: Sequence[Sample] = ()) -> PreparedTask:
    made = Task(
        name="task",
        family="question_answering",
        version=1,
        data=Rows(samples),
        sample=lambda row: row["sample"],
        metrics=(ACCURACY,),
        shots=Rows(shots) if shots else None,
    )
    return prepare(made, limit=None, num_fewshot=len(shots), seed=0)


def lettered(prepared: PreparedTask) -> PreparedTask:
    found = ask_for_letters(prepared, "no scores", ROOM)
    assert found is not None
    return found


def prompts(prepared: PreparedTask) -> list[object]:
    return [whole_prompt(instance.request) for instance in prepared.instances()]


# --- Prompts -------------------------------------------------------------------------------------


def test_the_options_stand_between_the_question_and_its_cue() -> None:
    found = lettered(task(FOG))
    (sample,) = found.samples
    assert sample.requests == (
        Generation(
            "Question: Where is fog?\nA. a marsh\nB. a tundra\nC. the plains\n"
            "Which option is right? Answer with its letter.\nAnswer:",
            16,
            ("\n",),
        ),
    )
    assert (sample.target, sample.references, sample.gold) == ("B", ("B",), ())
    assert "--- accepted: B" in preview(sample)


@pytest.mark.parametrize(
    ("prompt", "begins", "ends"),
    [
        ("He climbs the roof and", "He climbs the roof and\nA. x", "continues the text? Answer"),
        ("Frage: Wo?\nAntwort: ", "Frage: Wo?\nA. x", "letter.\nAntwort:"),
        ("Q: a\nA:", "Q: a\nA. x", "letter.\nA:"),
        ("Note: it is late:", "Note: it is late:\nA. x", "letter.\nAnswer:"),
    ],
)
def test_a_prompt_that_goes_on_is_told_from_one_that_ends_with_a_cue(
    prompt: str, begins: str, ends: str
) -> None:
    text = lettered_prompt(prompt, ["x", " y "])
    assert text.startswith(f"{begins}\nB. y\n")
    assert ends in text[-60:]


def test_a_prompt_that_lists_its_options_lists_them_once() -> None:
    listed = multiple_choice(
        id="1", prompt="Where?\nA. here\nB. there\nAnswer:", choices=["A", "B"], gold=0
    )
    assert prompts(lettered(task(listed))) == [
        "Where?\nA. here\nB. there\nWhich option is right? Answer with its letter.\nAnswer:"
    ]


def test_examples_are_shown_with_their_letter_as_text_and_as_turns() -> None:
    with_text = lettered(task(FOG, shots=[SHOT]))
    (shown,) = prompts(with_text)
    example = "Question: What is wet?\nA. sand\nB. rain\nWhich option is right? Answer with its letter.\nAnswer:"  # noqa: E501
    assert str(shown).startswith(f"{example} B\n\nQuestion: Where is fog?\nA. a marsh")
    with faulty_server.running() as server:
        server.behaviour = without_scores
        configuration = RunConfiguration(limit=None, num_fewshot=1, seed=0, chat="auto")
        (chat,) = ask_in_chat(open_backend(server.spec()), [with_text], configuration)
    (turns,) = prompts(chat)
    assert isinstance(turns, tuple)
    assert turns[:2] == (Message("user", example), Message("assistant", "B"))


MANY = [f"option {number}" for number in range(27)]
PAIR = multiple_choice(id="own", prompt="Q", choices=["x", "y"], gold=0)


@pytest.mark.parametrize(
    "sample",
    [
        likelihood_comparison(id="1", prompts=["He is"] * 2, continuations=[" kind", " rude"]),
        likelihood_comparison(id="1", prompts=["", ""], continuations=["He is.", "She is."]),
        generation(id="1", prompt="Q", references=["x"], max_tokens=5),
        multiple_choice(id="1", prompt="Q", choices=MANY, gold=0),
        multiple_choice(id="1", prompt="Q", choices=["only"], gold=0),
        # The options stand in the prompts, of which each is another text.
        replace(PAIR, requests=(LogLikelihood("The cat", " runs"), LogLikelihood("Cats", " run"))),
        # Examples of its own, which show no letters.
        replace(PAIR, requests=tuple(LogLikelihood("Q", f" {c}", ("Q x\n",)) for c in "xy")),
        replace(
            PAIR, requests=(LogLikelihood((Message("user", "Q"),), "x"), LogLikelihood("Q", "y"))
        ),
    ],
    ids=lambda sample: sample.id,
)
def test_what_is_no_multiple_choice_is_not_asked_for_a_letter(sample: Sample) -> None:
    assert ask_for_letters(task(sample), "no scores", ROOM) is None
    assert ask_for_letters(task(FOG, replace(sample, id="2")), "no scores", ROOM) is None


# --- Scores --------------------------------------------------------------------------------------


def measured(prepared: PreparedTask, *texts: str) -> TaskResult:
    answers = [
        Answered(instance, GenerationResponse(text, "end"), from_store=False)
        for instance, text in zip(prepared.instances(), texts, strict=True)
    ]
    return measure_task(prepared, answers, seed=0, peak_memory_bytes=0)[0]


def test_letters_have_a_metric_of_their_own_and_an_answer_without_one_is_counted() -> None:
    """The name acc would say that options were compared by their likelihood."""
    more = replace(FOG, id="more", gold=(0, 2))
    other = multiple_choice(id="two", prompt="Q", choices=["x", "y"], gold=0)
    result = measured(
        lettered(task(FOG, more, replace(FOG, id="3"), other)), "B", " C. the plains", "fog", "C"
    )
    values = {name: metric.value for name, metric in result.metrics.items()}
    # The fourth answer names a letter that its question does not have.
    assert values == {"letter_accuracy": 0.5}
    assert result.method == Method(name="letter", reason="no scores")
    assert (result.validity.unparsed, result.validity.empty) == (1, 0)


def test_a_run_by_letters_is_another_run() -> None:
    prepared = task(FOG)
    model = open_backend("baseline:random").model
    assert lettered(prepared).record.prompt_hash != prepared.record.prompt_hash
    assert run_id(model, [lettered(prepared)], 0) != run_id(model, [prepared], 0)


# --- Models --------------------------------------------------------------------------------------


def of(server: FaultyServer, chat: ChatMode, *prepared: PreparedTask) -> list[PreparedTask]:
    configuration = RunConfiguration(limit=None, num_fewshot=0, seed=0, chat=chat)
    return as_asked(open_backend(server.spec()), prepared, configuration)


@pytest.mark.parametrize(
    ("behaviour", "chat", "method", "room"),
    [
        (honest, "auto", False, None),
        (without_scores, "auto", True, (1024, ())),
        (without_scores, "off", True, (16, ("\n",))),
        (faulty_server.chat_only, "auto", True, (1024, ())),
        # A server scores no text after a chat.
        (honest, "on", True, (1024, ())),
    ],
)
def test_a_server_is_asked_for_letters_where_it_cannot_score(
    behaviour: Callable[[Call], Reply],
    chat: ChatMode,
    method: bool,
    room: tuple[int, object] | None,
) -> None:
    with faulty_server.running() as server:
        server.behaviour = behaviour
        (asked,) = of(server, chat, task(FOG))
    assert (asked.record.method is not None) is method
    for instance in asked.instances():
        request = instance.request
        if room is not None:
            assert isinstance(request, Generation)
            assert (request.max_tokens, request.stop) == room
        else:
            assert isinstance(request, LogLikelihood)


def test_baselines_are_asked_for_no_letters() -> None:
    """lead-3 writes texts and has no likelihoods, but reads no question."""
    configuration = RunConfiguration(limit=None, num_fewshot=0, seed=0)
    prepared = task(replace(FOG, source="A text."))
    for name in ("lead-3", "random"):
        (asked,) = as_asked(open_backend(f"baseline:{name}"), [prepared], configuration)
        assert asked is prepared


def test_a_run_says_that_it_asked_for_letters(workplace: Workplace) -> None:
    """On stderr, in the table, in run.json, in results.json and on the page."""
    write_plugin(workplace.folder / "plugins", samples=6)
    workplace.environment["COLUMNS"] = "160"

    def lettering(call: Call) -> Reply:
        if "Answer with its letter" not in str(call.body):
            return without_scores(call)
        choice = {"message": {"content": "**B**"}, "finish_reason": "stop"}
        return Reply(body={"choices": [choice]})

    with faulty_server.running() as server:
        server.behaviour = lettering
        done = workplace("run", "-m", server.spec(), "-m", "builtin:checkpoint", "-t",
                         "toy-choice", "--tasks-dir", "plugins")  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = "toy: toy-choice is asked for the letter of the right option, which is measured as "
    assert f"{said}letter_accuracy: this server gives no log-probabilities" in done.stderr
    assert "letter_accuracy; asked for the letter" in done.stdout
    assert "Not comparable: different prompts or data, metrics." in done.stdout
    (folder,) = (workplace.folder / "runs").glob("toy-*")
    results = json.loads((folder / "results.json").read_text())["tasks"]["toy-choice"]
    record = json.loads((folder / "run.json").read_text())["tasks"]["toy-choice"]
    assert list(results["metrics"]) == ["letter_accuracy"]
    assert results["metrics"]["letter_accuracy"]["value"] == pytest.approx(2 / 6)
    assert results["method"] == record["method"]
    assert record["method"]["name"] == "letter"
    assert workplace("report", "runs").returncode == 0
    page = Path(workplace.folder / "report.html").read_text()
    assert "toy was asked for the letter of the right option in toy-choice" in page
    # Without the server: the letters are in the store.
    again = workplace("rescore", str(folder), "--tasks-dir", "plugins")
    assert again.returncode == 0, again.stderr
    assert json.loads((folder / "results.json").read_text())["tasks"]["toy-choice"] == {
        **results,
        "cost": {**results["cost"], "from_store": 6},
    }
