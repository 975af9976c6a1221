"""Runs are compared on the samples that both were asked, or not at all, and never in silence."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.compare.samples import common_samples, read_samples
from evalharness.errors import UsageError
from evalharness.metrics.aggregation import mean, ratio_of_sums
from evalharness.metrics.multiple_choice import ACCURACY, LETTER_ACCURACY
from evalharness.records import Metric
from evalharness.results import ChatForm, Method
from evalharness.validity import THRESHOLDS
from tests.compare.runs import (
    TER,
    catalogue,
    compare,
    rights,
    sample_row,
    write_made_up,
)

FIRST = {f"q{number}": number % 2 for number in range(40)}
BETTER = {name: int(value or number % 5 == 0) for number, (name, value) in enumerate(FIRST.items())}


@pytest.fixture
def baseline(tmp_path: Path) -> str:
    return write_made_up(tmp_path / "baseline", rights(FIRST))


def test_samples_are_matched_by_id_in_whatever_order_they_lie(
    tmp_path: Path, baseline: str
) -> None:
    straight = write_made_up(tmp_path / "straight", rights(BETTER))
    backwards = write_made_up(
        tmp_path / "backwards", rights(dict(reversed(BETTER.items()))),
        task_changes={"prompt_hash": "bb" * 32},
    )  # fmt: skip
    one, other = compare([baseline, straight, backwards]).rows
    assert one.difference == other.difference
    assert one.difference.difference == pytest.approx(0.1)
    assert one.difference.samples == (4, 36, 0)
    assert one.notes == other.notes == ()


def test_a_partial_overlap_is_compared_and_said(tmp_path: Path, baseline: str) -> None:
    some = {name: value for name, value in BETTER.items() if name > "q2"} | {"new": 1}
    other = write_made_up(tmp_path / "r", rights(some), task_changes={"prompt_hash": "bb" * 32})
    (row,) = compare([baseline, other]).rows
    common = len(some) - 1
    assert row.difference.n == common
    assert row.notes == (f"{common} samples in common, of {len(some)} and the baseline's 40",)


def test_failed_samples_have_no_part_and_are_counted(tmp_path: Path, baseline: str) -> None:
    failed = write_made_up(tmp_path / "r", rights({**BETTER, "q0": None, "q7": None}))
    (row,) = compare([baseline, failed]).rows
    assert row.difference.n == 38
    assert row.notes[0] == "samples that failed have no part: 2, in the baseline 0"


def test_answers_that_cannot_be_trusted_are_told_beside_the_difference(
    tmp_path: Path, baseline: str
) -> None:
    """A model whose answers were cut off lost to its baseline, and nothing said why."""
    other = write_made_up(tmp_path / "r", rights(BETTER))
    for folder, changes in ((baseline, {"empty": 1}), (other, {"empty": 9, "unfinished": 20})):
        path = Path(folder) / "results.json"
        results = json.loads(path.read_text())
        results["tasks"]["task"]["validity"].update(changes)
        path.write_text(json.dumps(results))
    found = compare([baseline, other]).cautions
    assert [(one.task, one.run, one.text) for one in found] == [
        ("task", "r", "20 of 40 samples were cut off at their limit of tokens"),
        ("task", "r", "9 of 40 samples are empty"),
    ]
    lenient = compare([baseline, other], thresholds={**THRESHOLDS, "empty": 0.3, "unfinished": 0.5})
    assert lenient.cautions == ()


def test_equal_outputs_do_not_promise_that_the_least_difference_would_be_found(
    tmp_path: Path, baseline: str
) -> None:
    """Their standard error is 0, of which a detectable difference of 0 was made. By Bonett and
    Price's interval of no difference in 40 samples, 1.96 * sqrt(2 / 42 / 42) on each side.
    """
    other = write_made_up(tmp_path / "r", rights(FIRST))
    (row,) = compare([baseline, other], effect=0.1).rows
    error = (2 / 42) ** 0.5 / 42**0.5
    assert row.difference.stderr == 0
    assert row.detectable == pytest.approx((1.959964 + 0.841621) * error, rel=1e-5)
    assert row.needed == math.ceil(40 * (row.detectable / 0.1) ** 2)


CHAT = ChatForm(system_prompt="Be brief.", fewshot_as=None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"task_changes": {"version": 2}}, "version of the task: 2, the baseline has 1"),
        ({"record_changes": {"revision": "sha256:11"}}, "data: data.jsonl (sha256:11)"),
        ({"task_changes": {"num_fewshot": 5}}, "few-shot examples: 5, the baseline has 0"),
        ({"task_changes": {"chat": CHAT}}, "chat after the system prompt 'Be brief.'"),
        ({"metric_changes": {"signature": "other"}}, "signature of acc: 'other'"),
        ({"metric_changes": {"higher_is_better": False}}, "another range or direction"),
    ],
)
def test_runs_that_were_asked_or_scored_otherwise_are_refused_by_name(
    tmp_path: Path, baseline: str, changes: dict[str, Any], expected: str
) -> None:
    other = write_made_up(tmp_path / "r", rights(BETTER), **changes)
    refused = compare([baseline, other])
    assert refused.rows == ()
    (left_out,) = refused.left_out
    assert expected in left_out.reason
    assert "--allow-mismatch" in left_out.reason
    (row,) = compare([baseline, other], allow_mismatch=True).rows
    assert len(row.mismatches) == 1
    assert expected in row.mismatches[0]


LETTER = {"method": Method(name="letter", reason="it scores no texts")}


def by_letters(folder: Path, right: int) -> str:
    rows = [
        sample_row(f"q{number}", {"letter_accuracy": [float(number < right)]})
        for number in range(40)
    ]
    return write_made_up(folder, rows, metrics=(LETTER_ACCURACY,), task_changes=LETTER)


def test_runs_by_letters_are_compared_with_each_other_only(tmp_path: Path, baseline: str) -> None:
    """The metric of letters is the method's, which no task has among its own."""
    first, second = by_letters(tmp_path / "a", 10), by_letters(tmp_path / "b", 30)
    (row,) = compare([first, second]).rows
    assert (row.metric, row.difference.difference) == ("letter_accuracy", 0.5)
    (left_out,) = compare([baseline, first]).left_out
    assert "method: letter, the baseline has the task's own" in left_out.reason


