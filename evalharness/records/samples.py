"""What is asked about: rows, samples, and one request of one of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from evalharness.errors import DataError, did_you_mean
from evalharness.records.requests import Request


class Row(Mapping[str, Any]):
    """One row of a data set, which knows where it stands (`location`: file and row number).

    `number` counts the rows of its file or split from 1: an id for rows that have none of their own
    and may be repeated. It is 0 where rows are not counted.
    Reading a field that is not there raises DataError with file, row and the nearest field.
    """

    __slots__ = ("_fields", "location", "number")

    def __init__(self, fields: Mapping[str, Any], location: str, number: int = 0) -> None:
        self._fields = fields
        self.location = location
        self.number = number

    def __getitem__(self, name: str) -> Any:
        if name not in self._fields:
            raise DataError(
                f"{self.location}: no field {name!r}; the row has "
                f"{', '.join(map(repr, self._fields)) or 'no fields'}."
                f"{did_you_mean(name, self._fields)}"
            )
        return self._fields[name]

    def __contains__(self, name: object) -> bool:
        # Mapping's own asks __getitem__ for a KeyError.
        return name in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One item of a task.

    id          unique in its task and stable between runs
    requests    what the model is asked; metrics find the responses in the same order. To metrics of
                generated texts, several generations are several draws of one answer
    target      the right answer as text: what reports show and few-shot examples give
    references  every accepted answer, for generation
    choices     the options, for multiple choice; `gold` are the indexes of the right ones
    source      the text that the answer is made from (sentence, article, passage)
    group       samples with the same group are not independent (same passage, same target term)
    slices      named parts of the task that the sample belongs to, such as {"domain": "gender"}
    """

    id: str
    requests: tuple[Request, ...]
    target: str = ""
    references: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    gold: tuple[int, ...] = ()
    source: str = ""
    group: str | None = None
    slices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Instance:
    """One request of one sample of one task, as it is handed to a backend.

    Models look at the request only; baselines and replayed outputs also at where it comes from.
    """

    task: str
    sample: Sample
    index: int

    @property
    def request(self) -> Request:
        return self.sample.requests[self.index]
