"""What servers answer, as far as it is looked at; unknown keys are theirs to have."""

import json
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

# How llama.cpp's server calls the length of the context that it was started with.
_CONTEXT = "n_ctx"


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class CachedTokens(_Answer):
    cached_tokens: int | None = Field(default=None, ge=0)


class ReasoningTokens(_Answer):
    reasoning_tokens: int | None = Field(default=None, ge=0)


class Usage(_Answer):
    """Tokens as the server counts them, which is what it is paid for."""

    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int | None = Field(default=None, ge=0)
    prompt_tokens_details: CachedTokens | None = None
    completion_tokens_details: ReasoningTokens | None = None

    @property
    def cached_tokens(self) -> int:
        details = self.prompt_tokens_details
        return min(self.prompt_tokens, (details and details.cached_tokens) or 0)

    @property
    def reasoning_tokens(self) -> int:
        """Those of the completion that were thinking, which hosted services count but keep."""
        details = self.completion_tokens_details
        return (details and details.reasoning_tokens) or 0


class EchoedTokens(_Answer):
    """`logprobs` of a completion; the first token of a text has no probability."""

    tokens: list[str]
    token_logprobs: list[FiniteFloat | None]
    text_offset: list[int] | None = None
    top_logprobs: list[dict[str, FiniteFloat] | None] | None = None


class WrittenTokens(_Answer):
    """The same as llama.cpp's server gives it, as chat does: of the tokens that it wrote alone."""

    content: list[Any]


class LikelyToken(_Answer):
    """A token that could stand at a place, as llama.cpp's server spells it."""

    id: int
    token: str
    logprob: FiniteFloat


class WrittenToken(LikelyToken):
    """A token that was written, with the likeliest at its place, the likeliest first."""

    top_logprobs: list[LikelyToken]


class TextPiece(_Answer):
    """A token of a text; what stands for a part of a letter is given as bytes."""

    id: int
    piece: str | list[Annotated[int, Field(ge=0, le=255)]]

    @property
    def encoded(self) -> bytes:
        return self.piece.encode() if isinstance(self.piece, str) else bytes(self.piece)


class CutText(_Answer):
    """What llama.cpp's server says to a text that it is to cut into tokens."""

    tokens: list[TextPiece]


class PromptToken(_Answer):
    logprob: FiniteFloat
    rank: int | None = None
    decoded_token: str | None = None


class CompletionChoice(_Answer):
    text: str
    finish_reason: str | None = None
    stop_reason: int | str | None = None
    logprobs: EchoedTokens | WrittenTokens | None = None
    prompt_logprobs: list[dict[str, PromptToken] | None] | None = None


class Completion(_Answer):
    choices: list[CompletionChoice] = Field(min_length=1)
    model: str | None = None
    usage: Usage | None = None
    system_fingerprint: str | None = None


class ChatMessage(_Answer):
    """`content` is the answer; what a model thought before it may stand apart.

    vLLM calls it `reasoning`, and did call it `reasoning_content` as others do.
    """

    content: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class ChatChoice(_Answer):
    message: ChatMessage
    finish_reason: str | None = None
    stop_reason: int | str | None = None


class Chat(_Answer):
    choices: list[ChatChoice] = Field(min_length=1)
    model: str | None = None
    usage: Usage | None = None
    system_fingerprint: str | None = None


class ListedModel(_Answer):
    """`meta` is what llama.cpp says of the file that it serves: its size, kind, and the context."""

    id: str
    aliases: list[str] | None = None
    owned_by: Any = None
    root: str | None = None
    max_model_len: int | None = Field(default=None, ge=1)
    meta: Any = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.id, *(self.aliases or ()))

    @property
    def loaded(self) -> str:
        """What stands behind the name, as far as the server says; "" if it says nothing."""
        if self.root or not isinstance(self.meta, dict):
            return self.root or ""
        file = {key: value for key, value in self.meta.items() if key != _CONTEXT}
        return json.dumps(file, sort_keys=True)

    @property
    def max_length(self) -> int:
        """Tokens of the context, 0 if the server does not say."""
        given = self.meta.get(_CONTEXT) if isinstance(self.meta, dict) else None
        return self.max_model_len or (given if isinstance(given, int) and given > 0 else 0)


class ListedModels(_Answer):
    data: list[ListedModel] = []


_Kind = TypeVar("_Kind", bound=BaseModel)


class InvalidAnswerError(ValueError):
    """An answer is not what this kind of request is answered with."""


def read_answer(kind: type[_Kind], answer: Any) -> _Kind:
    """Raises InvalidAnswerError, which names the key and quotes nothing of the answer."""
    try:
        return kind.model_validate(answer)
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        key = ".".join(str(part)[:40] for part in problem["loc"]) or "the answer"
        raise InvalidAnswerError(f"{key}: {problem['msg']}") from None
