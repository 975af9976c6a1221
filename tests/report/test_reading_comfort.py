"""Pages on paper, by keyboard, on a telephone and in the colours that a reader chose."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from evalharness.report.layouts import write_site
from tests.report import folders
from tests.report.folders import MadeModel, MadeTask
from tests.report.opened import ARGUMENTS, Opened

pytestmark = pytest.mark.browser

HEBREW = "שלום עולם 7b"
MODELS = (
    MadeModel("aspen-7b", 0.78, tokens=True),
    MadeModel("birch-7b", 0.6, tokens=True),
    MadeModel(HEBREW, 0.4),
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
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("comfort")
    runs = folders.write_runs(folder / "runs", models=MODELS, samples=60)
    write_site(folder / "site", folders.evidence(runs, baseline="birch-7b"), title="t", theme=None)
    return folder / "site"


def style(opened: Opened, selector: str, name: str) -> str:
    script = "([selector, name]) => getComputedStyle(document.querySelector(selector))[name]"
    return str(opened.page.evaluate(script, [selector, name]))


# --- Paper ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", [False, True])
def test_paper_is_light_also_where_the_screen_is_dark(
    browser: Browser, site: Path, chosen: bool
) -> None:
    """Pale letters of the dark theme were printed on white."""
    opened = Opened(browser, site / "index.html", scheme="light" if chosen else "dark")
    if chosen:
        opened.page.get_by_role("button", name="Dark theme").click()
    assert style(opened, "body", "color") == "rgb(233, 230, 224)"
    opened.page.emulate_media(media="print")
    assert style(opened, "body", "color") == "rgb(29, 28, 26)"
    assert style(opened, ".grid", "stroke") == "rgb(217, 212, 201)"
    opened.page.context.close()


def test_the_sample_that_is_shown_is_printed(browser: Browser, site: Path) -> None:
    """The page of samples was an empty sheet."""
    opened = Opened(browser, site / "samples.html", view="#sample?task=capitals")
    name = opened.sample()
    opened.page.emulate_media(media="print")
    expect(opened.page.locator("#sample h3")).to_be_visible()
    assert opened.text("#sample h3") == [name]
    assert not opened.page.locator("#sample-list").is_visible()
    opened.page.context.close()


def test_what_is_folded_is_not_printed(browser: Browser, site: Path) -> None:
    opened = Opened(browser, site / "index.html")
    opened.page.emulate_media(media="print")
    assert opened.text("summary") == []
    assert opened.text("#figures h3") == []
    opened.page.context.close()


# --- Telephones ----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["index.html", "comparison.html"])
def test_on_a_telephone_the_forest_is_there_as_a_whole(
    browser: Browser, site: Path, page: str
) -> None:
    """The best models stood to the right of the screen: rows of names without marks."""
    opened = Opened(browser, site / page, width=320)
    dots = opened.page.locator('svg[width="100%"]').first.locator(".dot")
    assert dots.count() == 3
    for place in range(3):
        box = dots.nth(place).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 320
    opened.page.context.close()


LONG = "averyverylongnamewithoutanyplacetobreakit" * 2


@pytest.fixture(scope="module")
def long_names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    tasks = (MadeTask(LONG, "question_answering"), MadeTask("other", "summarization", graded=True))
    models = [
        MadeModel(name, ability, tasks=(LONG, "other"))
        for name, ability in ((f"{LONG}-a", 0.7), (f"{LONG}-b", 0.5))
    ]
    runs = folders.write_runs(folder / "runs", models=models, tasks=tasks, samples=40)
    evidence = folders.evidence(runs, baseline=f"{LONG}-b", tasks=tasks)
    write_site(folder / "site", evidence, title=LONG, theme=None)
    return folder / "site"


@pytest.mark.parametrize(
    "page", ["index.html", "comparison.html", "samples.html", "task-0.html", "task-1.html"]
)
def test_long_names_do_not_widen_a_page(browser: Browser, long_names: Path, page: str) -> None:
    """Titles of figures and of folded parts pushed pages to twice the width of a telephone."""
    opened = Opened(browser, long_names / page, width=320)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 320
    opened.page.context.close()


@pytest.mark.parametrize("menu", ["nav details.menu", "#columns"])
def test_menus_stay_on_the_screen(browser: Browser, long_names: Path, menu: str) -> None:
    """Half of each was to the right of a telephone's screen."""
    opened = Opened(browser, long_names / "index.html", width=320)
    opened.page.locator(f"{menu} > summary").click()
    box = opened.page.locator(f"{menu} > :nth-child(2)").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 320
    opened.page.context.close()


# --- Keyboard ------------------------------------------------------------------------------------