def test_other_prompts_of_some_samples_are_counted(tmp_path: Path, baseline: str) -> None:
    rows = rights(dict(list(BETTER.items())[:37])) + rights(
        dict(list(BETTER.items())[37:]), prompt_hash="another"
    )
    other = write_made_up(tmp_path / "r", rows, task_changes={"prompt_hash": "bb" * 32})
    (left_out,) = compare([baseline, other]).left_out
    assert left_out.reason.startswith("prompts: 3 of 40 common samples were asked")


def test_runs_from_before_samples_told_what_was_asked_are_refused_where_prompts_differ(
    tmp_path: Path, baseline: str
) -> None:
    other = write_made_up(tmp_path / "r", rights(BETTER), task_changes={"prompt_hash": "bb" * 32})
    path = tmp_path / "r" / "samples" / "task.parquet"
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(path).drop(["prompt_hash"]), path)
    (left_out,) = compare([baseline, other]).left_out
    assert "does not say in which" in left_out.reason


@pytest.mark.parametrize("spec", ["baseline:random", "outputs:answers.jsonl"])
def test_what_reads_no_prompts_is_compared_whatever_they_were(
    tmp_path: Path, baseline: str, spec: str
) -> None:
    """A chat model could not be held against the random baseline, whose runs have no chats."""
    changes = {"chat": CHAT, "num_fewshot": 5, "prompt_hash": "bb" * 32}
    other = write_made_up(tmp_path / "r", rights(BETTER, prompt_hash="x"), task_changes=changes,
                          spec=spec)  # fmt: skip
    (row,) = compare([baseline, other]).rows
    assert row.mismatches == ()


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        (catalogue(name="other"), "there is no task 'task'"),
        (catalogue(version=3), "version 1 of the task, but version 3 is installed"),
        (catalogue(TER), "no metric 'acc'"),
        (
            catalogue(Metric("acc", ACCURACY.measure, mean(scale=0.5))),
            "gives 0.25 where the run says 0.5",
        ),
        (catalogue(Metric("acc", ACCURACY.measure, ratio_of_sums())), "cannot be aggregated"),
    ],
)
def test_a_metric_that_is_not_the_one_of_the_runs_compares_nothing(
    tmp_path: Path, baseline: str, installed: Any, expected: str
) -> None:
    """Statistics mean nothing without the function that made the stored score of them."""
    other = write_made_up(tmp_path / "r", rights(BETTER))
    found = compare([baseline, other], installed)
    assert found.rows == ()
    assert expected in found.left_out[0].reason


