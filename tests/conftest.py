"""Fixtures for all tests, and the rule for tests that need something which may not be there."""

import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.workplace import Workplace

# The machine may be slow; a test never fails for that.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# A shell ignores Ctrl-C in what it runs in the background, and so would the commands of tests.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Libraries that look for a hub must not try: no test may need the network.
os.environ["HF_HUB_OFFLINE"] = "1"
# Scripts of evaluate's modules are copied before they are run: not into the user's own folder.
_MODULES = tempfile.TemporaryDirectory(prefix="evalharness-modules-")
os.environ["HF_MODULES_CACHE"] = _MODULES.name


def _absent(marker: str) -> str | None:
    """Why tests with this marker cannot run here, or None."""
    if marker == "oracle" and not os.environ.get("EVALHARNESS_ORACLES"):
        return "EVALHARNESS_ORACLES names no folder"
    if marker == "browser" and shutil.which("chromium") is None:
        return "there is no chromium"
    if marker == "validator" and not (os.environ.get("EVALHARNESS_VNU") and shutil.which("java")):
        return "EVALHARNESS_VNU names no vnu.jar, or there is no java"
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what cannot run, and say so."""
    kept: list[pytest.Item] = []
    left_out: dict[str, list[pytest.Item]] = {}
    for item in items:
        reasons = filter(None, (_absent(mark.name) for mark in item.iter_markers()))
        reason = next(reasons, None)
        (kept if reason is None else left_out.setdefault(reason, [])).append(item)
    items[:] = kept
    for reason, some in left_out.items():
        config.hook.pytest_deselected(items=some)
        print(f"{len(some)} tests are left out: {reason}")


@pytest.fixture(scope="session")
def oracles() -> Path:
    """The folder with other people's data and scores."""
    return Path(os.environ["EVALHARNESS_ORACLES"])


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("EVALHARNESS_CACHE", str(folder))
    return folder


@pytest.fixture
def workplace(tmp_path: Path) -> "Workplace":
    """A folder with a checkpoint and a plugin, and commands run in it."""
    # It imports libraries that look at the environment when they are imported.
    from tests.workplace import Workplace

    return Workplace(tmp_path)
