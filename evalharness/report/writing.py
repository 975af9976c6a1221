"""Texts written so that Markdown, LaTeX, spreadsheets and scripts have them as they are."""

import json
from collections.abc import Sequence
from typing import Any

Marked = tuple[str, bool]
"""A text, and whether it is bold."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LATEX = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "†": r"\textdagger{}",
    "±": r"$\pm$",
    "–": "--",
    "\N{MINUS SIGN}": "$-$",
    "\n": " ",
}


def guarded(text: str) -> str:
    """A text of a CSV cell that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def inert_json(value: Any) -> str:
    """JSON for a script element, inside which only "<" could end it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def in_markdown(text: str) -> str:
    """A text on one line, with what Markdown would take for markup escaped."""
    for character in "\\`*_{}[]<>#|~":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")


def in_latex(text: str) -> str:
    """A text on one line, with what LaTeX would take for commands escaped."""
    return "".join(_LATEX.get(character, character) for character in text)


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[Marked]], *, texts: int = 1
) -> str:
    """A table; all columns but the first, or so many of `texts`, stand on the right."""

    def cell(text: str, bold: bool) -> str:
        return f"**{in_markdown(text)}**" if bold else in_markdown(text)

    lines = [
        " | ".join(map(in_markdown, header)),
        " | ".join([*["---"] * texts, *["---:"] * (len(header) - texts)]),
        *(" | ".join(cell(text, bold) for text, bold in row) for row in rows),
    ]
    return "".join(f"| {line} |\n" for line in lines)


def latex_table(header: Sequence[str], rows: Sequence[Sequence[Marked]], *, texts: int = 1) -> str:
    """A table in the style of booktabs, which the document has to load; columns as in Markdown."""

    def cell(text: str, bold: bool) -> str:
        return rf"\textbf{{{in_latex(text)}}}" if bold else in_latex(text)

    lines = [
        rf"\begin{{tabular}}{{{'l' * texts}{'r' * (len(header) - texts)}}}",
        r"\toprule",
        " & ".join(map(in_latex, header)) + r" \\",
        r"\midrule",
        *(" & ".join(cell(text, bold) for text, bold in row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "% Needs \\usepackage{booktabs}.\n" + "\n".join(lines) + "\n"
