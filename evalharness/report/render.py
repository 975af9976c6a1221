"""View models to one self-contained HTML page."""

import base64
import hashlib
from collections.abc import Sequence

from evalharness.discovery import bundled_folder
from evalharness.report.leaderboard import GLYPH_WIDTH, Run
from evalharness.report.view import build_page


def render_report(runs: Sequence[Run], *, title: str) -> str:
    """One HTML page that fetches nothing; byte for byte the same for the same runs.

    The content security policy allows the page's own style and script by their hashes and nothing
    else, so that hostile text could not run even if it were not escaped.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    folder = bundled_folder("reports")
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (folder / "style.css").read_text(encoding="utf-8")
    script = (folder / "script.js").read_text(encoding="utf-8")
    return environment.get_template("report.html.j2").render(
        page=build_page(runs, title),
        # Both are files of this package, not data.
        style=Markup(style),
        script=Markup(script),
        style_hash=_source_hash(style),
        script_hash=_source_hash(script),
        glyph_width=f"{GLYPH_WIDTH:g}",
    )


def _source_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
