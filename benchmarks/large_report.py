"""A site about 100,000 samples of 20 models: how long it takes to build, open, sort and filter.

The runs are made up in a temporary folder; Chromium opens the site from disk.

python -m benchmarks.large_report [--samples N] [--models N]
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
from playwright.sync_api import Page, sync_playwright

from benchmarks.machine import describe_machine
from evalharness.report.layouts import write_site
from tests.report import folders
from tests.report.folders import MadeModel, MadeTask

TASK = MadeTask("many", "question_answering")
RESULTS = Path(__file__).with_name("results-report.json")
# Chromium as root has no sandbox.
_ARGUMENTS = ["--no-sandbox", "--disable-gpu"]
_CHANGE = """([id, value]) => {
  const list = document.getElementById(id);
  list.value = value;
  const start = performance.now();
  list.dispatchEvent(new Event("change"));
  return performance.now() - start;
}"""


@dataclass(frozen=True, slots=True)
class Built:
    """How long a site took to build, the largest memory of the process, and what came of it.

    cpu_seconds  which other programs on the machine do not lengthen
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    site_bytes: int
    largest_shard_bytes: int


@dataclass(frozen=True, slots=True)
class Opened:
    """Seconds until the first sample is shown; milliseconds of sorting and filtering."""

    open_seconds: float
    sort_milliseconds: float
    filter_milliseconds: float


def build(runs: Path, site: Path) -> Built:
    """Write the site of all runs below a folder."""
    start, start_of_cpu = time.perf_counter(), time.process_time()
    paths = sorted(path for path in runs.iterdir() if path.is_dir())
    evidence = folders.evidence(paths, tasks=[TASK])
    write_site(site, evidence, title="Large", theme=None)
    seconds = time.perf_counter() - start
    files = [path for path in site.rglob("*") if path.is_file()]
    return Built(
        seconds=seconds,
        cpu_seconds=time.process_time() - start_of_cpu,
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        site_bytes=sum(path.stat().st_size for path in files),
        largest_shard_bytes=max(path.stat().st_size for path in files if path.suffix == ".js"),
    )


def measure(site: Path) -> Opened:
    """Open the samples of a site, sort and filter them."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=_ARGUMENTS
        )
        page = browser.new_page()
        start = time.perf_counter()
        page.goto((site / "samples.html").as_uri())
        page.locator("#sample h3").wait_for()
        seconds = time.perf_counter() - start
        opened = Opened(
            open_seconds=seconds,
            sort_milliseconds=_slowest(page, "order", ["ab", "difference", "low", "high"]),
            filter_milliseconds=max(
                _slowest(page, "pattern", ["ab", "ba", "differ", "all"]),
                _slowest(page, "flag", ["failed", "looped", ""]),
            ),
        )
        browser.close()
    return opened


def _slowest(page: Page, control: str, values: list[str]) -> float:
    return max(float(page.evaluate(_CHANGE, [control, value])) for value in values)


def _in_a_process(runs: Path, site: Path) -> Built:
    """The memory of this process, which made the runs up, does not count."""
    command = [sys.executable, "-m", "benchmarks.large_report", "--build", str(runs), str(site)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return Built(**json.loads(found.stdout))


def _say(text: str) -> None:
    click.echo(text, err=True)


@click.command()
@click.option("--samples", default=100_000, show_default=True)
@click.option("--models", default=20, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS)
@click.option("--build", "built", nargs=2, type=click.Path(path_type=Path), hidden=True)
def main(samples: int, models: int, output: Path, built: tuple[Path, Path] | None) -> None:
    """Measure once, and keep the figures in results-report.json."""
    if built is not None:
        click.echo(json.dumps(asdict(build(*built))))
        return
    with tempfile.TemporaryDirectory() as name:
        runs, site = Path(name) / "runs", Path(name) / "site"
        made = [
            MadeModel(f"model-{place:02}", 0.3 + place / 40, tasks=(TASK.name,))
            for place in range(models)
        ]
        _say(f"making {models} runs of {samples} samples")
        folders.write_runs(runs, models=made, tasks=[TASK], samples=samples)
        _say("building")
        of_build = _in_a_process(runs, site)
        _say(f"{of_build.seconds:.1f} s; opening")
        of_page = measure(site)
    row = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine("cpu").model_dump(mode="json"),
        "samples": samples,
        "models": models,
        **asdict(of_build),
        **asdict(of_page),
    }
    output.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    click.echo(json.dumps({**asdict(of_build), **asdict(of_page)}, indent=1))


if __name__ == "__main__":
    main()