def test_the_list_of_samples_is_one_stop_of_the_tab_key(browser: Browser, site: Path) -> None:
    """Fifty stops stood between the controls and the sample, and a choice lost the focus."""
    opened = Opened(browser, site / "samples.html", view="#sample?task=capitals")
    opened.sample()
    assert opened.page.locator('#sample-list button[tabindex="0"]').count() == 1
    opened.page.locator('#sample-list button[tabindex="0"]').focus()
    for key, expected in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1)):
        opened.page.keyboard.press(key)
        expect(opened.page.locator("#sample h3")).to_have_text(f"capitals-{expected:05}")
        focused = opened.page.evaluate("document.activeElement.textContent")
        assert focused == f"capitals-{expected:05}"
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate(
        "document.querySelector('#sample').contains(document.activeElement)"
    )
    opened.page.context.close()


def test_escape_closes_a_menu_and_the_focus_is_not_lost(browser: Browser, site: Path) -> None:
    opened = Opened(browser, site / "index.html")
    summary = opened.page.locator("#columns summary")
    summary.press("Enter")
    opened.page.keyboard.press("Tab")
    opened.page.keyboard.press("Escape")
    assert not opened.page.locator("#columns fieldset").is_visible()
    expect(summary).to_be_focused()
    opened.page.context.close()


def test_a_menu_does_not_stay_open_over_what_has_the_focus(browser: Browser, site: Path) -> None:
    opened = Opened(browser, site / "index.html")
    opened.page.locator("#columns summary").press("Enter")
    opened.page.locator("#heat").focus()
    assert not opened.page.locator("#columns fieldset").is_visible()
    opened.page.context.close()


# --- What was chosen -----------------------------------------------------------------------------


def test_a_chosen_theme_holds_on_the_next_page(browser: Browser, site: Path) -> None:
    opened = Opened(browser, site / "index.html")
    opened.page.get_by_role("button", name="Dark theme").click()
    opened.page.get_by_role("link", name="Comparison").click()
    expect(opened.page.get_by_role("button", name="Light theme")).to_be_visible()
    assert style(opened, "body", "backgroundColor") == "rgb(21, 23, 26)"
    opened.page.context.close()


def test_a_link_keeps_columns_and_heat(browser: Browser, site: Path) -> None:
    """It kept the order and the filters, and showed all columns again."""
    opened = Opened(browser, site / "index.html")
    opened.page.locator("#columns summary").click()
    opened.page.get_by_label("passages", exact=True).uncheck()
    opened.page.get_by_label("Win rate", exact=True).check()
    opened.page.get_by_label("Heat colours").check()
    opened.page.get_by_role("button", name="Copy link").click()
    expect(opened.page.locator("#shown")).to_contain_text("link")
    view = str(opened.page.evaluate("location.hash"))
    opened.page.context.close()
    again = Opened(browser, site / "index.html", view=view)
    shown = again.text("#board thead th .label")
    assert "passages" not in shown
    assert {"capitals", "Win rate"} <= set(shown)
    assert again.page.locator("td.heat-5").count() > 0
    again.page.context.close()


def test_all_tasks_can_be_hidden_at_once(browser: Browser, site: Path) -> None:
    """Of sixty tasks each had to be hidden by itself to see two."""
    opened = Opened(browser, site / "index.html")
    opened.page.locator("#columns summary").click()
    opened.page.get_by_role("button", name="No tasks").click()
    assert "capitals" not in opened.text("#board thead th .label")
    opened.page.get_by_label("capitals", exact=True).check()
    assert "capitals" in opened.text("#board thead th .label")
    opened.page.get_by_role("button", name="All", exact=True).click()
    assert {"passages", "Win rate"} <= set(opened.text("#board thead th .label"))
    opened.page.context.close()


# --- Readers' own colours, and other scripts -----------------------------------------------------


def test_colours_that_are_what_is_told_stay_in_forced_colours(browser: Browser, site: Path) -> None:
    opened = Opened(browser, site / "samples.html", view="#sample?task=capitals")
    opened.sample()
    opened.page.get_by_label("Colour tokens by surprisal").check()
    opened.page.locator(".heat-token-6").first.wait_for(state="attached")
    opened.page.emulate_media(forced_colors="active")
    swatches = "[...document.querySelectorAll('.swatch')]"
    colours = opened.page.evaluate(
        f"{swatches}.map((one) => getComputedStyle(one).backgroundColor)"
    )
    assert len(set(colours)) == 7
    opened.page.context.close()


def test_names_from_right_to_left_are_isolated_from_what_surrounds_them(
    browser: Browser, site: Path
) -> None:
    """The 7 of a Hebrew name stood on its other side, as if it belonged to the words before."""
    opened = Opened(browser, site / "index.html")
    names = opened.page.locator("#board tbody th bdi").all_inner_texts()
    assert HEBREW in names
    opened.page.context.close()
    samples = Opened(browser, site / "samples.html", view="#sample?task=capitals")
    samples.sample()
    assert HEBREW in samples.page.locator(".output header bdi").all_inner_texts()
    samples.page.context.close()
