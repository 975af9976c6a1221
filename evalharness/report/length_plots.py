"""Does a model do worse on long samples? A line for each model of a task."""

from collections.abc import Iterator, Sequence

from evalharness.compare.lengths import BinScore, ScoresByLength
from evalharness.report.drawing import (
    Dot,
    Label,
    Line,
    Plot,
    Scale,
    Shape,
    around,
    label,
    line,
    place,
    shape,
    ticks,
    written,
)
from evalharness.report.lettering import fitting
from evalharness.report.tables import PlainTable
from evalharness.report.text import amount, number, short
from evalharness.results import MetricResult
from evalharness.statistics.binning import SizeBin

_WIDTH, _NAMES, _LEFT, _TOP, _BOTTOM = 480.0, 208.0, 56.0, 24.0, 274.0
_HEIGHT = 332.0
_APART = 15.0


def length_plot(task: str, anchor: str, found: ScoresByLength) -> Iterator[Plot]:
    """The figure of a task, or nothing where its samples make no two bins."""
    bins = sorted({one.bin for _, scores in found.models for one in scores}, key=lambda b: b.low)
    values = [value for _, scores in found.models for one in scores for value in _ends(one)]
    if len(bins) < 2 or not values:
        return
    low, high = around(values)
    up = Scale(low, high, _BOTTOM, _TOP)
    across = Scale(-0.5, len(bins) - 0.5, _LEFT, _WIDTH)
    lines, labels = _axes(found, bins, across, up)
    curves: list[Shape] = []
    dots: list[Dot] = []
    ends: list[tuple[float, int, str]] = []
    for index, (name, scores) in enumerate(found.models):
        kind = f"track-{index + 1}"
        # Intervals of several models in one bin stand beside each other.
        aside = (index - (len(found.models) - 1) / 2) * 6
        points = []
        for one in scores:
            if one.summary.value is None:
                continue
            x, y = across.at(bins.index(one.bin)) + aside, up.at(one.summary.value)
            points.append((x, y))
            if one.summary.interval is not None:
                low_end, high_end = map(up.at, one.summary.interval)
                lines.append(line(f"track-range {kind}", x, low_end, x, high_end))
            title = f"{short(name)}, {_words(one.bin)}: {_told(one, found.metric_result)}"
            dots.append(Dot(kind, place(x), place(y), title, radius="3.5"))
        if points:
            curves.append(shape(f"track {kind}", points))
            ends.append((points[-1][1], index, name))
    for y, index, name in _apart(ends):
        lines.append(line(f"track track-{index + 1}", _WIDTH + 6, y, _WIDTH + 26, y))
        labels.append(label("name", _WIDTH + 32, y + 4, fitting(short(name), _NAMES - 36)))
    yield Plot(
        anchor=f"{anchor}-length",
        title=f"Score by length on {short(task)}",
        description=_description(found, len(bins)),
        width=place(_WIDTH + _NAMES),
        height=place(_HEIGHT),
        areas=(),
        lines=tuple(lines),
        curves=tuple(curves),
        dots=tuple(dots),
        labels=tuple(labels),
        table=_table(found),
    )


def _ends(one: BinScore) -> tuple[float, ...]:
    value = one.summary.value
    return () if value is None else (value, *(one.summary.interval or ()))


def _axes(
    found: ScoresByLength, bins: Sequence[SizeBin], across: Scale, up: Scale
) -> tuple[list[Line], list[Label]]:
    lines, labels = [], [label("tick", 0, 10, fitting(short(found.metric), _WIDTH))]
    for tick in ticks(up.low, up.high):
        lines.append(line("grid", _LEFT, up.at(tick), _WIDTH, up.at(tick)))
        labels.append(label("tick", _LEFT - 8, up.at(tick) + 4, written(tick), "end"))
    for place_of_bin, one in enumerate(bins):
        x = across.at(place_of_bin)
        counts = {score.n for _, scores in found.models for score in scores if score.bin == one}
        few, many = min(counts), max(counts)
        n = amount(few) if few == many else f"{amount(few)}–{amount(many)}"
        labels.append(label("tick", x, _BOTTOM + 18, _span(one), "middle"))
        labels.append(label("tick", x, _BOTTOM + 34, f"n = {n}", "middle"))
    labels.append(label("tick", (_LEFT + _WIDTH) / 2, _HEIGHT - 4, "words", "middle"))
    return lines, labels


def _apart(ends: Sequence[tuple[float, int, str]]) -> Iterator[tuple[float, int, str]]:
    """Names beside the ends of their lines, moved so far that none covers another."""
    before = _TOP - _APART
    room = _BOTTOM - _APART * len(ends)
    for number_of_name, (y, index, name) in enumerate(sorted(ends)):
        before = min(max(y, before + _APART), room + _APART * (number_of_name + 1))
        yield before, index, name


def _span(one: SizeBin) -> str:
    if one.low == one.high:
        return amount(one.low)
    return f"{amount(one.low)}–{amount(one.high)}"


def _words(one: SizeBin) -> str:
    return "1 word" if one.low == one.high == 1 else f"{_span(one)} words"


def _told(one: BinScore, metric: MetricResult) -> str:
    assert one.summary.value is not None
    return f"{number(one.summary.value, metric)}, n = {amount(one.n)}"


def _description(found: ScoresByLength, bins: int) -> str:
    drawn = len(found.models)
    more = ""
    if drawn < found.having:
        more = (
            f" Drawn are {amount(drawn)} of {amount(found.having)} models: the first of the "
            "leaderboard whose samples are at hand."
        )
    return (
        f"{short(found.metric)} with its 95 % interval in {bins} bins of about equally many "
        "samples, by how many words a sample asks about: those of its source text or, without one, "
        f"of its prompt without examples. A character of a script without spaces is a word.{more}"
    )


def _table(found: ScoresByLength) -> PlainTable:
    metric = found.metric_result
    rows = []
    for name, scores in found.models:
        for one in scores:
            value, interval = one.summary.value, one.summary.interval
            rows.append(
                (
                    short(name),
                    _span(one.bin),
                    "undefined" if value is None else number(value, metric),
                    "none"
                    if interval is None
                    else f"{number(interval[0], metric)} to {number(interval[1], metric)}",
                    amount(one.n),
                )
            )
    return PlainTable(("Model", "Words", "Score", "95 % interval", "n"), tuple(rows))
