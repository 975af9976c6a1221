"""What plugins give is checked where it enters: tasks, samples, statistics and scores.

Plugins are written by strangers. Whatever is wrong with one is said before anything is computed, as
far as that is possible, and in the words of the field that is wrong.
"""

import math
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO, get_args

import numpy as np
from pydantic import BaseModel, ValidationError

from evalharness.errors import DataError, EvalharnessError, did_you_mean
from evalharness.records import (
    Alternative,
    Family,
    Generation,
    LogLikelihood,
    Message,
    Metric,
    PseudoLogLikelihood,
    Request,
    Role,
    RollingLogLikelihood,
    Sample,
    Sampling,
    Task,
    TaskTemplate,
    Values,
)

# A task's name is that of a file of its run; 100 letters leave room for what is put to it.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+:-]{0,99}")
_ROUNDING = 1e-9


def plugin_output() -> redirect_stdout[TextIO]:
    """What plugins print goes to the standard error; the standard output is for results."""
    return redirect_stdout(sys.stderr)


@contextmanager
def plugin_code(where: str, remedy: str = "") -> Iterator[None]:
    """Around a call of a plugin: whatever it raises is a DataError that says where.

    That holds for SystemExit and the like too, which would end the run with a status of the
    plugin's own; not for KeyboardInterrupt, which is the user's.
    """
    try:
        with plugin_output():
            yield
    except (EvalharnessError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise DataError(f"{where}: {type(error).__name__}: {error}.{remedy}") from error


# --- Tasks ---------------------------------------------------------------------------------------


def task_problem(task: Task) -> str | None:
    """The first field of a task that is not what it should be, what was expected and found."""
    return next(_task_problems(task), None)


def template_problem(template: TaskTemplate) -> str | None:
    """The first field of a template that is not what it should be, what was expected and found."""
    return next(_template_problems(template), None)


def _template_problems(template: TaskTemplate) -> Iterator[str]:
    yield from _name_and_family_problems(template)
    if isinstance(template.name, str) and ":" in template.name:
        yield _expected("name", "no colon, which comes before the argument", template.name)
    yield from _text("argument", template.argument, empty=False)
    yield from _texts("examples", template.examples)
    if not template.examples:
        yield _expected("examples", "one argument or more", template.examples)
    if not callable(template.make):
        yield _expected("make", "a function", template.make)
    yield from _text("description", template.description)


def _name_and_family_problems(task: Task | TaskTemplate) -> Iterator[str]:
    if not (isinstance(task.name, str) and _NAME.fullmatch(task.name)):
        yield _expected(
            "name",
            "1 to 100 of the characters A-Z a-z 0-9 _ . + : -, the first a letter or a digit",
            task.name,
        )
    families = get_args(Family)
    if task.family not in families:
        hint = did_you_mean(task.family, families) if isinstance(task.family, str) else ""
        expected = f"one of {', '.join(families)}"
        yield _expected("family", expected, task.family) + hint.replace(" ", ". ", 1)


def _task_problems(task: Task) -> Iterator[str]:
    yield from _name_and_family_problems(task)
    if not _is_whole(task.version) or task.version < 0:
        yield _expected("version", "a whole number", task.version)
    yield from _source_problems("data", task.data)
    if task.shots is not None:
        yield from _source_problems("shots", task.shots)
    for name in ("sample", "extract"):
        if not callable(getattr(task, name)):
            yield _expected(name, "a function", getattr(task, name))
    yield from _texts("languages", task.languages)
    for name in ("licence", "description", "caveat", "content_warning"):
        yield from _text(name, getattr(task, name))
    if not _is_whole(task.size) or task.size < 0:
        yield _expected("size", "the number of samples, or 0", task.size)
    yield from _alternatives_problems(task.alternatives)
    yield from _metrics_problems(task.metrics)


def _alternatives_problems(alternatives: object) -> Iterator[str]:
    if not isinstance(alternatives, tuple | list):
        yield _expected("alternatives", "a tuple of Alternative", alternatives)
        return
    for index, one in enumerate(alternatives):
        if not isinstance(one, Alternative):
            yield _expected(f"alternatives[{index}]", "an Alternative", one)
            return
        place = f"alternatives[{index}]"
        yield from _text(f"{place}.name", one.name, empty=False)
        yield from _source_problems(f"{place}.data", one.data)
        if one.shots is not None:
            yield from _source_problems(f"{place}.shots", one.shots)
        if not callable(one.sample):
            yield _expected(f"{place}.sample", "a function", one.sample)
        yield from _text(f"{place}.caveat", one.caveat)


def _source_problems(field: str, source: object) -> Iterator[str]:
    methods = (getattr(source, name, None) for name in ("rows", "identity"))
    if isinstance(source, type) or not all(map(callable, methods)):
        yield _expected(field, "a source with rows() and identity(), such as LocalFile", source)


def _metrics_problems(metrics: object) -> Iterator[str]:
    if not isinstance(metrics, tuple | list) or not metrics:
        yield _expected("metrics", "a tuple of one Metric or more", metrics)
        return
    names = set()
    for index, metric in enumerate(metrics):
        if not isinstance(metric, Metric):
            yield _expected(f"metrics[{index}]", "a Metric", metric)
            return
        for problem in _metric_problems(metric):
            yield f"metrics[{index}].{problem}"
        if metric.name in names:
            yield f"metrics: two metrics have the name {metric.name!r}"
        names.add(metric.name)


def _metric_problems(metric: Metric) -> Iterator[str]:
    yield from _text("name", metric.name, empty=False)
    yield from _text("signature", metric.signature)
    if metric.signature_of is not None and not callable(metric.signature_of):
        yield _expected("signature_of", "a function or None", metric.signature_of)
    for name in ("measure", "aggregate"):
        if not callable(getattr(metric, name)):
            yield _expected(name, "a function", getattr(metric, name))
    if not isinstance(metric.higher_is_better, bool):
        yield _expected("higher_is_better", "True or False", metric.higher_is_better)
    if metric.ideal is not None and not (_is_number(metric.ideal) and math.isfinite(metric.ideal)):
        yield _expected("ideal", "a number or None", metric.ideal)
    bounds = metric.bounds
    pair = isinstance(bounds, tuple | list) and len(bounds) == 2 and all(map(_is_number, bounds))
    if not pair or not bounds[0] < bounds[1]:
        yield _expected("bounds", "two numbers, the lower one first", bounds)


# --- Samples -------------------------------------------------------------------------------------


def check_sample(sample: Sample, where: str) -> None:
    """Raises DataError that names `where` and the first field that is not what it should be."""
    if (problem := next(_sample_problems(sample), None)) is not None:
        raise DataError(f"{where}: {problem}.")


def _sample_problems(sample: Sample) -> Iterator[str]:
    if not isinstance(sample, Sample):
        yield _expected("sample", "a function that gives a Sample", sample)
    yield from _text("id", sample.id, empty=False)
    if not isinstance(sample.requests, tuple | list):
        yield _expected("requests", "a tuple of requests", sample.requests)
    if not sample.requests:
        yield "the sample asks the model nothing"
    for index, request in enumerate(sample.requests):
        yield from _request_problems(f"requests[{index}]", request)
    yield from _text("target", sample.target)
    yield from _text("source", sample.source)
    yield from _texts("references", sample.references)
    yield from _texts("choices", sample.choices)
    yield from _gold_problems(sample)
    if sample.group is not None:
        yield from _text("group", sample.group)
    if not isinstance(sample.slices, Mapping):
        yield _expected("slices", "a dict of texts", sample.slices)
    for name, value in sample.slices.items():
        yield from _text("the name of a slice", name)
        yield from _text(f"slices[{name!r}]", value)


def _request_problems(field: str, request: object) -> Iterator[str]:
    if isinstance(request, RollingLogLikelihood):
        yield from _text(f"{field}.text", request.text)
        return
    if isinstance(request, PseudoLogLikelihood):
        yield from _pseudo_problems(field, request)
        return
    if not isinstance(request, LogLikelihood | Generation):
        names = ", ".join(kind.__name__ for kind in get_args(Request))
        yield _expected(field, f"one of {names}", request)
        return
    yield from _prompt_problems(f"{field}.prompt", request.prompt)
    yield from _texts(f"{field}.shots", request.shots)
    if isinstance(request, LogLikelihood):
        yield from _text(f"{field}.continuation", request.continuation)
        return
    if not _is_whole(request.max_tokens) or request.max_tokens < 1:
        yield _expected(f"{field}.max_tokens", "a whole number from 1", request.max_tokens)
    yield from _texts(f"{field}.stop", request.stop, empty=False)
    yield from _sampling_problems(f"{field}.sampling", request.sampling)


def _pseudo_problems(field: str, request: PseudoLogLikelihood) -> Iterator[str]:
    yield from _text(f"{field}.text", request.text, empty=False)
    yield from _text(f"{field}.shared_with", request.shared_with)
    span = request.span
    if span is None:
        return
    pair = isinstance(span, tuple | list) and len(span) == 2 and all(map(_is_whole, span))
    if not (pair and 0 <= span[0] < span[1] <= len(request.text)):
        expected = f"two whole numbers, of which 0 <= start < end <= {len(request.text)}, or None"
        yield _expected(f"{field}.span", expected, span)


def _prompt_problems(field: str, prompt: object) -> Iterator[str]:
    if not isinstance(prompt, tuple | list):
        yield from _text(field, prompt)
        return
    if not prompt:
        yield _expected(field, "a text, or one Message or more", prompt)
    for index, message in enumerate(prompt):
        if not isinstance(message, Message):
            yield _expected(f"{field}[{index}]", "a Message", message)
            return
        if message.role not in get_args(Role):
            expected = f"one of {', '.join(get_args(Role))}"
            yield _expected(f"{field}[{index}].role", expected, message.role)
        yield from _text(f"{field}[{index}].content", message.content)


def _sampling_problems(field: str, sampling: object) -> Iterator[str]:
    if sampling is None:
        return
    if not isinstance(sampling, Sampling):
        yield _expected(field, "a Sampling or None", sampling)
        return
    if not math.isfinite(sampling.temperature):
        yield _expected(f"{field}.temperature", "a finite number", sampling.temperature)
    if not _is_whole(sampling.seed) or sampling.seed < 0:
        yield _expected(f"{field}.seed", "a whole number from 0", sampling.seed)


def _gold_problems(sample: Sample) -> Iterator[str]:
    if not isinstance(sample.gold, tuple | list):
        yield _expected("gold", "a tuple of indexes", sample.gold)
    number = len(sample.choices)
    if isinstance(sample.requests[0], LogLikelihood):  # a few-shot example shows requests[gold]
        number = min(number, len(sample.requests))
    for index in sample.gold:
        if not _is_whole(index) or not 0 <= index < number:
            yield _expected("gold", f"indexes of the {number} choices asked about", sample.gold)


# --- What tasks and metrics compute --------------------------------------------------------------


def checked_text(text: object) -> str:
    """What `extract` gave. Raises ValueError when it is no text."""
    for problem in _text("the answer", text):
        raise ValueError(problem)
    return str(text)


def checked_statistics(given: Any, length: int | None) -> tuple[float, ...]:
    """The statistics of one sample, of any kind of number, as floats.

    length: how many the metric gave for another sample, or None
    Raises TypeError or ValueError when they are no finite numbers, or not as many.
    """
    if any(isinstance(value, str) for value in given):
        raise ValueError(_expected("the statistics", "numbers", given))
    statistics = tuple(float(value) for value in given)
    if not statistics or not all(map(math.isfinite, statistics)):
        raise ValueError(_expected("the statistics", "one finite number or more", given))
    if length is not None and len(statistics) != length:
        raise ValueError(
            f"{len(statistics)} statistics, but {length} for another sample; each sample of a "
            "task needs as many"
        )
    return statistics


def checked_scores(given: Any, number: int, bounds: tuple[float, float]) -> Values:
    """What `aggregate` gave for `number` sets of weights, as floats; NaN where it is undefined.

    Raises TypeError or ValueError for another number of values, infinite ones, and ones outside
    the bounds of the metric, but for what rounding explains.
    """
    values = np.asarray(given, dtype=np.float64)
    if values.shape != (number,):
        raise ValueError(f"expected values of the shape ({number},), found {values.shape}")
    defined = values[~np.isnan(values)]
    low, high = bounds
    slack = _ROUNDING * max(1.0, *(abs(bound) for bound in bounds if math.isfinite(bound)), 0.0)
    outside = defined[~((defined >= low - slack) & (defined <= high + slack))]
    if len(outside):
        raise ValueError(
            f"the value {float(outside[0])!r} is outside the bounds {low} to {high} that the "
            "metric declares"
        )
    if not np.isfinite(defined).all():
        raise ValueError("a value is infinite; give NaN where the metric is undefined")
    return values


# --- Fields --------------------------------------------------------------------------------------


def _expected(field: str, expected: str, found: object) -> str:
    return f"{field}: expected {expected}, found {found!r:.80}"


def _text(field: str, value: object, *, empty: bool = True) -> Iterator[str]:
    """Problems of what should be text that can be written as UTF-8."""
    if not isinstance(value, str):
        yield _expected(field, "a text", value)
        return
    if not (value or empty):
        yield f"{field}: expected a text, found an empty one"
    try:
        value.encode()
    except UnicodeEncodeError as error:
        broken = value[error.start]
        yield f"{field}: {broken!r} is half of a surrogate pair and no text that UTF-8 can write"


def _texts(field: str, values: object, *, empty: bool = True) -> Iterator[str]:
    if not isinstance(values, tuple | list):
        yield _expected(field, "a tuple of texts", values)
        return
    for index, value in enumerate(values):
        yield from _text(f"{field}[{index}]", value, empty=empty)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# --- Files ---------------------------------------------------------------------------------------


def first_problem(error: ValidationError, model: type[BaseModel]) -> str:
    """The first thing that a file has wrong: the key, what was expected, what was found."""
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"]) or "the file"
    hint = ""
    if problem["type"] == "extra_forbidden":
        hint = did_you_mean(str(problem["loc"][-1]), model.model_fields)
    found = (
        ""
        if problem["type"] in {"missing", "json_invalid"}
        else f", found {problem['input']!r:.80}"
    )
    expected = (
        "Input should be a list, such as [a, b]"
        if problem["type"] == "tuple_type"
        else problem["msg"]
    )
    return f"{key}: {expected}{found}.{hint}"
