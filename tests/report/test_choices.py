"""Baseline, level and aggregate are chosen among what the report holds: nothing is worked out."""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect, sync_playwright

from evalharness.compare.pairs import MOST_MODELS
from evalharness.report.choices import Choices, build_choices
from evalharness.report.evidence import Evidence, compare_pairs, evidence_of
from evalharness.report.layouts import render_single, write_single, write_site
from evalharness.report.leaderboard import Run, build_leaderboard
from evalharness.report.writing import inert_json
from tests.report import folders
from tests.report.folders import MadeModel
from tests.report.opened import ARGUMENTS, Opened
from tests.report.runs import evidence_of_runs, metric, run, task

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}"
MODELS = (
    MadeModel("aspen-7b", 0.78),
    MadeModel("birch-7b", 0.74),
    MadeModel(HOSTILE, 0.58, failed=4),
    MadeModel("dogwood-1b", 0.45),
    MadeModel("random", 0.25, spec="baseline:random", tasks=("capitals", "pairs")),
)


def evidence(runs: Sequence[Path], *, baseline: str | None, alpha: float = 0.05) -> Evidence:
    found = folders.read(runs)
    return evidence_of(found, folders.catalogue(), baseline=baseline, alpha=alpha)


def choices(found: Evidence) -> Choices:
    leaderboard = build_leaderboard(found.pairs(), found.board, found.comparison)
    return build_choices(found, compare_pairs(found), leaderboard)


# --- What is offered -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return folders.write_runs(tmp_path_factory.mktemp("runs"), models=MODELS)


def test_all_models_levels_and_aggregates_are_offered_the_reports_own_first_chosen(
    runs: list[Path],
) -> None:
    found = choices(evidence(runs, baseline="birch-7b", alpha=0.02))
    assert {one.name for one in found.baselines if one.own} == {"birch-7b"}
    assert len(found.baselines) == 5
    assert [(one.name, one.detail, one.own) for one in found.levels] == [
        ("10 %", "90 %", False),
        ("5 %", "95 %", False),
        ("2 %", "98 %", True),
        ("1 %", "99 %", False),
    ]
    assert [one.value for one in found.aggregates] == ["tasks", "families", "samples", "wins"]
    assert found.no_baseline == found.no_aggregate == ""


def test_without_a_baseline_of_its_own_a_report_begins_with_none(runs: list[Path]) -> None:
    found = choices(evidence(runs, baseline=None))
    assert [(one.value, one.own) for one in found.baselines[:2]] == [
        ("", True),
        ("aspen-7b", False),
    ]
    assert found.comparison == ""


def test_of_too_many_models_no_baseline_is_offered_and_it_is_said(tmp_path: Path) -> None:
    models = [MadeModel(f"m{n}", 0.5, tasks=("capitals",)) for n in range(MOST_MODELS + 1)]
    found = choices(
        evidence(folders.write_runs(tmp_path, models=models, samples=12), baseline="m1")
    )
    assert found.baselines == ()
    assert found.comparison == ""
    assert len(found.levels) == 3
    assert "not all pairs of 13 models were compared" in found.no_baseline
    assert json.loads(found.board)["baselines"] == ["m1"]


def test_without_samples_only_the_level_can_be_chosen_and_it_is_said() -> None:
    found = choices(evidence_of_runs(kept(stderr=0.02)))
    assert found.baselines == found.aggregates == ()
    assert len(found.levels) == 3
    assert "no two models have samples to be compared by" in found.no_baseline
    assert "need the samples of all runs" in found.no_aggregate


def kept(*, stderr: float | None) -> list[Run]:
    """Runs without samples."""
    scores = [metric(value, (value - 0.1, value + 0.1)) for value in (0.4, 0.5, 0.6)]
    return [
        run(f"m{place}", {"t": task({"acc": one.model_copy(update={"stderr": stderr})})})
        for place, one in enumerate(scores)
    ]


def test_a_level_that_changes_nothing_is_not_offered() -> None:
    """Where no score has a standard error, ranks are open at any level."""
    assert choices(evidence_of_runs(kept(stderr=None))).levels == ()


def test_a_single_model_has_nothing_to_choose() -> None:
    only = evidence_of_runs([run("m", {"t": task({"acc": metric(0.5, (0.4, 0.6))})})])
    assert choices(only) == Choices((), (), (), "", "", "", "")
    assert "data-choice" not in render_single(only, title="t").partition("<script>")[0]


def test_json_in_a_page_cannot_end_its_element_and_is_the_same_value() -> None:
    value = {"a": [HOSTILE, 1, None]}
    assert "<" not in inert_json(value)
    assert json.loads(inert_json(value)) == value


