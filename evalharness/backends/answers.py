"""From requests to what an engine computes, and from its results to responses."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from evalharness.backends.encoding import (
    EncodedJob,
    TextTokenizer,
    encode_generations,
    encode_log_likelihoods,
    encode_rolling,
)
from evalharness.engine.jobs import Continuation
from evalharness.engine.scoring import Score
from evalharness.engine.trie import Query
from evalharness.records import (
    Cost,
    Failure,
    Generation,
    GenerationResponse,
    Instance,
    LogLikelihood,
    LogLikelihoodResponse,
    Outcome,
    PseudoLogLikelihood,
    Request,
    RollingLogLikelihood,
    WholeText,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests by their kind, each with its index among all that are asked."""

    scored: list[tuple[int, LogLikelihood]] = field(default_factory=list)
    masked: list[tuple[int, PseudoLogLikelihood]] = field(default_factory=list)
    rolled: list[tuple[int, RollingLogLikelihood]] = field(default_factory=list)
    written: list[tuple[int, Generation]] = field(default_factory=list)

    @classmethod
    def of(cls, requests: Iterable[tuple[int, Request]]) -> "Asked":
        asked = cls()
        for index, one in requests:
            match one:
                case LogLikelihood() as request:
                    asked.scored.append((index, request))
                case RollingLogLikelihood() as request:
                    asked.rolled.append((index, request))
                case PseudoLogLikelihood() as request:
                    asked.masked.append((index, request))
                case Generation() as request:
                    asked.written.append((index, request))
        return asked


class Part(Protocol):
    """What is computed of a request at once: the tokens for it, and those that are scored."""

    @property
    def tokens(self) -> Sequence[int]: ...

    @property
    def targets(self) -> Sequence[int]: ...


PartT = TypeVar("PartT", bound=Part)


@dataclass(frozen=True, slots=True)
class Work(Generic[PartT]):
    """All that is to be scored for one request; the rest as in an EncodedQuery."""

    parts: Sequence[PartT]
    truncated: bool = False
    dropped_shots: int = 0


class Totals(Generic[PartT]):
    """The parts of all scored requests, and the sums of their scores as they come."""

    def __init__(self, work: Iterable[tuple[int, Work[PartT] | Failure]], dtype: str) -> None:
        """work: for the index of each instance. dtype: what the advice of a failure names."""
        self._dtype = dtype
        self._answered: list[tuple[int, Outcome]] = []
        self._asked: list[tuple[PartT, _Total[PartT]]] = []
        for index, given in work:
            if isinstance(given, Failure):
                self._answered.append((index, given))
                continue
            total = _Total(index, given)
            self._asked.extend((part, total) for part in given.parts)
            if not given.parts:
                self._answered.append((index, total.response(dtype)))

    @property
    def queries(self) -> list[PartT]:
        """What is to be scored: parts of a request may end in different packs."""
        return [part for part, _ in self._asked]

    def answered(self) -> Iterator[tuple[int, Outcome]]:
        """What needs no model."""
        yield from self._answered

    def add(self, score: Score) -> Iterator[tuple[int, Outcome]]:
        """Take the score of one of `queries`; yields its request if it was the last of it."""
        total = self._asked[score.query][1]
        total.scores.append(score)
        if len(total.scores) == len(total.work.parts):
            yield total.index, total.response(self._dtype)


@dataclass(slots=True)
class _Total(Generic[PartT]):
    """The scores of all parts of the request at `index`, as they come."""

    index: int
    work: Work[PartT]
    scores: list[Score] = field(default_factory=list)

    def response(self, dtype: str) -> LogLikelihoodResponse | Failure:
        # An exact sum, in which the order of the packs does not show.
        log_probability = math.fsum(score.log_probability for score in self.scores)
        # A softmax of finite logits has no 0, whose logarithm would be infinite.
        if not math.isfinite(log_probability):
            return not_finite(dtype)
        return LogLikelihoodResponse(
            log_probability=log_probability,
            tokens=sum(len(part.targets) for part in self.work.parts),
            greedy=all(score.greedy for score in self.scores),
            truncated=self.work.truncated,
            dropped_shots=self.work.dropped_shots,
            cost=Cost(
                seconds=sum(score.seconds for score in self.scores),
                prompt_tokens=sum(len(part.tokens) for part in self.work.parts),
                computed_tokens=sum(score.computed_tokens for score in self.scores),
            ),
        )


