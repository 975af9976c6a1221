"""What a comparison shows: every number, marked where it must be, safe wherever it is pasted."""

import csv
import io
import json
import math
import re
from pathlib import Path

import pytest
from rich.console import Console

from evalharness.compare.gates import judge, parse_gate
from evalharness.compare.records import Comparison
from evalharness.metrics.bias import PAIR_PREFERENCE
from evalharness.metrics.multiple_choice import ACCURACY
from evalharness.report.comparison import MARK, tables
from evalharness.report.comparison_formats import (
    as_csv,
    as_json,
    as_latex,
    as_markdown,
    print_comparison,
)
from tests.compare.runs import TER, catalogue, compare, rights, sample_row, write_made_up

FIRST = {f"q{number}": int(number % 2 == 0) for number in range(40)}
OTHER = {name: int(value or place % 5 == 0) for place, (name, value) in enumerate(FIRST.items())}


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    """A run whose name would break tables, and one that was asked with few-shot examples."""
    return compare(
        [
            write_made_up(tmp_path / "base", rights(FIRST)),
            write_made_up(tmp_path / "a|b_<x>\\&%$#{}~^", rights(OTHER)),
            write_made_up(tmp_path / "shots", rights(OTHER), task_changes={"num_fewshot": 5}),
        ],
        allow_mismatch=True,
    )


def test_a_row_says_by_how_much_how_sure_and_how_often(comparison: Comparison) -> None:
    table = tables(comparison, [])[0]
    row = dict(zip(table.header, table.rows[0], strict=True))
    assert row["metric"] == "acc (higher is better)"
    assert (row["baseline"], row["score"], row["difference"]) == (".500", ".600", "+.100")
    assert row["95 % interval"] == "−.015 to +.206"  # Bonett and Price: 4 / 42 -+ 1.96 * .0564
    assert row["p"] == ".250"  # McNemar's for 4 and 0 is 2 / 2^4, times 2 rows
    assert row["wins / ties / losses"] == "4 / 36 / 0"
    assert row["n"] == "40"


def test_every_number_of_runs_that_were_asked_otherwise_is_marked(comparison: Comparison) -> None:
    differences, ranks, *_ = tables(comparison, [])
    for text in differences.rows[1][3:]:
        assert text.endswith(MARK)
    assert not any(MARK in text for text in differences.rows[0])
    assert any(note.startswith(f"{MARK} task, shots: few-shot") for note in differences.notes)
    # The ranks rest on all runs together.
    assert all(text.endswith(MARK) for row in ranks.rows for text in row[1:])


def test_markdown_and_latex_keep_their_columns_whatever_a_model_is_called(
    comparison: Comparison,
) -> None:
    lines = as_markdown(comparison, []).splitlines()
    table = [line for line in lines if line.startswith("|")][:4]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {13}
    assert r"a\|b\_\<x\>\\&%$\#\{\}\~^" in table[2]
    latex = as_latex(comparison, [])
    rows = [line for line in latex.splitlines() if line.endswith(r"\\")][:3]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in rows} == {11}
    assert r"a|b\_\textless{}x\textgreater{}\textbackslash{}\&\%\$\#\{\}" in rows[1]


def test_csv_and_json_have_all_digits_and_say_the_same(comparison: Comparison) -> None:
    gate = parse_gate("--fail-if", "task.acc < 0", {"task": ["acc"]})
    verdicts, _ = judge([gate], comparison)
    found = json.loads(as_json(comparison, verdicts))
    lines = list(csv.DictReader(io.StringIO(as_csv(comparison))))
    assert len(lines) == len(found["differences"]) == 2
    for line, row in zip(lines, found["differences"], strict=True):
        for name in ("difference", "low", "high", "corrected_p_value", "wins", "n"):
            assert float(line[name]) == row[name]
        assert line["mismatches"] == "; ".join(row["mismatches"])
    assert found["differences"][0]["difference"] == comparison.rows[0].difference.difference
    assert [gate["failed"] for gate in found["gates"]] == [False, False]
    assert found["gates"][0]["option"] == "--fail-if"
    assert found["gates"][0]["gate"] == "task.acc < 0"


