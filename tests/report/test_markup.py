"""The pages are HTML by the Nu HTML checker."""

import os
import subprocess
from pathlib import Path

import pytest

from evalharness.report.layouts import write_single, write_site
from tests.report import folders
from tests.report.folders import MadeModel

pytestmark = pytest.mark.validator

# The checker does not know the hashes of a policy; that it lets the page's own scripts run, and no
# others, is tested in a browser.
_NO_HASHES = ".*violates Content Security Policy.*"


def test_the_html_checker_finds_nothing(tmp_path: Path) -> None:
    """A page with ranks, verdicts, figures, a series, warnings and samples, in both layouts."""
    series = [
        MadeModel(f"step-{step}", 0.3 + step / 2000, series="builtin:out/checkpoint-*", step=step)
        for step in (100, 400, 900)
    ]
    for name, models in (("plain", folders.MODELS), ("series", series)):
        runs = folders.write_runs(tmp_path / "runs" / name, models=models)
        evidence = folders.evidence(runs, baseline=models[0].name)
        write_single(
            tmp_path / f"{name}.html", evidence, title="<A> & b", theme=None, any_size=False
        )
        write_site(tmp_path / name, evidence, title="<A> & b", theme=None)
    pages = sorted(tmp_path.glob("*.html")) + sorted(tmp_path.glob("*/*.html"))
    assert len(pages) > 10
    jar = os.environ["EVALHARNESS_VNU"]
    command = [
        "java",
        "-jar",
        jar,
        "--filterpattern",
        _NO_HASHES,
        "--format",
        "text",
        *map(str, pages),
    ]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.stderr == "Document checking completed. No errors found.\n"
    assert found.returncode == 0