def causal_work(
    asked: Asked, tokenizer: TextTokenizer, max_length: int
) -> Iterator[tuple[int, Work[Query] | Failure]]:
    """What a model that reads from left to right computes for all that is scored."""
    encoded = encode_log_likelihoods(tokenizer, [one for _, one in asked.scored], max_length)
    for (index, _), outcome in zip(asked.scored, encoded, strict=True):
        if isinstance(outcome, Failure):
            yield index, outcome
        else:
            yield index, Work([outcome.query], outcome.truncated, outcome.dropped_shots)
    windows = encode_rolling(tokenizer, [one for _, one in asked.rolled], max_length)
    for (index, _), queries in zip(asked.rolled, windows, strict=True):
        yield index, Work(queries)


class Texts:
    """The jobs of all requests that ask for a text."""

    def __init__(self, jobs: Iterable[tuple[int, EncodedJob | Failure]], dtype: str) -> None:
        """jobs: for the index of each instance. dtype: what the advice of a failure names."""
        self._dtype = dtype
        self._answered: list[tuple[int, Outcome]] = []
        self._ready: list[tuple[int, EncodedJob]] = []
        for index, outcome in jobs:
            if isinstance(outcome, Failure):
                self._answered.append((index, outcome))
            else:
                self._ready.append((index, outcome))
        self.jobs = [item.job for _, item in self._ready]

    def answered(self) -> Iterator[tuple[int, Outcome]]:
        """What needs no model."""
        yield from self._answered

    def outcome(self, result: Continuation) -> tuple[int, Outcome]:
        """The answer to the request of one of `jobs`."""
        index, item = self._ready[result.job]
        if result.finish == "invalid":
            return index, not_finite(self._dtype)
        thinking = item.job.thinking
        answer = 0 if thinking is None else thinking.answer_in(result.text)
        return index, GenerationResponse(
            text=result.text,
            finish=result.finish,
            truncated=item.truncated,
            dropped_shots=item.dropped_shots,
            thinking=len(result.text) if answer is None else answer,
            unfinished_thinking=answer is None,
            cost=Cost(
                seconds=result.seconds,
                prompt_tokens=len(item.job.tokens),
                computed_tokens=result.computed_tokens,
                generated_tokens=result.generated_tokens,
            ),
        )


def causal_jobs(
    asked: Asked, tokenizer: TextTokenizer, max_length: int
) -> Iterator[tuple[int, EncodedJob | Failure]]:
    """What a model that reads from left to right continues for all that asks for a text."""
    encoded = encode_generations(tokenizer, [one for _, one in asked.written], max_length)
    for (index, _), outcome in zip(asked.written, encoded, strict=True):
        yield index, outcome


def not_finite(dtype: str) -> Failure:
    """The failure of a request where a number overflowed, in the logits or before them."""
    advice = "the weights are damaged" if dtype == "float32" else "try dtype=float32"
    return Failure(f"the model's probabilities are not numbers (NaN) in {dtype}; {advice}")


def chat_refusal(instance: Instance, tokenizer: TextTokenizer) -> str | None:
    """Why the prompt cannot be given to the model, or None: chats need a chat template."""
    request = instance.request
    plain = isinstance(request, WholeText) or isinstance(request.prompt, str)
    if plain or tokenizer.has_chat_template:
        return None
    return "the prompts are chats, and the checkpoint has no chat template"
