"""`server:` gives the log-probabilities of tokens where it echoes a text with them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from evalharness.backends import open_backend
from evalharness.backends.server import client as client_module
from evalharness.backends.server.read_tokens import ReadToken, texts_of
from evalharness.records import (
    ALTERNATIVES,
    Failure,
    LogLikelihood,
    Message,
    RollingLogLikelihood,
    Scorable,
    TokenScores,
    TokenScoring,
)
from tests.backends import faulty_server
from tests.backends.faulty_server import FaultyServer, LlamaCpp, chat_only, error
from tests.backends.test_server_scoring import TransformersServer, with_prompt_logprobs
from tests.models import make_llama


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    monkeypatch.setattr(client_module, "FIRST_DELAY", 0.001)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with faulty_server.running() as running:
        yield running


def found(spec: str, *requests: Scorable) -> list[TokenScores | Failure]:
    backend = open_backend(spec)
    assert isinstance(backend, TokenScoring)
    scores = dict(backend.token_scores(requests))
    assert sorted(scores) == list(range(len(requests)))
    return [scores[index] for index in range(len(requests))]


def test_a_checkpoint_behind_a_server_has_the_tokens_of_the_built_in_model(
    server: FaultyServer, tmp_path: Path
) -> None:
    """The same checkpoint, served by transformers and read by the built-in transformer."""
    make_llama(tmp_path / "checkpoint")
    server.behaviour = TransformersServer(tmp_path / "checkpoint")
    requests = (
        LogLikelihood("Question: what is the capital?\nAnswer: ", "the lazy dog."),
        LogLikelihood("The quick", " brown fox", shots=("1, 22\n\n", "jumps\n\n")),
        RollingLogLikelihood("Numbers such as 1, 22 and 333; ümläuts, ñ."),
        RollingLogLikelihood(""),
    )
    theirs = found(server.spec("start=<s>"), *requests)
    ours = found(f"builtin:{tmp_path / 'checkpoint'}", *requests)
    for their, our in zip(theirs, ours, strict=True):
        assert isinstance(their, TokenScores)
        assert isinstance(our, TokenScores)
        # Where a token ends within a character, the two divide the text otherwise.
        assert "".join(one.text for one in their.tokens) == "".join(o.text for o in our.tokens)
        for one, other in zip(their.tokens, our.tokens, strict=True):
            assert one.log_probability == pytest.approx(other.log_probability, abs=1e-4)
            assert [value for _, value in one.alternatives] == pytest.approx(
                [value for _, value in other.alternatives], abs=1e-4
            )
    numbers = {call.body.get("logprobs") for call in server.asked() if call.body.get("echo")}
    assert numbers == {1, ALTERNATIVES}  # what finds out whether it can score asks for one


def test_tokens_of_prompt_logprobs_have_the_likeliest_first(server: FaultyServer) -> None:
    """As vLLM answers: the token that was read stands first, the likeliest after it."""
    server.behaviour = with_prompt_logprobs
    (scores,) = found(server.spec(), LogLikelihood("the cat is", " gone away"))
    assert isinstance(scores, TokenScores)
    assert [(one.text, one.log_probability, one.alternatives) for one in scores.tokens] == [
        (" gone", -5.0, ((" gone", -5.0),)),
        (" away", -5.0, ((" away", -5.0),)),
    ]
    (scores,) = found(server.spec(), LogLikelihood("the", " dog"))
    assert isinstance(scores, TokenScores)
    assert scores.tokens[0].alternatives == ((" four", -0.5), (" dog", -4.0))
    assert server.calls[-1].body["prompt_logprobs"] == ALTERNATIVES


def test_one_text_that_fails_takes_nothing_from_the_others(server: FaultyServer) -> None:
    backend = open_backend(server.spec("concurrency=1"))
    assert isinstance(backend, TokenScoring)
    chat = (Message("user", "the"),)
    requests = (LogLikelihood("the", " one"), LogLikelihood("a", " b"), LogLikelihood(chat, " c"))
    assert len(list(backend.token_scores(requests[:1]))) == 1
    server.faults = [error(400, "no such text")]
    first, second, third = (one for _, one in sorted(backend.token_scores(requests)))
    assert isinstance(first, Failure)
    assert "no such text" in first.error
    assert isinstance(second, TokenScores)
    assert isinstance(third, Failure)
    assert "chats" in third.error


def test_a_server_without_log_probabilities_has_none_of_tokens(server: FaultyServer) -> None:
    server.behaviour = chat_only
    (scores,) = found(server.spec("retries=0"), LogLikelihood("the", " one"))
    assert isinstance(scores, Failure)


def test_the_first_of_several_tokens_at_one_place_has_its_text() -> None:
    """Servers spell the parts of a character in many ways, which are no text."""
    read = [
        ReadToken(" a", 3, -1.0, greedy=False),
        ReadToken("bytes:\\xe6", 5, -1.0, greedy=False),
        ReadToken("�", 5, -1.0, greedy=False),
        ReadToken("b", 6, -1.0, greedy=False),
    ]
    assert texts_of(read, "the a日b") == (" a", "日", "", "b")


def test_tokens_that_llama_cpp_is_told_to_write_are_scored_one_by_one(server: FaultyServer) -> None:
    """The first token of a letter has its text, the likeliest are as many as elsewhere."""
    server.behaviour = LlamaCpp()
    (scores,) = found(
        server.spec(), LogLikelihood("the cat", " \N{LATIN SMALL LETTER O WITH GRAVE}t")
    )
    assert isinstance(scores, TokenScores)
    shown = [(one.text, one.log_probability, one.alternatives) for one in scores.tokens]
    likeliest = ((" four", -0.5),)
    assert shown[1] == ("", -2.0, likeliest)
    assert shown[0][:2] == (" \N{LATIN SMALL LETTER O WITH GRAVE}t", -2.0)
    assert 1 < len(shown[0][2]) <= ALTERNATIVES
