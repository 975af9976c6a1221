"""What the benchmark concludes from what it measured; nothing here is timed."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import compare
from benchmarks.agreement import TOLERANCE, DisagreementError, agreement
from benchmarks.checkpoint import describe_checkpoint
from benchmarks.commands import (
    check_printed,
    our_scores,
    read_their_table,
    write_their_task,
)
from benchmarks.compare import ROWS
from benchmarks.counts import distinct_tokens, operations, output_rows
from benchmarks.processes import CannotBeUsedError, ProcessFailedError, ask
from benchmarks.records import (
    Agreement,
    Checkpoint,
    CommandRow,
    Machine,
    MatrixProducts,
    Measured,
    MeasuredHere,
    RequestsRow,
    Results,
    Row,
    TimingsRow,
)
from benchmarks.results import keep_row, read_results
from benchmarks.rounds import summarize_ours, summarize_peer
from benchmarks.table import lines
from benchmarks.timings import read_timings
from benchmarks.work import WORKS, is_generation, pairs, prepare_work, prompts
from evalharness.errors import DataError
from evalharness.metrics.multiple_choice import ACCURACY, ACCURACY_NORM
from evalharness.metrics.rouge import ROUGE_L
from evalharness.preparation import PreparedTask, prepare
from evalharness.records import Row as DataRow
from evalharness.records import Sample, Task
from evalharness.samples import generation, multiple_choice, solved
from evalharness.sources import LocalFile
from tests.models import make_llama

MACHINE = Machine(processor="p", cores=2, memory_bytes=1, gpu="", environment={})
CHECKPOINT = Checkpoint(
    folder=Path("c"), weights=30, layer_weights=10, output_weights=20, layer_shapes=((2, 5),)
)


def questions(folder: Path, sample: Callable[[DataRow], Sample]) -> PreparedTask:
    """Two questions with two options each; the first option is right."""
    file = folder / "rows.jsonl"
    file.write_text('{"id": "a"}\n{"id": "b"}\n')
    task = Task(
        name="t",
        family="question_answering",
        version=1,
        data=LocalFile(file),
        sample=sample,
        metrics=(ACCURACY, ACCURACY_NORM),
    )
    return prepare(task, limit=None, num_fewshot=0, seed=0)


def choice(row: DataRow) -> Sample:
    return multiple_choice(id=row["id"], prompt=f"{row['id']}?", choices=("yes", "never"), gold=0)


def text(row: DataRow) -> Sample:
    return generation(id=row["id"], prompt=f"{row['id']}:", references=("x",), max_tokens=3)


@pytest.fixture
def choices(tmp_path: Path) -> PreparedTask:
    return questions(tmp_path, choice)


@pytest.fixture
def texts(tmp_path: Path) -> PreparedTask:
    made = questions(tmp_path, text)
    return replace(made, task=replace(made.task, metrics=(ROUGE_L,)))


def measured(
    answers: tuple[float, ...] | tuple[str, ...], *, seconds: float = 1.0, peak: int = 50
) -> Measured:
    return Measured(
        load_seconds=1.0,
        seconds=(seconds,),
        threads=2,
        resident_before_bytes=10,
        peak_memory_bytes=peak,
        answers=answers,
    )


def measured_here(
    answers: tuple[float, ...] | tuple[str, ...], *, seconds: float = 1.0, generated: int = 0
) -> MeasuredHere:
    return MeasuredHere(
        **measured(answers, seconds=seconds).model_dump(),
        prompt_tokens=100,
        distinct_tokens=30,
        computed_tokens=40,
        generated_tokens=generated,
        output_rows=5,
        continuation_tokens=(1,) * len(answers),
        matrix_products=MatrixProducts(square=2e-6, layers=1e-6),
    )


# --- Agreement -----------------------------------------------------------------------------------

OURS = (-1.0, -2.0, -4.0, -3.0)


def test_answers_within_the_tolerance_agree_and_the_scores_are_told(choices: PreparedTask) -> None:
    """By hand: the first question is right by both rules, the second is -4 / 3 against -3 / 5."""
    theirs = tuple(value + TOLERANCE / 2 for value in OURS)
    found = agreement(choices, measured_here(OURS), measured(theirs))
    assert found.largest_difference == pytest.approx(TOLERANCE / 2)
    assert found.equal_texts is None
    assert found.scores == {"acc": 0.5, "acc_norm": 0.5}


@pytest.mark.parametrize("wrong", [-4.0 + 2 * TOLERANCE, -4.0 - 2 * TOLERANCE, math.nan])
def test_one_other_log_probability_is_a_disagreement_that_names_the_request(
    choices: PreparedTask, wrong: float
) -> None:
    theirs = (OURS[0], OURS[1], wrong, OURS[3])
    other = measured(OURS).model_copy(update={"answers": theirs})
    with pytest.raises(DisagreementError, match="request 2"):
        agreement(choices, measured_here(OURS), other)


def test_a_score_that_differs_is_a_disagreement_though_the_answers_nearly_agree(
    choices: PreparedTask,
) -> None:
    near = TOLERANCE / 4
    ours, theirs = (-1.0, -1.0 - near, -4.0, -3.0), (-1.0 - near, -1.0, -4.0, -3.0)
    with pytest.raises(DisagreementError, match="scores"):
        agreement(choices, measured_here(ours), measured(theirs))


def test_an_answer_too_few_is_a_disagreement(choices: PreparedTask) -> None:
    with pytest.raises(DisagreementError, match="4 requests, but 4 and 3"):
        agreement(choices, measured_here(OURS), measured(OURS[:3]))


def test_texts_must_be_equal_to_the_last_character(texts: PreparedTask) -> None:
    ours = measured_here(("one", "two"), generated=6)
    assert agreement(texts, ours, measured(("one", "two"))).equal_texts == 2
    with pytest.raises(DisagreementError, match="request 1: 'two' and 'two '"):
        agreement(texts, ours, measured(("one", "two ")))


@pytest.mark.parametrize("theirs", [{"acc": 0.1401}, {}, {"acc": 0.14, "acc_norm": 0.2}])
def test_commands_that_print_other_scores_disagree(theirs: dict[str, float]) -> None:
    with pytest.raises(DisagreementError):
        check_printed({"acc": 0.14}, theirs)


def test_printed_scores_are_compared_as_far_as_they_are_printed() -> None:
    check_printed({"acc": 1 / 6}, {"acc": 0.1667})


# --- The same work -------------------------------------------------------------------------------


def test_peers_get_prompt_and_continuation_of_every_request_in_order(
    choices: PreparedTask, texts: PreparedTask
) -> None:
    assert not is_generation(choices)
    assert pairs(choices)[1:3] == [("a?", " never"), ("b?", " yes")]
    assert is_generation(texts)
    assert prompts(texts) == [("a:", 3), ("b:", 3)]


def test_their_task_file_asks_the_same_questions(choices: PreparedTask, tmp_path: Path) -> None:
    write_their_task(tmp_path, choices)
    (file,) = tmp_path.glob("*.yaml")
    task = yaml.safe_load(file.read_text())
    data = Path(task["dataset_kwargs"]["data_files"][task["test_split"]])
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    assert [row[task["doc_to_text"]] for row in rows] == ["a?", "b?"]
    assert rows[0][task["doc_to_choice"]] == ["yes", "never"]
    assert rows[0][task["doc_to_target"]] == 0


def test_scores_are_read_from_what_lm_evaluation_harness_0_4_13_prints() -> None:
    printed = """\
