"""Tokens of a text that llama.cpp's server is told to write: one request says how likely one was.

Of a text that it reads this server says nothing. But it cuts a text into tokens (`tokenize`), takes
tokens as a prompt, writes whichever token a bias is put on, and says how likely that was without
the bias. The text before it is in its cache, so that a token costs little more than one that is
generated. https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalharness.backends.server.answers import (
    Completion,
    CompletionChoice,
    CutText,
    InvalidAnswerError,
    LikelyToken,
    TextPiece,
    WrittenToken,
    WrittenTokens,
    read_answer,
)
from evalharness.backends.server.client import Client
from evalharness.backends.server.faults import mended
from evalharness.backends.server.read_tokens import MisreadError, ReadToken, continuation_tokens
from evalharness.backends.server.reading import token_cost
from evalharness.records import Cost

# Far beyond the logits of any model, so that greedy decoding takes the token that has it.
_BIAS = 1e6
# More than the tokens of any vocabulary: the server names as many as it has.
_ALL = 10**6
# What stands for the logarithm of a probability that is zero to a float.
_LEAST = -1e30
_PLAIN_LETTER = "a"
# Of a byte of UTF-8 that does not begin a letter, the first two bits are 10.
_MASK, _WITHIN = 0xC0, 0x80


@dataclass(frozen=True, slots=True)
class Forcing:
    """As Way says; `likeliest` is how many of the likeliest tokens are named at each place."""

    likeliest: int = 1

    def with_likeliest(self, number: int) -> "Forcing":
        """The same with so many of the likeliest tokens."""
        return replace(self, likeliest=number)

    async def read(
        self, client: Client, body: dict[str, Any], text: str, border: int
    ) -> tuple[Sequence[ReadToken], Cost]:
        """As Way says."""
        writer = _Forced(client, body, self.likeliest)
        pieces = await writer.cut(text)
        own = continuation_tokens(_placed(pieces, text), text, border)
        before = len(pieces) - len(own)
        if before == 0:
            return own, writer.cost  # nothing stands before the first token
        ids = [piece.id for piece in pieces]
        scored = [
            await writer.score(token, ids[:place], ids[place])
            for place, token in enumerate(own, before)
        ]
        return scored, writer.cost


FORCING = Forcing()


def _placed(pieces: Sequence[TextPiece], text: str) -> list[ReadToken]:
    """The tokens without likelihoods, each where its first byte lies in the text.

    A token that starts texts, and the space that some tokenizers put before one, are no part of it.
    Raises MisreadError if the text is not in its tokens.
    """
    encoded = mended(text).encode()
    spelled = b"".join(piece.encoded for piece in pieces)
    if not spelled.endswith(encoded):
        raise MisreadError("the text cannot be found in the tokens that the server makes of it")
    placed: list[ReadToken] = []
    end = len(encoded) - len(spelled)
    for piece in pieces:
        start, end = end, end + len(piece.encoded)
        own = encoded[max(0, start) : max(0, end)]
        if end <= 0:
            place = -1
        elif placed and own[0] & _MASK == _WITHIN:
            place = placed[-1].start  # the rest of a letter belongs to the token that began it
        else:
            place = len(encoded[: max(0, start)].decode())
        placed.append(ReadToken(own.decode("utf-8", "replace"), place, None, greedy=False))
    return placed


class _Forced:
    """Has tokens written, one by one, and sums up what that costs."""

    def __init__(self, client: Client, body: dict[str, Any], likeliest: int) -> None:
        self._client = client
        self._body = body
        self._likeliest = likeliest
        self.cost = Cost()

    async def cut(self, text: str) -> list[TextPiece]:
        """The tokens of a text, as the server makes them of a prompt."""
        asked = {"model": self._body["model"], "content": mended(text), "with_pieces": True}
        # Beside the API that its address is that of.
        path = "../tokenize"
        given = {**asked, "add_special": True, "parse_special": True}
        return (await self._client.post(path, given, CutText)).tokens

    async def score(self, token: ReadToken, before: list[int], number: int) -> ReadToken:
        """The token `number` after the tokens `before` it. Raises MisreadError and as `post`."""
        written = await self._write(before, number, self._likeliest)
        if written is None:
            own, top = await self._look_up(before, number)
        elif written.id != number:
            raise MisreadError("the server does not write the token that it is told to")
        else:
            own, top = written.logprob, written.top_logprobs
        if own < _LEAST or not top:
            raise MisreadError("the server does not say how likely the token is")
        likeliest = tuple((mended(one.token), one.logprob) for one in top[: self._likeliest])
        return replace(
            token, log_probability=own, greedy=own >= top[0].logprob, likeliest=likeliest
        )

    async def _look_up(self, before: list[int], number: int) -> tuple[float, list[LikelyToken]]:
        """The same by all tokens that could have stood in the place of another one.

        The server says nothing of a written token that ends within a letter.
        """
        other = (await self.cut(_PLAIN_LETTER))[-1].id
        written = await self._write(before, other, _ALL)
        top = written.top_logprobs if written else []
        own = next((one.logprob for one in top if one.id == number), None)
        if own is None:
            raise MisreadError("the server does not say how likely a part of a letter is")
        return own, top

    async def _write(self, before: list[int], number: int, likeliest: int) -> WrittenToken | None:
        asked = {
            **self._body,
            "prompt": before,
            "max_tokens": 1,
            "logprobs": likeliest,
            "logit_bias": [[number, _BIAS]],
        }
        answer = await self._client.post("completions", asked, Completion)
        cost = token_cost(answer.usage)
        self.cost = Cost(
            prompt_tokens=self.cost.prompt_tokens + cost.prompt_tokens,
            computed_tokens=self.cost.computed_tokens + cost.computed_tokens,
            generated_tokens=self.cost.generated_tokens + cost.generated_tokens,
        )
        return _first(answer.choices[0])


def _first(choice: CompletionChoice) -> WrittenToken | None:
    """The first token that was written, or None where the server says nothing of it."""
    found = choice.logprobs
    if not isinstance(found, WrittenTokens) or not found.content:
        return None
    try:
        return read_answer(WrittenToken, found.content[0])
    except InvalidAnswerError as error:
        raise MisreadError(f"how likely a token is comes in an unknown form ({error})") from None
