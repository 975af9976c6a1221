"""`server:` scores texts: from what servers say of the tokens that they read, or not at all."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from evalharness.backends import open_backend
from evalharness.backends.server import client as client_module
from evalharness.backends.server.answers import CompletionChoice
from evalharness.backends.server.echoing import ECHOING, echoed_tokens, prompt_tokens
from evalharness.backends.server.read_tokens import MisreadError, continuation_tokens
from evalharness.errors import DataError
from evalharness.records import (
    Failure,
    Generation,
    Instance,
    LogLikelihood,
    LogLikelihoodResponse,
    Message,
    Outcome,
    PseudoLogLikelihood,
    Request,
    RollingLogLikelihood,
    Sample,
)
from tests.backends import faulty_server
from tests.backends.faulty_server import (
    Call,
    FaultyServer,
    LlamaCpp,
    Reply,
    chat_only,
    echo,
    error,
    honest,
    tokens,
    without_scores,
)
from tests.models import make_llama


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    monkeypatch.setattr(client_module, "FIRST_DELAY", 0.001)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with faulty_server.running() as running:
        yield running


def instances(*requests: Request) -> list[Instance]:
    sample = Sample(id="sample", requests=requests)
    return [Instance("task", sample, index) for index in range(len(requests))]


def ask(spec: str, *requests: Request) -> list[Outcome]:
    asked = instances(*requests)
    backend = open_backend(spec)
    assert [backend.unsupported(one) for one in asked] == [None] * len(asked)
    outcomes = dict(backend.answer(asked))
    return [outcomes[index] for index in range(len(requests))]


def scored(outcome: Outcome) -> LogLikelihoodResponse:
    assert isinstance(outcome, LogLikelihoodResponse), outcome
    return outcome


def failed(outcome: Outcome) -> str:
    assert isinstance(outcome, Failure), outcome
    return outcome.error


def with_prompt_logprobs(call: Call) -> Reply:
    """As vLLM answers: what was read stands first, then the likeliest token if it is another."""
    if call.body.get("echo"):
        return error(400, "echo is not supported")
    if "prompt_logprobs" not in call.body:
        return honest(call)
    read = tokens(call.body["prompt"])
    places: list[dict[str, Any] | None] = [None]
    for token in read[1:]:
        rank = 1 if len(token) == 5 else 3
        place = {"7": {"logprob": -float(len(token)), "rank": rank, "decoded_token": token}}
        if rank != 1:
            place["9"] = {"logprob": -0.5, "rank": 1, "decoded_token": " four"}
        places.append(place)
    choice = {"text": " x", "finish_reason": "length", "prompt_logprobs": places}
    return Reply(body={"choices": [choice]})


def with_start(call: Call) -> Reply:
    """As vLLM echoes a model with a token that starts texts: the places count it."""
    if call.body.get("echo"):
        return Reply(body={"choices": [echo(call.body["prompt"], start="<s>")]})
    return honest(call)


def without_places(call: Call) -> Reply:
    """As SGLang echoes."""
    if call.body.get("echo"):
        return Reply(body={"choices": [echo(call.body["prompt"], offsets=False)]})
    return honest(call)


@pytest.mark.parametrize(
    "kind", [honest, with_prompt_logprobs, with_start, without_places, LlamaCpp()]
)
def test_a_continuation_is_scored(server: FaultyServer, kind: faulty_server.Behaviour) -> None:
    """In the toy model the log-probability of a token is minus its letters; four are likeliest."""
    server.behaviour = kind
    one, two, three = ask(
        server.spec(),
        LogLikelihood("the cat is", " gone home"),
        LogLikelihood("the cat is ", "away"),  # white space goes to the continuation
        LogLikelihood("cat", " here", shots=("a dog ", "a ")),
    )
    assert (scored(one).log_probability, scored(one).tokens, scored(one).greedy) == (-10, 2, True)
    assert (scored(two).log_probability, scored(two).tokens) == (-5, 1)
    assert (scored(three).log_probability, scored(three).greedy) == (-5, True)
    (bad,) = ask(server.spec(), LogLikelihood("the", " dog home"))
    assert (scored(bad).log_probability, scored(bad).greedy) == (-9, False)


def test_a_whole_text_is_scored_where_the_server_starts_it(server: FaultyServer) -> None:
    server.behaviour = with_start
    rolled, empty, alone = ask(
        server.spec(),
        RollingLogLikelihood("one two three"),
        RollingLogLikelihood(""),
        LogLikelihood("", "one two"),
    )
    assert (scored(rolled).log_probability, scored(rolled).tokens) == (-13, 3)
    assert (scored(empty).log_probability, scored(empty).tokens) == (0, 0)
    assert (scored(alone).log_probability, scored(alone).tokens) == (-7, 2)


@pytest.mark.parametrize("kind", [honest, with_prompt_logprobs, LlamaCpp()])
def test_a_first_token_without_probability_is_a_failure_that_says_what_to_do(
    server: FaultyServer, kind: faulty_server.Behaviour
) -> None:
    """To count it as certain would make every text that begins with a rare word look likely."""
    server.behaviour = kind
    rolled, alone = ask(
        server.spec(), RollingLogLikelihood("one two"), LogLikelihood("", "one two")
    )
    assert "start=" in failed(rolled)
    assert "start=" in failed(alone)
    (started,) = ask(server.spec("start=BEGIN "), LogLikelihood("", "one two"))
    assert "across the border" in failed(started)  # the toy joins the space to the next word
    (started,) = ask(server.spec("start=BEGIN"), LogLikelihood("", " one two"))
    assert scored(started).log_probability == -8


def test_a_token_across_the_border_is_a_failure(server: FaultyServer) -> None:
    across, none = ask(
        server.spec(), LogLikelihood("one tw", "o three"), LogLikelihood("one tw", "o")
    )
    assert "across the border" in failed(across)
    assert "no tokens of its own" in failed(none)


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        (without_scores, "retries=1", "does not echo"),
        (chat_only, "retries=1", "chat model"),
        (honest, "api=chat", "api=chat has none"),
    ],
)
def test_a_server_without_log_probabilities_says_so(
    server: FaultyServer, kind: faulty_server.Behaviour, options: str, reason: str
) -> None:
    """Such a task is skipped with this reason; texts can be asked for all the same."""
    server.behaviour = kind
    backend = open_backend(server.spec(options))
    score, whole, text = instances(
        LogLikelihood("one", " two"), RollingLogLikelihood("one"), Generation("one", 9)
    )
    for one in (score, whole):
        found = backend.unsupported(one)
        assert found is not None
        assert "no log-probabilities" in found
        assert reason in found
    assert backend.unsupported(text) is None


def test_a_server_has_no_masked_tokens_and_is_not_asked_about_them(server: FaultyServer) -> None:
    (one,) = instances(PseudoLogLikelihood("one"))
    backend = open_backend(server.spec())
    before = len(server.calls)
    reason = backend.unsupported(one)
    assert reason is not None
    assert "masked models" in reason
    assert dict(backend.answer([one])) == {0: Failure(reason)}
    assert len(server.calls) == before


def of_the_next_place(call: Call) -> Reply:
    """As llama-cpp-python 0.3.36 answers for a model without a token that starts texts."""
    reply = honest(call)
    if call.body.get("echo"):
        echoed = reply.body["choices"][0]["logprobs"]
        echoed["top_logprobs"] = [None, *({" other": -0.1} for _ in echoed["tokens"][1:])]
    return reply


def all_certain(call: Call) -> Reply:
    """As a server that fills in what it does not know."""
    reply = honest(call)
    if call.body.get("echo"):
        echoed = reply.body["choices"][0]["logprobs"]
        echoed["token_logprobs"] = [None, *(0.0 for _ in echoed["tokens"][1:])]
    return reply


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (of_the_next_place, "after 'The sky is' comes ' four', which by them is not the likeliest"),
        (all_certain, "all 0"),
    ],
)
def test_log_probabilities_that_do_not_fit_what_is_written_are_not_used(
    server: FaultyServer, kind: faulty_server.Behaviour, reason: str
) -> None:
    """A real server gave those of the place after each token, and every score was nonsense."""
    server.behaviour = kind
    (instance,) = instances(LogLikelihood("the cat is", " gone home"))
    assert reason in (open_backend(server.spec()).unsupported(instance) or "")


def test_parts_of_letters_are_scored_by_a_server_that_does_not_say_how_likely_they_are(
    server: FaultyServer,
) -> None:
    """llama.cpp says nothing of a written token that ends within a letter: all others are asked."""
    server.behaviour = LlamaCpp()
    (one,) = ask(server.spec(), LogLikelihood("the cat", " \N{LATIN SMALL LETTER E WITH ACUTE}t"))
    assert (scored(one).log_probability, scored(one).tokens) == (-4, 2)
    assert not scored(one).greedy
    (across,) = ask(server.spec(), LogLikelihood("a \N{LATIN SMALL LETTER E WITH ACUTE}", "t"))
    assert "no tokens of its own" in failed(across)


def written_alone(call: Call) -> Reply:
    """As llama.cpp's server answers, at an address where texts cannot be cut into tokens."""
    return error(404, "File Not Found") if call.path == "/tokenize" else LlamaCpp()(call)


