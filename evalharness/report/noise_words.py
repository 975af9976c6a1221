"""The noise floor in words and as a table: what moved though the model is the same (noise.py)."""

from collections.abc import Iterator, Sequence

from evalharness.report.tables import PlainTable
from evalharness.report.text import amount, number, short
from evalharness.results import MetricResult, NoiseFloor, TaskResult

_HEADINGS = (
    "Model",
    "Computed",
    "Samples that moved",
    "Other texts",
    "Largest change of a log-probability",
    "The score of all may move by",
)


def noise_words(floor: NoiseFloor, task: TaskResult) -> str:
    """What moved where samples were answered again, as a clause for people.

    How far the first metric may move is said only where something did: a few samples that stayed
    the same do not show that none of the others would move.
    """
    parts = [f"{_way(floor)} {_moved(floor)} samples moved"]
    if floor.texts is not None:
        parts.append(f"{amount(floor.texts)} texts are others")
    if floor.largest is not None:
        parts.append(f"log-probabilities moved by at most {floor.largest:.1g}")
    name, metric = next(iter(task.metrics.items()))
    if movement := _movement(floor, name, metric):
        parts.append(f"{name} may move by {movement}")
    return ", ".join(parts)


def noise_note(task: TaskResult, metric: MetricResult) -> str:
    """How far one score may move, for beside its interval; "" where nothing moved."""
    name = next((name for name, one in task.metrics.items() if one is metric), "")
    moved = (
        f"{movement} {_way(floor)}"
        for floor in task.noise
        if (movement := _movement(floor, name, metric))
    )
    found = ", ".join(moved)
    return f"may move by {found}" if found else ""


def noise_table(tasks: Sequence[TaskResult | None], names: Sequence[str]) -> PlainTable | None:
    """What moved of one task, for each model and way that it was computed again; None for none."""
    rows = tuple(_rows(tasks, names))
    return PlainTable(_HEADINGS, rows) if rows else None


def _rows(tasks: Sequence[TaskResult | None], names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for label, task in zip(names, tasks, strict=True):
        if task is None:
            continue
        name, metric = next(iter(task.metrics.items()))
        for floor in task.noise:
            yield (
                label,
                short(_way(floor)),
                _moved(floor),
                "–" if floor.texts is None else amount(floor.texts),
                "–" if floor.largest is None else f"{floor.largest:.1g}",
                _movement(floor, name, metric) or "–",
            )


def _way(floor: NoiseFloor) -> str:
    return f"in {floor.way}"


def _moved(floor: NoiseFloor) -> str:
    return f"{amount(floor.changed)} of {amount(floor.samples)}"


def _movement(floor: NoiseFloor, name: str, metric: MetricResult) -> str:
    """Half the width of a 95 % range; "" where nothing moved or it is not known."""
    jitter = floor.metrics.get(name)
    if not floor.changed or jitter is None or not jitter.half_width:
        return ""
    return f"±{number(jitter.half_width, metric)}"
