"""What readers may choose in the browser: baseline, level and aggregate.

Whatever can be chosen is computed here and written down as text; scripts only show another part of
it. Nothing that is chosen is computed, or changed, in the browser.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evalharness.compare.board import Aggregate, Board
from evalharness.compare.comparing import at_level
from evalharness.compare.pairs import MOST_MODELS, MOST_PAIRS
from evalharness.compare.records import Comparison
from evalharness.report.cells import Glyph
from evalharness.report.comparison_view import TaskDifference, left_out, model_numbers
from evalharness.report.evidence import Evidence
from evalharness.report.leaderboard import Leaderboard, best_of, order_tasks, verdicts_of
from evalharness.report.standings import level_name, standings_by
from evalharness.report.text import amount, short
from evalharness.report.writing import inert_json

_AGGREGATES: dict[Aggregate, tuple[str, str, str, str]] = {
    "tasks": ("mean of tasks", "Mean", "of tasks, %", ""),
    "families": (
        "mean of families",
        "Mean",
        "of families, %",
        "Mean of families: every family counts the same, however many tasks it has.",
    ),
    "samples": (
        "mean of samples",
        "Mean",
        "of samples, %",
        "Mean of samples: every sample counts the same, so that large tasks decide.",
    ),
    "wins": (
        "win rate",
        "Win rate",
        "of samples, %",
        "Win rate: the share of samples won against the other models, a tie being half, on average "
        "over them and over the tasks.",
    ),
}
_NO_AGGREGATE = (
    "Models can be ranked by the mean of tasks only: other means and win rates need the samples of "
    "all runs."
)
_LETTERS = {"better": "b", "worse": "w", "same": "s", "other": "o", "": "-"}


@dataclass(frozen=True, slots=True)
class Option:
    """One of several choices; `own` is that of the report.

    detail  the level of the intervals that belong to a level of tests, "95 %"; else ""
    """

    value: str
    name: str
    own: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """Lists of options, which are empty where there is nothing to choose.

    board, comparison  JSON for the script: what the leaderboard and the comparison show for each
                       choice; "" where they show the same for all
    no_baseline        why no other baseline is offered, in a sentence, or ""
    no_aggregate       the same of aggregates
    """

    baselines: tuple[Option, ...]
    levels: tuple[Option, ...]
    aggregates: tuple[Option, ...]
    board: str
    comparison: str
    no_baseline: str
    no_aggregate: str


def build_choices(
    evidence: Evidence, with_each: Sequence[Comparison], leaderboard: Leaderboard
) -> Choices:
    """All choices for these runs; none for a single one, which is compared with nothing.

    with_each: of the first runs of the evidence, as `compare_pairs` gives them
    """
    board = evidence.board
    if board is None:
        return Choices((), (), (), "", "", "", "")
    comparable = [not column.mismatch for column in leaderboard.columns]
    # Where some models are compared with none, no baseline can be chosen.
    complete = len(with_each) == len(evidence.runs)
    baselines = with_each if complete and any(one.rows for one in with_each) else ()
    aggregates = board.aggregates if len(board.aggregates) > 1 else ()
    # Each comparison at each level.
    own = () if evidence.comparison is None else (evidence.comparison,)
    found = [[at_level(one, alpha) for alpha in board.alphas] for one in baselines or own]
    shown = _board(evidence, board, comparable, found)
    return Choices(
        baselines=tuple(_baseline_options(evidence)) if baselines else (),
        levels=tuple(_level_options(board)) if _depends_on_level(shown) else (),
        aggregates=tuple(Option(one, _AGGREGATES[one][0], one == "tasks") for one in aggregates),
        board=inert_json(shown),
        comparison=inert_json([_comparison(one) for one in found]) if baselines and own else "",
        no_baseline="" if baselines else _no_baseline(len(evidence.runs), complete),
        no_aggregate=_NO_AGGREGATE if board.places and len(board.aggregates) < 2 else "",
    )


def _baseline_options(evidence: Evidence) -> Iterator[Option]:
    own = None if evidence.comparison is None else evidence.comparison.baseline
    if own is None:
        yield Option("", "none", True)
    for run in evidence.runs:
        yield Option(short(run.label), short(run.label), run.label == own)


def _level_options(board: Board) -> Iterator[Option]:
    for alpha in board.alphas:
        yield Option(f"{alpha:g}", f"{100 * alpha:g} %", alpha == board.alpha, level_name(alpha))


def _depends_on_level(shown: dict[str, Any]) -> bool:
    """Is anything of the leaderboard different at different levels?"""
    at_levels = [*shown["standings"], shown["best"], *shown["verdicts"]]
    return any(one != found[0] for found in at_levels for one in found)


def _no_baseline(models: int, complete: bool) -> str:
    if complete:
        return "No baseline can be chosen here, since no two models have samples to be compared by."
    return (
        "No other baseline can be chosen here, since not all pairs of "
        f"{amount(models)} models were compared: that is done for at most {MOST_MODELS} models and "
        f"{amount(MOST_PAIRS)} pairs over all tasks. The option --baseline names another one."
    )


# --- The leaderboard -----------------------------------------------------------------------------


def _board(
    evidence: Evidence,
    board: Board,
    comparable: Sequence[bool],
    comparisons: Sequence[Sequence[Comparison]],
) -> dict[str, Any]:
    """What each row of the leaderboard shows; lists follow the options, then rows or columns."""
    labels = [run.label for run in evidence.runs]
    tasks = list(order_tasks(evidence.pairs()))
    return {
        "headings": [_AGGREGATES[one][1:] for one in board.aggregates],
        "standings": [
            [_standings(board, labels, aggregate, alpha) for alpha in board.alphas]
            for aggregate in board.aggregates
        ],
        "best": [
            [
                _best(board, labels, task, alpha) if alike else None
                for task, alike in zip(tasks, comparable, strict=True)
            ]
            for alpha in board.alphas
        ],
        "baselines": [short(at_levels[0].baseline) for at_levels in comparisons],
        "verdicts": [
            [_verdicts(one, labels, tasks) for one in at_levels] for at_levels in comparisons
        ],
    }


def _standings(
    board: Board, labels: Sequence[str], aggregate: Aggregate, alpha: float
) -> list[list[Any]]:
    """For each row rank, its key, tie group, shade, mean, half, key of the mean, best, glyph."""
    found = standings_by(board, labels, aggregate, alpha)
    return [
        [one.rank, one.rank_key, one.tie, one.shade, one.mean.value, one.mean.half, one.mean.key,
         int(one.mean.best), _drawn(one.mean.glyph)]
        for one in (found[label] for label in labels)
    ]  # fmt: skip


def _drawn(glyph: Glyph | None) -> list[str] | None:
    return None if glyph is None else [glyph.low, glyph.length, glyph.value]


def _best(board: Board, labels: Sequence[str], task: str, alpha: float) -> str | None:
    """1 for each row that cannot be told from the best; None where that does not hang on alpha."""
    best = best_of(task, board, alpha)
    return None if best is None else "".join("1" if label in best else "0" for label in labels)


def _verdicts(comparison: Comparison, labels: Sequence[str], tasks: Sequence[str]) -> list[str]:
    """For each column the letters of the rows' verdicts."""
    found = [verdicts_of(task, comparison) for task in tasks]
    return ["".join(_LETTERS[one.get(label, "")] for label in labels) for one in found]


