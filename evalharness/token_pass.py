"""run --store-logprobs: after the answers, each of their tokens is scored, and each sample's text.

A pass of its own, so that answers are not slower for it. What was found is in the store, from which
it is read task by task: the tokens of a whole run with their alternatives would fill the memory.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from evalharness.contamination import text_of
from evalharness.journal import Journal
from evalharness.measurement import Answered
from evalharness.min_k import PERCENT, SLICE, min_k, parts
from evalharness.prompts.preparation import PreparedTask
from evalharness.records import (
    Backend,
    Failure,
    Generation,
    GenerationResponse,
    Instance,
    LogLikelihood,
    MinK,
    MinKOf,
    Outcome,
    PseudoLogLikelihood,
    Request,
    RollingLogLikelihood,
    Sample,
    Scorable,
    TokenScore,
    TokenScores,
    TokenScoring,
    TokensOf,
)
from evalharness.results import SampleRow
from evalharness.store import Store, request_key


class TokenScorer(Backend, TokenScoring, Protocol):
    """A backend that can say how likely tokens were."""


@dataclass(frozen=True, slots=True)
class SampleTokens:
    """For each request of a sample the tokens that were scored, and the min-k of its text."""

    tokens: list[list[TokenScore]]
    min_k: float | None


Wanted = TokensOf | MinKOf
Tell = Callable[[int, int, int], None]
"""Is told how many texts are done, how many there are, and how many the store had before."""


def store_tokens(
    backend: TokenScorer, answers: Sequence[Answered], store: Store, tell: Tell
) -> Counter[str]:
    """Score the tokens of all answers and of the samples' texts, unless the store has them.

    Each text that is asked for twice is scored once. Returns why texts could not be scored, and how
    many of them; the next run tries them again.
    """
    asked: dict[Scorable, dict[str, Wanted]] = defaultdict(dict)
    task_of: dict[Scorable, str] = {}
    for task, wanted in _all_wanted(answers):
        text = _scored(wanted)
        asked[text][request_key(backend.model.fingerprint, wanted)] = wanted
        task_of.setdefault(text, task)
    kept = store.kept([key for keys in asked.values() for key in keys])
    missing = {text: keys for text, keys in asked.items() if not keys.keys() <= kept}
    unscored: Counter[str] = Counter()
    texts = []
    for text in missing:
        reason = backend.unsupported(_instance(task_of[text], text))
        if reason is None:
            texts.append(text)
        else:
            unscored[reason] += 1
    before, done = len(asked) - len(missing), len(asked) - len(texts)
    tell(done, len(asked), before)
    with Journal(store, keep=True) as journal:
        for index, found in backend.token_scores(texts):
            done += 1
            if isinstance(found, Failure):
                unscored[found.error] += 1
            else:
                for key, wanted in missing[texts[index]].items():
                    journal.add(key, _kept(wanted, found))
            tell(done, len(asked), before)
    return unscored


def read_tokens(
    fingerprint: str, answers: Sequence[Answered], store: Store
) -> dict[str, SampleTokens]:
    """What is stored of the samples of one task, by their ids; "no tokens" where nothing is."""
    keys = {wanted: request_key(fingerprint, wanted) for _, wanted in _all_wanted(answers)}
    found = store.token_scores(list(keys.values()))
    tokens: dict[str, list[list[TokenScore]]] = defaultdict(list)
    familiar: dict[str, float | None] = {}
    for answer in answers:
        sample = answer.instance.sample
        if sample.id not in familiar:
            known = found.get(keys.get(_min_k_of(sample), ""))
            familiar[sample.id] = known.log_probability if isinstance(known, MinK) else None
        wanted = _tokens_of(answer.instance.request, answer.outcome)
        scores = None if wanted is None else found.get(keys[wanted])
        tokens[sample.id].append(list(scores.tokens) if isinstance(scores, TokenScores) else [])
    return {name: SampleTokens(own, familiar[name]) for name, own in tokens.items()}


def in_min_k_parts(task: PreparedTask, found: Mapping[str, SampleTokens]) -> PreparedTask:
    """The samples in parts by how familiar they are, where that is known of any of them."""
    values = [found[one.id].min_k if one.id in found else None for one in task.samples]
    if all(value is None for value in values):
        return task
    samples = tuple(
        replace(sample, slices={**sample.slices, SLICE: part})
        for sample, part in zip(task.samples, parts(values), strict=True)
    )
    return replace(task, samples=samples)


def with_tokens(
    rows: Sequence[SampleRow], found: Mapping[str, SampleTokens]
) -> Sequence[SampleRow]:
    """The rows of a task with what was found of their samples."""
    if not found:
        return rows
    return [replace(row, tokens=found[row.id].tokens, min_k=found[row.id].min_k) for row in rows]


def _all_wanted(answers: Sequence[Answered]) -> Iterator[tuple[str, Wanted]]:
    """What is asked of each task's answers, and of each of its samples once."""
    for answer in answers:
        instance = answer.instance
        if instance.index == 0 and (text := _min_k_of(instance.sample)).text:
            yield instance.task, text
        if (tokens := _tokens_of(instance.request, answer.outcome)) is not None:
            yield instance.task, tokens


def _min_k_of(sample: Sample) -> MinKOf:
    return MinKOf(text_of(sample), PERCENT)


def _tokens_of(request: Request, outcome: Outcome) -> TokensOf | None:
    """The tokens that an answer was made of, with the very shots that fitted; None without any.

    A text that was written is scored as what follows its prompt.
    """
    if isinstance(outcome, Failure) or isinstance(request, PseudoLogLikelihood):
        return None
    if isinstance(request, RollingLogLikelihood):
        return TokensOf(request)
    shots = request.shots[outcome.dropped_shots :]
    if isinstance(request, Generation):
        text = outcome.text if isinstance(outcome, GenerationResponse) else ""
        return TokensOf(LogLikelihood(request.prompt, text, shots)) if text else None
    return TokensOf(replace(request, shots=shots))


def _scored(wanted: Wanted) -> Scorable:
    return RollingLogLikelihood(wanted.text) if isinstance(wanted, MinKOf) else wanted.request


def _kept(wanted: Wanted, found: TokenScores) -> TokenScores | MinK:
    if isinstance(wanted, TokensOf):
        return found
    return MinK(min_k([one.log_probability for one in found.tokens], wanted.percent))


def _instance(task: str, request: Scorable) -> Instance:
    """A request as one of a sample, to ask whether a backend supports it."""
    return Instance(task, Sample(id="", requests=(request,)), 0)
