"""What servers answer, as far as it is looked at; unknown keys are theirs to have."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError


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


class PromptToken(_Answer):
    logprob: FiniteFloat
    rank: int | None = None
    decoded_token: str | None = None


class CompletionChoice(_Answer):
    text: str
    finish_reason: str | None = None
    stop_reason: int | str | None = None
    logprobs: EchoedTokens | None = None
    prompt_logprobs: list[dict[str, PromptToken] | None] | None = None


class Completion(_Answer):
    choices: list[CompletionChoice] = Field(min_length=1)
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
    usage: Usage | None = None
    system_fingerprint: str | None = None


class ListedModel(_Answer):
    id: str
    root: str | None = None
    max_model_len: int | None = Field(default=None, ge=1)


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
