"""What is concluded from measurements, and what of it is kept and shown."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import compare
from benchmarks.checkpoint import describe_checkpoint
from benchmarks.compare import ROWS
from benchmarks.counts import distinct_tokens, operations, output_rows
from benchmarks.records import (
    Agreement,
    CommandRow,
    RequestsRow,
    Row,
)
from benchmarks.results import keep_row, read_results
from benchmarks.rounds import summarize_ours, summarize_peer
from benchmarks.table import lines
from benchmarks.timings import read_timings
from evalharness.errors import DataError
from tests.benchmarks.made_up import (
    CHECKPOINT,
    OURS,
    command_row,
    measured,
    measured_here,
    requests_row,
    timings_row,
)
from tests.models import make_llama

sequences = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6).map(tuple), max_size=8)


@given(sequences)
def test_distinct_tokens_are_the_different_beginnings_of_all_sequences(
    made: list[tuple[int, ...]],
) -> None:
    beginnings = {one[: length + 1] for one in made for length in range(len(one))}
    assert distinct_tokens(made) == len(beginnings)


def test_an_output_row_serves_all_options_that_start_there() -> None:
    """Two options of a question: the row after the prompt is one, those within options are not."""
    queries = [((1, 2, 5), (5, 6)), ((1, 2, 7), (7, 8)), ((1, 2), (9,))]
    assert output_rows(queries) == 3
    assert output_rows([((1, 2), ())]) == 0


def test_operations_are_those_that_torch_counts_in_matrix_products(tmp_path: Path) -> None:
    """The oracle is torch's own counter over transformers' model, attention left out."""
    model = make_llama(tmp_path)
    tokens = torch.arange(7)[None]
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(tokens, logits_to_keep=3)
    counts = counter.get_flop_counts()["Global"]
    expected = sum(
        number
        for operation, number in counts.items()
        if str(operation) in ("aten.mm", "aten.addmm")
    )
    checkpoint = describe_checkpoint(tmp_path)
    assert operations(checkpoint, computed_tokens=7, rows=3) == expected
    assert checkpoint.weights == sum(weight.numel() for weight in model.parameters())


def test_a_ratio_compares_the_two_processes_of_one_round() -> None:
    """A machine that slows down between rounds changes no ratio."""
    ours = [measured_here(OURS, seconds=seconds) for seconds in (1.0, 2.0, 4.0)]
    theirs = [measured(OURS, seconds=seconds) for seconds in (5.0, 10.0, 40.0)]
    same = Agreement(largest_difference=0.0, equal_texts=None, scores={})
    far = same.model_copy(update={"largest_difference": 1e-4})
    peer = summarize_peer(ours, theirs, [same, far, same])
    assert peer.ratios == (5.0, 5.0, 10.0)
    assert peer.ratio == 5.0
    assert peer.tokens_per_second == 10.0  # 100 tokens asked for, in the median of 10 s
    assert peer.agreement == far


def test_share_of_the_peak_counts_computed_tokens_and_output_rows() -> None:
    """By hand: 2 x (10 x 40 + 20 x 5) = 1,000 operations in 1 s, of a peak of 2,000."""
    ours = summarize_ours([measured_here(OURS)], CHECKPOINT)
    assert ours.share_of_peak == pytest.approx(0.5)
    assert ours.tokens_per_second == 100.0


def test_generation_has_no_share_of_the_peak() -> None:
    """Decoding is bound by reading the weights; the formula would not describe it."""
    ours = summarize_ours([measured_here(("x",), generated=20)], CHECKPOINT)
    assert ours.share_of_peak is None
    assert ours.tokens_per_second == 120.0


def test_timings_are_read_from_pytest_benchmarks_json() -> None:
    written = {
        "benchmarks": [
            {"params": {"requests": size}, "stats": {"median": seconds, "rounds": 3, "min": 0.1}}
            for size, seconds in ((1000, 0.5), (2000, 1.5))
        ]
    }
    unit, timings = read_timings(json.dumps(written))
    assert unit == "requests"
    assert {size: timing.seconds for size, timing in timings.items()} == {1000: 0.5, 2000: 1.5}


def test_measuring_a_row_again_replaces_it_and_keeps_the_others(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    keep_row(file, "planner", timings_row(1.0))
    keep_row(file, "command-openbookqa-0-shot", command_row(3.0))
    keep_row(file, "gemma-memory", requests_row(10**9))
    keep_row(file, "command-openbookqa-0-shot", command_row(4.0))
    kept = read_results(file).rows
    assert kept["planner"].model_dump().keys() == timings_row(1.0).model_dump().keys()
    command = kept["command-openbookqa-0-shot"]
    assert isinstance(command, CommandRow)
    assert command.ratio == 4.0
    assert isinstance(kept["gemma-memory"], RequestsRow)


@pytest.mark.parametrize("damage", ['{"schema": 1, "rows": {"x": {"kind": "guessed"}}}', "{", "[]"])
def test_a_damaged_file_of_results_is_told_of_and_left_as_it_is(
    tmp_path: Path, damage: str
) -> None:
    file = tmp_path / "results.json"
    file.write_text(damage)
    with pytest.raises(DataError, match=r"results\.json"):
        keep_row(file, "planner", timings_row(1.0))
    assert file.read_text() == damage


def test_unknown_and_impossible_figures_are_refused() -> None:
    values = command_row(2.0).model_dump()
    for change in ({"guess": 1.0}, {"ratio": 0.0}, {"seconds": (-1.0,)}):
        with pytest.raises(ValidationError):
            CommandRow.model_validate({**values, **change})


def test_the_committed_results_have_the_form_and_the_rows_of_today() -> None:
    results = read_results(compare.RESULTS)
    assert results.rows.keys() <= ROWS.keys()
    for name, row in results.rows.items():
        assert list(lines(name, row))


@pytest.mark.parametrize(
    ("name", "row", "quantity", "verdict"),
    [
        ("planner", timings_row(2.9), "100,000 requests", "reached"),
        ("planner", timings_row(3.1), "100,000 requests", "NOT REACHED"),
        ("planner", timings_row(2.1), "cost of one, largest by smallest", "NOT REACHED"),
        ("planner", timings_row(1.9), "cost of one, largest by smallest", "reached"),
        (
            "command-openbookqa-0-shot",
            command_row(3.9),
            "speed against lm-evaluation-harness",
            "NOT REACHED",
        ),
        (
            "command-openbookqa-0-shot",
            command_row(4.0),
            "speed against lm-evaluation-harness",
            "reached",
        ),
        (
            "command-openbookqa-0-shot",
            command_row(1.0, "cuda"),
            "speed against lm-evaluation-harness",
            "",
        ),
        ("gemma-memory", requests_row(2 * 10**9 - 1), "peak memory", "reached"),
        ("gemma-memory", requests_row(2 * 10**9), "peak memory", "NOT REACHED"),
        ("stereoset", requests_row(1), "share of the matrix-product peak", "NOT REACHED"),
        ("stereoset", requests_row(1), "peak memory", ""),
    ],
)
def test_the_table_says_what_is_reached(name: str, row: Row, quantity: str, verdict: str) -> None:
    (line,) = (one for one in lines(name, row) if one.quantity == quantity)
    assert line.verdict == verdict