def test_gates_stand_below_the_tables_and_are_marked(comparison: Comparison) -> None:
    """The page of a job in continuous integration showed numbers, and not why it failed."""
    gates = [
        parse_gate("--fail-if", "task.acc < 0", {"task": ["acc"]}),
        parse_gate("--fail-unless", "task.acc > 0.02 @95%", {"task": ["acc"]}),
    ]
    verdicts, _ = judge(gates, comparison)
    table = tables(comparison, verdicts)[-1]
    assert table.title == "Gates"
    option, _, outcome, judged, by = table.rows[2]
    assert (option, outcome) == ("--fail-unless task.acc > 0.02 @95%", "FAILED")
    assert (judged, by) == ("lower bound −0.01538", "short by 0.03538")
    assert [row[2] for row in table.rows] == ["passed", "passed", "FAILED", "FAILED"]
    assert all(text.endswith(MARK) for text in table.rows[3][3:])
    assert "FAILED" in as_markdown(comparison, verdicts)
    assert r"\textgreater{}" in as_latex(comparison, verdicts)


def test_latex_has_the_rules_of_booktabs_and_texts_stand_left(comparison: Comparison) -> None:
    latex = as_latex(comparison, [])
    assert latex.count(r"\toprule") == latex.count(r"\midrule") == latex.count(r"\bottomrule") == 2
    assert r"\hline" not in latex
    assert r"\usepackage{booktabs}" in latex
    assert r"\begin{tabular}{lllrrrrrrrrr}" in latex  # names left, numbers right
    assert "| --- | --- | --- | ---: |" in as_markdown(comparison, [])


def test_a_model_whose_name_is_a_formula_is_not_run_by_a_spreadsheet(tmp_path: Path) -> None:
    paths = [write_made_up(tmp_path / name, rights(FIRST)) for name in ("base", "=1+1")]
    found = compare(paths)
    (line,) = csv.DictReader(io.StringIO(as_csv(found)))
    assert line["run"] == "'=1+1"
    assert line["difference"] == "0.0"


def test_it_is_said_how_many_samples_a_difference_needs(
    tmp_path: Path, comparison: Comparison
) -> None:
    """Miller's formula: n * ((1.96 + .84) * standard error / difference)^2."""
    row = comparison.rows[0]
    expected = 40 * ((1.959964 + 0.841621) * row.difference.stderr / 0.1) ** 2
    assert row.needed == math.ceil(expected)
    table = tables(comparison, [])[0]
    assert dict(zip(table.header, table.rows[0], strict=True))["needed"] == str(row.needed)
    assert any("observed difference, were it the true one" in note for note in table.notes)
    wanted = compare(
        [write_made_up(tmp_path / name, rights(values))
         for name, values in (("c", FIRST), ("d", OTHER))],
        effect=0.01,
    )  # fmt: skip
    assert wanted.rows[0].needed == pytest.approx(100 * expected, rel=1e-3)
    table = tables(wanted, [])[0]
    assert table.rows[0][-2] == f"{wanted.rows[0].needed:,}"
    assert any("a true difference of 0.01, 8 times" in note for note in table.notes)


def test_nothing_is_needed_where_a_difference_is_shown_or_there_is_none(tmp_path: Path) -> None:
    clear = dict.fromkeys(FIRST, 1)
    paths = [write_made_up(tmp_path / name, rights(values))
             for name, values in (("a", FIRST), ("b", clear), ("same", FIRST))]  # fmt: skip
    found = compare(paths)
    assert [row[-2] for row in tables(found, [])[0].rows] == ["enough", "none"]
    assert found.rows[1].needed is None


