"""The figures below the leaderboard; the forest, which comparisons show as well."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalharness.report.cost_plots import cost_plot
from evalharness.report.drawing import (
    Dot,
    Label,
    Line,
    Plot,
    Scale,
    around,
    place,
    share,
    ticks,
    written,
)
from evalharness.report.evidence import Evidence
from evalharness.report.lettering import fitting
from evalharness.report.series_plots import series_plots
from evalharness.report.standings import level_name
from evalharness.report.tables import PlainTable
from evalharness.report.text import short

_MOST_ROWS = 40
# In pixels: a row with its name, and the room for names on a telephone.
_ROW = 40.0
_NAMES = 270.0
# In percent of the width: the ends of the scale, with room for the numbers below it.
_FOREST_ENDS = (4.0, 96.0)


@dataclass(frozen=True, slots=True)
class ForestRow:
    """A value with its interval; `kind` colours it: best, other, better, worse or same."""

    name: str
    value: float
    interval: tuple[float, float] | None
    text: str
    kind: str


def build_plots(evidence: Evidence) -> Iterator[Plot]:
    """All figures for which there is something to show."""
    board = evidence.board
    if board is not None and board.places:
        rows = [
            ForestRow(
                name=short(run.label),
                value=found.mean.value,
                interval=found.mean.interval,
                text=_with_interval(found.mean.value, found.mean.interval),
                kind="other" if found.placing.tie_group else "best",
            )
            for run in evidence.runs
            if (found := board.places.get(run.label)) is not None
        ]
        yield forest(
            "forest",
            "Mean over tasks",
            "Each model's mean score in percent of the metrics' ranges, with its "
            f"{level_name(evidence.alpha)} interval. "
            "Filled marks: models that cannot be told apart from the best.",
            rows,
            unit="mean over tasks, %",
            zero=False,
        )
        yield from cost_plot(evidence)
    yield from series_plots(evidence.runs)


def _with_interval(value: float, interval: tuple[float, float] | None) -> str:
    text = f"{value:.1f}"
    if interval is not None:
        text += f" ({interval[0]:.1f} to {interval[1]:.1f})"
    return text.replace("-", "\N{MINUS SIGN}")


def forest(
    anchor: str,
    title: str,
    description: str,
    rows: Sequence[ForestRow],
    *,
    unit: str,
    zero: bool,
) -> Plot:
    """Values with intervals below one another on one scale; `zero` draws the line of none.

    It is as wide as there is room, so that a telephone shows all of it: places along the scale are
    in percent, and names stand above their marks.
    """
    drawn = rows[:_MOST_ROWS]
    if len(rows) > len(drawn):
        description += f" Drawn are the first {len(drawn)} of {len(rows)}; the table has all."
    ends = [end for row in drawn for end in (row.value, *(row.interval or ()))]
    low, high = around([*ends, 0.0] if zero else ends)
    scale = Scale(low, high, *_FOREST_ENDS)
    bottom = 4 + _ROW * len(drawn)
    lines, dots, labels = [], [], []
    for tick in ticks(low, high):
        x = share(scale.at(tick))
        # Dashes as long as half a row leave out the texts.
        kind = "zero by-row" if zero and tick == 0 else "grid by-row"
        lines.append(Line(kind, x, place(4 + _ROW / 2), x, place(bottom)))
        labels.append(Label("tick", x, place(bottom + 16), "middle", written(tick)))
    labels.append(Label("tick", share(50), place(bottom + 34), "middle", unit))
    for number, row in enumerate(drawn):
        top = 4 + _ROW * number
        y = place(top + 29)
        labels.append(Label("name", "0", place(top + 17), "start", fitting(row.name, _NAMES)))
        labels.append(Label("figure", share(100), place(top + 17), "end", row.text))
        if row.interval is not None:
            low_end, high_end = (share(scale.at(end)) for end in row.interval)
            lines.append(Line(f"whisker {row.kind}", low_end, y, high_end, y))
        dots.append(Dot(row.kind, share(scale.at(row.value)), y, f"{row.name}: {row.text}"))
    return Plot(
        anchor=anchor,
        title=title,
        description=description,
        width="100%",
        height=place(bottom + 40),
        areas=(),
        lines=tuple(lines),
        curves=(),
        dots=tuple(dots),
        labels=tuple(labels),
        table=PlainTable(("", "Value with interval"), tuple((row.name, row.text) for row in rows)),
    )
