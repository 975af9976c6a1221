"""After the last answer: samples are measured, measurements aggregated, with their intervals."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evalharness.errors import DataError
from evalharness.prompts.preparation import PreparedTask, Render, prompt_hash, render_plainly
from evalharness.records import (
    Cost,
    Failure,
    GenerationResponse,
    Groups,
    Instance,
    LogLikelihood,
    Metric,
    Outcome,
    Request,
    Response,
    Sample,
    Statistics,
    Values,
    Weights,
    WholeText,
)
from evalharness.results import MetricResult, SampleRow, SliceResult, TaskCost, TaskResult
from evalharness.statistics.summaries import Summary, summarize
from evalharness.validation import (
    checked_scores,
    checked_statistics,
    checked_text,
    plugin_code,
)
from evalharness.validity import count, is_loop, starts_twice
from evalharness.words import words_asked

_STORED = " All responses are stored."


@dataclass(frozen=True, slots=True)
class Answered:
    """An instance with its outcome, and whether that came from the store."""

    instance: Instance
    outcome: Outcome
    from_store: bool


@dataclass(frozen=True, slots=True)
class _Measured:
    """A sample that was answered, with the statistics of each metric."""

    sample: Sample
    statistics: dict[str, tuple[float, ...]]


def measure_task(
    task: PreparedTask,
    answers: Sequence[Answered],
    *,
    seed: int,
    peak_memory_bytes: int,
    render: Render = render_plainly,
) -> tuple[TaskResult, list[SampleRow]]:
    """Scores of a task and its rows; `answers` are those of all its instances, in order.

    Raises DataError when `extract` or a metric cannot do a sample, or gives what is no score.
    Samples that failed have no part in the scores, and are counted.
    """
    outcomes: dict[str, list[Outcome]] = defaultdict(list)
    for answer in answers:
        outcomes[answer.instance.sample.id].append(answer.outcome)
    metrics = [guarded(task, metric) for metric in task.task.metrics]
    lengths: dict[str, int] = {}
    rows, measured = [], []
    for sample in task.samples:
        own = outcomes[sample.id]
        responses = [_extracted(task, sample, out) for out in own if not isinstance(out, Failure)]
        statistics = None
        if len(responses) == len(sample.requests):
            statistics = _measure(task, sample, responses, lengths)
            measured.append(_Measured(sample, statistics))
        rows.append(_row(sample, own, responses, statistics, render))
    result = TaskResult(
        version=task.record.version,
        family=task.record.family,
        n=len(task.samples),
        num_fewshot=task.record.num_fewshot,
        prompt_hash=task.record.prompt_hash,
        metrics=_scores(metrics, measured, seed),
        slices=_slices(metrics, measured, seed),
        validity=count(rows),
        cost=_cost(answers, peak_memory_bytes),
        caveat=task.record.caveat,
        chat=task.record.chat,
        method=task.record.method,
    )
    return result, rows


def _extracted(task: PreparedTask, sample: Sample, response: Response) -> Response:
    """The answer in a text without what the model thought before it."""
    if not isinstance(response, GenerationResponse):
        return response
    answer = response.text[response.thinking :]
    where = f"task {task.name!r}: no answer can be extracted for the sample {sample.id!r}"
    with plugin_code(where, _STORED):
        return replace(response, text=checked_text(task.task.extract(answer)))


def _measure(
    task: PreparedTask, sample: Sample, responses: Sequence[Response], lengths: dict[str, int]
) -> dict[str, tuple[float, ...]]:
    """The statistics of each metric, as many as `lengths` says, which the first sample sets."""
    statistics = {}
    for metric in task.task.metrics:
        name = metric.name
        where = f"task {task.name!r}: the metric {name!r} cannot measure the sample {sample.id!r}"
        with plugin_code(where, _STORED):
            given = metric.measure(sample, responses)
            statistics[name] = checked_statistics(given, lengths.get(name))
        lengths.setdefault(name, len(statistics[name]))
    return statistics


def guarded(task: PreparedTask, metric: Metric) -> Metric:
    """The same metric with its signature, whose aggregate raises DataError with task and metric."""
    where = f"task {task.name!r}: the metric {metric.name!r} cannot be aggregated"

    def aggregate(statistics: Statistics, weights: Weights, groups: Groups) -> Values:
        with plugin_code(where, _STORED):
            given = metric.aggregate(statistics, weights, groups)
            return checked_scores(given, len(weights), metric.bounds)

    return replace(metric, aggregate=aggregate, signature=_signature(task, metric))


def _signature(task: PreparedTask, metric: Metric) -> str:
    if metric.signature_of is None:
        return metric.signature
    where = f"task {task.name!r}: the metric {metric.name!r} has no signature"
    with plugin_code(where, _STORED):
        signature = metric.signature_of(task.samples)
        if not isinstance(signature, str):
            raise TypeError(f"expected a text, found {signature!r:.80}")
    return signature


def _scores(
    metrics: Sequence[Metric], measured: Sequence[_Measured], seed: int
) -> dict[str, MetricResult]:
    groups = group_codes([item.sample for item in measured])
    if not measured:
        return {metric.name: _result(metric, Summary(None, None, None)) for metric in metrics}
    statistics = [
        np.array([item.statistics[metric.name] for item in measured], dtype=float)
        for metric in metrics
    ]
    summaries = summarize(list(zip(metrics, statistics, strict=True)), groups, seed=seed)
    return {
        metric.name: _result(metric, summary)
        for metric, summary in zip(metrics, summaries, strict=True)
    }


def group_codes(samples: Sequence[Sample]) -> Groups:
    """The group of each sample as a number; a sample without a group is a group of its own."""
    codes: dict[str, int] = {}
    return np.array(
        [
            codes.setdefault(f"group {one.group}" if one.group else f"id {one.id}", len(codes))
            for one in samples
        ],
        dtype=np.int64,
    )


def _result(metric: Metric, summary: Summary) -> MetricResult:
    return MetricResult(
        value=summary.value,
        interval=summary.interval,
        stderr=summary.stderr,
        method=summary.method,
        higher_is_better=metric.higher_is_better,
        ideal=metric.ideal,
        bounds=(_finite(metric.bounds[0]), _finite(metric.bounds[1])),
        signature=metric.signature,
    )


def _finite(bound: float) -> float | None:
    """JSON has no infinity."""
    return bound if math.isfinite(bound) else None


def _slices(
    metrics: Sequence[Metric], measured: Sequence[_Measured], seed: int
) -> dict[str, dict[str, SliceResult]]:
    parts: dict[str, dict[str, list[_Measured]]] = defaultdict(lambda: defaultdict(list))
    for item in measured:
        for name, value in item.sample.slices.items():
            parts[name][value].append(item)
    return {
        name: {
            value: SliceResult(n=len(some), metrics=_scores(metrics, some, seed))
            for value, some in sorted(values.items())
        }
        for name, values in sorted(parts.items())
    }


def _row(
    sample: Sample,
    outcomes: Sequence[Outcome],
    responses: Sequence[Response],
    statistics: dict[str, tuple[float, ...]] | None,
    render: Render,
) -> SampleRow:
    """`responses` are the outcomes that are no failures, with their answers extracted."""
    written = [out for out in responses if isinstance(out, GenerationResponse)]
    extracted = [out.text for out in written]
    answers = [out.text[out.thinking :] for out in outcomes if isinstance(out, GenerationResponse)]
    errors = [out.error for out in outcomes if isinstance(out, Failure)]
    # Options of one question share one prompt, which is long with examples before it.
    shown: dict[str, str] = {}
    prompts = [
        _shown(request, outcome, render)
        for request, outcome in zip(sample.requests, outcomes, strict=True)
    ]
    return SampleRow(
        id=sample.id,
        group=sample.group,
        slices=dict(sample.slices),
        prompt_hash=prompt_hash([sample]),
        prompts=[shown.setdefault(prompt, prompt) for prompt in prompts],
        target=sample.target,
        references=list(sample.references),
        responses=[_response(outcome) for outcome in outcomes],
        extracted=extracted,
        statistics=None if statistics is None else {k: list(v) for k, v in statistics.items()},
        truncated=any(out.truncated for out in responses),
        lost_shots=max((out.dropped_shots for out in responses), default=0),
        unfinished=any(out.finish == "length" for out in written),
        unfinished_thinking=any(out.unfinished_thinking for out in written),
        empty=any(not answer.strip() for answer in answers),
        unparsed=any(
            answer.strip() and not found.strip()
            for answer, found in zip(answers, extracted, strict=True)
        ),
        looped=any(is_loop(answer) for answer in answers),
        doubled_start=any(map(starts_twice, prompts)),
        failed=bool(errors),
        error=errors[0] if errors else "",
        choices=list(sample.choices),
        gold=list(sample.gold),
        continuations=[
            one.continuation if isinstance(one, LogLikelihood) else "" for one in sample.requests
        ],
        words=words_asked(sample),
    )


def _shown(request: Request, outcome: Outcome, render: Render) -> str:
    """What the model was given, without the shots that did not fit."""
    given = request
    if not isinstance(outcome, Failure) and not isinstance(request, WholeText):
        given = replace(request, shots=request.shots[outcome.dropped_shots :])
    try:
        return render(given)
    except DataError:  # what cannot be rendered has failed, which the row says
        return render_plainly(given)


def _response(outcome: Outcome) -> str:
    """A response as text: what was written, or the log-probability in full precision."""
    if isinstance(outcome, Failure):
        return ""
    if isinstance(outcome, GenerationResponse):
        return outcome.text
    return repr(outcome.log_probability)


def _cost(answers: Sequence[Answered], peak_memory_bytes: int) -> TaskCost:
    computed = not all(answer.from_store for answer in answers)
    costs = [
        Cost() if isinstance(answer.outcome, Failure) else answer.outcome.cost for answer in answers
    ]
    return TaskCost(
        request_seconds=sum(cost.seconds for cost in costs),
        prompt_tokens=sum(cost.prompt_tokens for cost in costs),
        computed_tokens=sum(cost.computed_tokens for cost in costs),
        generated_tokens=sum(cost.generated_tokens for cost in costs),
        # What this process needed says nothing of answers that another one computed.
        peak_memory_bytes=peak_memory_bytes if computed else 0,
        from_store=sum(answer.from_store for answer in answers),
        requests=len(answers),
        price=sum(cost.price for cost in costs),
    )
