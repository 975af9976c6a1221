"""Ways to find the answer in what a model wrote; a task names the one it uses."""

import re


def whole_text(text: str) -> str:
    """Everything, without white space around it."""
    return text.strip()


def first_line(text: str) -> str:
    """The first line that is not blank."""
    return whole_text(text).partition("\n")[0].rstrip()


def first_paragraph(text: str) -> str:
    """Everything up to the first blank line after the text has begun."""
    return re.split(r"\n\s*\n", whole_text(text), maxsplit=1)[0].rstrip()
