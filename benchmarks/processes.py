"""Processes that measure: what they share, and how they are started and read."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import click
from pydantic import BaseModel

from benchmarks.work import WORKS
from evalharness.errors import EvalharnessError

# No process looks for a hub: nothing here needs one, and waiting for one would be counted.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
}
DEVICES = ("cpu", "cuda")
# Not 2, which a process ends with when it is called in a wrong way.
CANNOT_BE_USED = os.EX_UNAVAILABLE

_Answer = TypeVar("_Answer", bound=BaseModel)


class CannotBeUsedError(Exception):
    """The model or the data of a process cannot be opened; the message says why."""


class ProcessFailedError(Exception):
    """A process that measures ended with an error; the message ends with what it said last."""


@contextmanager
def printed_answer() -> Iterator[Callable[[BaseModel], None]]:
    """The caller's answer becomes the only thing on stdout; what libraries print goes to stderr.

    An EvalharnessError ends the process with the status CANNOT_BE_USED and its message on stderr.
    """
    answers: list[BaseModel] = []
    try:
        with redirect_stdout(sys.stderr):
            yield answers.append
    except EvalharnessError as error:
        print(error, file=sys.stderr)
        raise SystemExit(CANNOT_BE_USED) from None
    for answer in answers:
        print(answer.model_dump_json())


def ask(module: str, arguments: Sequence[str], answer: type[_Answer]) -> _Answer:
    """Run `python -m benchmarks.MODULE` and read its answer.

    Raises as `run` does.
    """
    printed = run([sys.executable, "-m", f"benchmarks.{module}", *arguments])
    return answer.model_validate_json(printed)


def run(command: Sequence[str], environment: Mapping[str, str] = MappingProxyType({})) -> str:
    """What a command prints to stdout.

    Raises CannotBeUsedError when it ended with CANNOT_BE_USED, ProcessFailedError for any other
    failure.
    """
    done = subprocess.run(
        list(command),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **OFFLINE, **environment},
    )
    if done.returncode == CANNOT_BE_USED:
        raise CannotBeUsedError(_last_line(done.stderr))
    if done.returncode:
        raise ProcessFailedError(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}"
        )
    return done.stdout


def measuring_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command line that every process which answers a piece of work has."""
    for decorate in (
        click.option("--dtype", default="float32", show_default=True),
        click.option("--device", type=click.Choice(DEVICES), default="cpu", show_default=True),
        click.option("--times", type=click.IntRange(min=1), default=1, show_default=True),
        click.argument("folder", type=click.Path(path_type=Path, exists=True)),
        click.argument("work", type=click.Choice(list(WORKS))),
    ):
        command = decorate(command)
    return command


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it does not say why"


def peak_bytes(device: str) -> int:
    """The most memory so far: allocated on the GPU, else resident in this process."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    return resident_bytes()


def resident_bytes() -> int:
    """The most memory that this process has had resident so far."""
    # Linux counts in kibibytes, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
