"""`server:` against a server that fails in every way: texts, attempts, errors, and the key."""

import asyncio
import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.backends import open_backend
from evalharness.backends.server import client as client_module
from evalharness.backends.server.address import Address, find_key
from evalharness.backends.server.answers import Completion
from evalharness.backends.server.client import (
    FIRST_DELAY,
    LONGEST_DELAY,
    LONGEST_WAIT,
    Client,
    Patience,
    delay,
    retry_after,
)
from evalharness.backends.server.faults import RequestError, ServerError
from evalharness.errors import DataError, UsageError
from evalharness.records import (
    Failure,
    Generation,
    GenerationResponse,
    Instance,
    Message,
    Model,
    Outcome,
    Rebatching,
    Request,
    Sample,
    Sampling,
)
from tests.backends import faulty_server
from tests.backends.faulty_server import (
    Call,
    FaultyServer,
    LlamaCpp,
    Reply,
    chat_only,
    error,
    honest,
)
from tests.plugins import write_plugin

KEY = "sk-a-very-secret-key-of-this-test"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """A server, between whose attempts nobody waits long."""
    monkeypatch.setattr(client_module, "FIRST_DELAY", 0.001)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with faulty_server.running() as running:
        yield running


def ask(spec: str, *requests: Request) -> list[Outcome]:
    """The outcomes, in the order of the requests."""
    sample = Sample(id="sample", requests=requests)
    instances = [Instance("task", sample, index) for index in range(len(requests))]
    outcomes = dict(open_backend(spec).answer(instances))
    return [outcomes[index] for index in range(len(requests))]


def text(outcome: Outcome) -> str:
    assert isinstance(outcome, GenerationResponse), outcome
    return outcome.text


def failed(outcome: Outcome) -> str:
    assert isinstance(outcome, Failure), outcome
    return outcome.error


# --- Texts ---------------------------------------------------------------------------------------


def test_plain_text_is_completed_greedily(server: FaultyServer) -> None:
    (outcome,) = ask(server.spec(), Generation("one two", 9, stop=("\n",)))
    assert text(outcome) == " after one two"
    (call,) = server.asked()
    assert call.path == "/v1/completions"
    assert call.body == {
        "model": "toy", "prompt": "one two", "max_tokens": 9, "temperature": 0, "stop": ["\n"],
    }  # fmt: skip


def test_messages_go_to_chat_and_shots_before_the_prompt(server: FaultyServer) -> None:
    chat = (Message("system", "be brief"), Message("user", "hi"))
    said, shown = ask(server.spec(), Generation(chat, 9), Generation("Q", 9, shots=("A ", "B ")))
    assert (text(said), text(shown)) == ("to hi", " after A B Q")
    messages = next(call for call in server.asked() if "chat" in call.path).body["messages"]
    assert messages == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hi"},
    ]


def test_a_server_that_only_chats_gets_plain_text_as_one_message(server: FaultyServer) -> None:
    server.behaviour = chat_only
    backend = open_backend(server.spec())
    assert backend.model.architecture == "server, plain text by chat"
    (outcome,) = ask(server.spec(), Generation("one two", 9))
    assert text(outcome) == "to one two"


def without_template(call: Call) -> Reply:
    """As vLLM answers for a model that was never taught to chat."""
    if call.path == "/v1/chat/completions":
        return error(400, "default chat template is no longer allowed")
    return honest(call)


@pytest.mark.parametrize(
    ("behaviour", "options", "chats"),
    [
        (honest, "api=auto", True),
        (honest, "api=chat", True),
        (honest, "api=completions", False),
        (chat_only, "api=auto", True),
        (without_template, "api=auto", False),
        (lambda c: error(500, "x") if "chat" in c.path else honest(c), "retries=0", False),
    ],
)
def test_a_server_has_a_template_where_it_answers_messages(
    server: FaultyServer, behaviour: faulty_server.Behaviour, options: str, chats: bool
) -> None:
    server.behaviour = behaviour
    assert open_backend(server.spec(options)).has_chat_template is chats


