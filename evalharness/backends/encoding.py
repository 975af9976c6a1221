"""Requests to tokens: where a continuation begins, and what to do when a prompt is too long."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalharness.engine.jobs import Job
from evalharness.engine.trie import Query
from evalharness.errors import DataError
from evalharness.records import Failure, Generation, LogLikelihood
from evalharness.transformer.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class EncodedQuery:
    """A log-likelihood request in tokens; `truncated` if the prompt lost its beginning."""

    query: Query
    truncated: bool


@dataclass(frozen=True, slots=True)
class EncodedJob:
    """A generation request in tokens."""

    job: Job
    truncated: bool


def encode_log_likelihoods(
    tokenizer: Tokenizer, requests: Sequence[LogLikelihood], max_length: int
) -> Iterator[EncodedQuery | Failure]:
    """Tokens of prompt and continuation together, as lm-evaluation-harness joins them.

    White space at the end of a prompt moves to the continuation; both are encoded as one text, and
    the continuation is what comes after as many tokens as the prompt alone has. A continuation
    without a prompt follows the token that starts a text.
    """
    pairs = [_split(tokenizer, request) for request in requests]
    prompts = tokenizer.encode([prompt for prompt, _ in pairs])
    wholes = tokenizer.encode([prompt + continuation for prompt, continuation in pairs])
    start = tokenizer.start_token
    for (prompt, _), before, tokens in zip(pairs, prompts, wholes, strict=True):
        length = len(before)
        if not prompt:
            tokens = tokens if tokens[:1] == [start] else [start, *tokens]
            length = 1
        yield _query(tokens, length, max_length)


def _split(tokenizer: Tokenizer, request: LogLikelihood) -> tuple[str, str]:
    text = tokenizer.render(request.prompt)
    prompt = text.rstrip()
    return prompt, text[len(prompt) :] + request.continuation


def _query(tokens: list[int], prompt_length: int, max_length: int) -> EncodedQuery | Failure:
    targets = tokens[prompt_length:]
    if not targets:
        return Failure("the continuation has no tokens of its own")
    if len(targets) > max_length:
        return Failure(
            f"the continuation has {len(targets)} tokens, but the model's context is {max_length}"
        )
    inputs = tokens[:-1][-max_length:]
    truncated = len(inputs) < len(tokens) - 1
    return EncodedQuery(Query(tuple(inputs), tuple(targets)), truncated)


def encode_generations(
    tokenizer: Tokenizer, requests: Sequence[Generation], max_length: int
) -> Iterator[EncodedJob | Failure]:
    """Tokens of each prompt; a prompt that leaves no room for the answer loses its beginning."""
    prompts = tokenizer.encode([tokenizer.render(request.prompt) for request in requests])
    for request, tokens in zip(requests, prompts, strict=True):
        room = max_length - request.max_tokens
        tokens = tokens or [tokenizer.start_token]
        if room < 1:
            yield Failure(
                f"{request.max_tokens} tokens are to be generated, "
                f"but the model's context is {max_length}"
            )
        else:
            job = Job(tuple(tokens[-room:]), request.max_tokens, request.stop)
            yield EncodedJob(job, truncated=len(tokens) > room)


def check_vocabulary(tokenizer: Tokenizer, vocabulary_size: int, folder: str) -> None:
    """Raises DataError for a tokenizer with more tokens than the model has embeddings."""
    if tokenizer.vocabulary_size > vocabulary_size:
        raise DataError(
            f"{folder}: the tokenizer has {tokenizer.vocabulary_size} tokens, but the model has "
            f"embeddings for {vocabulary_size}: they do not belong together."
        )
