"""What a suite asks of whom: models and tasks, found and checked before anything is computed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evalharness.backends import open_backend, open_backends
from evalharness.backends.spec import with_option
from evalharness.cli.printing import say
from evalharness.config import Suite
from evalharness.contamination import (
    MOST,
    SLICE,
    SOME,
    WORDS,
    mark_contamination,
    shared_with_examples,
)
from evalharness.discovery import find_tasks, select_tasks
from evalharness.noise import OtherWay
from evalharness.prompts.letters import as_asked
from evalharness.prompts.preparation import PreparedTask, prepare
from evalharness.records import Backend, Fitting, Rebatching, TokenScoring
from evalharness.results import RunConfiguration
from evalharness.runner import split_supported
from evalharness.sources.choice import with_data


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model, the tasks as it is to be asked them, and the ways in which it answers again."""

    backend: Backend
    tasks: Sequence[PreparedTask]
    noise: tuple[OtherWay, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenedSuite:
    """All that is to be run; `models` is a list, so that each can be let go when it is done."""

    models: list[OpenedModel]
    tasks: tuple[PreparedTask, ...]
    configuration: RunConfiguration


def open_suite(suite: Suite) -> OpenedSuite:
    """Models and tasks. Everything is found and checked before anything is computed."""
    chosen = with_data(select_tasks(find_tasks(suite.tasks_dir), suite.tasks), suite.data)
    backends = open_backends(suite.models)
    prepared = [
        prepare(task, limit=suite.limit, num_fewshot=suite.num_fewshot, seed=suite.seed)
        for task in chosen
    ]
    for task in prepared:
        if task.record.num_fewshot < suite.num_fewshot:
            say(f"{task.name} defines no few-shot examples and is run without")
        if shared := shared_with_examples(task):
            say(
                f"warning: {task.name}: {len(shared)} samples have {WORDS} words in a row in "
                f"common with a few-shot example, the first is {shared[0]!r}"
            )
    prepared, training_text = _mark(suite, prepared)
    configuration = _configuration(suite, training_text)
    models = [
        OpenedModel(
            backend, as_asked(backend, prepared, configuration), _other_ways(suite, backend)
        )
        for backend in backends
    ]
    for model in models:
        _check_fit(model)
        _say_methods(model)
        if suite.store_logprobs and not isinstance(model.backend, TokenScoring):
            say(f"{model.backend.model.name}: gives no log-probabilities of tokens to be stored")
    if suite.system_prompt:
        for model in models:
            _say_plain(model)
    return OpenedSuite(models, tuple(prepared), configuration)


def _other_ways(suite: Suite, backend: Backend) -> tuple[OtherWay, ...]:
    """How a model is to answer a part of the samples again; what computes nothing is left out.

    Raises UsageError for a dtype in which this kind of model cannot be asked for.
    """
    if not suite.noise_floor and suite.noise_dtype is None:
        return ()
    if not isinstance(backend, Rebatching):
        say(f"{backend.model.name}: no noise floor: it computes nothing in batches")
        return ()
    ways = [OtherWay("other batches", backend.in_other_batches)]
    if suite.noise_dtype is not None:
        recast = open_backend(with_option(backend.model.spec, "dtype", suite.noise_dtype))
        ways.append(OtherWay(suite.noise_dtype, lambda: recast))
    return tuple(ways)


def _check_fit(model: OpenedModel) -> None:
    """Raises DataError for answers that were made for other samples."""
    if isinstance(model.backend, Fitting):
        supported, _ = split_supported(model.backend, model.tasks)
        model.backend.check([instance for task in supported for instance in task.instances()])


def _mark(suite: Suite, prepared: list[PreparedTask]) -> tuple[list[PreparedTask], str]:
    """The tasks with their samples in parts by what of them stands in the training text."""
    if suite.training_text is None:
        return prepared, ""
    marked, training = mark_contamination(prepared, suite.training_text)
    say(f"training text: {training.words:,} words in {training.files} files")
    for path in training.left_out:
        say(f"left out of the training text, since it is no text: {path}")
    for task in marked:
        parts = Counter(sample.slices[SLICE] for sample in task.samples)
        found = parts[SOME] + parts[MOST]
        say(f"{task.name}: {found} of {task.record.n} samples stand in the training text")
    return marked, training.identity


def _configuration(suite: Suite, training_text: str) -> RunConfiguration:
    return RunConfiguration(
        limit=suite.limit,
        num_fewshot=suite.num_fewshot,
        seed=suite.seed,
        chat=suite.chat,
        system_prompt=suite.system_prompt,
        fewshot_as=suite.fewshot_as,
        data=suite.data,
        training_text=training_text,
        store_logprobs=suite.store_logprobs,
    )


def _say_methods(model: OpenedModel) -> None:
    """Which tasks are asked in another way than their own, and why."""
    for task in model.tasks:
        method = task.record.method
        if method is None:
            continue
        how = "by the source alone, without the prompt around it"
        if method.name == "letter":
            metric = task.task.metrics[0].name
            how = f"for the letter of the right option, which is measured as {metric}"
        say(f"{model.backend.model.name}: {task.name} is asked {how}: {method.reason}")


def _say_plain(model: OpenedModel) -> None:
    """Which tasks are asked without the system prompt, by what reads prompts at all."""
    if not model.backend.model.reusable:
        return
    for task in model.tasks:
        if task.record.chat is None:
            say(
                f"{model.backend.model.name}: {task.name} is asked in plain text, without the "
                "system prompt"
            )
