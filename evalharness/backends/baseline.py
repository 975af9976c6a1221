"""Baselines: answers without a model, the floor of every table.

random        where likelihoods are compared, a random order; where a text is asked for, the right
              answer of another sample of the task, drawn at random, for each draw anew
majority      the right answer that is most frequent in the samples it is asked about (it may look:
              it is the best constant answer). Where no option is right or wrong, every character
              is equally likely, so that the shorter text wins.
copy-source   the text that the answer is to be made from, unchanged
lead-3        its first three sentences

To the first two, every byte of a text that is scored as a whole, or that no other is compared with,
is equally likely: 8 bits a byte.
"""

import hashlib
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from pydantic import BaseModel

from evalharness.backends.spec import ModelSpec, parse_options
from evalharness.errors import UsageError, did_you_mean
from evalharness.records import (
    Generation,
    GenerationResponse,
    Instance,
    LogLikelihood,
    LogLikelihoodResponse,
    Model,
    Outcome,
    PseudoLogLikelihood,
    Request,
    Response,
    RollingLogLikelihood,
    Sample,
    as_text,
    whole_prompt,
)

VERSION = 2
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)]*\s+|(?<=[。！？])|\n+")

Answer = Callable[["_Context", Instance], Response]


class BaselineOptions(BaseModel):
    """`seed` chooses the draws of `random`."""

    seed: int = 0


class _Context:
    """What a baseline knows: all that it was asked, by task, each sample once."""

    def __init__(self, instances: Sequence[Instance], seed: int) -> None:
        self.seed = seed
        self.gold: dict[str, Counter[int]] = defaultdict(Counter)
        self._targets: dict[str, list[str]] = defaultdict(list)
        self._place_of: dict[tuple[str, str], int] = {}  # where a target stands first
        for instance in instances:
            if instance.index == 0:
                task, target = instance.task, instance.sample.target
                self._place_of.setdefault((task, target), len(self._targets[task]))
                self._targets[task].append(target)
                self.gold[task].update(instance.sample.gold)
        self.most_frequent = {
            task: Counter(targets).most_common(1)[0][0] for task, targets in self._targets.items()
        }

    def generator(self, instance: Instance) -> random.Random:
        """A generator of its own for every sample, whatever else is asked."""
        origin = f"{self.seed}\0{instance.task}\0{instance.sample.id}"
        return random.Random(hashlib.sha256(origin.encode()).digest())

    def answer_of_another(self, instance: Instance) -> str:
        """The target of another sample: the next one that the generator draws for each draw."""
        targets = self._targets[instance.task]
        if len(targets) == 1:
            return targets[0]
        generator = self.generator(instance)
        *_, place = (generator.randrange(len(targets) - 1) for _ in range(instance.index + 1))
        own = self._place_of[instance.task, instance.sample.target]
        return targets[place + 1 if place >= own else place]


def _random(context: _Context, instance: Instance) -> Response:
    if isinstance(instance.request, RollingLogLikelihood):
        return _uniform(instance.request.text)
    if isinstance(instance.request, Generation):
        return _text(context.answer_of_another(instance))
    if isinstance(instance.request, LogLikelihood) and _is_alone(instance.sample):
        return _uniform(instance.request.continuation)
    if _is_after_options(instance):
        return _ranked(0)
    ranks = list(range(len(instance.sample.requests)))
    context.generator(instance).shuffle(ranks)
    return _ranked(ranks[instance.index])


def _majority(context: _Context, instance: Instance) -> Response:
    request = instance.request
    if isinstance(request, RollingLogLikelihood):
        return _uniform(request.text)
    if isinstance(request, Generation):
        return _text(context.most_frequent[instance.task])
    if isinstance(request, LogLikelihood) and _is_alone(instance.sample):
        return _uniform(request.continuation)
    if _is_after_options(instance):
        return _ranked(0)
    if not instance.sample.gold:
        return LogLikelihoodResponse(-float(_scored_characters(request)), tokens=1, greedy=False)
    counts = context.gold[instance.task]
    order = sorted(range(len(instance.sample.requests)), key=lambda index: -counts[index])
    return _ranked(order.index(instance.index))