def test_samples_of_one_passage_are_not_independent(tmp_path: Path) -> None:
    """Ten passages of four questions, of which a model gets all or none right."""

    def rows(right: set[int]) -> list[Any]:
        return [
            sample_row(f"q{number}", {"acc": [float(number // 4 in right)]}, group=f"{number // 4}")
            for number in range(40)
        ]

    paths = [
        write_made_up(tmp_path / name, rows(right))
        for name, right in (("a", {0, 1, 2}), ("b", {0, 1, 2, 3, 4, 5}))
    ]
    (row,) = compare(paths).rows
    assert (row.difference.n, row.difference.clusters) == (40, 10)
    assert row.difference.method == "paired t, clustered"
    assert row.difference.p_value == pytest.approx(2 / 2**3)  # three passages of one sign


def test_p_values_are_corrected_over_all_rows(tmp_path: Path, baseline: str) -> None:
    others = [write_made_up(tmp_path / name, rights(BETTER)) for name in ("a", "b", "c")]
    holm = compare([baseline, *others])
    raw = holm.rows[0].difference.p_value
    assert raw == pytest.approx(2 * 0.5**4)
    assert [row.corrected for row in holm.rows] == pytest.approx([3 * raw] * 3)
    hochberg = compare([baseline, *others], correction="bh")
    assert [row.corrected for row in hochberg.rows] == pytest.approx([raw] * 3)


def test_three_runs_are_ranked_on_what_all_have(tmp_path: Path, baseline: str) -> None:
    worse = write_made_up(tmp_path / "worse", rights(dict.fromkeys(FIRST, 0)))
    fewer = dict.fromkeys(list(FIRST)[:30], 1)
    best = write_made_up(tmp_path / "best", rights(fewer), task_changes={"prompt_hash": "b" * 64})
    (ranking,) = compare([baseline, worse, best]).rankings
    assert ranking.n == 30
    ranks = {run: standing.ranks for run, standing in ranking.standings.items()}
    assert ranks == {"baseline": (2, 2), "worse": (3, 3), "best": (1, 1)}


def test_a_lower_error_rate_wins(tmp_path: Path) -> None:
    """Rank, and the mean over tasks has no part for a metric without an upper bound."""
    paths = [
        write_made_up(
            tmp_path / name,
            [sample_row(f"s{n}", {"ter": [edits + n % 3, 20.0]}) for n in range(30)],
            metrics=[TER],
        )
        for name, edits in (("a", 8.0), ("b", 4.0), ("c", 6.0))
    ]
    found = compare(paths, catalogue(TER))
    ranks = {run: standing.ranks for run, standing in found.rankings[0].standings.items()}
    assert ranks == {"a": (3, 3), "b": (1, 1), "c": (2, 2)}
    assert found.rows[0].difference.difference == pytest.approx(-20)
    assert found.overall == ()


def test_a_metric_that_no_task_has_is_told_with_the_nearest(tmp_path: Path, baseline: str) -> None:
    other = write_made_up(tmp_path / "r", rights(BETTER))
    with pytest.raises(UsageError, match=r"--metric ac: .*Did you mean 'acc'"):
        compare([baseline, other], metrics=("ac",))


def test_a_run_without_the_task_and_lost_samples_are_said(tmp_path: Path, baseline: str) -> None:
    elsewhere = write_made_up(tmp_path / "elsewhere", rights(BETTER), name="other")
    lost = write_made_up(tmp_path / "lost", rights(BETTER))
    (tmp_path / "lost" / "samples" / "task.parquet").unlink()
    left_out = compare([baseline, elsewhere, lost]).left_out
    reasons = {(one.task, one.run): one.reason for one in left_out}
    assert reasons["task", "elsewhere"] == "the run was not asked it"
    assert reasons["other", "elsewhere"] == "the baseline has none of it"
    assert "task.parquet is missing" in reasons["task", "lost"]


def test_a_seed_gives_the_same_comparison(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    paths = []
    for name in ("a", "b"):
        edits = generator.integers(0, 9, 25)
        rows = [
            sample_row(f"s{place}", {"ter": [float(number), 9.0 + place % 4]})
            for place, number in enumerate(edits)
        ]
        paths.append(write_made_up(tmp_path / name, rows, metrics=[TER]))
    first, again, other = (
        compare(paths, catalogue(TER), seed=seed).rows[0].difference for seed in (1, 1, 2)
    )
    assert first == again
    assert first.intervals != other.intervals


@given(
    first=st.lists(st.integers(0, 30), unique=True, max_size=12),
    second=st.lists(st.integers(0, 30), unique=True, max_size=12),
)
def test_common_samples_are_those_with_equal_ids(
    tmp_path_factory: pytest.TempPathFactory, first: list[int], second: list[int]
) -> None:
    stored = []
    for ids in (first, second):
        folder = tmp_path_factory.mktemp("run")
        rows = rights({"failed": None, **{str(one): one % 2 for one in ids}})
        write_made_up(folder, rows)
        stored.append(read_samples(folder, "task", ["acc"]))
    places = common_samples(*stored)
    found = [
        [samples.ids.to_pylist()[place] for place in own]
        for samples, own in zip(stored, places, strict=True)
    ]
    assert found[0] == found[1] == [str(one) for one in first if one in second]
    for samples, ids in zip(stored, (first, second), strict=True):
        assert samples.statistics["acc"][:, 0].tolist() == [one % 2 for one in ids]
        assert len(np.unique(samples.groups)) == len(ids)
        assert samples.failed == 1
