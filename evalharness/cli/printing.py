"""Lines for people, on either stream."""

import click

from evalharness.report.text import spelled_out


def say(text: str) -> None:
    """To stderr, with the hidden characters of strangers spelled out."""
    click.echo(spelled_out(text), err=True)


def show(text: str) -> None:
    """To stdout, with the hidden characters of strangers spelled out."""
    click.echo(spelled_out(text))