def test_whether_a_busy_server_chats_is_not_guessed(server: FaultyServer) -> None:
    server.behaviour = lambda c: error(503, "busy") if "chat" in c.path else honest(c)
    backend = open_backend(server.spec("retries=0"))
    with pytest.raises(ServerError, match="whether 'toy' answers messages could not be found out"):
        _ = backend.has_chat_template


def test_a_run_sends_messages_and_examples_as_turns(server: FaultyServer, tmp_path: Path) -> None:
    """The server puts them through its own template; what is stored is what was sent."""
    write_plugin(tmp_path / "plugins", samples=2)
    options = ("--num-fewshot", "1", "--system-prompt", "Be brief.", "--format", "json")
    done = run(tmp_path, server.spec(), "-t", "toy-answer", "--limit", "1", *options)
    assert done.returncode == 0, done.stderr
    (call,) = server.asked()
    roles = [message["role"] for message in call.body["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    (results,) = json.loads(done.stdout)
    path = tmp_path / "runs" / results["run_id"] / "samples" / "toy-answer.parquet"
    (row,) = pyarrow.parquet.read_table(path).to_pylist()
    sent = [f"[{message['role']}] {message['content']}" for message in call.body["messages"]]
    assert row["prompts"] == ["\n".join(sent)]


def test_a_chat_too_long_for_the_server_loses_its_earliest_turns(server: FaultyServer) -> None:
    def short(call: Call) -> Reply:
        if len(call.body.get("messages", ())) > 4:
            return error(400, "maximum context length exceeded")
        return honest(call)

    server.behaviour = short
    shots = tuple((Message("user", f"{n}?"), Message("assistant", f"{n}")) for n in range(4))
    chat = (Message("system", "be brief"), Message("user", "hi"))
    (outcome,) = ask(server.spec(), Generation(chat, 9, shots=shots))
    assert isinstance(outcome, GenerationResponse)
    assert outcome.dropped_shots == 3
    sent = [message["content"] for message in server.asked()[-1].body["messages"]]
    assert sent == ["be brief", "3?", "3", "hi"]


def test_a_draw_carries_its_seed(server: FaultyServer) -> None:
    ask(server.spec(), Generation("one", 9, sampling=Sampling(0.7, 0.9, seed=5)))
    body = server.asked()[0].body
    assert (body["temperature"], body["top_p"], body["seed"]) == (0.7, 0.9, 5)


def test_more_stop_strings_than_servers_take_are_cut_here(server: FaultyServer) -> None:
    """OpenAI refuses a request with more than four."""
    stop = ("\n", "a!", "b!", "c!", "two")
    (outcome,) = ask(server.spec(), Generation("one two", 9, stop=stop))
    assert isinstance(outcome, GenerationResponse)
    assert (outcome.text, outcome.finish) == (" after one ", "stop")
    assert server.asked()[0].body["stop"] == list(stop[:4])


@pytest.mark.parametrize(
    ("choice", "finish"),
    [
        ({"text": "x", "finish_reason": "length"}, "length"),
        ({"text": "x", "finish_reason": "stop"}, "end"),
        ({"text": "x", "finish_reason": "stop", "stop_reason": "\n"}, "stop"),
    ],
)
def test_why_a_text_ended(server: FaultyServer, choice: dict[str, Any], finish: str) -> None:
    server.faults = [Reply(body={"choices": [choice]})]
    (outcome,) = ask(server.spec(), Generation("one", 9, stop=("\n",)))
    assert isinstance(outcome, GenerationResponse)
    assert outcome.finish == finish


def test_half_a_letter_can_be_stored(server: FaultyServer) -> None:
    """Servers that cut a text between the halves of a surrogate pair: no file takes one of them."""
    server.faults = [Reply(body={"choices": [{"text": "a\ud83d", "finish_reason": "length"}]})]
    (outcome,) = ask(server.spec(), Generation("one \ud800", 9))
    assert text(outcome) == "a\N{REPLACEMENT CHARACTER}"
    assert server.asked()[0].body["prompt"] == "one \ud800"


def test_a_withheld_answer_is_a_failure(server: FaultyServer) -> None:
    server.faults = [Reply(body={"choices": [{"text": "", "finish_reason": "content_filter"}]})]
    (outcome,) = ask(server.spec(), Generation("one", 9))
    assert "content_filter" in failed(outcome)


def test_tokens_and_price_are_counted(server: FaultyServer) -> None:
    """The server's own count is what it is paid for."""
    details = {"prompt_tokens": 1000, "completion_tokens": 20,
               "prompt_tokens_details": {"cached_tokens": 600}}  # fmt: skip
    choice = {"text": "x", "finish_reason": "stop"}
    server.faults = [Reply(body={"choices": [choice], "usage": details})]
    (outcome,) = ask(server.spec("input_price=2&output_price=10"), Generation("one", 9))
    assert isinstance(outcome, GenerationResponse)
    cost = outcome.cost
    assert (cost.prompt_tokens, cost.computed_tokens, cost.generated_tokens) == (1000, 400, 20)
    assert cost.price == pytest.approx(1000 * 2e-6 + 20 * 10e-6)


def test_the_name_of_the_token_limit_is_learned_once(server: FaultyServer) -> None:
    """Newer models of OpenAI refuse max_tokens."""

    def newer(call: Call) -> Reply:
        if "max_tokens" in call.body:
            return error(
                400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
            )
        return chat_only(call)

    server.behaviour = newer
    ask(server.spec("api=chat"), Generation("one", 9), Generation("two", 9))
    assert [call.body.get("max_completion_tokens") for call in server.asked()] == [9, 9]


def test_extra_fields_and_the_servers_own_temperature(server: FaultyServer) -> None:
    options = 'temperature=server&extra_body={"chat_template_kwargs":{"enable_thinking":false}}'
    ask(server.spec(options), Generation("one", 9))
    body = server.asked()[0].body
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert "temperature" not in body


def test_shots_are_dropped_until_the_server_takes_the_prompt(server: FaultyServer) -> None:
    def short(call: Call) -> Reply:
        if len(call.body.get("prompt", "")) > 12:
            return error(400, "This model's maximum context length is 3 tokens.")
        return honest(call)

    server.behaviour = short
    shots = tuple(f"shot{number} " for number in range(5))
    fits, never = ask(
        server.spec(), Generation("Q", 9, shots=shots), Generation("a long prompt", 9, shots=shots)
    )
    assert isinstance(fits, GenerationResponse)
    assert (fits.text, fits.dropped_shots) == (" after shot4 Q", 4)
    assert "maximum context length" in failed(never)


# --- Attempts ------------------------------------------------------------------------------------

FAULTS = {
    "drops the connection": Reply(drop=True),
    "is no JSON": Reply(body=b"<html>hello</html>"),
    "is no UTF-8": Reply(body=b"\xff\xfe{}"),
    "is nested too deeply": Reply(body=b"[" * 100_000),
    "is JSON of another kind": Reply(body=[1, 2]),
    "has no choices": Reply(body={"choices": []}),
    "has a text that is none": Reply(body={"choices": [{"text": 7, "finish_reason": "stop"}]}),
    "is packed though nobody asked": Reply(body=b"\x1f\x8b", headers={"content-encoding": "gzip"}),
    "is a server's error": Reply(500, b"oops"),
    "is overloaded": error(503, "Service Unavailable"),
    "limits the rate": error(429, "slow down", **{"retry-after": "0"}),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_another_attempt_is_made(server: FaultyServer, fault: Reply) -> None:
    server.faults = [fault, fault]
    (outcome,) = ask(server.spec(), Generation("one", 9))
    assert text(outcome) == " after one"
    assert len(server.asked()) == 3


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_request_that_keeps_failing_is_a_failure_and_the_others_are_answered(
    server: FaultyServer, fault: Reply
) -> None:
    server.behaviour = lambda call: fault if "bad" in str(call.body) else honest(call)
    outcomes = ask(
        server.spec("retries=3&concurrency=2"), *(Generation(p, 9) for p in ("a", "bad", "c"))
    )
    assert failed(outcomes[1]).startswith("gave up after 4 attempts")
    assert [text(outcomes[0]), text(outcomes[2])] == [" after a", " after c"]


class _Crowd:
    """An honest server that answers when it had `expected` requests at one time."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._changed = threading.Condition()
        self._present = 0
        self.largest = 0

    def __call__(self, call: Call) -> Reply:
        with self._changed:
            self._present += 1
            self.largest = max(self.largest, self._present)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.largest >= self._expected, timeout=20)
            self._present -= 1
        return honest(call)


def test_in_other_batches_a_server_is_asked_one_request_at_a_time(server: FaultyServer) -> None:
    sample = Sample(id="s", requests=tuple(Generation(p, 9) for p in ("a", "b", "c", "d", "e")))
    instances = [Instance("task", sample, index) for index in range(5)]
    backend = open_backend(server.spec("concurrency=3"))
    assert isinstance(backend, Rebatching)
    largest = []
    answers = []
    for asked, expected in ((backend, 3), (backend.in_other_batches(), 1)):
        crowd = _Crowd(expected)
        server.behaviour = crowd
        answers.append({place: text(outcome) for place, outcome in asked.answer(instances)})
        largest.append(crowd.largest)
    assert largest == [3, 1]
    assert answers[0] == answers[1]


def test_a_slow_answer_is_given_up(server: FaultyServer) -> None:
    server.faults = [Reply(seconds=1.5)]
    (outcome,) = ask(server.spec("timeout=0.5"), Generation("one", 9))
    assert text(outcome) == " after one"


def test_a_refused_request_is_not_asked_again(server: FaultyServer) -> None:
    server.faults = [error(400, "no such parameter")]
    (outcome,) = ask(server.spec(), Generation("one", 9))
    assert failed(outcome) == "the server refused the request (HTTP 400): no such parameter"
    assert len(server.asked()) == 1


def test_an_answer_without_end_is_not_read_on(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "LARGEST_ANSWER", 3 * 2**20)
    server.faults = [Reply(endless=True)]
    (outcome,) = ask(server.spec(), Generation("one", 9))
    assert "longer than 3 MiB" in failed(outcome)


def pauses_after(server: FaultyServer, *faults: Reply) -> list[float]:
    """How long the client waits between its attempts."""
    server.faults = list(faults)
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    async def post() -> None:
        patience = Patience(timeout=30, retries=3)
        async with Client(Address("toy", server.url), None, patience, pause) as client:
            await client.post("completions", {"model": "toy", "prompt": "one"}, Completion)

    asyncio.run(post())
    return waited


def test_retry_after_is_honoured_in_seconds_and_as_a_date(server: FaultyServer) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=300), usegmt=True)
    first, second = pauses_after(
        server,
        error(429, "slow down", **{"retry-after": "17"}),
        error(503, "slow down", **{"retry-after": later}),
    )
    assert first == 17
    assert 200 < second <= 300


def test_nobody_waits_for_an_hour_unasked(server: FaultyServer) -> None:
    with pytest.raises(RequestError, match="left alone for 3600 seconds"):
        pauses_after(server, error(429, "slow down", **{"retry-after": "3600"}))
    assert LONGEST_WAIT < 3600


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, 0), ("12", 12), (" 3 ", 3), ("-5", 0), ("soon", 0), ("²", 0), ("9" * 400, 999999999),
     ("Wed, 21 Oct 2015 07:28:30 GMT", 30), ("Wed, 21 Oct 2015 07:27:00 GMT", 0),
     ("Wed, 99 Oct 2015 07:28:30 GMT", 0)],
)  # fmt: skip
def test_what_retry_after_asks_for(value: str | None, seconds: float) -> None:
    """RFC 9110, 10.2.3, whose example of a date this is."""
    now = datetime(2015, 10, 21, 7, 28, 0, tzinfo=UTC)
    assert retry_after(value, now) == seconds


@given(st.integers(0, 10_000), st.floats(0, 1000), st.randoms())
def test_the_pauses_double_and_are_scattered(
    attempt: int, wait: float, source: random.Random
) -> None:
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(attempt, 50))
    found = delay(attempt, wait, source.random)
    assert found >= wait
    assert found == wait or longest / 2 <= found <= longest


# --- Errors before anything is asked -------------------------------------------------------------


def test_a_server_that_is_down_is_named(server: FaultyServer) -> None:
    server.stop()
    with pytest.raises(DataError, match=r"nobody answers at http://127\.0\.0\.1") as caught:
        open_backend(server.spec())
    assert caught.value.exit_code == 2
    assert "Start the server" in str(caught.value)


def locked(call: Call) -> Reply:
    """A server with a key, which repeats what it was given."""
    given = call.headers.get("authorization", "nothing")
    if given != "Bearer right-key-of-this-server":
        return error(401, f"Incorrect API key provided: {given}")
    return honest(call)


def test_a_wrong_key_is_told_by_its_variable_and_never_shown(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may repeat the key in its error."""
    server.behaviour = locked
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(DataError, match=r"HTTP 401.*environment variable OPENAI_API_KEY") as caught:
        open_backend(server.spec())
    assert KEY not in str(caught.value)
    assert server.url in str(caught.value)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(DataError, match="No key was sent"):
        open_backend(server.spec())
    monkeypatch.setenv("TOY_KEY", "right-key-of-this-server")
    (outcome,) = ask(server.spec("key_variable=TOY_KEY"), Generation("one", 9))
    assert text(outcome) == " after one"


def test_a_forbidden_model_is_an_error_at_once(server: FaultyServer) -> None:
    server.behaviour = lambda _: error(403, "not for you")
    with pytest.raises(DataError, match=r"HTTP 403.*not for you"):
        open_backend(server.spec())


def test_an_unknown_model_is_told_with_the_nearest(server: FaultyServer) -> None:
    with pytest.raises(DataError, match=r"'toyy'.*lists the models toy\. Did you mean 'toy'\?"):
        open_backend(f"server:toyy@{server.url}")


def test_a_name_that_no_model_has_is_refused_though_the_server_answers(
    server: FaultyServer,
) -> None:
    """llama.cpp's server answers whatever name it is asked for with the model that it has."""
    server.behaviour = LlamaCpp()
    wrong = server.spec().replace("server:toy@", "server:toyy@")
    with pytest.raises(ServerError, match=r"no model 'toyy'.* with 'toy'.*Did you mean 'toy'\?"):
        open_backend(wrong)
    assert open_backend(server.spec().replace("server:toy@", "server:game@"))


def test_a_second_name_that_is_not_listed_is_accepted(server: FaultyServer) -> None:
    """Hosted services answer a deployment, or the newest of a family, by the model's own name."""

    def hosted(call: Call) -> Reply:
        if call.path == "/v1/models":
            return honest(call)
        if call.body["model"] != "latest":
            return error(404, "no such model")
        reply = honest(Call(call.path, {**call.body, "model": "toy"}, {}))
        reply.body["model"] = "toy"
        return reply

    server.behaviour = hosted
    assert open_backend(server.spec().replace("server:toy@", "server:latest@"))


def test_what_llama_cpp_says_of_its_file_is_kept(server: FaultyServer) -> None:
    """Another file under the same name is another model; another context is not."""

    def opened(**meta: Any) -> Model:
        server.behaviour = LlamaCpp(meta)
        return open_backend(server.spec()).model

    one, longer = opened(n_ctx=2048, ftype="Q4_1"), opened(n_ctx=4096, ftype="Q4_1")
    assert (one.max_length, longer.max_length) == (2048, 4096)
    assert one.fingerprint == longer.fingerprint
    assert one.fingerprint != opened(n_ctx=2048, ftype="Q8_0").fingerprint
    assert opened(n_ctx="many").max_length == 0


def test_a_redirect_is_not_followed_with_the_key(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with faulty_server.running() as other:
        target = {"location": f"{other.url}/models"}
        server.behaviour = lambda _: Reply(307, b"", target)
        with pytest.raises(DataError, match="not followed, since the key would go along"):
            open_backend(server.spec())
        assert other.calls == []


def test_a_server_without_a_list_of_models_is_used(server: FaultyServer) -> None:
    server.behaviour = lambda c: error(404, "?") if c.path == "/v1/models" else honest(c)
    assert open_backend(server.spec()).model.max_length == 0


def test_the_context_is_that_of_the_list(server: FaultyServer) -> None:
    assert open_backend(server.spec()).model.max_length == 2048


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("server:gpt", "server:MODEL@http"),
        ("server:gpt@localhost:8000/v1", "server:MODEL@http"),
        ("server:gpt@http://", "server:MODEL@http"),
        ("server:gpt@http:///v1", "is none"),
        ("server:gpt@http://host:port/v1", "is none"),
        ("server:gpt@http://a b/v1", "is none"),
        ("server:gpt@http://host/v1?concurrency=0", "concurrency"),
        ("server:gpt@http://host/v1?concurency=2", "Did you mean 'concurrency'"),
        ("server:gpt@http://host/v1?input_price=nan", "input_price"),
        ('server:gpt@http://host/v1?extra_body={"n":2}', "n is set by each request itself"),
        ("server:gpt@http://host/v1?extra_body=[1]", "extra_body"),
    ],
)
def test_a_spec_that_is_none(spec: str, said: str) -> None:
    with pytest.raises(UsageError, match="(?s)" + said.replace("?", r"\?")):
        open_backend(spec)


# --- The key -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spec",
    [
        f"server:gpt@https://user:{KEY}@host/v1",
        f"server:gpt@https://{KEY}@host/v1",
        f"server:gpt@http://host/v1?key_variable={KEY}",
        f"server:gpt@http://host/v1?api_key={KEY}",
        f"server:gpt@http://host/v1?concurrency=0&key={KEY}",
    ],
)
def test_a_key_in_a_spec_is_refused_and_not_repeated(spec: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_backend(spec)
    assert KEY not in str(caught.value)


def test_a_key_that_is_not_set_or_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_KEY", f"{KEY}\nX-Other: 1")
    with pytest.raises(UsageError, match="TOY_KEY holds no key") as caught:
        open_backend("server:gpt@http://localhost:1/v1?key_variable=TOY_KEY")
    assert KEY not in str(caught.value)
    with pytest.raises(UsageError, match="NO_KEY is not set"):
        open_backend("server:gpt@http://localhost:1/v1?key_variable=NO_KEY")


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://host/v1", True),
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.1:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://host/v1", False),
        ("http://10.0.0.1/v1", False),
    ],
)
def test_a_key_goes_over_an_open_network_only_when_named(url: str, sent: bool) -> None:
    address = Address("gpt", url)
    environment = {"OPENAI_API_KEY": KEY}
    assert (find_key(address, None, environment) is not None) == sent
    assert find_key(address, "OPENAI_API_KEY", environment) is not None
    assert KEY not in repr(find_key(address, "OPENAI_API_KEY", environment))


