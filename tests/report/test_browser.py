"""Reports of both layouts in a real Chromium, opened from disk with the network off."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect, sync_playwright

from evalharness.report import sample_data
from evalharness.report.layouts import write_single, write_site
from tests.report import folders
from tests.report.folders import MadeModel, MadeTask
from tests.report.opened import ARGUMENTS, Opened

pytestmark = pytest.mark.browser

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}"
HIDDEN = "left \u202eright\u202c zero\u200bwidth \x07bell שלום"

TASKS = (
    *folders.TASKS,
    MadeTask("hostile", "translation", graded=True, ids=f"{HOSTILE}-<b>"),
)
NAMES = ("capitals", "passages", "headlines", "pairs", "hostile")
MODELS = (
    MadeModel("aspen-7b", 0.78, tasks=NAMES),
    MadeModel("birch-7b", 0.74, tasks=NAMES, outputs={0: HOSTILE, 1: HIDDEN, 2: "x" * 20_000}),
    MadeModel(HOSTILE, 0.45, tasks=NAMES, failed=4, unfinished=5),
    MadeModel("random", 0.25, spec="baseline:random", tasks=("capitals", "pairs")),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """single.html and the folder site, of the same runs."""
    folder = tmp_path_factory.mktemp("reports")
    runs = folders.write_runs(folder / "runs", models=MODELS, tasks=TASKS)
    evidence = folders.evidence(runs, baseline="birch-7b", tasks=TASKS)
    write_single(folder / "single.html", evidence, title="A report", theme=None, any_size=False)
    write_site(folder / "site", evidence, title="A report", theme=None)
    return folder


PAGES = ("single.html", "site/index.html", "site/comparison.html", "site/samples.html",
         "site/task-0.html")  # fmt: skip
SAMPLES = ("single.html", "site/samples.html")
BOARDS = ("single.html", "site/index.html")


# --- What every page keeps to --------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_hostile_texts_run_nothing_and_only_the_reports_own_files_are_read(
    browser: Browser, reports: Path, page: str
) -> None:
    opened = Opened(browser, reports / page)
    if page in SAMPLES:
        opened.page.locator("#viewer").scroll_into_view_if_needed()
        opened.page.locator("#sample-task").select_option(label="hostile")
        # By its own name: the first sample of the task before it ends alike.
        expect(opened.page.locator("#sample h3")).to_contain_text("<b>-00000")
        for _ in range(4):
            opened.page.locator("body").press("j")
        expect(opened.page.locator("#sample h3")).to_contain_text("<b>-00004")
    assert opened.complaints == []
    site = (reports / "site").as_uri()
    own = (reports / page).as_uri()
    assert [
        url for url in opened.requests if url != own and not url.startswith(f"{site}/data/")
    ] == []
    opened.page.context.close()


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("width", [320, 768, 1440])
def test_no_page_scrolls_sideways(browser: Browser, reports: Path, page: str, width: int) -> None:
    opened = Opened(browser, reports / page, width=width)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    opened.page.context.close()


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, reports: Path, page: str, scheme: str) -> None:
    opened = Opened(browser, reports / page, scheme=scheme)
    if page in SAMPLES:
        opened.page.locator("#viewer").scroll_into_view_if_needed()
        opened.page.locator("#sample-task").select_option(label="capitals")
        expect(opened.page.locator("#sample h3")).to_contain_text("capitals")
    opened.page.evaluate(
        "for (const one of document.querySelectorAll('main details')) one.open = true"
    )
    found = Axe().run(opened.page)
    assert found.violations_count == 0, found.generate_report()
    opened.page.context.close()


@pytest.mark.parametrize("page", BOARDS)
def test_without_javascript_the_table_is_there_and_the_tools_are_not(
    browser: Browser, reports: Path, page: str
) -> None:
    opened = Opened(browser, reports / page, javascript=False)
    assert opened.page.get_by_role("rowheader", name="aspen-7b").first.is_visible()
    assert not opened.page.locator("#theme").is_visible()
    assert not opened.page.locator("#tools").is_visible()
    opened.page.context.close()


def test_the_button_changes_the_theme(browser: Browser, reports: Path) -> None:
    opened = Opened(browser, reports / "site/index.html")

    def background() -> str:
        return str(opened.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = background()
    opened.page.get_by_role("button", name="Dark theme").click()
    assert background() != light
    opened.page.get_by_role("button", name="Light theme").click()
    assert background() == light
    opened.page.context.close()


# --- The leaderboard -----------------------------------------------------------------------------


def column(opened: Opened, name: str) -> list[str]:
    """The cells of a column in the order of the rows that are shown."""
    script = """(name) => {
      const board = document.getElementById("board");
      const headings = [...board.tHead.rows[0].cells];
      const place = headings.findIndex((heading) => heading.dataset.name === name);
      const shown = [...board.tBodies[0].rows].filter((row) => !row.hidden);
      return shown.map((row) => row.cells[place].dataset.sort);
    }"""
    return [str(text) for text in opened.page.evaluate(script, name)]


def test_sorting_puts_missing_scores_last_both_ways(browser: Browser, reports: Path) -> None:
    opened = Opened(browser, reports / "site/index.html")
    button = opened.page.get_by_role("button", name="Sort by passages")
    for expected in ("descending", "ascending"):
        button.click()
        heading = opened.page.locator("th[aria-sort]")
        assert heading.count() == 1
        assert heading.get_attribute("aria-sort") == expected
        *scores, last = column(opened, "passages")
        assert last == ""
        assert [*map(float, scores)] == sorted(map(float, scores), reverse=expected == "descending")
    opened.page.context.close()


def test_a_filter_hides_models_and_leaves_their_ranks(browser: Browser, reports: Path) -> None:
    opened = Opened(browser, reports / "site/index.html")
    before = dict(zip(opened.text("#board tbody th"), opened.text("#board td.rank"), strict=True))
    opened.page.get_by_label("Find a model").fill("BIRCH")
    (name,) = opened.text("#board tbody th")
    (rank,) = opened.text("#board td.rank")
    assert name.startswith("birch-7b")
    assert before[name] == rank
    expect(opened.page.locator("#shown")).to_contain_text("1 of 4 models")
    opened.page.context.close()


def test_columns_are_chosen_by_family_and_one_by_one(browser: Browser, reports: Path) -> None:
    opened = Opened(browser, reports / "site/index.html")
    opened.page.get_by_label("Family").select_option("question answering")
    assert opened.text("#board thead .task a") == ["capitals", "passages"]
    opened.page.locator("#columns summary").click()
    opened.page.get_by_role("checkbox", name="capitals").uncheck()
    assert opened.text("#board thead .task a") == ["passages"]
    opened.page.context.close()


def exported(opened: Opened, name: str) -> str:
    with opened.page.expect_download() as waiting:
        opened.page.get_by_role("button", name=name, exact=True).click()
    return Path(waiting.value.path()).read_text(encoding="utf-8")


def test_exports_are_the_view_with_all_digits_and_without_formulas(
    browser: Browser, reports: Path
) -> None:
    opened = Opened(browser, reports / "site/index.html")
    opened.page.get_by_label("Find a model").fill("birch")
    (row,) = json.loads(exported(opened, "JSON"))
    (line,) = csv.DictReader(exported(opened, "CSV").splitlines())
    assert row["Model"] == line["Model"] == "birch-7b"
    assert float(line["capitals"]) == row["capitals"] == pytest.approx(0.85, abs=0.1)
    markdown = exported(opened, "Markdown").splitlines()
    assert markdown[2].startswith("| birch-7b |")
    latex = exported(opened, "LaTeX")
    assert r"\toprule" in latex
    assert r"$\pm$" in latex
    opened.page.context.close()


def test_a_copied_link_shows_the_same_view(browser: Browser, reports: Path) -> None:
    path = reports / "site/index.html"
    opened = Opened(browser, path, view="#view?model=aspen&sort=-capitals")
    (name,) = opened.text("#board tbody th")
    assert name == "aspen-7b"
    assert opened.page.locator("th[aria-sort=descending]").get_attribute("data-name") == "capitals"
    opened.page.context.close()


def test_the_wide_table_can_be_scrolled_by_keyboard(browser: Browser, reports: Path) -> None:
    opened = Opened(browser, reports / "site/index.html", width=320)
    opened.page.get_by_role("region", name="Leaderboard, scrolls sideways").focus()
    for _ in range(5):
        opened.page.keyboard.press("ArrowRight")
    opened.page.wait_for_function(
        "document.querySelector('#leaderboard .scroll').scrollLeft > 0", timeout=5000
    )
    opened.page.context.close()


# --- Samples -------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", SAMPLES)
def test_a_link_finds_a_sample_by_its_id(browser: Browser, reports: Path, page: str) -> None:
    view = "#sample?task=capitals&id=capitals-00007&a=birch-7b&b=random"
    opened = Opened(browser, reports / page, view=view)
    assert opened.sample() == "capitals-00007"
    names = opened.text(".output header strong")
    assert names[:2] == ["A · birch-7b", "B · random"]
    opened.page.context.close()


@pytest.mark.parametrize("page", SAMPLES)
def test_keys_move_between_samples_and_pages(browser: Browser, reports: Path, page: str) -> None:
    opened = Opened(browser, reports / page, view="#sample?task=capitals&id=capitals-00000")
    assert opened.sample() == "capitals-00000"
    for key, at in (("j", 1), ("j", 2), ("k", 1), ("]", 50), ("[", 0)):
        opened.page.locator("body").press(key)
        expect(opened.page.locator("#sample h3")).not_to_have_text(
            "capitals-00000" if at else "capitals-00050"
        )
        place = opened.page.locator("#sample-list tr.current button").inner_text()
        listed = opened.text("#sample-list tbody button")
        assert listed.index(place) == at % 50
    opened.page.locator("body").press("?")
    assert opened.page.get_by_role("dialog").is_visible()
    opened.page.context.close()


def test_a_pattern_leaves_the_samples_that_one_model_wins(browser: Browser, reports: Path) -> None:
    view = "#sample?task=capitals&a=aspen-7b&b=random&show=ab"
    opened = Opened(browser, reports / "site/samples.html", view=view)
    opened.sample()
    rows = opened.page.locator("#sample-list tbody tr").all()
    scores = [row.locator("td").all_inner_texts() for row in rows]
    assert scores
    assert all(pair == ["1", "0"] for pair in scores)
    opened.page.context.close()


def test_texts_are_searched_piece_by_piece(browser: Browser, reports: Path) -> None:
    opened = Opened(browser, reports / "site/samples.html", view="#sample?task=capitals")
    opened.sample()
    opened.page.locator("#sample-text").fill("Question 17: ")
    opened.page.get_by_role("button", name="Search texts").click()
    expect(opened.page.locator("#sample h3")).to_have_text("capitals-00017")
    assert opened.text("#sample-list tbody button") == ["capitals-00017"]
    opened.page.context.close()


def test_hidden_characters_are_shown_and_cut_texts_say_so(browser: Browser, reports: Path) -> None:
    view = "#sample?task=capitals&id=capitals-00001&a=birch-7b&b=random"
    opened = Opened(browser, reports / "single.html", view=view)
    opened.sample()
    marks = opened.text(".hidden-character")
    assert marks == ["U+202E", "U+202C", "U+200B", "U+0007"]
    opened.page.locator("body").press("j")
    expect(opened.page.locator("#sample h3")).to_have_text("capitals-00002")
    assert "16,000 more characters are not shown" in " ".join(opened.text(".output .text"))
    opened.page.context.close()


def test_differences_are_marked_by_words(browser: Browser, reports: Path) -> None:
    view = "#sample?task=capitals&id=capitals-00000&a=birch-7b&b=aspen-7b"
    opened = Opened(browser, reports / "site/samples.html", view=view)
    opened.sample()
    assert opened.page.locator(".output ins, .output del").count() == 0
    opened.page.get_by_label("Mark differences from").select_option("reference")
    expect(opened.page.locator(".output ins").first).to_contain_text("alert(1)")
    opened.page.context.close()


def test_a_content_warning_covers_texts_until_they_are_asked_for(
    browser: Browser, reports: Path
) -> None:
    opened = Opened(browser, reports / "site/samples.html", view="#sample?task=pairs")
    opened.sample()
    assert opened.text(".output") == []
    assert "Sentences that repeat stereotypes." in opened.text("#sample .banner")
    opened.page.get_by_role("button", name="Show these texts").click()
    expect(opened.page.locator(".output").first).to_be_visible()
    opened.page.context.close()


def test_pieces_of_equal_data_are_all_unpacked(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their name is that of their hash: of two that were asked for at once, one never came."""
    monkeypatch.setattr(sample_data, "_LARGEST_PACKED", 256)
    models = [MadeModel(f"m{place}", 0.5, tasks=("capitals",)) for place in range(4)]
    runs = folders.write_runs(tmp_path / "runs", models=models)
    write_site(tmp_path / "site", folders.evidence(runs), title="t", theme=None)
    opened = Opened(
        browser, tmp_path / "site/samples.html", view="#sample?task=capitals&id=capitals-00090"
    )
    assert opened.sample() == "capitals-00090"
    expect(opened.page.locator("#sample-status")).to_contain_text("120 of 120 match")
    asked = [url for url in opened.requests if "/data/" in url]
    assert len(asked) == len(set(asked))
    assert opened.complaints == []
    opened.page.context.close()


def test_a_missing_shard_is_told_of(browser: Browser, reports: Path, tmp_path: Path) -> None:
    shutil.copytree(reports / "site", tmp_path / "site")
    for shard in (tmp_path / "site" / "data").iterdir():
        shard.unlink()
    opened = Opened(browser, tmp_path / "site/samples.html", view="#sample?task=capitals")
    expect(opened.page.locator("#sample-status")).to_contain_text("cannot be read")
    opened.page.context.close()


def test_the_comparison_leads_to_the_samples_that_were_won(browser: Browser, reports: Path) -> None:
    opened = Opened(browser, reports / "site/comparison.html")
    opened.page.get_by_role("link", name="samples lost").first.click()
    expect(opened.page.locator("#sample h3")).to_be_visible()
    assert opened.page.locator("#pattern").input_value() == "ba"
    assert opened.page.locator("#model-b option:checked").inner_text() == "birch-7b"
    opened.page.context.close()
