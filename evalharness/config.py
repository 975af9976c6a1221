"""Suites: which models and tasks to run, from a YAML file and from the command line."""

import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
    field_validator,
)

from evalharness.errors import DataError, UsageError
from evalharness.results import ChatMode, ShotForm
from evalharness.validation import first_problem


class Suite(BaseModel):
    """What `run` is to do.

    models       specs, such as "builtin:smollm2-135m-instruct"
    tasks        names or globs, such as "openbookqa" or "bias/*"
    limit        samples per task, the first ones of its data; None for all
    num_fewshot  solved examples before each prompt
    seed         draws the few-shot examples and the bootstrap
    output       folder of the run folders and of the store
    tasks_dir    further folders with task plugins
    data         for tasks by name, where their data comes from instead (see sources/choice.py)
    warn_above   for what is counted of samples (see validity.py), the share above which a task is
                 warned of
    training_text  a folder with texts that models were trained on: samples that stand in them are
                 told apart (see contamination.py)
    store_logprobs  the log-probability of each token of each answer is stored with the likeliest
                 in its place, and how familiar each sample's text is (see token_pass.py)
    allow_failed share of the samples of a task that may fail before the exit status is 3
    chat         which prompts of plain text become chats, of a model that has a chat template:
                 those that ask for a text ("auto"), all ("on"), none ("off")
    noise_floor  answer a part of the samples again in other batches (see noise.py), and
    noise_dtype  in this dtype as well
    system_prompt  the first turn of every chat
    fewshot_as   in chats, few-shot examples are "turns" of their own or "text" before the question
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    limit: StrictInt | None = Field(default=None, ge=1, le=sys.maxsize)
    num_fewshot: StrictInt = Field(default=0, ge=0)
    seed: StrictInt = Field(default=0, ge=0)
    output: Path = Path("runs")
    tasks_dir: tuple[Path, ...] = ()
    warn_above: dict[str, float] = Field(default_factory=dict)
    training_text: Path | None = None
    data: dict[str, str] = Field(default_factory=dict)
    store_logprobs: StrictBool = False
    allow_failed: float = Field(default=0.0, strict=True, ge=0.0, le=1.0)
    chat: ChatMode = "auto"
    noise_floor: bool = False
    noise_dtype: str | None = None
    system_prompt: str = ""
    fewshot_as: ShotForm = "turns"

    @field_validator("chat", mode="before")
    @classmethod
    def _as_word(cls, value: object) -> object:
        """YAML takes `on` and `off` for true and false."""
        if isinstance(value, bool):
            return "on" if value else "off"
        return value


def read_suite(path: Path | None, overrides: dict[str, Any]) -> Suite:
    """The suite of a file (or an empty one), with what the command line gives in its place.

    Raises DataError for a file that cannot be read, UsageError for an unknown key or a value that
    does not fit, naming file, key, what was expected and what was found.
    """
    values = {} if path is None else _read_yaml(path)
    # Apart, so that each mistake is blamed on the one who made it.
    _validate(values, f"{path}: ")
    _validate(overrides, "option --")
    suite = Suite.model_validate({**values, **overrides})
    for name, option in (("models", "-m MODEL"), ("tasks", "-t TASK")):
        if not getattr(suite, name):
            raise UsageError(f"no {name} are given; add {option}, or {name}: to the suite file.")
    return suite


def _validate(values: dict[str, Any], where: str) -> None:
    try:
        Suite.model_validate(values)
    except ValidationError as error:
        problem = first_problem(error, Suite)
        if where.endswith("--"):
            key, colon, rest = problem.partition(":")
            problem = key.replace("_", "-") + colon + rest
        raise UsageError(f"{where}{problem}") from None


class _Loader(yaml.SafeLoader):
    """YAML in which a key that is given twice is an error, not the last one's victory."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else key)
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the suite file {path} cannot be read: {error}.") from None
    except RecursionError:
        raise DataError(f"the suite file {path} is not valid YAML: nested too deeply.") from None
    # A date that is none, or a number of thousands of digits, is a plain ValueError.
    except (yaml.YAMLError, ValueError) as error:
        raise DataError(f"the suite file {path} is not valid YAML: {error}.") from None
    if not isinstance(values, dict):
        raise DataError(f"the suite file {path} should hold keys such as models: and tasks:.")
    return values
