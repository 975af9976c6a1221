"""Suites: which models and tasks to run, from a YAML file and from the command line."""

import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evalharness.errors import DataError, UsageError
from evalharness.results import first_problem


class Suite(BaseModel):
    """What `run` is to do.

    models       specs, such as "builtin:smollm2-135m-instruct"
    tasks        names or globs, such as "openbookqa" or "bias/*"
    limit        samples per task, the first ones of its data; None for all
    num_fewshot  solved examples before each prompt
    seed         draws the few-shot examples and the bootstrap
    output       folder of the run folders and of the store
    tasks_dir    further folders with task plugins
    allow_failed share of the samples of a task that may fail before the exit status is 3
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    limit: int | None = Field(default=None, ge=1, le=sys.maxsize)
    num_fewshot: int = Field(default=0, ge=0)
    seed: int = Field(default=0, ge=0)
    output: Path = Path("runs")
    tasks_dir: tuple[Path, ...] = ()
    allow_failed: float = Field(default=0.0, ge=0.0, le=1.0)


def read_suite(path: Path | None, overrides: dict[str, Any]) -> Suite:
    """The suite of a file (or an empty one), with what the command line gives in its place.

    Raises DataError for a file that cannot be read, UsageError for an unknown key or a value that
    does not fit, naming file, key, what was expected and what was found.
    """
    values = {} if path is None else _read_yaml(path)
    try:
        suite = Suite.model_validate({**values, **overrides})
    except ValidationError as error:
        where = f"{path}: " if path else ""
        raise UsageError(f"{where}{first_problem(error, Suite)}") from None
    for name, option in (("models", "-m MODEL"), ("tasks", "-t TASK")):
        if not getattr(suite, name):
            raise UsageError(f"no {name} are given; add {option}, or {name}: to the suite file.")
    return suite


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the suite file {path} cannot be read: {error}.") from None
    except yaml.YAMLError as error:
        raise DataError(f"the suite file {path} is not valid YAML: {error}.") from None
    if not isinstance(values, dict):
        raise DataError(f"the suite file {path} should hold keys such as models: and tasks:.")
    return values