# --- The comparison ------------------------------------------------------------------------------


def _comparison(at_levels: Sequence[Comparison]) -> dict[str, Any]:
    """A baseline with what is left out of it, and all models beside it."""
    first = at_levels[0]
    return {
        "name": short(first.baseline),
        "leftOut": left_out(first, first.baseline),
        "models": [_model(run, at_levels) for run in first.runs],
    }


def _model(run: str, at_levels: Sequence[Comparison]) -> dict[str, Any]:
    """A model beside a baseline: what is the same at all levels once, and the rest for each."""
    numbers = [model_numbers(run, comparison) for comparison in at_levels]
    first = numbers[0]
    return {
        "name": first.name,
        "leftOut": first.left_out,
        "rows": [_row(row) for row in first.rows],
        "at": [
            {
                "summary": one.summary,
                "gained": one.gained,
                "lost": one.lost,
                "rows": [[row.interval, _LETTERS[row.verdict], row.detectable] for row in one.rows],
            }
            for one in numbers
        ],
    }


def _row(row: TaskDifference) -> list[Any]:
    """What a row of the table of differences shows; the samples that were won, tied and lost,
    and what the first and the last of these are called.
    """
    outcome = row.outcome
    won = None if outcome is None else [outcome.won, outcome.tied, outcome.lost, *outcome.words]
    marks = [*row.warnings, *row.notes]
    numbers = [row.baseline, row.score, row.difference, row.p_value, row.n]
    return [row.task, f"{row.metric}, {row.direction}", marks, *numbers, won]
