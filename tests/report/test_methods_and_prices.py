"""A score of letters is never shown as one of likelihoods; prices stand where one was given."""

import io
import re

import pytest
from rich.console import Console

from evalharness.report.layouts import render_single
from evalharness.report.leaderboard import Run, build_leaderboard
from evalharness.report.terminal import print_table
from evalharness.report.text import money
from evalharness.report.view import build_page
from evalharness.results import Method, TaskResult
from tests.report.runs import evidence_of_runs, metric, run, task

LETTERS = Method(name="letter", reason="it gives no log-probabilities")
SCORE = metric(0.5, (0.4, 0.6))


def by_letters() -> TaskResult:
    scores = {"letter_accuracy": SCORE, "letters_given": SCORE}
    return task(scores, prompt_hash="bb" * 32, method=LETTERS)


def rendered(runs: list[Run], *, title: str) -> str:
    return render_single(evidence_of_runs(runs), title=title)


def printed(*runs: Run) -> str:
    out = io.StringIO()
    print_table(runs, Console(file=out, width=200))
    return out.getvalue()


def priced(name: str, price: float) -> Run:
    cost = task({"acc": SCORE}).cost.model_copy(update={"price": price})
    return run(name, {"one": task({"acc": SCORE}, cost=cost), "two": task({"acc": SCORE})})


def test_a_cell_says_that_it_is_a_score_of_letters() -> None:
    (cell,) = build_leaderboard([run("m", {"quiz": by_letters()})]).rows[0].cells
    assert cell.note == "asked for the letter"
    assert "asked for the letter" in printed(run("m", {"quiz": by_letters()}))


def test_scores_of_two_metrics_name_their_own_and_are_not_compared() -> None:
    """The column has the name of one metric, under which the other's score stood."""
    runs = [
        run("likely", {"quiz": task({"acc_norm": SCORE, "acc": SCORE})}),
        run("lettered", {"quiz": by_letters()}),
    ]
    board = build_leaderboard(runs)
    (column,) = board.columns
    assert column.metric == "acc_norm or letter_accuracy"
    assert column.mismatch == "Not comparable: different prompts or data, metrics."
    notes = [row.cells[0].note for row in board.rows]
    assert notes == ["acc_norm", "letter_accuracy; asked for the letter"]
    assert not any(row.cells[0].best for row in board.rows)


def test_a_task_shows_the_metrics_of_all_runs() -> None:
    """Those of the later runs were left out."""
    runs = [
        run("a-likely", {"quiz": task({"acc_norm": SCORE, "acc": SCORE})}),
        run("b-lettered", {"quiz": by_letters()}),
    ]
    page = build_page(evidence_of_runs(runs), "title")
    (section,) = page.tasks
    names = [heading.name for heading in section.headings]
    assert names == ["acc_norm", "acc", "letter_accuracy", "letters_given"]
    likely, lettered = section.rows
    assert [cell.value for cell in likely.cells] == [".500", ".500", "–", "–"]
    assert [cell.value for cell in lettered.cells] == ["–", "–", ".500", ".500"]
    assert likely.cells[2].note == "not measured"
    assert [row[1] for row in section.validity.rows] == [
        "plain text",
        "plain text, asked for the letter",
    ]
    assert any("b-lettered was asked for the letter" in banner for banner in page.banners)


def test_there_is_a_price_where_one_was_given() -> None:
    table = printed(priced("paid", 12.345), priced("free", 0.0))
    (line,) = [line for line in table.splitlines() if "of all answers" in line]
    assert re.findall(r"12\.35|–", line) == ["–", "12.35"]  # free, paid: in order of names
    page = rendered([priced("paid", 12.345), priced("free", 0.0)], title="t")
    assert page.count("of all answers") == 1
    (section, other) = build_page(
        evidence_of_runs([priced("paid", 12.345), priced("free", 0.0)]), "t"
    ).tasks
    assert section.cost.headings[-1] == "Price"
    assert sorted(row[-1] for row in section.cost.rows) == ["12.35", "–"]
    assert other.cost.headings[-1] == "Peak memory"


def test_without_prices_there_is_no_place_for_them() -> None:
    runs = [priced("one", 0.0), priced("two", 0.0)]
    assert "price" not in printed(*runs)
    assert "of all answers" not in rendered(runs, title="t")


@pytest.mark.parametrize(
    ("price", "shown"),
    [(0.0, "–"), (0.00002, "< 0.0001"), (0.0123, "0.0123"), (1.0, "1.00"), (1234.5, "1234.50")],
)
def test_a_price_has_as_many_decimals_as_it_needs(price: float, shown: str) -> None:
    assert money(price) == shown


def test_a_model_that_was_given_the_bare_source_is_told_in_its_cell() -> None:
    """Its metric is the task's own, so that nothing is said of letters."""
    bare = Method(name="source", reason="it takes no instructions")
    runs = [run("translator", {"quiz": task({"chrf": metric(40.0, (30.0, 50.0))}, method=bare)})]
    printed_table = printed(runs[0])
    assert "given the bare source" in printed_table
    assert "letter" not in printed_table
