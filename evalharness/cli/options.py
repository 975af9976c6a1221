"""Options and behaviour that several commands share."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from evalharness.cli.ending import PIPE_CLOSED, silence_stdout
from evalharness.errors import DataError, did_you_mean

tasks_dir_option = click.option(
    "--tasks-dir",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Another folder with task plugins; may be given several times.",
)
data_option = click.option(
    "--data",
    multiple=True,
    metavar="TASK=PLACE",
    help="Data from elsewhere: a file, a folder, or a place that the task knows (tasks show); "
    "src=FILE,ref=FILE for a task that has no data of its own. May be given several times.",
)
format_option = click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
)


def _shares(
    _context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, float]:
    from evalharness.validity import read_share

    return dict(read_share(one) for one in given)


warn_above_option = click.option(
    "--warn-above",
    multiple=True,
    callback=_shares,
    metavar="NAME=SHARE",
    help="Warn of a task when more than this share of its samples is failed, truncated, "
    "lost_shots, unfinished, unfinished_thinking, empty, unparsed, looped or doubled_start. "
    "May be given several times.",
)
_CHAT_OPTIONS = (
    click.option(
        "--chat",
        type=click.Choice(["auto", "on", "off"]),
        help="Which prompts go through the chat template of a model that has one: those that ask "
        "for a text (auto), which leaves multiple choice in plain text as published figures are; "
        "all, which a model must have a template for (on); none (off).  [default: auto]",
    ),
    click.option(
        "--system-prompt", metavar="TEXT", help="The first turn of every chat; @FILE reads a file."
    ),
    click.option(
        "--fewshot-as",
        type=click.Choice(["turns", "text"]),
        help="In chats, few-shot examples are turns of their own, or text before the question.  "
        "[default: turns]",
    ),
)
_Command = TypeVar("_Command", bound=Callable[..., Any])


def chat_options(command: _Command) -> _Command:
    """What says how prompts become chats."""
    for option in reversed(_CHAT_OPTIONS):
        command = option(command)
    return command


def read_system_prompt(given: dict[str, Any]) -> dict[str, Any]:
    """The options with the text of the file that @FILE names. Raises DataError if it has none."""
    name = given.get("system_prompt") or ""
    if not name.startswith("@"):
        return given
    try:
        text = Path(name[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"option --system-prompt: the file {name[1:]!r} cannot be read: {error}."
        ) from None
    return {**given, "system_prompt": text.strip()}


class NamingGroup(click.Group):
    """A group that names the nearest command, and options likewise (which click does itself)."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            commands = self.list_commands(ctx)
            hint = did_you_mean(name, commands)
            raise click.UsageError(
                f"there is no command {name!r}; commands are {', '.join(commands)}.{hint}", ctx
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """A closed pipe is told apart from errors, which click would not do."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            silence_stdout()
            raise click.exceptions.Exit(PIPE_CLOSED) from None
        return result