def _is_alone(sample: Sample) -> bool:
    """Is there but one text whose likelihood is asked for, so that nothing is compared?"""
    return sum(isinstance(request, LogLikelihood) for request in sample.requests) == 1


def _is_after_options(instance: Instance) -> bool:
    """Is it no option of a question, but such as an option alone? That tells nothing of them."""
    sample = instance.sample
    return bool(sample.gold) and instance.index >= len(sample.choices)


def _scored_characters(request: LogLikelihood | PseudoLogLikelihood) -> int:
    if isinstance(request, LogLikelihood):
        return len(request.continuation)
    if request.span is not None:
        start, end = request.span
        return end - start
    # What two texts share is equally long in both.
    return min(len(request.text), len(request.shared_with or request.text))


def _copy_source(_context: _Context, instance: Instance) -> Response:
    return _text(instance.sample.source)


def _lead_3(_context: _Context, instance: Instance) -> Response:
    return _text(lead(instance.sample.source, 3))


ANSWERS: Mapping[str, Answer] = {
    "random": _random,
    "majority": _majority,
    "copy-source": _copy_source,
    "lead-3": _lead_3,
}
# These two are made from the source of a sample, and can answer nothing without one.
_FROM_SOURCE = ("copy-source", "lead-3")


def open_baseline(spec: ModelSpec) -> "BaselineBackend":
    """Raises UsageError for a baseline that does not exist."""
    if spec.reference not in ANSWERS:
        raise UsageError(
            f"model {spec.text!r}: unknown baseline {spec.reference!r}; known are "
            f"{', '.join(ANSWERS)}.{did_you_mean(spec.reference, ANSWERS)}"
        )
    return BaselineBackend(spec, parse_options(spec, BaselineOptions).seed)


class BaselineBackend:
    """Answers from the samples themselves."""

    load_seconds = 0.0
    peak_memory_bytes = 0
    has_chat_template = False

    def __init__(self, spec: ModelSpec, seed: int) -> None:
        identity = f"baseline {spec.reference} version {VERSION} seed {seed}"
        self._name = spec.reference
        self._seed = seed
        self.model = Model(
            spec=spec.text,
            name=f"baseline:{spec.reference}" + (f" (seed {seed})" if seed else ""),
            fingerprint=hashlib.sha256(identity.encode()).hexdigest(),
            architecture="none",
            parameters=0,
            dtype="none",
            device="none",
            max_length=0,
            reusable=False,
        )

    def render(self, request: Request) -> str:
        """The prompt itself, which a baseline does not read."""
        return as_text(whole_prompt(request))

    def unsupported(self, instance: Instance) -> str | None:
        if self._name not in _FROM_SOURCE:
            return None
        if not isinstance(instance.request, Generation):
            return f"the baseline {self._name} writes text and has no likelihoods"
        if not instance.sample.source:
            return f"the samples have no source text, from which {self._name} makes its answer"
        return None

    def answer(self, instances: Sequence[Instance]) -> Iterator[tuple[int, Outcome]]:
        context = _Context(instances, self._seed)
        answer = ANSWERS[self._name]
        for index, instance in enumerate(instances):
            yield index, answer(context, instance)


def lead(text: str, sentences: int) -> str:
    """The first sentences of a text; a line break ends a sentence, too."""
    parts = [part.strip() for part in _SENTENCE_END.split(text)]
    return " ".join([part for part in parts if part][:sentences])


def _text(text: str) -> GenerationResponse:
    return GenerationResponse(text, finish="end")


def _uniform(text: str) -> LogLikelihoodResponse:
    """Every byte is one of 256, each as likely as the others; the bytes are the tokens."""
    size = len(text.encode())
    return LogLikelihoodResponse(-size * math.log(256), tokens=size, greedy=False)


def _ranked(rank: int) -> LogLikelihoodResponse:
    """Rank 0 is the likeliest; ranks lie so far apart that dividing by a length keeps the order."""
    value = 0.0 if rank == 0 else -(1e4 ** min(rank, 70))
    return LogLikelihoodResponse(value, tokens=1, greedy=rank == 0)