# --- In the browser ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def reports(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """own.html and the folder site are compared with birch, other.html with another at 1 %."""
    folder = tmp_path_factory.mktemp("reports")
    own = evidence(runs, baseline="birch-7b")
    other = evidence(runs, baseline="dogwood-1b", alpha=0.01)
    for name, found in (("own", own), ("other", other)):
        write_single(folder / f"{name}.html", found, title="t", theme=None, any_size=False)
    bare = evidence(runs, baseline=None)
    write_single(folder / "bare.html", bare, title="t", theme=None, any_size=False)
    write_site(folder / "site", own, title="t", theme=None)
    return folder


BOARD = """() => [...document.querySelectorAll("#board tbody tr")].map((row) => [...row.cells].map(
  (cell) => [cell.innerText.split(/\\s+/).join(" ").trim(), cell.classList.contains("best"),
             cell.dataset.sort || "", row.classList.contains("tie-even")]))"""
GLYPHS = """() => [...document.querySelectorAll("#board .glyph")].map((svg) => [
  svg.querySelector(".range").getAttribute("x"), svg.querySelector(".point").getAttribute("cx")])"""
DIFFERENCES = """() => [...document.querySelectorAll("#comparison table.differences")].filter(
  (table) => table.checkVisibility()).map((table) => [table.caption.innerText,
    ...[...table.rows].map((row) => [...row.cells].map(
      (cell) => cell.innerText.split(/\\s+/).join(" ").trim()))])"""
LINKS = """() => [...document.querySelectorAll("#comparison table.differences a")].filter(
  (link) => link.checkVisibility()).map((link) => link.getAttribute("href").split("?")).map(
    ([place, query]) => [place, ...new URLSearchParams(query)].join(" "))"""


def shown(opened: Opened, script: str) -> Any:
    return opened.page.evaluate(script)


def choose(opened: Opened, choice: str, value: str, place: str = "#tools") -> None:
    opened.page.locator(f'{place} select[data-choice="{choice}"]').select_option(value)


@pytest.mark.browser
def test_a_chosen_baseline_and_level_show_what_a_report_made_for_them_shows(
    browser: Browser, reports: Path
) -> None:
    opened = Opened(browser, reports / "own.html")
    expected = Opened(browser, reports / "other.html")
    before = {script: shown(opened, script) for script in (BOARD, GLYPHS, DIFFERENCES)}
    choose(opened, "baseline", "dogwood-1b")
    choose(opened, "level", "0.01")
    for script in (BOARD, GLYPHS, DIFFERENCES):
        assert shown(opened, script) == shown(expected, script)
        assert shown(opened, script) != before[script]
    assert set(shown(opened, LINKS)) == set(shown(expected, LINKS))
    for selector in ("#comparison h2", "#comparison .summary", "#comparison dl.list", "#legend"):
        assert opened.text(selector) == expected.text(selector)
    choose(opened, "baseline", "birch-7b")
    choose(opened, "level", "0.05")
    for script, found in before.items():
        assert shown(opened, script) == found
    assert opened.complaints == []
    for one in (opened, expected):
        one.page.context.close()


@pytest.mark.browser
def test_the_figures_of_the_own_comparison_come_back_by_a_button(
    browser: Browser, reports: Path
) -> None:
    opened = Opened(browser, reports / "site/comparison.html")
    figures = opened.page.locator("#comparison .plot").filter(visible=True)
    count = figures.count()
    assert count
    choose(opened, "baseline", HOSTILE, "#comparison")
    expect(opened.page.locator("#comparison h2")).to_have_text(f"Comparison with {HOSTILE}")
    assert figures.count() == 0
    opened.page.get_by_role("button", name="Show it").click()
    assert figures.count() == count
    expect(opened.page.locator("#comparison h2")).to_have_text("Comparison with birch-7b")
    assert opened.complaints == []
    opened.page.context.close()


@pytest.mark.browser
def test_both_places_of_a_choice_in_one_file_show_the_same(browser: Browser, reports: Path) -> None:
    opened = Opened(browser, reports / "own.html")
    choose(opened, "baseline", "random", "#comparison")
    board = opened.page.locator('#tools select[data-choice="baseline"]')
    assert board.input_value() == "random"
    (tagged,) = opened.page.locator("#board tr:has(.tag) th").all_inner_texts()
    assert tagged.split() == ["random", "baseline"]
    opened.page.context.close()


