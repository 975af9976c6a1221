"""What every source is asked, and sources made of one other source, lying where it lies."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from evalharness.errors import DataError
from evalharness.records import DataIdentity, Placed, Row, Source


class UnreachableError(DataError):
    """Data lies elsewhere and cannot be fetched.

    ways    what can be done, besides taking the data from elsewhere; {task} is the task's name
    """

    def __init__(self, message: str, *ways: str) -> None:
        super().__init__(message)
        self.ways = ways


def place(source: Source) -> str:
    """Where the data of any source lies, for people. No network is used."""
    return source.place() if isinstance(source, Placed) else type(source).__name__


def is_here(source: Source) -> bool:
    """Can the rows be read without a network? A source that says nothing of it has them."""
    return not isinstance(source, Placed) or source.is_here()


@dataclass(frozen=True, slots=True)
class Wrapping(ABC):
    """A source made of another one, which lies where that one does and changes with it."""

    source: Source

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """What is made of the rows of `source`."""

    def identity(self) -> DataIdentity:
        return self.source.identity()

    def place(self) -> str:
        return place(self.source)

    def is_here(self) -> bool:
        return is_here(self.source)