hf ({'pretrained': 'c', 'dtype': 'float32'}), gen_kwargs: ({}), limit: None, batch_size: 8
|    Tasks     |Version|Filter|n-shot| Metric |   |Value |   |Stderr|
|--------------|-------|------|-----:|--------|---|-----:|---|-----:|
|same_questions|Yaml   |none  |     0|acc     |↑  |0.1400|±  |0.0349|
|              |       |none  |     0|acc_norm|↑  |0.2600|±  |0.0441|
"""
    assert read_their_table(printed) == {"acc": 0.14, "acc_norm": 0.26}


def test_our_scores_are_those_of_the_json_that_run_prints() -> None:
    metrics = {"acc": {"value": 0.14}, "acc_norm": {"value": 0.26}}
    printed = json.dumps([{"tasks": {"openbookqa": {"metrics": metrics}}}])
    assert our_scores(printed) == {"acc": 0.14, "acc_norm": 0.26}


def test_five_shots_are_the_first_five_questions_solved_before_every_question() -> None:
    zero, five = prepare_work("openbookqa-0-shot"), prepare_work("openbookqa-5-shot")
    shots = "".join(f"{solved(sample)}\n\n" for sample in zero.samples[:5])
    assert len(five.samples) == 100
    assert pairs(five) == [(shots + prompt, option) for prompt, option in pairs(zero)]


@pytest.mark.parametrize("name", WORKS)
def test_a_piece_of_work_asks_for_one_kind_of_answer_without_stops(name: str) -> None:
    """So that each of its requests reaches the peers."""
    prepared = prepare_work(name)
    reached = prompts(prepared) if is_generation(prepared) else pairs(prepared)
    assert len(reached) == sum(1 for _ in prepared.instances()) > 0


# --- What is computed from it --------------------------------------------------------------------

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


# --- results.json and the table ------------------------------------------------------------------


def timings_row(seconds: float, size: int = 100_000) -> TimingsRow:
    return TimingsRow.model_validate(
        {
            "measured": datetime.now(UTC),
            "machine": MACHINE,
            "unit": "requests",
            "timings": {
                1000: {"seconds": 0.01, "rounds": 1},
                size: {"seconds": seconds, "rounds": 1},
            },
        }
    )


def command_row(ratio: float, device: str = "cpu") -> CommandRow:
    return CommandRow(
        measured=datetime.now(UTC),
        machine=MACHINE,
        model="m",
        device=device,
        dtype="float32",
        seconds=(1.0,),
        peer_seconds=(ratio,),
        ratios=(ratio,),
        ratio=ratio,
        scores={"acc": 0.5},
    )


def requests_row(peak_memory: int) -> RequestsRow:
    ours = summarize_ours([measured_here(OURS)], CHECKPOINT)
    same = Agreement(largest_difference=0.0, equal_texts=None, scores={})
    return RequestsRow(
        measured=datetime.now(UTC),
        machine=MACHINE,
        model="m",
        device="cpu",
        dtype="float32",
        requests=4,
        threads=2,
        weights_bytes=10**9,
        ours=ours.model_copy(update={"peak_memory_bytes": peak_memory}),
        peers={
            "lm-evaluation-harness": summarize_peer([measured_here(OURS)], [measured(OURS)], [same])
        },
    )


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


# --- The command ---------------------------------------------------------------------------------


def test_without_a_gpu_bench_gpu_says_so_and_measures_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "has_gpu", lambda: False)
    output = tmp_path / "r.json"
    done = CliRunner().invoke(compare.main, ["--device", "cuda", "--output", str(output)])
    assert done.exit_code == 2
    assert "no GPU" in done.stderr
    assert not output.exists()


def rows_that(monkeypatch: pytest.MonkeyPatch, **rows: Row | Exception) -> None:
    """Make rows of these names measure nothing: they give a row, or raise."""

    def measure(result: Row | Exception) -> compare.Measure:
        def row(_setting: object, _say: object) -> Row:
            if isinstance(result, Exception):
                raise result
            return result

        return row

    made = {name.replace("_", "-"): measure(result) for name, result in rows.items()}
    monkeypatch.setattr(compare, "ROWS", made)


def invoke(output: Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(compare.main, ["--output", str(output)])
    return done.exit_code, done.stdout, done.stderr


def test_gemmas_row_is_left_out_with_the_reason_while_it_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = CannotBeUsedError("there is no checkpoint 'gemma-3-270m'")
    rows_that(monkeypatch, gemma_memory=reason, planner=timings_row(1.0))
    status, shown, said = invoke(tmp_path / "r.json")
    assert status == 0
    assert "left out: there is no checkpoint 'gemma-3-270m'" in said
    assert "planner" in shown
    assert read_results(tmp_path / "r.json").rows.keys() == {"planner"}


@pytest.mark.parametrize(
    "error",
    [DisagreementError("request 3"), CannotBeUsedError("no wheel"), ProcessFailedError("killed")],
)
def test_an_error_keeps_the_rows_before_it_and_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    rows_that(monkeypatch, planner=timings_row(1.0), xsum=error)
    status, _, said = invoke(tmp_path / "r.json")
    assert status == 1
    assert str(error) in said
    assert read_results(tmp_path / "r.json").rows.keys() == {"planner"}


def test_a_process_that_cannot_open_a_model_says_why() -> None:
    with pytest.raises(CannotBeUsedError, match="no checkpoint 'no-such-model'"):
        ask("checkpoint", ["no-such-model"], Checkpoint)


def test_a_process_that_is_called_wrongly_has_failed() -> None:
    with pytest.raises(ProcessFailedError, match="--no-such-option"):
        ask("checkpoint", ["--no-such-option"], Checkpoint)


def test_results_know_their_schema() -> None:
    with pytest.raises(ValidationError):
        Results.model_validate({"schema": 2, "rows": {}})
