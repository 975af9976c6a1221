"""Timings of single functions: runs test_speed.py and reads what pytest-benchmark wrote."""

import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.processes import run
from benchmarks.records import Machine, Timing, TimingsRow

SPEED_TESTS = Path(__file__).parent / "test_speed.py"


def measure_timings(function: str, machine: Machine) -> TimingsRow:
    """Time test_FUNCTION at all its sizes."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "timings.json"
        run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                *(str(SPEED_TESTS), "-k", f"test_{function}", f"--benchmark-json={written}"),
            ]
        )
        unit, timings = read_timings(written.read_text(encoding="utf-8"))
    return TimingsRow(measured=datetime.now(UTC), machine=machine, unit=unit, timings=timings)


def read_timings(text: str) -> tuple[str, dict[int, Timing]]:
    """What is counted, and a timing for each number of it, from pytest-benchmark's JSON.

    A test has one parameter: its name says what is counted, its values how many.
    """
    units, timings = set(), {}
    for benchmark in json.loads(text)["benchmarks"]:
        ((unit, size),) = benchmark["params"].items()
        units.add(unit)
        stats = benchmark["stats"]
        timings[int(size)] = Timing(seconds=stats["median"], rounds=stats["rounds"])
    (unit,) = units
    return unit, timings
