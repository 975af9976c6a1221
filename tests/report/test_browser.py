"""The page in a real Chromium, opened from disk with the network off."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from evalharness.report.render import render_report
from tests.report.runs import many
from tests.report.test_report import hostile_run

pytestmark = pytest.mark.browser

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield chromium
        chromium.close()


class Opened:
    """A page with everything it did that it should not do."""

    def __init__(
        self, browser: Browser, path: Path, *, width: int = 1280, javascript: bool = True
    ) -> None:
        context = browser.new_context(
            offline=True,
            viewport={"width": width, "height": 900},
            java_script_enabled=javascript,
            color_scheme="light",
        )
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(render_report([*many(3, 8), hostile_run()], title="A report"), encoding="utf-8")
    return path


def test_hostile_names_run_nothing_and_no_request_leaves(browser: Browser, report: Path) -> None:
    opened = Opened(browser, report)
    assert opened.complaints == []
    assert opened.requests == [report.as_uri()]


@pytest.mark.parametrize("width", [320, 768, 1440])
def test_the_page_does_not_scroll_sideways(browser: Browser, report: Path, width: int) -> None:
    opened = Opened(browser, report, width=width)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_button_changes_the_theme(browser: Browser, report: Path) -> None:
    opened = Opened(browser, report)

    def background() -> str:
        return str(opened.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = background()
    opened.page.get_by_role("button", name="Dark theme").click()
    assert background() != light
    opened.page.get_by_role("button", name="Light theme").click()
    assert background() == light


def test_without_javascript_the_table_is_there_and_the_button_is_not(
    browser: Browser, report: Path
) -> None:
    opened = Opened(browser, report, javascript=False)
    assert opened.page.get_by_role("rowheader", name="model-0").first.is_visible()
    assert not opened.page.locator("#theme").is_visible()


def test_the_wide_table_can_be_scrolled_by_keyboard(browser: Browser, report: Path) -> None:
    opened = Opened(browser, report, width=320)
    region = opened.page.get_by_role("region", name="Leaderboard, scrolls sideways")
    region.focus()
    for _ in range(5):
        opened.page.keyboard.press("ArrowRight")
    opened.page.wait_for_function(
        "document.querySelector('#leaderboard .scroll').scrollLeft > 0", timeout=5000
    )