def not_told(call: Call) -> Reply:
    """The token that is written is the likeliest, whatever is told."""
    told = {**call.body, "logit_bias": [[faulty_server.number_of(b" four"), 1]]}
    return LlamaCpp()(Call(call.path, told if "logit_bias" in call.body else call.body, {}))


def in_another_form(call: Call) -> Reply:
    reply = without_scores(call)
    if "logprobs" in call.body:
        reply.body["choices"][0]["logprobs"] = {"tokens": 7}
    return reply


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (written_alone, "does not echo"),
        (not_told, "does not echo"),
        (in_another_form, "the answer is not one"),
    ],
)
def test_log_probabilities_of_what_is_written_are_not_taken_for_those_of_what_is_read(
    server: FaultyServer, kind: faulty_server.Behaviour, reason: str
) -> None:
    """llama.cpp's server has them in another form, which ended the run as a broken answer does."""
    server.behaviour = kind
    (instance,) = instances(LogLikelihood("the cat is", " gone home"))
    found = open_backend(server.spec("retries=1")).unsupported(instance)
    assert found is not None
    assert reason in found


def test_other_servers_are_not_asked_for_llama_cpps_tokens(server: FaultyServer) -> None:
    """A key would be sent to a path beside the API, which who knows who answers."""
    server.behaviour = without_scores
    (instance,) = instances(LogLikelihood("the cat is", " gone home"))
    assert open_backend(server.spec()).unsupported(instance) is not None
    assert {call.path for call in server.calls} == {"/v1/models", "/v1/completions"}


