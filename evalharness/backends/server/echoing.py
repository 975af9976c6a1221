"""Tokens of a text that a server echoes: one request says how likely all of them were.

Two ways are in use. `echo` of the completions API, with `logprobs`, answers with the tokens of the
prompt (vLLM, SGLang, llama-cpp-python). `prompt_logprobs` is an extension of
vLLM, which others took over. Neither is given by hosted chat models.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from evalharness.backends.server.answers import (
    Completion,
    CompletionChoice,
    EchoedTokens,
    PromptToken,
)
from evalharness.backends.server.client import Client
from evalharness.backends.server.faults import mended
from evalharness.backends.server.read_tokens import MisreadError, ReadToken, continuation_tokens
from evalharness.backends.server.reading import token_cost
from evalharness.records import ALTERNATIVES, Cost


@dataclass(frozen=True, slots=True)
class Method:
    """A way to have a text read.

    fields  are added to a completion request for it
    number  of them says how many of the likeliest tokens are named at each place
    """

    name: str
    fields: dict[str, Any]
    number: str
    tokens: Callable[[CompletionChoice, str], Sequence[ReadToken]]

    async def read(
        self, client: Client, body: dict[str, Any], text: str, border: int
    ) -> tuple[Sequence[ReadToken], Cost]:
        """As Way says."""
        asked = {**body, "prompt": text, **self.fields}
        answer = await client.post("completions", asked, Completion)
        tokens = self.tokens(answer.choices[0], text)
        return continuation_tokens(tokens, text, border), token_cost(answer.usage)

    def with_likeliest(self, number: int) -> "Method":
        """The same with so many of the likeliest tokens."""
        return replace(self, fields={**self.fields, self.number: number})


def echoed_tokens(choice: CompletionChoice, text: str) -> Sequence[ReadToken]:
    """The tokens of an echoed text. Raises MisreadError when they are not there."""
    found = choice.logprobs
    if not isinstance(found, EchoedTokens) or not choice.text.startswith(text):
        raise MisreadError("the server does not echo the text with its log-probabilities")
    number = len(found.tokens)
    if len(found.token_logprobs) != number or number == 0:
        raise MisreadError("the server does not give a log-probability for each token")
    offsets = found.text_offset
    if offsets is None or len(offsets) != number or offsets != sorted(offsets) or offsets[0] < 0:
        # SGLang says that every token begins at -1.
        offsets = [0, *accumulate(len(token) for token in found.tokens)][:-1]
    shift = _shift(found.tokens, offsets, choice.text)
    tops = [top or {} for top in found.top_logprobs or []]
    tops += [{}] * (number - len(tops))
    return [
        ReadToken(
            token,
            offset - shift,
            log_probability,
            _is_top(log_probability, top),
            _likeliest(top.items()),
        )
        for token, offset, log_probability, top in zip(
            found.tokens, offsets, found.token_logprobs, tops[:number], strict=True
        )
    ]


def _shift(tokens: Sequence[str], offsets: Sequence[int], text: str) -> int:
    """By how much places are counted too high: that by which most of the tokens are where they say.

    A token that starts a text, such as <s>, is counted by some but is not in the text. Neither is
    one that ends texts, where that is what was written after the prompt.
    """
    surplus = max(0, offsets[-1] + len(tokens[-1]) - len(text))
    return max(
        (surplus, 0, len(tokens[0])),
        key=lambda shift: sum(
            text.startswith(token, offset - shift)
            for token, offset in zip(tokens, offsets, strict=True)
            if token and offset >= shift
        ),
    )


def _is_top(log_probability: float | None, top: Mapping[str, float]) -> bool:
    if not top or log_probability is None:
        return False
    return log_probability >= max(top.values())


def _likeliest(tokens: Iterable[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """Servers may name the token itself besides those that were asked for."""
    ranked = sorted(tokens, key=lambda one: one[1], reverse=True)[:ALTERNATIVES]
    return tuple((mended(text), log_probability) for text, log_probability in ranked)


def prompt_tokens(choice: CompletionChoice, text: str) -> Sequence[ReadToken]:
    """The tokens of `prompt_logprobs`, of each place that which was read first, then the likeliest.

    The token that was read stands first; the very first of the text has no entry.
    https://docs.vllm.ai/en/latest/api/vllm/logprobs/
    """
    found = choice.prompt_logprobs
    if not found or len(found) < 2:
        raise MisreadError("the server gives no prompt_logprobs")
    read: list[PromptToken | None] = [next(iter((place or {}).values()), None) for place in found]
    texts = [one.decoded_token if one else "" for one in read]
    if None in texts or None in read[1:]:
        raise MisreadError("prompt_logprobs without the text of each token")
    known = [one or "" for one in texts]
    # The text of the first token is not said, so that places are counted from the end. What the
    # others leave of the text is the first; where they leave nothing, it is one that starts texts.
    ends = list(accumulate(len(one) for one in known))
    left = len(text) - ends[-1]
    first = ReadToken(text[: max(0, left)], 0 if left > 0 else -1, None, greedy=False)
    others = [
        ReadToken(
            token,
            end - len(token) + left,
            one.logprob,
            one.rank == 1,
            _likeliest((other.decoded_token or "", other.logprob) for other in (at or {}).values()),
        )
        for token, end, one, at in zip(known, ends, read, found, strict=True)
        if one is not None
    ]
    return others if read[0] is not None else [first, *others]


# One token is written in vain: no token at all means as many as fit to llama-cpp-python, and is an
# internal error of transformers serve.
ECHOING = (
    Method("echo", {"echo": True, "logprobs": 1, "max_tokens": 1}, "logprobs", echoed_tokens),
    Method(
        "prompt_logprobs",
        {"prompt_logprobs": 1, "max_tokens": 1},
        "prompt_logprobs",
        prompt_tokens,
    ),
)
