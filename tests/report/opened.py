"""A page in Chromium, with everything that it did and should not do."""

from pathlib import Path

from playwright.sync_api import Browser, Page

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Opened:
    """A page opened from disk with the network off.

    complaints  what it wrote to the console, threw or asked in a dialog; refused by its policy, too
    requests    every address that it asked for
    """

    def __init__(
        self,
        browser: Browser,
        path: Path,
        *,
        width: int = 1280,
        javascript: bool = True,
        scheme: str = "light",
        view: str = "",
    ) -> None:
        context = browser.new_context(
            offline=True,
            viewport={"width": width, "height": 900},
            java_script_enabled=javascript,
            color_scheme="dark" if scheme == "dark" else "light",
            accept_downloads=True,
        )
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri() + view)

    def text(self, selector: str) -> list[str]:
        """The texts of all elements that are found and visible."""
        found = self.page.locator(selector).filter(visible=True)
        return [text.strip() for text in found.all_inner_texts()]

    def sample(self) -> str:
        """The heading of the sample that is shown, once it is."""
        heading = self.page.locator("#sample h3")
        heading.wait_for()
        return heading.inner_text()
