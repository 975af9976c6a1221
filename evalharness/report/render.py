"""Templates, styles and scripts to documents: one renderer for every layout."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalharness.discovery import bundled_folder
from evalharness.errors import UsageError, did_you_mean
from evalharness.report.cells import GLYPH_WIDTH

STYLE, SCRIPT = "style.css", "script.js"
# Scripts of single sections, which follow the common one, in the order in which they build on each
# other.
_SECTION_SCRIPTS = {
    "choices.js": {"leaderboard", "comparison"},
    "sample_pieces.js": {"samples"},
    "sample_order.js": {"samples"},
    "sample_texts.js": {"samples"},
    "sample_scores.js": {"samples"},
    "samples.js": {"samples"},
}


@dataclass(frozen=True, slots=True)
class Links:
    """Where the pages are, seen from each other: anchors of one file, or files of a folder."""

    leaderboard: str
    comparison: str
    samples: str
    _task: str

    def task(self, anchor: str) -> str:
        """Where a task is shown."""
        return self._task.format(anchor)

    def found_samples(self, query: str) -> str:
        """Where the samples are shown that a query asks for."""
        return f"{self.samples.partition('#')[0]}#sample?{query}"


SINGLE_LINKS = Links("#leaderboard", "#comparison", "#samples", "#{}")
SITE_LINKS = Links("index.html", "comparison.html", "samples.html", "{}.html")


class Renderer:
    """Renders documents from the project's templates, or a theme's where it has them."""

    def __init__(self, theme: Path | None = None) -> None:
        """Raises UsageError for a theme that is no folder, or has files that replace nothing."""
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        folder = bundled_folder("reports")
        if theme is not None:
            _check_theme(theme, folder)
        self._environment = Environment(
            loader=FileSystemLoader([folder] if theme is None else [theme, folder]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, sections: Sequence[str], *, links: Links, shards: bool, **values: Any) -> str:
        """One document of the sections, which are names of templates.

        The content security policy allows the page's own style and script by their hashes and, with
        `shards`, scripts from beside the page, and nothing else, so that hostile text could not run
        even if it were not escaped.
        """
        from jinja2 import TemplateError
        from markupsafe import Markup

        style = self._source(STYLE)
        script = self._source(SCRIPT)
        for name, needed_by in _SECTION_SCRIPTS.items():
            if needed_by.intersection(sections):
                script += self._source(name)
        try:
            return self._environment.get_template("page.html.j2").render(
                sections=[f"{name}.html.j2" for name in sections],
                links=links,
                # Both are files of this package or of the user's theme, not data.
                style=Markup(style),
                script=Markup(script),
                style_hash=_source_hash(style),
                script_hash=_source_hash(script),
                shard_source=" 'self' file:" if shards else "",
                glyph_width=f"{GLYPH_WIDTH:g}",
                **values,
            )
        except TemplateError as error:
            where = getattr(error, "name", None) or "a template"
            raise UsageError(f"--theme: {where} cannot be rendered: {error}.") from None

    def _source(self, name: str) -> str:
        assert self._environment.loader is not None
        return self._environment.loader.get_source(self._environment, name)[0]


def _check_theme(theme: Path, folder: Path) -> None:
    if not theme.is_dir():
        raise UsageError(f"--theme {theme}: there is no such folder.")
    known = {path.name for path in folder.iterdir()}
    for path in sorted(theme.iterdir()):
        if path.name not in known and not path.name.startswith("."):
            raise UsageError(
                f"--theme: {path} replaces nothing; a theme may have {', '.join(sorted(known))}."
                f"{did_you_mean(path.name, known)}"
            )


def _source_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
