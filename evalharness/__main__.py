"""`python -m evalharness` is the command `evalharness`."""

import sys


def main() -> None:
    """The command, from its first import on: Ctrl-C before it has begun is no error either."""
    try:
        from evalharness.cli import main as command_line
    except KeyboardInterrupt:
        print("interrupted before anything was begun", file=sys.stderr)
        sys.exit(130)
    command_line()


if __name__ == "__main__":
    main()
