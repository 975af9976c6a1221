"""A folder in which a test runs commands as a user does."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from tests.models import make_llama
from tests.plugins import write_plugin


class Workplace:
    """A folder with a checkpoint and a plugin, and commands run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "EVALHARNESS_CACHE": str(folder / "cache")}
        make_llama(folder / "checkpoint", max_position_embeddings=512)
        write_plugin(folder / "plugins")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "evalharness", *arguments]

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, *arguments: str, model: str = "builtin:checkpoint") -> Any:
        """`run` on the toy tasks; returns what --format json prints."""
        done = self(
            "run", "-m", model, "-t", "toy-*", "--tasks-dir", "plugins", "--format", "json",
            *arguments,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def stored(workplace: Workplace) -> set[str]:
    path = workplace.folder / "runs" / "responses.sqlite"
    if not path.exists():
        return set()
    with sqlite3.connect(path, timeout=30) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
        if ("responses",) not in tables:
            return set()
        return {key for (key,) in connection.execute("SELECT key FROM responses")}


def interrupt(workplace: Workplace, number: signal.Signals) -> subprocess.Popen[str]:
    """Start a long run, and send it a signal when some responses are stored but not all.

    The run does not inherit that SIGHUP is ignored, as it is where the tests run by nohup.
    """
    process = subprocess.Popen(
        workplace.command("run", "-m", "builtin:checkpoint?pack_size=8&slots=1", "-t", "toy-*",
                          "--tasks-dir", "plugins"),
        cwd=workplace.folder, env=workplace.environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
        preexec_fn=partial(signal.signal, signal.SIGHUP, signal.SIG_DFL),
    )  # fmt: skip
    while process.poll() is None and not stored(workplace):
        time.sleep(0.05)
    process.send_signal(number)
    return process
