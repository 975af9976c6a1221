"""Where models stand over all tasks, by each aggregate and at each level, as texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalharness.compare.board import Aggregate, Board, Place
from evalharness.report.cells import Cell, aggregate_cell
from evalharness.report.text import amount, ranks, tie_name

_MISSING = Cell("–", "", "", "", "not scored on every task", None, False, "", "")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a model stands over all tasks; "–" where that is not known.

    shade  "even" or "odd" tie groups, to be told apart at a glance
    mean   of the aggregate that the rank is by
    """

    rank: str
    rank_key: str
    tie: str
    shade: str
    mean: Cell
    family_mean: str
    win_rate: str


def standings_by(
    board: Board, labels: Sequence[str], aggregate: Aggregate, alpha: float
) -> dict[str, Standing]:
    """The standings of all labels; none where no model is placed."""
    places = board.places_at.get((aggregate, alpha), {})
    if not places:
        return {}
    best = {label for label, place in places.items() if not place.placing.tie_group}
    cells = aggregate_cell({label: place.mean for label, place in places.items()}, best)
    of_families = board.places_at.get(("families", alpha), {})
    of_wins = board.places_at.get(("wins", alpha), {})
    found = {}
    for label in labels:
        place = places.get(label)
        if place is None:
            found[label] = Standing("–", "", "", "", _MISSING, "–", "–")
            continue
        first, last = place.placing.ranks
        found[label] = Standing(
            rank=ranks(place.placing.ranks),
            rank_key=f"{first + last / 1000:.3f}",
            tie=tie_name(place.placing.tie_group),
            shade="odd" if place.placing.tie_group % 2 else "even",
            mean=cells[label],
            family_mean=_mean(of_families.get(label)),
            win_rate=_mean(of_wins.get(label)),
        )
    return found


def _mean(place: Place | None) -> str:
    return "–" if place is None else f"{place.mean.value:.1f}"


def level_name(alpha: float) -> str:
    """The level of the intervals that belong to tests at alpha: "95 %"."""
    return f"{100 * (1 - alpha):g} %"


def notes_on(names: Sequence[str], board: Board | None) -> Iterator[str]:
    """How the means over the tasks came about, in whole sentences."""
    if board is None:
        return
    if not board.places:
        yield (
            "No ranks over tasks: they need at least two models that have a score on each of the "
            "tasks that can be compared."
        )
        return
    tasks = f"{amount(len(board.aggregated))} of {amount(len(names))} tasks"
    yield (
        f"Mean: over {tasks}, in percent of each metric's range. Metrics without a range or with "
        "an ideal in the middle, and tasks that were not asked alike, have no part in it; a model "
        "that lacks one of these tasks has no mean and no rank."
    )
    if any(place.mean.interval is None for place in board.places.values()):
        yield "Ranks are open where a score has no standard error."
    if not board.paired:
        yield (
            "The samples of some runs are not at hand, so models are told apart by the standard "
            "errors of their scores, which finds fewer differences than comparing samples."
        )
