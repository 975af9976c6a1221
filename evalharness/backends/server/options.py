"""Options of `server:`."""

from typing import Any, Literal

from pydantic import BaseModel, Field, Json, field_validator

from evalharness.transformer.thinking import Marks

# What requests say themselves; an extra body may add to it but not contradict it.
_OWN_FIELDS = (
    "model", "prompt", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p",
    "seed", "stop", "stream", "n", "best_of", "echo", "logprobs", "prompt_logprobs",
)  # fmt: skip


class ServerOptions(BaseModel):
    """Options of `server:`.

    These change answers, and are part of the model's fingerprint:

    api          completions continue a text, chat answers messages. auto: completions for plain
                 text if the server has them, else one user message; chat for messages
    temperature  server: none is sent, for models that accept no other than their own
    start        the text that starts a document (such as <|endoftext|>), for servers that put none
                 before a text of which the first token is to be scored
    revision     which state of the model is served, in your words; in place of the server's
                 system_fingerprint, which some services change from hour to hour
    extra_body   further fields of every request, as JSON
    thinking_marks  what the model writes around its thinking, as OPENING...CLOSING, where that is
                 neither <think>...</think> nor [THINK]...[/THINK]

    These do not: concurrency (requests at once), timeout (seconds for each attempt), retries,
    key_variable (the environment variable that holds the key), input_price and output_price (of a
    million tokens, in whatever currency).
    """

    api: Literal["auto", "completions", "chat"] = "auto"
    temperature: Literal["request", "server"] = "request"
    start: str = ""
    revision: str | None = None
    extra_body: Json[dict[str, Any]] = Field(default_factory=dict)
    thinking_marks: str | None = None
    concurrency: int = Field(default=8, ge=1, le=1024)
    timeout: float = Field(default=300.0, gt=0, le=86_400)
    retries: int = Field(default=6, ge=0, le=100)
    key_variable: str | None = None
    input_price: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    output_price: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    @property
    def marks(self) -> Marks | None:
        """`thinking_marks` apart, or None where none are given."""
        if self.thinking_marks is None:
            return None
        opening, closing = self.thinking_marks.split("...")
        return Marks(opening, closing)

    @field_validator("thinking_marks")
    @classmethod
    def _two_marks(cls, value: str | None) -> str | None:
        if value is not None and [bool(part) for part in value.split("...")] != [True, True]:
            raise ValueError("expected OPENING...CLOSING, such as <think>...</think>")
        return value

    @field_validator("extra_body")
    @classmethod
    def _adds_only(cls, value: dict[str, Any]) -> dict[str, Any]:
        own = sorted(set(value) & set(_OWN_FIELDS))
        if own:
            raise ValueError(f"{own[0]} is set by each request itself")
        return value


NEUTRAL_OPTIONS = (
    "concurrency", "timeout", "retries", "key_variable", "input_price", "output_price",
)  # fmt: skip
