"""What a run was made with: versions, hardware, commit."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from evalharness import __version__

PACKAGES = ("torch", "numpy", "tokenizers", "transformers", "datasets", "sacrebleu", "rouge-score")


def describe_environment() -> dict[str, str]:
    """Versions of Python and of the packages that can change a score, the machine, the commit."""
    environment = {
        "evalharness": __version__,
        "python": platform.python_version(),
        **{package: installed_version(package) for package in PACKAGES},
        "platform": platform.platform(),
        "processors": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0),
    }
    commit = checkout_commit()
    return {**environment, "commit": commit} if commit else environment


def installed_version(package: str) -> str:
    """The version of a package, or "not installed"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def checkout_commit() -> str:
    """The commit of the checkout that this code lies in, marked if it was changed; else ""."""
    folder = Path(__file__).parents[1]
    if not (folder / ".git").exists():
        return ""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
