"""Ctrl-C and SIGTERM while a server is asked: the process ends, and keeps what was answered."""

import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backends import faulty_server
from tests.backends.faulty_server import Call, Reply, error, honest
from tests.plugins import write_plugin

ANSWERED = 10
SAMPLES = 60
# Longer than any test may take: what is on its way is not waited for.
HELD = 3600.0


def held(_: Call) -> Reply:
    return Reply(seconds=HELD)


def told_to_wait(_: Call) -> Reply:
    return error(429, "slow down", **{"retry-after": "500"})


def start(folder: Path, spec: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "evalharness", "run", "-m", spec, "-t", "toy-answer", "--chat",
         "off", "--tasks-dir", "plugins"],
        cwd=folder, env={**os.environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def stored(folder: Path) -> int:
    path = folder / "runs" / "responses.sqlite"
    if not path.exists():
        return 0
    with sqlite3.connect(path, timeout=30) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            return 0
        return int(connection.execute("SELECT count(*) FROM responses").fetchone()[0])


def ended(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """What a process says on stderr after a signal, which must end it."""
    process.send_signal(number)
    try:
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 128 + number, errors
    assert "Traceback" not in errors
    assert "what was answered is stored. To go on: " in errors
    return errors


@pytest.mark.parametrize(
    ("number", "rest"),
    [(signal.SIGINT, held), (signal.SIGINT, told_to_wait), (signal.SIGTERM, held)],
)
def test_a_signal_ends_a_run_with_many_requests_on_their_way(
    tmp_path: Path, number: signal.Signals, rest: Callable[[Call], Reply]
) -> None:
    """Ten are answered, fifty are waited for; what was answered is not asked again."""
    write_plugin(tmp_path / "plugins", samples=SAMPLES)
    count = itertools.count()

    def behaviour(call: Call) -> Reply:
        if "Question" in str(call.body) and next(count) >= ANSWERED:
            return rest(call)
        return honest(call)

    with faulty_server.running() as server:
        server.behaviour = behaviour
        process = start(tmp_path, server.spec("concurrency=50"))
        while process.poll() is None and stored(tmp_path) < ANSWERED:
            time.sleep(0.05)
        ended(process, number)
        assert stored(tmp_path) == ANSWERED
        server.behaviour = honest
        server.calls.clear()
        again = start(tmp_path, server.spec("concurrency=50"))
        _, errors = again.communicate()
        assert again.returncode == 0, errors
        assert len(server.asked()) == SAMPLES - ANSWERED
    (results,) = (tmp_path / "runs").glob("*/results.json")
    assert json.loads(results.read_text())["tasks"]["toy-answer"]["cost"]["from_store"] == ANSWERED


def test_a_signal_ends_the_wait_for_a_server_that_does_not_answer_at_all(tmp_path: Path) -> None:
    write_plugin(tmp_path / "plugins", samples=2)
    with faulty_server.running() as server:
        server.behaviour = held
        process = start(tmp_path, server.spec())
        while process.poll() is None and not server.calls:
            time.sleep(0.05)
        assert "interrupted" in ended(process, signal.SIGINT)
    assert not (tmp_path / "runs").exists()
