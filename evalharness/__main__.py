"""`python -m evalharness` is the command `evalharness`."""

from evalharness.cli import main

main()