# --- Whole runs ----------------------------------------------------------------------------------


def run(folder: Path, spec: str, *arguments: str, **environment: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "evalharness", "run", "-m", spec, "--tasks-dir", "plugins",
         *arguments],
        cwd=folder, env={**os.environ, **environment}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def test_a_run_keeps_what_was_answered_and_never_writes_the_key(
    server: FaultyServer, tmp_path: Path
) -> None:
    """The server repeats the key in answers and errors; three samples fail, and are asked again."""
    write_plugin(tmp_path / "plugins", samples=12)
    options = ("-t", "toy-*", "--chat", "off", "--format", "json")

    def repeating(call: Call) -> Reply:
        given = call.headers.get("authorization", "")
        if "after 3?" in str(call.body):
            return error(400, f"not this one, {given}")
        scoring = call.body.get("echo") or call.body.get("max_tokens") == 1
        if call.path == "/v1/completions" and not scoring:
            return Reply(body={"choices": [{"text": f" {given}", "finish_reason": "stop"}]})
        return honest(call)

    server.behaviour = repeating
    done = run(tmp_path, server.spec(), *options, OPENAI_API_KEY=KEY)
    assert done.returncode == 3, done.stderr
    (results,) = json.loads(done.stdout)
    assert results["tasks"]["toy-answer"]["validity"]["failed"] == 1
    assert results["tasks"]["toy-choice"]["validity"]["failed"] == 1
    server.behaviour = honest
    server.calls.clear()
    again = run(tmp_path, server.spec(), *options, OPENAI_API_KEY=KEY)
    assert again.returncode == 0, again.stderr
    assert all("after 3?" in str(c.body) or "sky" in str(c.body) for c in server.asked())
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    said = done.stdout + done.stderr + again.stdout + again.stderr
    assert KEY.encode() not in written
    assert KEY not in said


