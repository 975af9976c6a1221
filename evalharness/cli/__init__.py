"""The command line: commands.py says what can be asked, suite.py runs it, ending.py ends it."""

from evalharness.cli.ending import main

__all__ = ["main"]