def test_a_busy_server_is_not_taken_for_one_that_cannot_score(server: FaultyServer) -> None:
    """Its tasks would be skipped, and the run would end well."""
    server.faults = [error(429, "slow down")] * 2
    backend = open_backend(server.spec("retries=1"))
    with pytest.raises(DataError, match="could not be found out"):
        backend.unsupported(instances(LogLikelihood("one", " two"))[0])


def test_chats_are_not_scored(server: FaultyServer) -> None:
    backend = open_backend(server.spec())
    (one,) = instances(LogLikelihood((Message("user", "hi"),), " two"))
    assert "chats" in (backend.unsupported(one) or "")


def test_shots_are_dropped_until_a_text_fits(server: FaultyServer) -> None:
    def short(call: Call) -> Reply:
        if len(call.body.get("prompt", "")) > 20:
            return error(400, "too many", "context_length_exceeded")
        return honest(call)

    server.behaviour = short
    shots = tuple(f"shot{number} " for number in range(5))
    (outcome,) = ask(server.spec(), LogLikelihood("Q", " A", shots=shots))
    assert (scored(outcome).dropped_shots, scored(outcome).log_probability) == (3, -2)


def logprobs(**changed: Any) -> CompletionChoice:
    choice = echo("one two")
    choice["logprobs"] |= changed
    return CompletionChoice.model_validate(choice)


