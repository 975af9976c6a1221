"""Requests to tokens: what is dropped from long prompts, how long texts are cut in windows."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import processors

from evalharness.backends import encoding
from evalharness.backends.encoding import (
    EncodedJob,
    EncodedQuery,
    encode_generations,
    encode_log_likelihoods,
    encode_rolling,
    rolling_windows,
)
from evalharness.records import (
    Failure,
    Generation,
    LogLikelihood,
    Message,
    RollingLogLikelihood,
)
from evalharness.transformer.tokenizer import Tokenizer
from tests.models import make_tokenizer

SHOTS = tuple(f"Question: what is {number}?\nAnswer: {number}\n\n" for number in range(6))
PROMPT = "Question: what is the capital?\nAnswer:"


def save(folder: Path, *, adds_bos: bool = False) -> Tokenizer:
    tokenizer = make_tokenizer()
    if adds_bos:
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 0)]
        )
    tokenizer.save_pretrained(str(folder))
    return Tokenizer(folder)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return save(tmp_path_factory.mktemp("tokenizer"))


def query(tokenizer: Tokenizer, request: LogLikelihood, max_length: int) -> EncodedQuery:
    (encoded,) = encode_log_likelihoods(tokenizer, [request], max_length)
    assert isinstance(encoded, EncodedQuery)
    return encoded


def job(tokenizer: Tokenizer, request: Generation, max_length: int) -> EncodedJob:
    (encoded,) = encode_generations(tokenizer, [request], max_length)
    assert isinstance(encoded, EncodedJob)
    return encoded


def length(tokenizer: Tokenizer, texts: Iterable[str]) -> int:
    return len(tokenizer.encode(["".join(texts)])[0])


# --- shots and prompts ---------------------------------------------------------------------

PIECES = st.sampled_from(["The quick brown", " fox", "\n", "Paris", " 22", "ü", "日本", "Answer: "])
TEXTS = st.lists(PIECES, min_size=1, max_size=6).map("".join)
LISTS_OF_SHOTS = st.lists(TEXTS.map(lambda text: f"{text}.\n\n"), max_size=7).map(tuple)


@given(shots=LISTS_OF_SHOTS, prompt=TEXTS, continuation=TEXTS, max_length=st.integers(30, 120))
def test_a_continuation_loses_as_few_shots_as_the_context_needs_and_then_the_prompts_beginning(
    tokenizer: Tokenizer,
    shots: tuple[str, ...],
    prompt: str,
    continuation: str,
    max_length: int,
) -> None:
    (found,) = encode_log_likelihoods(
        tokenizer, [LogLikelihood(prompt, f".{continuation}", shots)], max_length
    )
    if isinstance(found, Failure):
        assert "context" in found.error
        return
    dropped = found.dropped_shots
    before = "".join(shots[dropped:]) + prompt
    (whole,) = tokenizer.encode([f"{before}.{continuation}"])
    if not before.strip():  # white space goes to the continuation, which then starts the text
        whole = [tokenizer.start_token, *whole]
    # The last token is asked for, and takes no room.
    if dropped:
        more = length(tokenizer, [*shots[dropped - 1 :], prompt, f".{continuation}"])
        assert more - 1 > max_length
    assert found.truncated == (len(whole) - 1 > max_length)
    assert not found.truncated or dropped == len(shots)
    assert found.query.tokens == tuple(whole[:-1][-max_length:])
    assert found.query.targets == tuple(whole[len(whole) - len(found.query.targets) :])


@given(
    shots=LISTS_OF_SHOTS,
    prompt=TEXTS,
    max_tokens=st.integers(1, 20),
    max_length=st.integers(21, 120),
)
def test_a_generation_loses_as_few_shots_as_its_answer_needs_and_then_the_prompts_beginning(
    tokenizer: Tokenizer, shots: tuple[str, ...], prompt: str, max_tokens: int, max_length: int
) -> None:
    found = job(tokenizer, Generation(prompt, max_tokens, shots=shots), max_length)
    dropped, room = found.dropped_shots, max_length - max_tokens
    (whole,) = tokenizer.encode(["".join(shots[dropped:]) + prompt])
    if dropped:
        assert length(tokenizer, [*shots[dropped - 1 :], prompt]) > room
    assert found.truncated == (len(whole) > room)
    assert not found.truncated or dropped == len(shots)
    assert found.job.tokens == tuple(whole[-room:])


def test_shots_that_fit_are_the_prompts_beginning(tokenizer: Tokenizer) -> None:
    shown = "".join(SHOTS) + PROMPT
    with_shots = LogLikelihood(PROMPT, " Paris", SHOTS)
    assert query(tokenizer, with_shots, 999) == query(
        tokenizer, LogLikelihood(shown, " Paris"), 999
    )
    written = Generation(PROMPT, 5, shots=SHOTS)
    assert job(tokenizer, written, 999) == job(tokenizer, Generation(shown, 5), 999)


def test_without_any_room_for_shots_a_whole_prompt_is_not_truncated(tokenizer: Tokenizer) -> None:
    """`truncated` is for text of the prompt itself; lost examples are counted apart."""
    room = length(tokenizer, [PROMPT, " Paris"]) - 1
    found = query(tokenizer, LogLikelihood(PROMPT, " Paris", SHOTS), room)
    assert (found.dropped_shots, found.truncated) == (6, False)
    shorter = query(tokenizer, LogLikelihood(PROMPT, " Paris", SHOTS), room - 1)
    assert (shorter.dropped_shots, shorter.truncated) == (6, True)


def test_the_token_that_starts_a_text_stays_in_front_when_shots_are_dropped(tmp_path: Path) -> None:
    adding = save(tmp_path, adds_bos=True)
    shown = "".join(SHOTS[4:]) + PROMPT
    room = length(adding, [shown])
    found = job(adding, Generation(PROMPT, 5, shots=SHOTS), room + 5)
    assert found.dropped_shots == 4
    assert list(found.job.tokens) == adding.encode([shown])[0]
    assert found.job.tokens[0] == adding.start_token


def test_an_empty_prompt_without_its_shots_is_the_start_of_a_text(tokenizer: Tokenizer) -> None:
    found = query(tokenizer, LogLikelihood("", "The lazy dog", SHOTS), 12)
    assert found.dropped_shots == 6
    assert found.query == query(tokenizer, LogLikelihood("", "The lazy dog"), 12).query
    assert found.query.tokens[0] == tokenizer.start_token


class CountingTokenizer(Tokenizer):
    """Notes the texts of each call."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.calls: list[Sequence[str]] = []

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        self.calls.append(list(texts))
        return super().encode(texts)


