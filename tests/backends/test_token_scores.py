"""Tokens of answers, by each backend that can score them, against transformers' own classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from evalharness.backends import open_backend
from evalharness.backends.encoding import encode_log_likelihoods, encode_rolling
from evalharness.backends.pieces import pieces_in
from evalharness.backends.token_scores import given_before
from evalharness.engine.trie import Query
from evalharness.records import (
    ALTERNATIVES,
    Failure,
    Generation,
    GenerationResponse,
    Instance,
    LogLikelihood,
    LogLikelihoodResponse,
    Message,
    Prompt,
    RollingLogLikelihood,
    Sample,
    Scorable,
    TokenScores,
    TokenScoring,
)
from evalharness.transformer.tokenizer import Tokenizer
from tests.encoder_models import make_seq2seq, seq2seq_spec
from tests.models import make_llama, make_model

LONG = "The quick brown fox jumps over the lazy dog. "
REQUESTS: list[Scorable] = [
    LogLikelihood("The quick ", "brown fox"),
    LogLikelihood("", "Numbers such as 1"),
    LogLikelihood("Numbers such as 1, 22 and 333;", " ümläuts, ñ and 日本語."),
    LogLikelihood(LONG * 2, " Paris"),
    LogLikelihood(LONG * 2, " France"),
    LogLikelihood((Message("user", "Hello"),), "Paris"),
    LogLikelihood("Question: what", " is the capital", shots=(LONG, "Answer: Paris\n") * 20),
    RollingLogLikelihood(LONG * 20),
    RollingLogLikelihood(""),
]


class Model:
    """A checkpoint behind one of our backends, and behind transformers."""

    def __init__(self, folder: Path, spec: str, architecture: str, **sizes: Any) -> None:
        make_model(folder, architecture, **sizes)
        self.ours = open_backend(f"{spec}:{folder}")
        self.theirs = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=torch.float32, attn_implementation="eager"
        ).eval()
        self.tokenizer = Tokenizer(folder)

    def tokens(self, requests: Sequence[Scorable]) -> list[TokenScores]:
        return tokens(self.ours, requests)

    def answers(self, requests: Sequence[Scorable]) -> list[LogLikelihoodResponse]:
        sample = Sample(id="sample", requests=tuple(requests))
        asked = [Instance("task", sample, index) for index in range(len(requests))]
        outcomes = dict(self.ours.answer(asked))
        found = [outcomes[index] for index in range(len(requests))]
        return [one for one in found if isinstance(one, LogLikelihoodResponse)]

    def queries(self, request: Scorable) -> list[Query]:
        length = self.ours.model.max_length
        if isinstance(request, RollingLogLikelihood):
            (windows,) = encode_rolling(self.tokenizer, [request], length)
            return windows
        (encoded,) = encode_log_likelihoods(self.tokenizer, [request], length)
        assert not isinstance(encoded, Failure)
        return [encoded.query]


def tokens(backend: Any, requests: Sequence[Scorable]) -> list[TokenScores]:
    assert isinstance(backend, TokenScoring)
    found = dict(backend.token_scores(requests))
    assert sorted(found) == list(range(len(requests)))
    scored = [found[index] for index in range(len(requests))]
    assert all(isinstance(one, TokenScores) for one in scored), scored
    return [one for one in scored if isinstance(one, TokenScores)]


KINDS = {
    "builtin": ("builtin", "LlamaForCausalLM", {}),
    "hf, packed": ("hf", "LlamaForCausalLM", {}),
    "hf, padded": ("hf", "BloomForCausalLM", {"hidden_size": 36, "n_head": 6, "n_layer": 2}),
}


@pytest.fixture(scope="module", params=list(KINDS))
def model(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Model:
    spec, architecture, sizes = KINDS[request.param]
    return Model(tmp_path_factory.mktemp("model"), spec, architecture, **sizes)


def test_tokens_are_those_of_transformers_log_softmax_and_topk(model: Model) -> None:
    """Over prompts, chats, shots that do not fit and windows of a text that is too long."""
    for request, scores in zip(REQUESTS, model.tokens(REQUESTS), strict=True):
        own = iter(scores.tokens)
        for query in model.queries(request):
            with torch.inference_mode():
                rows = model.theirs(torch.tensor([query.tokens])).logits[0].log_softmax(-1)
            rows = rows[len(query.tokens) - len(query.targets) :]
            for row, target in zip(rows, query.targets, strict=True):
                token = next(own)
                assert token.log_probability == pytest.approx(float(row[target]), abs=1e-4)
                best = row.topk(ALTERNATIVES).values.tolist()
                assert [one for _, one in token.alternatives] == pytest.approx(best, abs=1e-4)
        assert next(own, None) is None, request


TEXT = st.text("abc ,.1é日本語🦊\n", min_size=1, max_size=12).filter(str.strip)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.sampled_from(["", "The quick", LONG]), TEXT), min_size=1, max_size=6))
def test_tokens_add_up_to_the_answer_and_their_texts_to_what_was_scored(
    model: Model, parts: list[tuple[str, str]]
) -> None:
    """Parts of characters, which byte-level tokens may be, must not show as garbage."""
    requests: list[Scorable] = [LogLikelihood(prompt, f" {text}") for prompt, text in parts]
    requests += [RollingLogLikelihood(text) for _, text in parts]
    answers = model.answers(requests)
    for request, scores, answer in zip(requests, model.tokens(requests), answers, strict=True):
        assert len(scores.tokens) == answer.tokens
        total = sum(token.log_probability for token in scores.tokens)
        assert total == pytest.approx(answer.log_probability, abs=1e-4)
        text = request.text if isinstance(request, RollingLogLikelihood) else request.continuation
        if isinstance(request, LogLikelihood) and request.prompt == LONG:
            text = f" {text}"  # the space that the prompt ends with
        assert "".join(token.text for token in scores.tokens) == text


def test_a_token_has_the_same_text_as_one_of_the_likeliest(model: Model) -> None:
    """An alternative that was decoded as the beginning of a text lost its space."""
    prompts = [LONG[:length].rstrip() for length in range(1, len(LONG), 2)]
    asked = [LogLikelihood(prompt, "!") for prompt in prompts]
    named = {
        LogLikelihood(prompt, text): value
        for prompt, scores in zip(prompts, model.tokens(asked), strict=True)
        for text, value in scores.tokens[-1].alternatives
        if text.strip() and text.isascii()
    }
    found = zip(named.items(), model.tokens(list(named)), strict=True)
    # Of the others, the end of the prompt is read together with the text.
    same = [
        (one.continuation, scores.tokens[0])
        for (one, value), scores in found
        if scores.tokens[0].log_probability == pytest.approx(value, abs=1e-5)
    ]
    assert any(text.startswith(" ") for text, _ in same)
    for text, token in same:
        assert token.text == text
        assert text in dict(token.alternatives)


def test_what_was_written_greedily_is_the_likeliest_at_each_place(tmp_path: Path) -> None:
    """Its text is scored as what follows its prompt, in a chat as in plain text."""
    theirs = make_llama(tmp_path)
    # Letters that no token joins: what is written is read as the tokens that it was written as.
    letters = [token for (token,) in Tokenizer(tmp_path).encode(list("XZKWVJYGHIELMOR%$#@&"))]
    with torch.no_grad():
        head = theirs.get_output_embeddings().weight
        kept = head[letters].clone()
        head.zero_()
        head[letters] = kept
    theirs.save_pretrained(str(tmp_path))
    backend = open_backend(f"builtin:{tmp_path}")
    prompts: list[Prompt] = ["The quick", (Message("user", "Hello"),)]
    sample = Sample(id="sample", requests=tuple(Generation(prompt, 6) for prompt in prompts))
    written = dict(backend.answer([Instance("task", sample, index) for index in range(2)]))
    for index, prompt in enumerate(prompts):
        answer = written[index]
        assert isinstance(answer, GenerationResponse)
        (scores,) = tokens(backend, [LogLikelihood(prompt, answer.text)])
        assert [token.text for token in scores.tokens] == list(answer.text)
        assert len(scores.tokens) == 6
        for token in scores.tokens:
            assert (token.text, token.log_probability) == token.alternatives[0]


@pytest.mark.parametrize("name", ["T5", "Marian", "NLLB"])
def test_targets_of_encoder_decoder_models(tmp_path: Path, cache: Path, name: str) -> None:  # noqa: ARG001
    make_seq2seq(tmp_path, name)
    backend = open_backend(seq2seq_spec(tmp_path, name))
    asked = [
        LogLikelihood("The quick brown fox", " jumps over the lazy dog."),
        LogLikelihood("the older nurse was slow", "to learn"),
    ]
    sample = Sample(id="sample", requests=tuple(asked))
    answers = dict(backend.answer([Instance("task", sample, index) for index in range(2)]))
    for index, scores in enumerate(tokens(backend, asked)):
        answer = answers[index]
        assert isinstance(answer, LogLikelihoodResponse)
        assert len(scores.tokens) == answer.tokens
        total = sum(token.log_probability for token in scores.tokens)
        assert total == pytest.approx(answer.log_probability, abs=1e-4)
        text = "".join(token.text for token in scores.tokens)
        assert text.strip() == asked[index].continuation.strip()
        assert all(len(token.alternatives) == ALTERNATIVES for token in scores.tokens)


def test_log_probabilities_that_are_no_numbers_are_a_failure(tmp_path: Path) -> None:
    make_llama(tmp_path)
    backend = open_backend(f"builtin:{tmp_path}?dtype=float16")
    path = tmp_path / "model.safetensors"
    weights = load_file(path)
    weights["model.norm.weight"] *= 60_000
    save_file(weights, path, metadata={"format": "pt"})
    backend = open_backend(f"builtin:{tmp_path}?dtype=float16")
    assert isinstance(backend, TokenScoring)
    ((_, found),) = backend.token_scores([LogLikelihood("The quick", " brown")])
    assert isinstance(found, Failure)
    assert "not numbers (NaN) in float16" in found.error


def test_a_continuation_that_cannot_be_scored_fails_as_its_answer_does(tmp_path: Path) -> None:
    make_llama(tmp_path)
    backend = open_backend(f"builtin:{tmp_path}?max_length=8")
    assert isinstance(backend, TokenScoring)
    ((_, found),) = backend.token_scores([LogLikelihood("a", LONG)])
    assert isinstance(found, Failure)
    assert "context is 8" in found.error


@given(st.text(min_size=1, max_size=80))
def test_pieces_of_any_text_are_the_text(model: Model, text: str) -> None:
    """Each is decoded beside a few pieces before it, since decoding all of them takes long."""
    (encoded,) = model.tokenizer.encode([text])
    pieces = list(pieces_in(model.tokenizer, encoded))
    assert "".join(piece.text for piece in pieces) == text
    assert sum(piece.tokens for piece in pieces) == len(encoded)


def test_what_is_given_before_the_targets_is_the_rest_of_the_query() -> None:
    assert given_before(Query((1, 2, 3, 4), (4, 5))) == (1, 2, 3)
    assert given_before(Query((1,), (2,))) == (1,)
