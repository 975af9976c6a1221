"""What figures are made of: shapes at places that are worked out here, for templates to write down.

`kind` is the class by which the style sheet colours a shape.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from evalharness.report.tables import PlainTable


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line."""

    kind: str
    x1: str
    y1: str
    x2: str
    y2: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A mark of a value; `title` is what it stands for."""

    kind: str
    x: str
    y: str
    title: str
    radius: str = "5"


@dataclass(frozen=True, slots=True)
class Shape:
    """A polyline, or a filled polygon, through points."""

    kind: str
    points: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text; `anchor` is start, middle or end."""

    kind: str
    x: str
    y: str
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure with its title, what it shows in words, and its numbers as a table.

    Of one that is as wide as there is room, the width is "100%", and so are places along it.
    """

    anchor: str
    title: str
    description: str
    width: str
    height: str
    areas: tuple[Shape, ...]
    lines: tuple[Line, ...]
    curves: tuple[Shape, ...]
    dots: tuple[Dot, ...]
    labels: tuple[Label, ...]
    table: PlainTable

    @property
    def is_fluid(self) -> bool:
        """Is it as wide as there is room?"""
        return self.width.endswith("%")


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` at places from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The place of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Line:
    """A line between two places."""
    return Line(kind, place(x1), place(y1), place(x2), place(y2))


def shape(kind: str, points: Sequence[tuple[float, float]]) -> Shape:
    """A shape through places."""
    return Shape(kind, " ".join(f"{place(x)},{place(y)}" for x, y in points))


def label(kind: str, x: float, y: float, text: str, anchor: str = "start") -> Label:
    """A text at a place."""
    return Label(kind, place(x), place(y), anchor, text)


def place(value: float) -> str:
    """A coordinate as text, with one decimal."""
    return f"{value:.1f}"


def share(value: float) -> str:
    """A coordinate in percent of the width of a figure."""
    return f"{value:.2f}%"


def around(values: Sequence[float]) -> tuple[float, float]:
    """The smallest and the largest value, with some room on both sides."""
    low, high = min(values), max(values)
    room = 0.04 * (high - low) or max(abs(high) * 0.1, 0.5)
    return low - room, high + room


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most about `most` round numbers between two values."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def written(value: float) -> str:
    """A number at an axis: in full where it is neither huge nor tiny."""
    if value and not 1e-6 <= abs(value) < 1e9:
        text = f"{value:g}"
    else:
        text = f"{Decimal(f'{value:.6g}'):,f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return text.replace("-", "\N{MINUS SIGN}")