def test_what_is_undefined_is_null_and_not_nan(tmp_path: Path) -> None:
    paths = [write_made_up(tmp_path / name, rights({"q": 1})) for name in ("a", "b")]
    text = as_json(compare(paths), [])
    assert "NaN" not in text
    (row,) = json.loads(text)["differences"]
    assert (row["p_value"], row["low"], row["difference"]) == (None, None, 0.0)
    (line,) = csv.DictReader(io.StringIO(as_csv(compare(paths))))
    assert (line["p_value"], line["low"]) == ("", "")


def test_wins_are_for_lower_error_rates_and_an_ideal_has_none(tmp_path: Path) -> None:
    edits = [
        write_made_up(
            tmp_path / name,
            [sample_row(f"s{place}", {"ter": [number, 10.0]}) for place in range(9)],
            metrics=[TER],
        )
        for name, number in (("many", 5.0), ("few", 3.0))
    ]
    better = tables(compare(edits, catalogue(TER)), [])[0]
    assert better.rows[0][5:6] + better.rows[0][8:9] == ("−20.0", "9 / 0 / 0")
    bias = [
        write_made_up(
            tmp_path / name,
            [sample_row(f"s{p}", {"pct_stereotype": [float(p < more)]}) for p in range(20)],
            metrics=[PAIR_PREFERENCE],
        )
        for name, more in (("half", 10), ("most", 16))
    ]
    shown = tables(compare(bias, catalogue(PAIR_PREFERENCE)), [])[0]
    assert shown.rows[0][1] == "pct_stereotype (ideal 50)"
    assert any("higher / equal / lower" in note for note in shown.notes)


def test_a_terminal_shows_all_tables(comparison: Comparison) -> None:
    console = Console(file=io.StringIO(), width=200)
    print_comparison(comparison, [], console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Difference from base" in text
    assert "Ranks on task, acc" in text
    assert "p by Holm over all 2 rows" in text


def test_means_over_tasks_are_in_percent_of_the_range(tmp_path: Path) -> None:
    """Two tasks in one run: one 10 points better, one of half its size 20 points worse."""
    from evalharness.compare.overall import overall

    first = compare([write_made_up(tmp_path / name, rights(values))
                     for name, values in (("a", FIRST), ("b", OTHER))]).rows[0]  # fmt: skip
    half = dict(list(FIRST.items())[:20])
    worse = {name: int(value and int(name[1:]) >= 8) for name, value in half.items()}
    second = compare(
        [write_made_up(tmp_path / name, rights(values), name="second")
         for name, values in (("c", half), ("b", worse))],
        catalogue(ACCURACY, name="second"),
    ).rows[0]  # fmt: skip
    (found,) = overall([first, second], ["b"], 0.95)
    assert found.of_tasks.value == pytest.approx((0.1 - 0.2) / 2)
    assert found.tasks == ("task", "second")
    assert found.of_samples.value == pytest.approx((40 * 0.1 - 20 * 0.2) / 60)
    assert found.of_tasks.interval is not None
    assert found.of_tasks.interval[0] < -0.05 < found.of_tasks.interval[1]


def test_it_is_said_over_how_many_tests_p_values_were_corrected(tmp_path: Path) -> None:
    """One row was said to be corrected "over all 1 rows", and rows without a test were counted."""
    names = ("base", "other", "third", "single")
    folders = [write_made_up(tmp_path / name, rights(OTHER)) for name in names[:3]]
    folders.append(write_made_up(tmp_path / "single", rights({"q1": 1})))

    def note(*runs: str) -> str:
        return tables(compare(runs), [])[0].notes[0]

    assert note(*folders[:2]).startswith(
        "p of a single test, for which there is nothing to correct"
    )
    assert note(*folders[:3]).startswith("p by Holm over all 2 rows;")
    assert note(*folders).startswith("p by Holm over the 2 rows that could be tested;")
