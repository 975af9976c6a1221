"""A comparison as tables of text: what terminals, Markdown and LaTeX show alike."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalharness.compare.gates import Verdict
from evalharness.compare.records import Comparison, Ranking, Row
from evalharness.report.leaderboard import direction
from evalharness.report.text import number, p_value, signed, signed_interval, visible
from evalharness.results import MetricResult
from evalharness.statistics.task_means import TaskMean

# Stands beside every number of runs that were not asked the same.
MARK = "†"
_CORRECTIONS = {"holm": "Holm", "bh": "Benjamini-Hochberg"}


@dataclass(frozen=True, slots=True)
class TextTable:
    """Rows under a heading; `notes` are whole sentences that belong to it.

    texts  how many of the first columns are names and stand on the left, as numbers do not
    """

    title: str
    header: tuple[str, ...]
    texts: int
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def tables(comparison: Comparison, verdicts: Sequence[Verdict]) -> list[TextTable]:
    """Differences, ranks where there are three models or more, means over tasks, and gates."""
    found = [_differences(comparison)] if comparison.rows else []
    found += [_ranking(ranking) for ranking in comparison.rankings]
    if comparison.overall:
        found.append(_overall(comparison))
    if verdicts:
        found.append(_gates(verdicts))
    return found


# --- Differences ---------------------------------------------------------------------------------


def _differences(comparison: Comparison) -> TextTable:
    level = f"{100 * comparison.level:g} %"
    return TextTable(
        title=f"Difference from {visible(comparison.baseline)}",
        header=(
            *("task", "metric", "run", "baseline", "score", "difference", f"{level} interval"),
            *("p", "wins / ties / losses", "detectable", "needed", "n"),
        ),
        texts=3,
        rows=tuple(_cells(row, comparison) for row in comparison.rows),
        notes=(
            f"{_corrected_note(comparison)}; * at most {comparison.alpha:g}. Detectable: the "
            "smallest true difference that so many samples would show 8 times in 10.",
            _needed_note(comparison),
            *_counts_notes(comparison.rows),
            *_row_notes(comparison.rows),
            *(
                f"Take care: {visible(one.task)}, {visible(one.run)}: {visible(one.text)}."
                for one in comparison.cautions
            ),
        ),
    )


def _cells(row: Row, comparison: Comparison) -> tuple[str, ...]:
    found = row.difference
    mark = MARK if row.mismatches else ""
    interval = found.intervals.get(comparison.level)
    baseline, score = (
        "undefined" if value is None else number(value, row.metric_result)
        for value in reversed(found.values)
    )
    numbers = (
        baseline,
        score,
        signed(found.difference, row.metric_result),
        "none" if interval is None else signed_interval(interval, row.metric_result),
        _p_value(row.corrected, comparison.alpha),
        _counts(row),
        _plain(row.detectable, row.metric_result),
        _needed(row, comparison),
        str(found.n),
    )
    metric = f"{visible(row.metric)} ({direction(row.metric_result)})"
    return (
        visible(row.task),
        metric,
        visible(row.run),
        *(f"{text}{mark}" for text in numbers),
    )


def _plain(value: float, metric: MetricResult) -> str:
    return "none" if math.isnan(value) else number(value, metric)


def _p_value(value: float, alpha: float) -> str:
    text = p_value(value)
    return f"{text} *" if value <= alpha else text


def _corrected_note(comparison: Comparison) -> str:
    """Over how many tests p-values were corrected; rows that cannot be tested have no part."""
    tested = sum(not math.isnan(row.difference.p_value) for row in comparison.rows)
    if tested < 2:
        return "p of a single test, for which there is nothing to correct"
    tests = "all" if tested == len(comparison.rows) else "the"
    which = "" if tested == len(comparison.rows) else " that could be tested"
    return f"p by {_CORRECTIONS[comparison.correction]} over {tests} {tested} rows{which}"


def _needed(row: Row, comparison: Comparison) -> str:
    if comparison.effect is None and row.corrected <= comparison.alpha:
        return "enough"
    return "none" if row.needed is None else f"{row.needed:,}"


def _needed_note(comparison: Comparison) -> str:
    wanted = "the observed difference, were it the true one"
    if comparison.effect is not None:
        wanted = f"a true difference of {comparison.effect:g}"
    return f"Needed: as many samples as would show {wanted}, 8 times in 10."


def counts(row: Row) -> tuple[int, int, int] | None:
    """Samples that the run wins, ties and loses against the baseline; None if there are no such.

    For a metric whose ideal lies in the middle: samples that are higher, equal and lower.
    """
    found = row.difference.samples
    lower_wins = row.metric_result.ideal is None and not row.metric_result.higher_is_better
    return found[::-1] if found is not None and lower_wins else found


def _counts(row: Row) -> str:
    found = counts(row)
    return "none" if found is None else " / ".join(map(str, found))


def _counts_notes(rows: Sequence[Row]) -> Iterator[str]:
    if any(row.metric_result.ideal is not None for row in rows):
        yield "Where a metric has an ideal: samples that are higher / equal / lower."
    if any(row.difference.samples is None for row in rows):
        yield "No wins, ties and losses where a metric says nothing of single samples."


def _row_notes(rows: Sequence[Row]) -> Iterator[str]:
    """Each note once, with the runs that it is about; metrics of one task share it."""
    texts: dict[str, None] = {}
    for row in rows:
        where = f"{visible(row.task)}, {visible(row.run)}"
        texts |= {f"{MARK} {where}: {visible(text)}": None for text in row.mismatches}
        texts |= {f"{where}: {visible(text)}": None for text in row.notes}
    yield from texts


# --- Ranks ---------------------------------------------------------------------------------------


def _ranking(ranking: Ranking) -> TextTable:
    mark = MARK if ranking.mismatches else ""
    sign = -1 if ranking.metric_result.higher_is_better else 1
    order = sorted(
        ranking.standings.items(), key=lambda item: (item[1].ranks, sign * item[1].value)
    )
    groups = {standing.tie_group for _, standing in order}
    rows = [
        (
            visible(run),
            *(
                f"{text}{mark}"
                for text in (
                    _plain(standing.value, ranking.metric_result),
                    _ranks(standing.ranks),
                    chr(ord("A") + standing.tie_group) if len(groups) <= 26 else
                    str(standing.tie_group + 1),
                    _share(standing.win_rate),
                    _strength(standing.strength),
                )
            ),
        )
        for run, standing in order
    ]  # fmt: skip
    return TextTable(
        title=f"Ranks on {visible(ranking.task)}, {visible(ranking.metric)} "
        f"({direction(ranking.metric_result)}), n = {ranking.n}",
        header=("run", "score", "rank", "group", "win rate", "strength"),
        texts=1,
        rows=tuple(rows),
        notes=tuple(f"{MARK} {visible(text)}" for text in ranking.mismatches),
    )


def _ranks(ranks: tuple[int, int]) -> str:
    return str(ranks[0]) if ranks[0] == ranks[1] else f"{ranks[0]} to {ranks[1]}"


def _share(value: float) -> str:
    return "none" if math.isnan(value) else f"{100 * value:.1f} %"


def _strength(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


# --- Over tasks ----------------------------------------------------------------------------------


def _overall(comparison: Comparison) -> TextTable:
    rows = []
    for one in comparison.overall:
        mark = MARK if one.mismatches else ""
        means = (one.of_tasks, one.of_families, one.of_samples)
        numbers = (*map(_mean, means), str(len(one.tasks)))
        rows.append((visible(one.run), *(f"{text}{mark}" for text in numbers)))
    return TextTable(
        title=f"Mean difference from {visible(comparison.baseline)} over tasks",
        header=("run", "mean of tasks", "mean of families", "mean of samples", "tasks"),
        texts=1,
        rows=tuple(rows),
        notes=(
            "In percent of each metric's range, more being better, with "
            f"{100 * comparison.level:g} % intervals for these tasks. Metrics without a range or "
            "with an ideal in the middle have no part in it. Every task, every family or every "
            "sample counts the same.",
        ),
    )


def _mean(mean: TaskMean) -> str:
    def percent(value: float) -> str:
        return f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}")

    if mean.interval is None:
        return percent(mean.value)
    return f"{percent(mean.value)} ({percent(mean.interval[0])} to {percent(mean.interval[1])})"


# --- Gates ---------------------------------------------------------------------------------------


def _gates(verdicts: Sequence[Verdict]) -> TextTable:
    rows = []
    for verdict in verdicts:
        gate, mark = verdict.gate, MARK if verdict.mismatches else ""
        judged = "difference" if gate.level is None else f"{gate.side} bound"
        rows.append(
            (
                visible(f"{gate.option} {gate.text}"),
                visible(verdict.run),
                "FAILED" if verdict.failed else "passed",
                f"{judged} {verdict.judged:+.4g}{mark}".replace("-", "\N{MINUS SIGN}"),
                f"{'beyond' if verdict.by > 0 else 'short'} by {abs(verdict.by):.4g}{mark}",
            )
        )
    return TextTable(
        title="Gates",
        header=("gate", "run", "outcome", "judged", "by how much"),
        texts=3,
        rows=tuple(rows),
        notes=(),
    )