@pytest.mark.parametrize(
    "changed",
    [
        {"tokens": []},
        {"token_logprobs": [None]},
        {"tokens": ["one", " two", "three"]},
        {"tokens": ["one", " tow"]},
        {"text_offset": [0, 0]},
        {"text_offset": [3, 0]},
        {"text_offset": [0, 2**70]},
    ],
)
def test_damaged_log_probabilities_are_misread_by_nobody(changed: dict[str, Any]) -> None:
    """Whatever a server says: the score of the continuation, or an error."""
    try:
        found = echoed_tokens(logprobs(**changed), "one two")
        own = continuation_tokens(found, "one two", 3)
    except MisreadError:
        return
    assert [token.log_probability for token in own] == [-4.0]


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=2),
    st.data(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([("", ""), (" x", " x"), ("<|im_end|>", "")]),
)
def test_the_tokens_after_the_border_are_those_of_the_continuation(
    texts: list[str],
    data: st.DataObject,
    has_start: bool,
    offsets: bool,
    written: tuple[str, str],
) -> None:
    """However a text is cut into tokens, with a start token or not, with places or without.

    vLLM also tells of the token that it wrote after the text, which is not in its text where it
    ends texts: the places were then counted from a wrong end, and six questions of 100 failed.
    """
    border = data.draw(st.integers(1, len(texts) - 1))
    text = "".join(texts)
    read = ["<s>", *texts] if has_start else texts
    values = [None, *(-float(number) for number in range(1, len(read)))]
    places = [len("".join(read[:number])) for number in range(len(read))]
    extra = [written[0]] if written[0] else []
    choice = CompletionChoice.model_validate(
        {
            "text": text + written[1],
            "logprobs": {
                "tokens": [*read, *extra],
                "token_logprobs": [*values, *(-0.5 for _ in extra)],
                "text_offset": [*places, *(len("".join(read)) for _ in extra)] if offsets else None,
            },
        }
    )
    own = continuation_tokens(echoed_tokens(choice, text), text, len("".join(texts[:border])))
    assert [token.log_probability for token in own] == values[border - len(texts) :]
    entries = [
        None if value is None else {"1": {"logprob": value, "rank": 1, "decoded_token": token}}
        for token, value in zip(read, values, strict=True)
    ]
    other = CompletionChoice.model_validate({"text": "x", "prompt_logprobs": entries})
    own = continuation_tokens(prompt_tokens(other, text), text, len("".join(texts[:border])))
    assert [token.log_probability for token in own] == values[border - len(texts) :]


def test_no_method_asks_for_no_token() -> None:
    """To llama-cpp-python that means as many as fit."""
    assert all(method.fields["max_tokens"] == 1 for method in ECHOING)


class TransformersServer:
    """Echoes what transformers reads: one of its models behind the API, places from tokenizers."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def __call__(self, call: Call) -> Reply:
        text = call.body.get("prompt", "")
        if not call.body.get("echo"):
            return self._likeliest(text) if "max_tokens" in call.body else honest(call)
        read = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids = read["input_ids"]
        with torch.inference_mode():
            logits = self._model(torch.tensor([ids])).logits[0].log_softmax(-1)
        own = logits[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0].tolist()
        top = logits[:-1].topk(call.body["logprobs"])
        names = [self._tokenizer.convert_ids_to_tokens(tokens) for tokens in top.indices]
        echoed = {
            "tokens": [text[start:end] for start, end in read["offset_mapping"]],
            "text_offset": [start for start, _ in read["offset_mapping"]],
            "token_logprobs": [None, *own],
            "top_logprobs": [None, *map(dict, map(zip, names, top.values.tolist()))],
        }
        return Reply(body={"choices": [{"text": text, "logprobs": echoed}]})

    def _likeliest(self, text: str) -> Reply:
        """The token that is written after a text."""
        ids = self._tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            token = self._model(ids).logits[0, -1].argmax()
        read = self._tokenizer.decode(torch.cat([ids[0], token[None]]))
        return Reply(body={"choices": [{"text": read[len(text) :], "finish_reason": "length"}]})


def test_a_checkpoint_behind_a_server_scores_as_the_built_in_model(
    server: FaultyServer, tmp_path: Path
) -> None:
    """The same checkpoint, served by transformers and read by the built-in transformer."""
    make_llama(tmp_path / "checkpoint")
    server.behaviour = TransformersServer(tmp_path / "checkpoint")
    requests = (
        LogLikelihood("Question: what is the capital?\nAnswer:", " Paris"),
        LogLikelihood("Question: what is the capital?\nAnswer: ", "the lazy dog."),
        LogLikelihood("The quick", " brown fox", shots=("1, 22\n\n", "jumps\n\n")),
        LogLikelihood("", "Numbers such as 1"),
        RollingLogLikelihood("Numbers such as 1, 22 and 333; ümläuts, ñ."),
    )
    theirs = [scored(one) for one in ask(server.spec("start=<s>"), *requests)]
    ours = [scored(one) for one in ask(f"builtin:{tmp_path / 'checkpoint'}", *requests)]
    for their, our in zip(theirs, ours, strict=True):
        assert math.isclose(their.log_probability, our.log_probability, abs_tol=1e-4)
        assert (their.tokens, their.greedy) == (our.tokens, our.greedy)
