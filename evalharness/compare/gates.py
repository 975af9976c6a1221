"""Gates for continuous integration: conditions on differences that make `compare` fail.

TASK.METRIC OPERATOR NUMBER [@LEVEL%], such as 'openbookqa.acc_norm < -0.02 @95%': the condition
holds if the whole 95 % interval of the difference from the baseline is below -0.02, which is to say
that its upper bound is. Without a level the difference itself is judged. The number is in the
units of the metric.

--fail-if fails where its condition holds for sure: '< -0.02 @95%' where a run is beyond doubt worse
by more than .02. --fail-unless fails where its condition does not: '> -0.02 @95%' where it is not
beyond doubt that a run is worse by less than .02 (a test of non-inferiority).
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evalharness.compare.records import Comparison, Row
from evalharness.errors import UsageError, did_you_mean
from evalharness.results import MetricResult

_OPERATOR = re.compile(r"<=|>=|<|>")
_WORD = re.compile(r"\s*[^\s=!]+\s*")
_DECIMALS = 12
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


Option = Literal["--fail-if", "--fail-unless"]


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition that no run may meet, or that each must; `level` is 0.95 for @95%, else None.

    option  the option that it was given with, which says what of both
    """

    option: Option
    text: str
    task: str
    metric: str
    operator: str
    threshold: float
    level: float | None

    @property
    def side(self) -> Literal["upper", "lower"]:
        """The bound of an interval that is the last to meet the condition."""
        return "upper" if self.operator.startswith("<") else "lower"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A gate judged for one run.

    judged  the bound of the interval, or the difference, that was held against the threshold
    by      how far it is beyond the threshold; negative where it is short of it
    """

    gate: Gate
    run: str
    judged: float
    failed: bool
    by: float
    mismatches: tuple[str, ...]


def parse_gate(option: Option, text: str, metrics_of: Mapping[str, Iterable[str]]) -> Gate:
    """Read a gate of one of the options; `metrics_of` has the names of the metrics of each task.

    Raises UsageError with the position of what cannot be read, and for a task or a metric that is
    not there, with the nearest name.
    """
    try:
        task, metric, operator, threshold, level = _read(text, metrics_of)
    except _UnreadableError as error:
        raise UsageError(f"{option} {text!r}: position {error.place + 1}: {error}") from None
    return Gate(option, text, task, metric, operator, threshold, level)


def check_reach(gate: Gate, metric: MetricResult) -> None:
    """Raises UsageError where no difference can be on one of the sides of the gate's number.

    Such a gate passes whatever happens, or fails: points of percent were meant, or another metric.
    """
    low, high = metric.bounds
    if low is None or high is None or abs(gate.threshold) <= high - low:
        return
    hundredth = gate.threshold / 100
    hint = f" Did you mean {hundredth:g}?" if abs(hundredth) <= high - low == 1 else ""
    raise UsageError(
        f"{gate.option} {gate.text!r}: {gate.metric} is from {low:g} to {high:g}, so that no "
        f"difference is as large as {gate.threshold:g}; the number is in the units of the metric."
        f"{hint}"
    )


class _UnreadableError(Exception):
    """What is wrong with a gate, and where in it."""

    def __init__(self, place: int, message: str) -> None:
        super().__init__(message)
        self.place = place


def _read(
    text: str, metrics_of: Mapping[str, Iterable[str]]
) -> tuple[str, str, str, float, float | None]:
    """Task, metric, operator, number and level. Raises _UnreadableError."""
    operator = _OPERATOR.search(text)
    if operator is None:
        word = _WORD.match(text)
        place = word.end() if word is not None else len(text)
        raise _unreadable(text, place, "one of < <= > >= after TASK.METRIC")
    name = text[: operator.start()].strip()
    if not name:
        raise _unreadable(text, 0, "TASK.METRIC, such as openbookqa.acc_norm")
    place = _skip_spaces(text, operator.end())
    number = _NUMBER.match(text, place)
    if number is None or math.isinf(float(number.group())):
        raise _unreadable(text, place, "a number, such as -0.02")
    level = _level(text, _skip_spaces(text, number.end()))
    task, metric = _split(text, name, metrics_of)
    return task, metric, operator.group(), float(number.group()), level


def _level(text: str, place: int) -> float | None:
    """What stands after the number: nothing, or @LEVEL%."""
    if place == len(text):
        return None
    if text[place] != "@":
        raise _unreadable(text, place, "@ and a level, such as @95%, or the end")
    place = _skip_spaces(text, place + 1)
    number = _NUMBER.match(text, place)
    if number is None or not 0 < float(number.group()) < 100:
        raise _unreadable(text, place, "a level above 0 and below 100, such as 95%")
    place = _skip_spaces(text, number.end())
    if place == len(text) or text[place] != "%":
        raise _unreadable(text, place, "%")
    end = _skip_spaces(text, place + 1)
    if end != len(text):
        raise _unreadable(text, end, "the end")
    return float(number.group()) / 100


def _skip_spaces(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _unreadable(text: str, place: int, expected: str) -> _UnreadableError:
    found = repr(text[place : place + 12]) if place < len(text) else "the end"
    return _UnreadableError(place, f"expected {expected}, found {found}.")


def _split(text: str, name: str, metrics_of: Mapping[str, Iterable[str]]) -> tuple[str, str]:
    """TASK and METRIC, both of which may have dots in them."""
    names = {
        f"{task}.{metric}": (task, metric)
        for task, metrics in metrics_of.items()
        for metric in metrics
    }
    if name in names:
        return names[name]
    place = text.index(name)
    tasks = [task for task in metrics_of if name.startswith(f"{task}.")]
    if tasks:
        task = max(tasks, key=len)
        metrics = list(metrics_of[task])
        raise _UnreadableError(
            place,
            f"the task {task!r} has no metric {name[len(task) + 1 :]!r}, but "
            f"{', '.join(metrics)}.{did_you_mean(name[len(task) + 1 :], metrics)}",
        )
    raise _UnreadableError(
        place, f"{name!r} is no TASK.METRIC of the baseline.{did_you_mean(name, names)}"
    )


def judge(gates: Sequence[Gate], comparison: Comparison) -> tuple[list[Verdict], list[str]]:
    """Every gate for every run, and in words what could not be judged: no run has passed that."""
    verdicts, problems = [], []
    for gate in gates:
        rows = {
            row.run: row
            for row in comparison.rows
            if (row.task, row.metric) == (gate.task, gate.metric)
        }
        for run in comparison.runs:
            judged = _judged(gate, rows[run]) if run in rows else None
            if judged is not None:
                verdicts.append(_verdict(gate, rows[run], judged))
                continue
            reason = "the difference is undefined, or there are too few samples for an interval"
            if run not in rows:
                reason = _reason(gate, run, comparison)
            problems.append(
                f"{run}: the gate {gate.option} {gate.text!r} cannot be judged: {reason}"
            )
    return verdicts, problems


def _reason(gate: Gate, run: str, comparison: Comparison) -> str:
    reasons = [
        one.reason
        for one in comparison.left_out
        if one.task == gate.task
        and one.metric in ("", gate.metric)
        and one.run in (run, comparison.baseline)
    ]
    return reasons[0] if reasons else "the run was not compared on this task"


def _judged(gate: Gate, row: Row) -> float | None:
    """The difference, or the bound of its interval on the gate's side."""
    if gate.level is None or row.difference.difference is None:
        return row.difference.difference
    interval = row.difference.intervals.get(gate.level)
    if interval is None:
        return None
    return interval[1] if gate.side == "upper" else interval[0]


def _verdict(gate: Gate, row: Row, judged: float) -> Verdict:
    beyond = gate.threshold - judged if gate.side == "upper" else judged - gate.threshold
    # 0.45 - 0.60 is not quite -0.15 for a computer.
    beyond = round(beyond, _DECIMALS)
    holds = beyond >= 0 if gate.operator.endswith("=") else beyond > 0
    failed = holds == (gate.option == "--fail-if")
    return Verdict(gate, row.run, judged, failed, beyond, row.mismatches)