def test_the_price_of_a_run_is_in_its_results_and_printed(
    server: FaultyServer, tmp_path: Path
) -> None:
    """It is what the answers cost when they were made: answers from the store are not free."""
    write_plugin(tmp_path / "plugins", samples=4)
    arguments = ("-t", "toy-answer", "--format", "json")
    for _ in range(2):
        done = run(tmp_path, server.spec("input_price=1e6&output_price=1e6"), *arguments)
        assert done.returncode == 0, done.stderr
        cost = json.loads(done.stdout)[0]["tasks"]["toy-answer"]["cost"]
        # Each prompt has six words, each answer three tokens.
        assert cost["price"] == 4 * (6 + 3)
        assert "price of all answers: 36.0000" in done.stderr


def test_a_server_that_goes_away_ends_the_run_and_loses_nothing(
    server: FaultyServer, tmp_path: Path
) -> None:
    write_plugin(tmp_path / "plugins", samples=12)
    going = iter(range(1000))

    def leaving(call: Call) -> Reply:
        if call.path == "/v1/completions" and next(going) == 5:
            server.hang_up()
            return Reply(drop=True)
        return honest(call)

    server.behaviour = leaving
    done = run(
        tmp_path, server.spec("concurrency=1&retries=1"), "-t", "toy-answer", "--chat", "off"
    )
    assert done.returncode == 2, done.stdout
    assert "nobody answers at" in done.stderr
    assert "Traceback" not in done.stderr
    with sqlite3.connect(tmp_path / "runs" / "responses.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM responses").fetchone() == (4,)