@pytest.fixture
def counting(tmp_path: Path) -> CountingTokenizer:
    save(tmp_path)
    return CountingTokenizer(tmp_path)


def test_the_prompt_of_four_options_is_encoded_once(counting: CountingTokenizer) -> None:
    requests = [
        LogLikelihood(f"{PROMPT} {question}?", f" {option}", SHOTS)
        for question in range(50)
        for option in "abcd"
    ]
    assert len(list(encode_log_likelihoods(counting, requests, 9999))) == 200
    encoded = [len(texts) for texts in counting.calls if texts]
    assert sorted(encoded) == [50, 200]


def test_thirty_shots_too_many_need_few_rounds(counting: CountingTokenizer) -> None:
    requests = [Generation(f"{PROMPT} {number}", 5, shots=SHOTS * 5) for number in range(40)]
    found = list(encode_generations(counting, requests, 60))
    assert {type(one) for one in found} == {EncodedJob}
    assert sum(bool(texts) for texts in counting.calls) <= 7
    assert all(len(texts) <= 40 for texts in counting.calls)


def test_parts_of_a_long_list_are_encoded_like_the_whole(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = [LogLikelihood(f"{PROMPT} {n}", " Paris", SHOTS[: n % 6]) for n in range(11)]
    written = [Generation(f"{PROMPT} {n}", n + 1, shots=SHOTS[: n % 6]) for n in range(11)]
    queries = list(encode_log_likelihoods(tokenizer, scored, 50))
    jobs = list(encode_generations(tokenizer, written, 50))
    monkeypatch.setattr(encoding, "REQUESTS_AT_ONCE", 3)
    assert list(encode_log_likelihoods(tokenizer, scored, 50)) == queries
    assert list(encode_generations(tokenizer, written, 50)) == jobs


def test_messages_are_encoded_as_before(tokenizer: Tokenizer) -> None:
    chat = (Message("user", "Hello"),)
    rendered = tokenizer.render(chat)
    assert job(tokenizer, Generation(chat, 5), 99) == job(tokenizer, Generation(rendered, 5), 99)


# --- whole texts --------------------------------------------------------------------------


@pytest.mark.oracle
def test_windows_equal_those_of_lm_evaluation_harness(oracles: Path) -> None:
    cases = json.loads((oracles / "perplexity" / "rolling_windows.json").read_text())
    checked = 0
    for case in cases:
        if case["context_len"] == 1:  # the only one that scores are reported with
            windows = rolling_windows(case["token_list"], case["prefix_token"], case["max_seq_len"])
            found = [[list(window.tokens), list(window.targets)] for window in windows]
            assert found == case["windows"], case["name"]
            checked += 1
    assert checked == 3


@given(tokens=st.lists(st.integers(0, 9), max_size=60), max_length=st.integers(1, 25))
def test_windows_ask_for_every_token_once_in_order_after_what_precedes_it(
    tokens: list[int], max_length: int
) -> None:
    text = [-1, *tokens]
    asked = 0
    windows = rolling_windows(tokens, -1, max_length)
    for window in windows:
        assert len(window.tokens) <= max_length
        assert list(window.targets) == tokens[asked : asked + len(window.targets)]
        asked += len(window.targets)
        # The inputs end just before the last target, and the first target sees one token or more.
        assert list(window.tokens) == text[asked - len(window.tokens) : asked]
        assert 1 <= len(window.targets) <= len(window.tokens)
    assert asked == len(tokens)
    assert all(len(window.tokens) == max_length for window in windows[1:])


@given(texts=st.lists(st.lists(PIECES, max_size=12).map("".join), max_size=6))
def test_the_windows_of_each_text_ask_for_all_its_tokens(
    tokenizer: Tokenizer, texts: list[str]
) -> None:
    requests = [RollingLogLikelihood(text) for text in texts]
    encoded = list(encode_rolling(tokenizer, requests, 8))
    for windows, tokens in zip(encoded, tokenizer.encode(texts), strict=True):
        assert [token for window in windows for token in window.targets] == tokens
        assert all(window.tokens[0] == tokenizer.start_token for window in windows[:1])


def test_a_bos_that_the_tokenizer_adds_is_seen_and_not_scored(tmp_path: Path) -> None:
    adding = save(tmp_path, adds_bos=True)
    ((window,), nothing) = encode_rolling(
        adding, [RollingLogLikelihood("The fox"), RollingLogLikelihood("")], 99
    )
    (tokens,) = adding.encode(["The fox"])
    assert tokens[0] == adding.start_token
    assert (window.tokens, window.targets) == (tuple(tokens[:-1]), tuple(tokens[1:]))
    assert nothing == []


# --- chats ----------------------------------------------------------------------------------

QUESTION = Message("user", PROMPT)
TURNS = tuple(
    (Message("user", f"Question: what is {number}?"), Message("assistant", f"{number}"))
    for number in range(6)
)
MIXED = st.lists(st.sampled_from([*SHOTS[:2], *TURNS[:3]]), max_size=6)


@given(shots=MIXED, max_length=st.integers(40, 200))
def test_a_chat_loses_its_earliest_examples_and_is_rendered_anew(
    tokenizer: Tokenizer, shots: list[str | tuple[Message, ...]], max_length: int
) -> None:
    """System prompt and question stay; every candidate is what the template makes of it."""
    system = Message("system", "Be brief.")
    request = Generation((system, QUESTION), 5, shots=tuple(shots))
    found, room = job(tokenizer, request, max_length), max_length - 5

    def rendered(dropped: int) -> list[int]:
        left = shots[dropped:]
        turns = [turn for shot in left if isinstance(shot, tuple) for turn in shot]
        text = "".join(shot for shot in left if isinstance(shot, str))
        messages = (system, *turns, Message("user", text + PROMPT))
        return tokenizer.encode([tokenizer.render(messages)])[0]

    assert found.job.tokens == tuple(rendered(found.dropped_shots)[-room:])
    assert found.truncated == (len(rendered(found.dropped_shots)) > room)
    assert not found.dropped_shots or len(rendered(found.dropped_shots - 1)) > room
    assert not found.truncated or found.dropped_shots == len(shots)


@pytest.mark.parametrize(
    ("end", "continuation"), [("[assistant]\n\n", "Paris"), ("the quick brown fo", "x jumps")]
)
def test_a_continuation_follows_the_tokens_of_all_that_the_template_ends_with(
    tmp_path: Path, end: str, continuation: str
) -> None:
    """A line break at its end was asked for with every answer; the model is given it.

    So it is where prompt and continuation would share a token, were they one text.
    """
    save(tmp_path, adds_bos=True)
    (tmp_path / "chat_template.jinja").write_text(f"{{{{ messages[0].content + {end!r} }}}}")
    tokenizer = Tokenizer(tmp_path)
    found = query(tokenizer, LogLikelihood((QUESTION,), continuation), 99)
    given, own = tokenizer.encode([PROMPT + end, continuation])
    assert found.query.tokens == (*given, *own[1:-1])
    assert found.query.targets == tuple(own[1:])
    assert job(tokenizer, Generation((QUESTION,), 5), 99).job.tokens == tuple(given)


def test_a_template_that_writes_bos_has_it_once_and_shows_it(tmp_path: Path) -> None:
    adding = save(tmp_path, adds_bos=True)
    found = job(adding, Generation((QUESTION,), 5, shots=TURNS), 999)
    assert found.job.tokens.count(adding.start_token) == 1
    text = adding.render((QUESTION,))
    assert adding.opened(text) == text
    assert adding.opened("plain") == "<s>plain"


def test_a_chat_that_cannot_be_rendered_fails_alone(tmp_path: Path) -> None:
    """One refused prompt ended the run of the model."""
    save(tmp_path)
    (tmp_path / "chat_template.jinja").write_text(
        "{% if 'bad' in messages[0].content %}{{ raise_exception('no bad words') }}{% endif %}"
        "{{ messages[0].content }}"
    )
    tokenizer = Tokenizer(tmp_path)
    bad, good = ((Message("user", text),) for text in ("bad", "good"))
    for encoded in (
        encode_generations(tokenizer, [Generation(bad, 5), Generation(good, 5)], 99),
        encode_log_likelihoods(tokenizer, [LogLikelihood(bad, "x"), LogLikelihood(good, "x")], 99),
    ):
        failed, done = encoded
        assert isinstance(failed, Failure)
        assert "no bad words" in failed.error
        assert not isinstance(done, Failure)


def test_examples_in_turns_before_plain_text_are_refused() -> None:
    with pytest.raises(ValueError, match="in turns can be put before messages only"):
        Generation(PROMPT, 5, shots=TURNS)
