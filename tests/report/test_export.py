"""Tables for other programs: all digits, nothing run by a spreadsheet or by TeX."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest
from click.testing import CliRunner

from evalharness.cli.commands import cli
from evalharness.report.evidence import Evidence
from evalharness.report.export import as_csv, as_json, as_latex, as_markdown, write_parquet
from evalharness.report.keeping import keep_results
from evalharness.report.writing import guarded, in_latex, in_markdown, latex_table
from evalharness.run_folder import read_run
from tests.report import folders
from tests.report.folders import MadeModel
from tests.report.runs import evidence_of_runs, many, metric, run, task


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return folders.evidence(folders.write_runs(tmp_path_factory.mktemp("runs"), samples=60))


def test_csv_json_and_parquet_hold_the_same_scores_with_all_digits(
    evidence: Evidence, tmp_path: Path
) -> None:
    path = tmp_path / "deep" / "scores.parquet"
    write_parquet(path, evidence)
    as_rows = pyarrow.parquet.read_table(path).to_pylist()
    assert json.loads(as_json(evidence)) == as_rows
    lines = list(csv.DictReader(io.StringIO(as_csv(evidence))))
    assert len(lines) == len(as_rows) == 4 * 4 + 2
    for line, row in zip(lines, as_rows, strict=True):
        assert float(line["value"]) == row["value"]
        assert line["model"] == row["model"]
        assert line["best_rank"] == ("" if row["best_rank"] is None else str(row["best_rank"]))
    results = evidence.runs[0].results
    first = results.tasks[as_rows[0]["task"]].metrics[as_rows[0]["metric"]]
    assert as_rows[0]["value"] == first.value


def test_what_is_undefined_is_empty_and_not_a_word() -> None:
    undefined = evidence_of_runs([run("m", {"t": task({"acc": metric(None, None)})})])
    (line,) = csv.DictReader(io.StringIO(as_csv(undefined)))
    assert line["value"] == line["low"] == line["stderr"] == ""
    (row,) = json.loads(as_json(undefined))
    assert row["value"] is None


def test_a_name_that_begins_a_formula_is_guarded_in_csv() -> None:
    evil = evidence_of_runs(
        [run("=HYPERLINK('x')", {"t": task({"acc": metric(-0.5, (-0.6, -0.4))})})]
    )
    (line,) = csv.DictReader(io.StringIO(as_csv(evil)))
    assert line["model"] == "'=HYPERLINK('x')"
    assert float(line["value"]) == -0.5


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_beginnings_of_formulas_are_guarded(text: str) -> None:
    assert guarded(text) == f"'{text}"


def test_markdown_has_a_row_for_each_model_and_the_best_in_bold(evidence: Evidence) -> None:
    header, rule, *rows = as_markdown(evidence).splitlines()
    assert header.startswith("| Model | Rank | Mean, % |")
    assert rule.count("---") == header.count("|") - 1
    assert len(rows) == 5
    assert rows[0].startswith("| aspen-7b |")
    means = [row.split("|")[3] for row in rows]
    assert ["**" in mean for mean in means] == [True, True, False, False, False]


def test_markup_in_names_is_escaped() -> None:
    assert in_markdown("a|b*c_<d>\ne") == r"a\|b\*c\_\<d\> e"
    assert in_latex("50% of $x_1 \\ {y}~^") == (
        r"50\% of \$x\_1 \textbackslash{} \{y\}\textasciitilde{}\textasciicircum{}"
    )


def test_latex_has_rules_of_booktabs_and_as_many_cells_as_columns(evidence: Evidence) -> None:
    text = as_latex(evidence)
    for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}"):
        assert rule in text
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len({line.count(" & ") for line in lines}) == 1
    assert r"\textbf{" in text


def test_a_latex_table_says_what_it_needs() -> None:
    assert latex_table(["a", "b"], [[("x", False), ("y", True)]]).startswith("% Needs")


# --- The command ---------------------------------------------------------------------------------


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """As a user types it, errors told in words."""
    words = [sys.executable, "-m", "evalharness", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_export_writes_to_the_standard_output_or_to_a_file(tmp_path: Path) -> None:
    folders.write_runs(tmp_path / "runs", samples=20)
    status, out, _ = invoke("export", tmp_path / "runs", "--to", "csv")
    assert status == 0
    target = tmp_path / "scores.csv"
    assert invoke("export", tmp_path / "runs", "--to", "csv", "-o", target)[0] == 0
    assert target.read_text(encoding="utf-8") == out
    parquet = tmp_path / "scores.parquet"
    assert invoke("export", tmp_path / "runs", "--to", "parquet", "-o", parquet)[0] == 0
    assert pyarrow.parquet.read_table(parquet).num_rows == len(out.splitlines()) - 1


def test_parquet_without_a_file_is_refused(tmp_path: Path) -> None:
    folders.write_runs(tmp_path / "runs", samples=20)
    found = command("export", tmp_path / "runs", "--to", "parquet")
    assert found.returncode == 2
    assert "-o" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("{", "results.json"),
        ('{"schema": 2}', "newer evalharness (schema 2, this one reads 1): update"),
        ('{"schema": 1, "run_id": NaN}', "results.json"),
        (None, "not finished"),
    ],
)
def test_a_bad_run_among_others_is_named_on_stderr_and_on_the_page(
    tmp_path: Path, damage: str | None, words: str
) -> None:
    """A run that is incomplete, damaged or of a newer schema is left out aloud, in words."""
    _, bad = folders.write_runs(
        tmp_path / "runs", models=[MadeModel("good", 0.6), MadeModel("bad", 0.4)], samples=20
    )
    if damage is None:
        (bad / "results.json").unlink()
    else:
        (bad / "results.json").write_text(damage)
    page = tmp_path / "report.html"
    found = command("report", tmp_path / "runs", "-o", page)
    assert found.returncode == 0
    assert "Traceback" not in found.stderr
    assert words in found.stderr
    banner = next(
        line for line in page.read_text(encoding="utf-8").splitlines() if "Left out" in line
    )
    assert bad.name in banner
    alone = command("report", bad, "-o", page)
    assert alone.returncode == 2
    assert "Traceback" not in alone.stderr


# --- A board that is kept ------------------------------------------------------------------------


def test_append_keeps_results_without_samples_and_reports_on_all(tmp_path: Path) -> None:
    first = folders.write_runs(tmp_path / "one", models=[MadeModel("a", 0.7)], samples=40)
    second = folders.write_runs(tmp_path / "two", models=[MadeModel("b", 0.4)], samples=40)
    board, page = tmp_path / "board", tmp_path / "report.html"
    for runs in (first, second):
        status, out, err = invoke("report", *runs, "--append", board, "-o", page)
        assert (status, out) == (0, f"{page}\n")
        assert "kept:" in err
    kept = sorted(path for path in board.rglob("*") if path.is_file())
    assert [path.name for path in kept] == ["results.json", "run.json"] * 2
    assert {read_run(folder)[1].model.name for folder in board.iterdir()} == {"a", "b"}
    text = page.read_text(encoding="utf-8")
    assert 'data-name="Rank"' in text
    assert invoke("report", "--append", board, "-o", tmp_path / "again.html")[0] == 0
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == text


def test_a_run_that_is_kept_again_takes_its_own_place(tmp_path: Path) -> None:
    runs = folders.write_runs(tmp_path / "runs", models=[MadeModel("a", 0.7)], samples=20)
    said: list[str] = []
    (first,) = keep_results(runs, tmp_path / "board", said.append)
    (again,) = keep_results(runs, tmp_path / "board", said.append)
    assert first.startswith("kept: ")
    assert again.startswith("replaced: ")
    assert len(list((tmp_path / "board").iterdir())) == 1


def test_two_hundred_models_and_sixty_tasks_fit_a_site(tmp_path: Path) -> None:
    from evalharness.report.layouts import write_site

    write_site(tmp_path / "site", evidence_of_runs(many(200, 60)), title="t", theme=None)
    index = tmp_path / "site" / "index.html"
    assert index.stat().st_size < 4_000_000
    assert len(list((tmp_path / "site").glob("task-*.html"))) == 60