@pytest.mark.browser
def test_ranked_by_win_rate_the_mean_is_the_win_rate_and_exports_say_so(
    browser: Browser, reports: Path
) -> None:
    opened = Opened(browser, reports / "site/index.html")
    names = [text.strip() for text in opened.page.locator("#board thead .label").all_inner_texts()]
    rates = [row[names.index("Win rate")][2] for row in shown(opened, BOARD)]
    choose(opened, "aggregate", "wins")
    means = opened.page.locator("#board td.mean .value").all_inner_texts()
    assert means == [rate or "–" for rate in rates]
    assert "Win rate: the share of samples won" in opened.text("#legend")[0]
    opened.page.get_by_role("button", name="Sort by Mean", exact=True).click()
    ordered = [value for value in opened.text("#board td.mean .value") if value != "–"]
    assert ordered == sorted(ordered, key=float, reverse=True)
    with opened.page.expect_download() as waiting:
        opened.page.get_by_role("button", name="CSV", exact=True).click()
    header = Path(waiting.value.path()).read_text(encoding="utf-8").splitlines()[0]
    assert header.startswith("Model,Rank,Win rate of samples,")
    opened.page.context.close()


@pytest.mark.browser
def test_verdicts_can_be_asked_of_a_report_without_a_baseline(
    browser: Browser, reports: Path
) -> None:
    opened = Opened(browser, reports / "bare.html")
    own = Opened(browser, reports / "own.html")
    assert opened.text("#board .verdict") == []
    choose(opened, "baseline", "birch-7b")
    assert shown(opened, BOARD) == shown(own, BOARD)
    choose(opened, "baseline", "")
    assert opened.text("#board .verdict") == []
    for one in (opened, own):
        one.page.context.close()


@pytest.mark.browser
def test_a_link_holds_what_is_chosen_and_what_it_does_not_know_is_left_alone(
    browser: Browser, reports: Path
) -> None:
    opened = Opened(browser, reports / "own.html")
    choose(opened, "baseline", "random")
    choose(opened, "aggregate", "families")
    expected = shown(opened, BOARD)
    opened.page.get_by_role("button", name="Copy link to this view").click()
    address = opened.page.evaluate("location.hash")
    assert "baseline=random" in address
    assert "level" not in address
    again = Opened(browser, reports / "own.html", view=address)
    assert shown(again, BOARD) == expected
    unknown = Opened(browser, reports / "own.html", view="#view?baseline=nobody&level=7")
    assert shown(unknown, BOARD) == shown(Opened(browser, reports / "own.html"), BOARD)
    for one in (opened, again, unknown):
        assert one.complaints == []
        one.page.context.close()


@pytest.mark.browser
def test_in_a_site_the_choice_goes_along_to_the_other_page_and_back(
    browser: Browser, reports: Path
) -> None:
    """Whoever chose a baseline on the leaderboard met the report's own in the comparison."""
    opened = Opened(browser, reports / "site/index.html")
    choose(opened, "baseline", "random")
    choose(opened, "aggregate", "families")
    opened.page.get_by_role("link", name="Comparison").click()
    expect(opened.page.locator("#comparison-heading")).to_have_text("Comparison with random")
    choose(opened, "level", "0.1", "#comparison")
    address = opened.page.url
    opened.page.get_by_role("link", name="Leaderboard").click()
    for choice, value in (("baseline", "random"), ("aggregate", "families"), ("level", "0.1")):
        expect(opened.page.locator(f'#tools select[data-choice="{choice}"]')).to_have_value(value)
    opened.page.go_back()
    assert opened.page.url == address
    expect(opened.page.locator("#comparison-heading")).to_have_text("Comparison with random")
    assert opened.complaints == []
    opened.page.context.close()


@pytest.mark.browser
def test_without_javascript_the_reports_own_choice_stands_and_nothing_can_be_chosen(
    browser: Browser, reports: Path
) -> None:
    opened = Opened(browser, reports / "own.html", javascript=False)
    assert opened.page.locator("select[data-choice]").filter(visible=True).count() == 0
    assert opened.text("#comparison table.differences")
    assert opened.text("#board .verdict")
    opened.page.context.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_what_was_chosen(browser: Browser, reports: Path, scheme: str) -> None:
    opened = Opened(browser, reports / "own.html", scheme=scheme)
    choose(opened, "baseline", HOSTILE)
    choose(opened, "aggregate", "wins")
    opened.page.evaluate(
        "for (const one of document.querySelectorAll('main details')) one.open = true"
    )
    found = Axe().run(opened.page)
    assert found.violations_count == 0, found.generate_report()
    assert opened.complaints == []
    opened.page.context.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 768])
def test_a_chosen_comparison_does_not_scroll_sideways(
    browser: Browser, reports: Path, width: int
) -> None:
    opened = Opened(browser, reports / "site/comparison.html", width=width)
    choose(opened, "baseline", HOSTILE, "#comparison")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    opened.page.context.close()
