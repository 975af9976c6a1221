"""Where samples come from: sources, tasks and what makes tasks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from evalharness.records.metrics import Metric
from evalharness.records.samples import Row, Sample


@dataclass(frozen=True, slots=True)
class DataIdentity:
    """Which data was used: `name` for people, `revision` a commit or the sha256 of the bytes."""

    name: str
    revision: str


class Source(Protocol):
    """Where the rows of a data set come from (see sources/).

    Both methods may fetch the data first. They raise DataError with file, row and field.
    """

    def rows(self) -> Iterator[Row]: ...

    def identity(self) -> DataIdentity: ...


@runtime_checkable
class Placed(Protocol):
    """A source that can say where its data lies, without a network."""

    def place(self) -> str:
        """For people: a file, a wheel and a file in it, a data set and its split."""
        ...

    def is_here(self) -> bool:
        """Can the rows be read without a network?"""
        ...


Family = Literal["translation", "question_answering", "summarization", "bias", "language_modelling"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """The same benchmark from another place, chosen by `--data TASK=NAME`.

    `sample` reads the rows as they are there. `caveat` takes the place of the task's own.
    """

    name: str
    data: Source
    sample: Callable[[Row], Sample]
    shots: Source | None = None
    caveat: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A benchmark: data, how a row becomes a sample, and the metrics, the primary one first.

    version  is raised by every change that can change a score
    extract  finds the answer in a generated text (see extraction.py); metrics measure what it gives
    shots    the rows that few-shot examples are drawn from; never rows that `data` has
    size     how many samples `data` has, as its card says; 0 where that is not known
    caveat   what makes the data differ from the benchmark's official test set, if anything
    alternatives  other places that the same data can be had from
    """

    name: str
    family: Family
    version: int
    data: Source
    sample: Callable[[Row], Sample]
    metrics: tuple[Metric, ...]
    extract: Callable[[str], str] = str.strip
    shots: Source | None = None
    languages: tuple[str, ...] = ("en",)
    licence: str = ""
    description: str = ""
    size: int = 0
    caveat: str = ""
    content_warning: str = ""
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTemplate:
    """Tasks of one kind, too many to list: NAME:ARGUMENT, such as flores200:eng_Latn-deu_Latn.

    make      the task for an argument, whose name is NAME:ARGUMENT; its second argument finds any
              other task by its name. Raises UsageError for an argument that means nothing, with the
              nearest one that does
    argument  what stands for the argument in lists, such as "SOURCE-TARGET"
    examples  arguments that work, at least one: shown in lists, and tested
    """

    name: str
    family: Family
    argument: str
    examples: tuple[str, ...]
    make: Callable[[str, Callable[[str], Task]], Task]
    description: str = ""
