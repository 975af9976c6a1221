"""Kills a run again and again, and checks that it ends as an undisturbed one.

Each round runs one command in a fresh folder, kills it (SIGKILL) after a random time, and starts it
again until it ends by itself. Its results must then equal those of the run that nobody killed, but
for what it cost. Rounds and seed are arguments; the first difference ends with status 1.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

RUN = (
    *(sys.executable, "-m", "evalharness", "run", "-m", "builtin:smollm2-135m-instruct"),
    *("-t", "openbookqa,starter-pairs,starter-summaries", "--limit", "12"),
)
# What depends on the machine and the moment, not on the answers.
VARYING = ("cost", "load_seconds")


def results(folder: Path) -> dict[str, Any]:
    """The one results.json below a folder, without what may differ."""
    (path,) = folder.glob("*/results.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    kept: dict[str, Any] = _without_varying(found)
    return kept


def _without_varying(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_varying(inner) for key, inner in value.items() if key not in VARYING}


def run_until_it_ends(folder: Path, generator: random.Random, seconds: float) -> int:
    """Start and kill until the run ends by itself; returns how often it was killed."""
    killed = 0
    while True:
        with subprocess.Popen(
            [*RUN, "-o", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                # Later kills come later, so that every round ends.
                status = process.wait(generator.uniform(0.0, seconds) * (1 + killed / 4))
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
                continue
        if status != 0:
            raise click.ClickException(f"the run ended with status {status} in {folder}")
        return killed


@click.command()
@click.option("--rounds", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def main(rounds: int, seed: int) -> None:
    """Kill runs and compare what they end with."""
    generator = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        undisturbed = Path(name) / "undisturbed"
        started = time.monotonic()
        subprocess.run([*RUN, "-o", str(undisturbed)], check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - started
        expected = results(undisturbed)
        for number in range(1, rounds + 1):
            folder = Path(name) / f"round-{number}"
            killed = run_until_it_ends(folder, generator, seconds)
            if results(folder) != expected:
                raise click.ClickException(f"round {number}: the results differ (seed {seed})")
            click.echo(f"round {number} of {rounds}: killed {killed} times, the same results")


if __name__ == "__main__":
    main()
