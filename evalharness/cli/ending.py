"""How a command ends: its exit status, and what it says when it is stopped or fails."""

import os
import shlex
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

INTERNAL_ERROR = 1
USAGE = 2
OF_SIGNAL = 128
PIPE_CLOSED = OF_SIGNAL + signal.SIGPIPE
_STOPPING = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    signal.SIGHUP: "the terminal is gone",
}


class _Stop(KeyboardInterrupt):
    """A signal that asks the process to end, raised wherever it is, so that all is tidied up."""


class _Signals:
    """Turns the first signal that stops the process into _Stop, and remembers which it was."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        for number in _STOPPING:
            # nohup and shells in the background ignore signals on purpose.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._stop)

    def _stop(self, number: int, _: FrameType | None) -> None:
        # The terminal's end is told by a SIGHUP to each process of it: others may follow.
        first = self.received is None
        self.received = signal.Signals(number)
        if first or number == signal.SIGINT:
            raise _Stop


def own_command() -> list[str]:
    """How this process was called, so that a printed command is found by the shell."""
    called = sys.argv[0]
    if Path(called).name == "__main__.py":
        return [sys.executable, "-m", "evalharness"]
    name = Path(called).name
    return [name if shutil.which(name) == called else called]


def main() -> None:
    """Run the command line and end the process with the exit status of docs/architecture.md."""
    signals = _Signals()
    try:
        status = _run(sys.argv[1:])
    except BaseException:
        if signals.received is None:
            raise
        status = _stopped(signals.received)
    if signals.received is not None:
        status = OF_SIGNAL + signals.received
    sys.exit(status)


def _stopped(received: signal.Signals) -> int:
    resume = shlex.join([*own_command(), *sys.argv[1:]])
    _tell(f"{_STOPPING[received]}; what was answered is stored. To go on: {resume}")
    return OF_SIGNAL + received


def _run(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit status of what can be said in words."""
    import click

    from evalharness.cli.commands import cli

    debug = "--debug" in arguments
    try:
        _check(arguments)
        result = cli.main(list(arguments), prog_name="evalharness", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort as error:
        # click's own word for a signal; the signal itself is known.
        raise KeyboardInterrupt from error
    except Exception as error:
        return say_error(error, debug=debug)
    # click returns the status of --help and --version, else what the command returns.
    return result if isinstance(result, int) else 0


def _check(arguments: Sequence[str]) -> None:
    from evalharness.errors import UsageError

    for argument in arguments:
        try:
            argument.encode("utf-8")
        except UnicodeEncodeError:
            raise UsageError(
                f"the argument {argument!r} is not valid UTF-8; rename what it names, or give "
                "another."
            ) from None


def silence_stdout() -> None:
    """Whoever read the output has read enough: what is left in buffers goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say_error(error: Exception, *, debug: bool, about: str = "") -> int:
    """Say what went wrong on stderr, after `about`; returns the exit status that it has."""
    from evalharness.errors import EvalharnessError

    if debug:
        import traceback

        _tell("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, EvalharnessError):
        _tell(f"error: {about}{error}")
        return error.exit_code
    if isinstance(error, OSError) and error.filename is not None:
        _tell(
            f"error: {about}{error.filename!s}: {error.strerror}. Check that the name is right, "
            "that you may read or write it, and that the disk is not full."
        )
        return USAGE
    command = shlex.join([*own_command(), "--debug"])
    _tell(
        f"internal error: {about}{type(error).__name__}: {error}. This is a defect of "
        f"evalharness; run the command again with --debug before it ({command} ...) and report "
        "what it prints. Answers that were computed are stored."
    )
    return INTERNAL_ERROR


def _tell(text: str) -> None:
    """Say it on stderr, if there still is one; strangers' characters are spelled out."""
    from evalharness.report.text import spelled_out

    try:
        print(spelled_out(text), file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
