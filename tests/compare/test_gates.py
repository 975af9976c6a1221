"""Gates fail when they hold for sure, pass otherwise, and are never passed unjudged."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalharness.compare.gates import check_reach, judge, parse_gate
from evalharness.errors import UsageError
from tests.compare.runs import compare, rights, write_made_up
from tests.report.runs import metric

KNOWN = {"openbookqa": ["acc", "acc_norm"], "task.v2": ["chrf++"], "task": ["v2"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("openbookqa.acc_norm < -0.02 @95%", ("openbookqa", "acc_norm", "<", -0.02, 0.95)),
        ("  openbookqa.acc>=1e-3", ("openbookqa", "acc", ">=", 0.001, None)),
        ("task.v2.chrf++ <= .5@ 99.9 %", ("task.v2", "chrf++", "<=", 0.5, 0.999)),
        ("task.v2 > +2", ("task", "v2", ">", 2.0, None)),
    ],
)
def test_gates_are_read(text: str, expected: tuple[object, ...]) -> None:
    gate = parse_gate("--fail-if", text, KNOWN)
    found = (gate.task, gate.metric, gate.operator, gate.threshold, gate.level)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "position 1: expected one of"),
        ("openbookqa.acc", "position 15: expected one of .* found the end"),
        ("openbookqa.acc = 1", "position 16: expected one of .* found '= 1'"),
        ("< 1", "position 1: expected TASK.METRIC"),
        ("openbookqa.acc < x", "position 18: expected a number.* found 'x'"),
        ("openbookqa.acc < 1e999", "position 18: expected a number"),
        ("openbookqa.acc <> 1", "position 17: expected a number"),
        ("openbookqa.acc < 1 95%", "position 20: expected @ and a level"),
        ("openbookqa.acc < 1 @95", "position 23: expected %, found the end"),
        ("openbookqa.acc < 1 @195%", "position 21: expected a level above 0"),
        ("openbookqa.acc < 1 @95% or", "position 25: expected the end"),
        ("openbookqa.acc_nrm < 1", "position 1: .*has no metric 'acc_nrm'.*mean 'acc_norm'"),
        (" openbokqa.acc < 1", "position 2: 'openbokqa.acc' is no.*mean 'openbookqa.acc'"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_position(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_gate("--fail-if", text, KNOWN)


def test_a_mistake_is_told_with_the_option_that_it_is_in() -> None:
    with pytest.raises(UsageError, match=r"^--fail-unless 'task.v3 > 0': .*Did you mean 'v2'"):
        parse_gate("--fail-unless", "task.v3 > 0", KNOWN)


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    """Of 200 questions the baseline has 120 right, and the other run 30 of these wrong."""
    own = {f"q{number}": int(number < 120) for number in range(200)}
    other = {name: int(value and number >= 30) for number, (name, value) in enumerate(own.items())}
    return [
        write_made_up(tmp_path / name, rights(values))
        for name, values in (("baseline", own), ("worse", other))
    ]


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("task.acc < -0.15", False),  # the difference is -0.15, and not below it
        ("task.acc <= -0.15", True),
        ("task.acc < -0.14", True),
        ("task.acc < -0.14 @95%", False),  # the interval reaches beyond -0.14
        ("task.acc < -0.08 @95%", True),
        ("task.acc < -0.08 @99.99%", False),
        ("task.acc > -0.20", True),
        ("task.acc > -0.19 @95%", False),
        ("task.acc > -0.25 @95%", True),
    ],
)
def test_a_gate_fails_where_the_whole_interval_is_beyond_its_number(
    runs: list[str], text: str, failed: bool
) -> None:
    gate = parse_gate("--fail-if", text, {"task": ["acc"]})
    levels = () if gate.level is None else (gate.level,)
    comparison = compare(runs, levels=levels)
    (verdict,), problems = judge([gate], comparison)
    assert problems == []
    assert verdict.failed == failed
    assert (verdict.by > 0) == failed or verdict.by == pytest.approx(0)
    if gate.level is not None:
        bounds = comparison.rows[0].difference.intervals[gate.level]
        assert verdict.judged == bounds[1 if "<" in text else 0]


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("task.acc > -0.15", True),  # the difference is -0.15, and not above it
        ("task.acc >= -0.15", False),
        ("task.acc > -0.16", False),
        ("task.acc > -0.16 @95%", True),  # not worse by more, but not for sure
        ("task.acc > -0.25 @95%", False),
        ("task.acc > -0.24 @99.99%", True),
        ("task.acc < -0.08 @95%", False),
    ],
)
def test_a_gate_of_non_inferiority_fails_unless_the_whole_interval_meets_it(
    runs: list[str], text: str, failed: bool
) -> None:
    """A run of few samples passed --fail-if, however bad it was: nothing was beyond doubt."""
    gate = parse_gate("--fail-unless", text, {"task": ["acc"]})
    levels = () if gate.level is None else (gate.level,)
    comparison = compare(runs, levels=levels)
    (verdict,), problems = judge([gate], comparison)
    assert problems == []
    assert verdict.failed == failed
    assert (verdict.by > 0) != failed or verdict.by == pytest.approx(0)


@given(
    threshold=st.floats(-0.4, 0.4),
    operator=st.sampled_from(["<", "<=", ">", ">="]),
    level=st.sampled_from(["", "@50%", "@95%"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_one_condition_never_passes_both_options_nor_fails_both(
    runs: list[str], threshold: float, operator: str, level: str
) -> None:
    comparison = compare(runs, levels=(0.5, 0.95))
    text = f"task.acc {operator} {threshold:.6f} {level}"
    gates = [
        parse_gate("--fail-if", text, {"task": ["acc"]}),
        parse_gate("--fail-unless", text, {"task": ["acc"]}),
    ]
    (one, other), _ = judge(gates, comparison)
    assert one.failed != other.failed
    assert (one.judged, one.by) == (other.judged, other.by)


def test_a_gate_that_cannot_be_judged_is_not_passed(runs: list[str], tmp_path: Path) -> None:
    other = write_made_up(tmp_path / "other", rights({"q1": 1}), task_changes={"num_fewshot": 5})
    gate = parse_gate("--fail-if", "task.acc < 0 @95%", {"task": ["acc"]})
    verdicts, problems = judge([gate], compare([*runs, other], levels=(0.95,)))
    assert [verdict.run for verdict in verdicts] == ["worse"]
    (problem,) = problems
    assert problem.startswith(
        "other: the gate --fail-if 'task.acc < 0 @95%' cannot be judged: few-shot"
    )
    single = [write_made_up(tmp_path / name, rights({"q1": 1})) for name in ("a", "b")]
    verdicts, (problem,) = judge([gate], compare(single, levels=(0.95,)))
    assert verdicts == []
    assert "too few samples for an interval" in problem


@pytest.mark.parametrize(
    ("number", "bounds", "hint"),
    [
        ("-2", (0.0, 1.0), r"from 0 to 1.* Did you mean -0\.02\?$"),
        ("1.5", (0.0, 1.0), r"Did you mean 0\.015\?$"),
        ("-500", (0.0, 1.0), r"units of the metric\.$"),
        ("-101", (0.0, 100.0), r"from 0 to 100.*units of the metric\.$"),
    ],
)
def test_a_gate_beyond_every_difference_is_a_mistake(
    number: str, bounds: tuple[float, float], hint: str
) -> None:
    """Written in points of percent for an accuracy from 0 to 1, a gate let every run pass."""
    gate = parse_gate("--fail-if", f"task.v2 < {number} @95%", KNOWN)
    result = metric(0.5, None).model_copy(update={"bounds": bounds})
    with pytest.raises(UsageError, match=hint):
        check_reach(gate, result)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, None), (None, None)])
def test_a_gate_that_a_difference_can_reach_is_none(bounds: tuple[float, float]) -> None:
    gate = parse_gate("--fail-if", "task.v2 <= -1", KNOWN)
    check_reach(gate, metric(0.5, None).model_copy(update={"bounds": bounds}))
