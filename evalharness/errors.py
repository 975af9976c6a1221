"""Errors that a user can act on: each says what is wrong, where, and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class EvalharnessError(Exception):
    """Base of every error that is reported without a traceback.

    `exit_code` is what the command line ends with when this error reaches it.
    """

    exit_code = 1


class UsageError(EvalharnessError):
    """An option, a configuration file or a name that the user gave cannot be used."""

    exit_code = 2


class DataError(EvalharnessError):
    """A file, a data set, a row or a set of weights cannot be read or is not what it should be."""

    exit_code = 2


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest known name, or "" when none is near."""
    matches = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {matches[0]!r}?" if matches else ""
