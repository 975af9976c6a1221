"""`compare` as a user meets it: names of runs, exit status, what is said where."""

import json

import pytest

from tests.workplace import Workplace


@pytest.fixture
def compared(workplace: Workplace) -> tuple[Workplace, list[str]]:
    """A workplace with runs of two baselines on the toy tasks, and their names."""
    names = []
    for model in ("baseline:majority", "baseline:random"):
        (run,) = workplace.run(model=model)
        names.append(run["run_id"])
    return workplace, names


def test_runs_are_compared_by_name_and_gates_decide_the_exit_status(
    compared: tuple[Workplace, list[str]],
) -> None:
    workplace, (majority, other) = compared
    done = workplace("compare", majority, f"runs/{other}", "--tasks-dir", "plugins",
                     "--format", "json", "--fail-if", "toy-choice.acc < 1 @95%",
                     "--fail-if", "toy-choice.acc_norm > 1")  # fmt: skip
    assert done.returncode == 4, done.stderr
    found = json.loads(done.stdout)
    assert found["baseline"] == "baseline:majority"
    assert {row["metric"] for row in found["differences"] if row["task"] == "toy-choice"} == {
        "acc", "acc_norm",
    }  # fmt: skip
    failed, passed = found["gates"]
    assert (failed["failed"], passed["failed"]) == (True, False)
    assert (
        "gate FAILED: --fail-if toy-choice.acc < 1 @95%: baseline:random: the upper bound"
        in done.stderr
    )
    assert "gate passed: --fail-if toy-choice.acc_norm > 1" in done.stderr
    passed_all = workplace("compare", majority, other, "--tasks-dir", "plugins",
                           "--fail-if", "toy-choice.acc_norm > 1")  # fmt: skip
    assert passed_all.returncode == 0
    unproved = workplace("compare", majority, other, "--tasks-dir", "plugins", "--effect", "0.01",
                         "--fail-unless", "toy-choice.acc > -0.0001 @99%")  # fmt: skip
    assert unproved.returncode == 4, unproved.stderr
    assert "gate FAILED: --fail-unless toy-choice.acc > -0.0001 @99%" in unproved.stderr
    assert "short of -0.0001 by" in unproved.stderr
    assert "a true difference of 0.01" in unproved.stdout


def test_a_mistake_is_told_in_a_sentence_and_is_status_2(
    compared: tuple[Workplace, list[str]],
) -> None:
    workplace, (majority, other) = compared
    for arguments, expected in (
        ((majority[:-1], other), f"Did you mean '{majority}'?"),
        ((majority,), "one run alone cannot be compared"),
        (("runs",), "is a folder of runs: say which one is the baseline with --baseline"),
        ((majority, other, "--fail-if", "toy-choice.acc"), "position 15: expected one of"),
        ((majority, other, "--fail-unless", "toy-choise.acc > 0"), "Did you mean 'toy-choice.acc'"),
        ((majority, other, "--fail-if", "toy-choice.acc < -2 @95%"), "Did you mean -0.02?"),
        ((majority, other, "--effect", "0"), "'--effect'"),
        ((majority, other, "--warn-above", "unfinshed=1"), "Did you mean 'unfinished'"),
        ((majority, other, "--warn-above", "empty=5"), "should be NAME=SHARE"),
        ((majority, other, "--metric", "accc"), "Did you mean 'acc'?"),
        ((majority, other), "there is no task 'toy-choice'"),
        ((majority, "--baseline", "runs"), "it must be one run"),
    ):
        done = workplace("compare", *arguments)
        assert done.returncode == 2, arguments
        assert expected in done.stderr
        assert "Traceback" not in done.stderr


def test_a_gate_of_a_task_that_cannot_be_compared_is_status_2(
    compared: tuple[Workplace, list[str]],
) -> None:
    """A gate that nobody could judge must not let a pipeline pass."""
    workplace, (majority, other) = compared
    (fewer,) = workplace.run("--limit", "20", "-o", "fewer", model="baseline:random")
    done = workplace("compare", majority, other, f"fewer/{fewer['run_id']}", "--tasks-dir",
                     "plugins", "--fail-if", "toy-answer.exact_match < -100")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "20 samples in common, of 20 and the baseline's 30" in done.stdout
    (elsewhere,) = workplace.run("--num-fewshot", "2", model="builtin:checkpoint")
    (plain,) = workplace.run(model="builtin:checkpoint")
    done = workplace("compare", plain["run_id"], elsewhere["run_id"], majority, "--tasks-dir",
                     "plugins", "--fail-if", "toy-answer.exact_match < -100")  # fmt: skip
    assert done.returncode == 2
    assert "cannot be judged: few-shot examples: 2, the baseline has 0" in done.stderr


def test_a_folder_of_runs_with_a_baseline_and_every_format(
    compared: tuple[Workplace, list[str]],
) -> None:
    workplace, (_, other) = compared
    for output_format, expected in (
        ("table", "Difference from baseline:random"),
        ("markdown", "| task | metric | run |"),
        ("latex", r"\begin{tabular}"),
        ("csv", "task,family,metric,run,run_id"),
    ):
        done = workplace("compare", "runs", "--baseline", other, "--tasks-dir", "plugins",
                         "--format", output_format, "--correction", "bh")  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout
        assert "toy-choice" in done.stdout
