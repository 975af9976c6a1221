"""What `run` does: every model through every task, and nothing lost for another's fault."""

import gc
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from evalharness.cli.ending import say_error
from evalharness.cli.opening import OpenedModel, open_suite
from evalharness.cli.printing import say
from evalharness.config import Suite
from evalharness.discovery import find_tasks
from evalharness.errors import UsageError
from evalharness.noise import add_noise_floor
from evalharness.progress import progress_reporter
from evalharness.rescore import rescore
from evalharness.results import RunConfiguration
from evalharness.run_folder import find_runs
from evalharness.runner import (
    EvaluatedRun,
    NothingSupportedError,
    evaluate,
)
from evalharness.validity import read_thresholds, warnings

TOO_MANY_FAILED = 3


def run_suite(suite: Suite, command: Sequence[str], output_format: str, *, debug: bool) -> int:
    """Run all models; what one of them or one task gets wrong takes nothing from the others.

    Returns the exit status: that of the errors, else 3 where too many samples failed, else 0.
    Raises UsageError when no model can answer any of the tasks.
    """
    thresholds = read_thresholds(suite.warn_above)
    opened = open_suite(suite)
    models = opened.models
    done: list[EvaluatedRun] = []
    statuses: list[int] = []
    while models:
        # Nothing here keeps a model that is done: the next one needs its memory.
        one, problems = _try_one(suite, models.pop(0), opened.configuration, command, debug=debug)
        gc.collect()
        done += [one] if one is not None else []
        statuses += problems
    if not done and not statuses:
        raise UsageError("nothing was run: none of the models can answer any of the tasks.")
    print_runs(done, output_format)
    _warn(done, thresholds)
    if statuses:
        # An internal error must be seen behind mistakes of the user.
        return min(statuses)
    return _say_failed(done) if _too_many_failed(done, suite.allow_failed) else 0


def _try_one(
    suite: Suite,
    model: OpenedModel,
    configuration: RunConfiguration,
    command: Sequence[str],
    *,
    debug: bool,
) -> tuple[EvaluatedRun | None, list[int]]:
    """The run of one model, unless it could not be made, and the exit statuses of its errors."""
    name = model.backend.model.name
    try:
        one = _run_one(suite, model, configuration, command)
    except NothingSupportedError as error:
        _say_skipped(name, error.skipped)
        return None, []
    except Exception as error:
        return None, [say_error(error, debug=debug, about=f"{name}: ")]
    _say_skipped(name, one.record.skipped)
    _say_unscored(one)
    statuses = []
    for task, problem in one.errors.items():
        statuses.append(say_error(problem, debug=debug, about=f"{name}: {task}: "))
        _forget_calls(problem)
    if model.noise:
        try:
            one = add_noise_floor(one, model.tasks, model.noise, seed=suite.seed)
        except Exception as error:
            statuses.append(say_error(error, debug=debug, about=f"{name}: noise floor: "))
    return one, statuses


def _forget_calls(error: BaseException) -> None:
    """An error that is kept must not keep the calls that led to it, which hold the model."""
    error.__traceback__ = error.__cause__ = error.__context__ = None


def _run_one(
    suite: Suite, model: OpenedModel, configuration: RunConfiguration, command: Sequence[str]
) -> EvaluatedRun:
    with progress_reporter() as report:
        return evaluate(
            model.backend,
            model.tasks,
            output=suite.output,
            configuration=configuration,
            command=command,
            report=report,
        )


def _say_skipped(model: str, skipped: dict[str, str]) -> None:
    for task, reason in skipped.items():
        say(f"{model}: skipped {task}: {reason}")


def _say_unscored(one: EvaluatedRun) -> None:
    """Which texts have no token log-probabilities, though they were asked for."""
    if one.unscored:
        reason = max(one.unscored, key=lambda reason: one.unscored[reason])
        say(
            f"{one.results.model.name}: {sum(one.unscored.values())} texts have no "
            f"log-probabilities of their tokens, {one.unscored[reason]} of them because {reason}"
        )


def _warn(done: Sequence[EvaluatedRun], thresholds: Mapping[str, float]) -> None:
    """What a reader of the scores must know of the answers that they are made of."""
    for one in done:
        for name, task in one.results.tasks.items():
            for warning in warnings(task.validity, thresholds):
                say(f"warning: {one.results.model.name}: {name}: {warning}")


def _too_many_failed(done: Sequence[EvaluatedRun], allowed: float) -> bool:
    return any(one.failed_share > allowed for one in done)


def _say_failed(done: Sequence[EvaluatedRun]) -> int:
    for one in done:
        for name, task in one.results.tasks.items():
            if task.validity.failed:
                say(
                    f"{one.results.model.name}: {name}: {task.validity.failed} of {task.n} "
                    f"samples failed, the first because {one.failures[name]}; see "
                    f"{one.folder / 'samples' / name}.parquet"
                )
    return TOO_MANY_FAILED


def rescore_runs(
    runs: Sequence[Path],
    tasks_dir: Sequence[Path],
    command: Sequence[str],
    output_format: str,
    *,
    debug: bool,
) -> int:
    """Measure runs again; what is wrong with one takes nothing from the others.

    Returns the exit status: that of the errors, else 0.
    """
    catalogue = find_tasks(tasks_dir)
    done: list[EvaluatedRun] = []
    statuses: list[int] = []
    for folder in find_runs(runs, say):
        try:
            with progress_reporter() as report:
                done.append(rescore(folder, catalogue, command=command, report=report))
            _say_unscored(done[-1])
        except Exception as error:
            statuses.append(say_error(error, debug=debug, about=f"{folder}: "))
            continue
        for task, problem in done[-1].errors.items():
            statuses.append(say_error(problem, debug=debug, about=f"{folder}: {task}: "))
    print_runs(done, output_format)
    return min(statuses, default=0)


def print_runs(done: Sequence[EvaluatedRun], output_format: str) -> None:
    """The results of all runs; on stderr where they lie, and which of them are not whole."""
    runs = [(one.record, one.results) for one in done if one.results.tasks]
    if output_format == "json":
        click.echo(json.dumps([results.model_dump(by_alias=True) for _, results in runs], indent=1))
    elif runs:
        from rich.console import Console

        from evalharness.report.terminal import print_table

        print_table(runs, Console())
    for one in done:
        unfinished = " (not finished: see the errors; run it again to complete it)"
        say(f"run folder: {one.folder}{unfinished if one.errors else ''}")
        if price := sum(task.cost.price for task in one.results.tasks.values()):
            say(f"{one.results.model.name}: price of all answers: {price:.4f}")
