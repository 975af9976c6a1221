"""The demo's report as it is kept in docs/: a site in docs/example/, screenshots in docs/images/.

Samples of the tasks whose data is the project's own are kept; those of others are not ours to
publish, and their tasks are shown by their scores.

python docs/make_example.py RUNS
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click
from playwright.sync_api import Browser, sync_playwright

from evalharness.cli.commands import cli

DOCS = Path(__file__).parent
OWN_DATA = "starter-*.parquet"
# Chromium as root has no sandbox.
_ARGUMENTS = ["--no-sandbox", "--disable-gpu"]


@dataclass(frozen=True)
class Picture:
    """A page as a reader sees it; `press` is the label of a control that is used first, or ""."""

    name: str
    page: str
    width: int
    height: int
    colours: Literal["light", "dark"]
    press: str = ""


_SURPRISAL = "Colour tokens by surprisal"
_PICTURES = (
    Picture("report.png", "index.html", 1440, 1000, "light"),
    Picture("comparison.png", "comparison.html", 1440, 1000, "light"),
    Picture(
        "samples.png", "samples.html#sample?task=starter-summaries", 1440, 1500, "light", _SURPRISAL
    ),
    Picture("report-dark.png", "index.html", 768, 1000, "dark"),
)


@click.command()
@click.argument("runs", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(runs: Path) -> None:
    """Write docs/example/ and docs/images/ from the runs of the demo."""
    example = DOCS / "example"
    shutil.rmtree(example, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        kept = Path(temporary) / "runs"
        _keep(runs, kept)
        arguments = ["report", str(kept), "--layout", "site", "-o", str(example)]
        arguments += ["--title", "evalharness demo", "--baseline", "baseline:random"]
        cli(arguments, standalone_mode=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=_ARGUMENTS
        )
        for picture in _PICTURES:
            _take(chromium, example, picture)
        chromium.close()


def _keep(runs: Path, kept: Path) -> None:
    for folder in sorted(path.parent for path in runs.glob("*/results.json")):
        (kept / folder.name / "samples").mkdir(parents=True)
        for path in (*folder.glob("*.json"), *folder.glob(f"samples/{OWN_DATA}")):
            shutil.copy(path, kept / folder.name / path.relative_to(folder))


def _take(chromium: Browser, example: Path, picture: Picture) -> None:
    opened = chromium.new_page(
        viewport={"width": picture.width, "height": picture.height}, color_scheme=picture.colours
    )
    opened.goto(f"{example.as_uri()}/{picture.page}")
    if picture.press:
        opened.get_by_label(picture.press).check()
    # Samples are unpacked after the page is there.
    opened.wait_for_timeout(1000)
    opened.screenshot(path=DOCS / "images" / picture.name)
    opened.close()


if __name__ == "__main__":
    main()
