"""Thinking that a server leaves in its texts, sets apart or hides is no part of the answer."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.backends import open_backend
from evalharness.backends.server import client as client_module
from evalharness.backends.server.answers import Chat
from evalharness.backends.server.reading import read_response
from evalharness.errors import UsageError
from evalharness.records import Generation, GenerationResponse, Instance, Message, Sample
from tests.backends import faulty_server
from tests.backends.faulty_server import Call, FaultyServer, Reply, honest

ASKED = Generation((Message("user", "one"),), 9, stop=("\n",))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    monkeypatch.setattr(client_module, "FIRST_DELAY", 0.001)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with faulty_server.running() as running:
        yield running


def ask(spec: str, *requests: Generation) -> list[GenerationResponse]:
    sample = Sample(id="sample", requests=requests)
    instances = [Instance("task", sample, index) for index in range(len(requests))]
    outcomes = dict(open_backend(spec).answer(instances))
    found = [outcomes[index] for index in range(len(requests))]
    responses = [outcome for outcome in found if isinstance(outcome, GenerationResponse)]
    assert len(responses) == len(found), found
    return responses


def said(message: dict[str, Any], finish: str = "stop", **usage: Any) -> Reply:
    body = {"choices": [{"message": message, "finish_reason": finish}]}
    return Reply(body={**body, "usage": usage} if usage else body)


def answer(response: GenerationResponse) -> str:
    return response.text[response.thinking :]


@pytest.mark.parametrize(
    ("message", "thinking", "answered"),
    [
        ({"content": "<think>\nhm\n</think>\n\n42\nmore"}, "<think>\nhm\n</think>\n\n", "42"),
        # The template of DeepSeek-R1 writes the opening mark, so that the text lacks it.
        ({"content": "hm\n</think>\n\n42"}, "hm\n</think>\n\n", "42"),
        ({"content": "[THINK]hm[/THINK]42"}, "[THINK]hm[/THINK]", "42"),
        ({"content": "42\nmore"}, "", "42"),
        ({"content": "\n\n42", "reasoning_content": "hm\nhm\n"}, "hm\nhm\n\n", "42"),
        ({"content": "42\nmore", "reasoning": "hm"}, "hm\n\n", "42"),
        # Newer servers fill in both names.
        ({"content": "42", "reasoning": "hm", "reasoning_content": "hm"}, "hm\n\n", "42"),
        ({"content": "42", "reasoning": "", "reasoning_content": None}, "", "42"),
    ],
)
def test_thinking_is_kept_and_is_no_part_of_the_answer(
    server: FaultyServer, message: dict[str, Any], thinking: str, answered: str
) -> None:
    """<think> in the text of a server without a reasoning parser was scored as the answer."""
    server.faults = [said(message)]
    (found,) = ask(server.spec(), ASKED)
    assert (found.text[: found.thinking], answer(found)) == (thinking, answered)
    assert not found.unfinished_thinking


@pytest.mark.parametrize(
    ("message", "usage", "text"),
    [
        ({"content": "<think>\nhm, hm"}, {}, "<think>\nhm, hm"),
        ({"content": None, "reasoning_content": "hm, hm"}, {}, "hm, hm"),
        ({"content": "", "reasoning": "hm, hm"}, {}, "hm, hm"),
        # Hosted services keep the thinking, and count it.
        ({"content": ""}, {"completion_tokens_details": {"reasoning_tokens": 9}}, ""),
    ],
)
def test_thinking_that_the_limit_cuts_off_leaves_no_answer(
    server: FaultyServer, message: dict[str, Any], usage: dict[str, Any], text: str
) -> None:
    """It was an empty answer, or an answer that began with <think>."""
    server.faults = [said(message, "length", **usage)]
    (found,) = ask(server.spec(), ASKED)
    assert (found.text, answer(found), found.finish) == (text, "", "length")
    assert found.unfinished_thinking


def test_an_empty_answer_of_a_model_that_does_not_think_is_one(server: FaultyServer) -> None:
    server.faults = [said({"content": ""}, "length", completion_tokens=9)]
    (found,) = ask(server.spec(), ASKED)
    assert not found.unfinished_thinking


def test_a_continued_text_may_have_opened_the_thinking_itself(server: FaultyServer) -> None:
    choice = {"text": "hm, hm", "finish_reason": "length"}
    server.faults = [Reply(body={"choices": [choice]})]
    spec = server.spec("retries=1&thinking_marks=<think>...</think>")
    (found,) = ask(spec, Generation("Q: <think>\n", 9))
    assert found.unfinished_thinking


def test_other_marks_are_those_of_the_spec_and_change_the_fingerprint(
    server: FaultyServer,
) -> None:
    spec = server.spec("thinking_marks=<reason>...</reason>")
    server.faults = [said({"content": "<reason>hm</reason> 42 </think>"})]
    (found,) = ask(spec, ASKED)
    assert answer(found) == "42 </think>"
    assert open_backend(spec).model.fingerprint != open_backend(server.spec()).model.fingerprint


@pytest.mark.parametrize("marks", ["<think>", "...</think>", "<think>...", "a...b...c"])
def test_marks_that_are_none_are_refused(server: FaultyServer, marks: str) -> None:
    with pytest.raises(UsageError, match=r"thinking_marks.*OPENING\.\.\.CLOSING"):
        open_backend(server.spec(f"thinking_marks={marks}"))


def cutting(call: Call) -> Reply:
    """A server that stops at a stop string wherever it is, as all of them do."""
    if "chat" not in call.path or "Hello" in str(call.body):
        return honest(call)
    text = "<think>\nhm\n</think>\n\n42\nmore"
    stops = [place for stop in call.body.get("stop", []) if (place := text.find(stop)) >= 0]
    text = text[: min(stops, default=None)]
    usage = {"prompt_tokens": 5, "completion_tokens": len(text)}
    choice = {"message": {"content": text}, "finish_reason": "stop"}
    return Reply(body={"choices": [choice], "usage": usage})


def test_a_stop_string_within_the_thinking_ends_no_text(server: FaultyServer) -> None:
    """Servers look for stop strings in the thinking too: every answer was empty.

    The text is asked for again without them, at the price of both, and so are all later ones.
    """
    server.behaviour = cutting
    first, second = ask(server.spec("concurrency=1&input_price=1e6"), ASKED, ASKED)
    assert [answer(found) for found in (first, second)] == ["42", "42"]
    assert [found.finish for found in (first, second)] == ["stop", "stop"]
    assert ["stop" in call.body for call in server.asked()] == [True, False, False]
    assert (first.cost.prompt_tokens, second.cost.prompt_tokens) == (10, 5)
    assert first.cost.generated_tokens == second.cost.generated_tokens + len("<think>")
    assert (first.cost.price, second.cost.price) == (10, 5)


def test_thinking_without_an_end_is_asked_for_once_more_and_no_oftener(
    server: FaultyServer,
) -> None:
    server.behaviour = lambda c: said({"content": "<think>"}) if "one" in str(c.body) else honest(c)
    (found,) = ask(server.spec(), ASKED)
    assert found.unfinished_thinking
    assert len(server.asked()) == 2


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="<>[]"))


@given(thinking=WORDS, said_after=WORDS, gap=st.text(" \n\t"))
def test_the_answer_is_what_stands_after_the_last_mark(
    thinking: str, said_after: str, gap: str
) -> None:
    content = f"<think>{thinking}</think>{gap}{said_after}"
    chat = Chat.model_validate({"choices": [{"message": {"content": content}}]})
    found = read_response(chat, Generation("one", 9), "", None)
    assert isinstance(found, GenerationResponse)
    assert answer(found) == said_after.lstrip()
    assert found.text == content