def test_the_exit_status_of_a_server_that_is_down_is_2(
    server: FaultyServer, tmp_path: Path
) -> None:
    write_plugin(tmp_path / "plugins", samples=2)
    server.stop()
    done = run(tmp_path, server.spec(), "-t", "toy-answer")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_wrong_key_during_a_run_ends_it(server: FaultyServer) -> None:
    server.faults = [error(401, "expired")]
    with pytest.raises(ServerError, match="HTTP 401"):
        ask(server.spec("concurrency=1"), Generation("one", 9), Generation("two", 9))


def test_credit_that_ran_out_ends_a_run(server: FaultyServer) -> None:
    server.faults = [error(429, "You exceeded your current quota", "insufficient_quota")]
    with pytest.raises(ServerError, match="run again when there is credit"):
        ask(server.spec(), Generation("one", 9))


def test_a_caller_that_stops_ends_all_requests(server: FaultyServer) -> None:
    """Ctrl-C raises in the caller; requests on their way would hold the process."""
    server.behaviour = lambda c: Reply(seconds=60) if "slow" in str(c.body) else honest(c)
    requests = (Generation("slow", 9), Generation("quick", 9))
    sample = Sample(id="sample", requests=requests)
    answers = open_backend(server.spec()).answer([Instance("t", sample, i) for i in range(2)])
    index, outcome = next(answers)
    assert (index, text(outcome)) == (1, " after quick")
    answers.close()  # type: ignore[attr-defined]


def test_answers_of_another_state_are_others(server: FaultyServer) -> None:
    """A server that says it was changed is not answered for from the store; a named state is."""

    def changed(call: Call) -> Reply:
        reply = honest(call)
        return Reply(body={**reply.body, "system_fingerprint": "fp_2"})

    before = [open_backend(server.spec(o)).model.fingerprint for o in ("retries=1", "revision=1")]
    server.behaviour = changed
    after = [open_backend(server.spec(o)).model.fingerprint for o in ("retries=1", "revision=1")]
    assert before[0] != after[0]
    assert before[1] == after[1]
    fast = open_backend(server.spec("concurrency=1&timeout=9&input_price=3")).model
    assert fast.fingerprint == after[0]
    assert fast.name == "toy"
