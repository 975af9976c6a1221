"""A report as one file, or as a folder of pages and data."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evalharness.errors import DataError, UsageError
from evalharness.report.evidence import Evidence
from evalharness.report.leaderboard import order_tasks
from evalharness.report.render import SINGLE_LINKS, SITE_LINKS, Renderer
from evalharness.report.sample_choice import choose, quota
from evalharness.report.sample_columns import FLAGS, task_samples
from evalharness.report.sample_data import Keep, PackedTask, pack_task
from evalharness.report.sample_tokens import STEPS, TokenRoom
from evalharness.report.text import amount, size
from evalharness.report.view import Page, build_page
from evalharness.report.writing import inert_json
from evalharness.run_folder import write_text

WARN_ABOVE = 3 * 2**20
REFUSE_ABOVE = 10 * 2**20
_LONGEST_IN_SINGLE = 4_000
_LONGEST_IN_SITE = 100_000
# Twenty thousand tokens with their alternatives are about three quarters of a megabyte once packed.
_MOST_TOKENS_IN_SINGLE = 20_000
_TOKENS_IN_SITE = TokenRoom(in_output=1_000, in_all=None)
_CONTENTS = "contents.txt"
_FIRST_LINE = "Files of a report by evalharness; it replaces them when it writes the report again."


@dataclass(frozen=True, slots=True)
class SamplesView:
    """What the sample pages need to begin.

    index    JSON for the script: tasks, models, and where the pieces are
    pieces   packed data that stands in the page itself, by name
    summary  how many samples of each task are here
    """

    index: str
    pieces: tuple[tuple[str, str], ...]
    summary: tuple[str, ...]
    notes: tuple[str, ...]


def write_single(
    path: Path, evidence: Evidence, *, title: str, theme: Path | None, any_size: bool
) -> str:
    """Write one file; returns a warning about its size, or "".

    Raises UsageError for a file that would be larger than REFUSE_ABOVE, unless any_size.
    """
    text = render_single(evidence, title=title, theme=theme)
    length = len(text.encode("utf-8"))
    if length > REFUSE_ABOVE and not any_size:
        raise UsageError(
            f"the report would be one file of {size(length)}, which few programs open gladly: "
            "write a folder with --layout site, or this file all the same with --any-size."
        )
    write_text(path, text)
    if length > WARN_ABOVE:
        return f"{path} has {size(length)}; --layout site opens faster"
    return ""


def render_single(evidence: Evidence, *, title: str, theme: Path | None = None) -> str:
    """One HTML page that fetches nothing; byte for byte the same for the same runs."""
    page = build_page(evidence, title)
    pieces: list[tuple[str, str]] = []

    def keep(data: str) -> str:
        name = f"piece-{len(pieces)}"
        pieces.append((name, data))
        return name

    names = _task_names(evidence)
    room = TokenRoom(in_output=200, in_all=_MOST_TOKENS_IN_SINGLE // max(1, len(names)))
    packed = list(_packed(evidence, keep, _LONGEST_IN_SINGLE, room, quota(len(names))))
    samples = _samples_view(packed, tuple(pieces))
    sections = ["leaderboard", "figures"]
    sections += ["comparison"] if page.comparison is not None else []
    sections += ["samples"] if packed else []
    sections += ["tasks", "models", "reading"]
    return Renderer(theme).render(
        sections,
        links=SINGLE_LINKS,
        shards=False,
        page=page,
        samples=samples,
        has_samples=bool(packed),
        tasks=page.tasks,
    )


def write_site(folder: Path, evidence: Evidence, *, title: str, theme: Path | None) -> None:
    """Write a folder of pages, in place of the report that may be there.

    Raises UsageError for a folder with other files, DataError when it cannot be written.
    """
    before = _check_folder(folder)
    renderer = Renderer(theme)
    page = build_page(evidence, title)
    written: dict[str, None] = {}

    def write(name: str, text: str) -> None:
        written[name] = None
        write_text(folder / name, text)

    def keep(data: str) -> str:
        name = hashlib.sha256(data.encode("ascii")).hexdigest()[:20]
        file = f"data/{name}.js"
        if file not in written:
            write(file, f'evalharnessShard("{name}","{data}");\n')
        return name

    packed = list(_packed(evidence, keep, _LONGEST_IN_SITE, _TOKENS_IN_SITE, None))
    samples = _samples_view(packed, ())
    for name, sections, tasks in _site_pages(page, bool(packed)):
        text = renderer.render(
            sections,
            links=SITE_LINKS,
            shards=True,
            page=page,
            samples=samples,
            has_samples=bool(packed),
            tasks=tasks,
        )
        write(name, text)
    for name in before:
        if name not in written:
            (folder / name).unlink(missing_ok=True)
    write_text(folder / _CONTENTS, "\n".join([_FIRST_LINE, *sorted(written)]) + "\n")


def _site_pages(page: Page, samples: bool) -> Iterator[tuple[str, list[str], Sequence[Any]]]:
    """The name of each page with its sections, and the tasks that it shows."""
    yield "index.html", ["leaderboard", "figures", "models", "reading"], ()
    if page.comparison is not None:
        yield SITE_LINKS.comparison, ["comparison"], ()
    if samples:
        yield SITE_LINKS.samples, ["samples"], ()
    for task in page.tasks:
        yield SITE_LINKS.task(task.anchor), ["tasks"], (task,)


def _check_folder(folder: Path) -> list[str]:
    """The files of the report that is there."""
    try:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"-o {folder} is a file; --layout site writes a folder.")
        if not folder.exists() or not any(folder.iterdir()):
            return []
        contents = folder / _CONTENTS
        lines = contents.read_text(encoding="utf-8").split("\n") if contents.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{folder} cannot be read: {error}.") from None
    if lines[:1] != [_FIRST_LINE]:
        raise UsageError(
            f"-o {folder} has files in it that are no report; name an empty or a new folder."
        )
    return [name for name in lines[1:] if name and ".." not in name and not name.startswith("/")]


# --- Samples -------------------------------------------------------------------------------------


def _task_names(evidence: Evidence) -> list[str]:
    return list(order_tasks(evidence.pairs()))


def _packed(
    evidence: Evidence, keep: Keep, longest: int, room: TokenRoom, most: int | None
) -> Iterator[PackedTask]:
    for name in _task_names(evidence):
        samples = task_samples(name, evidence.runs, evidence.catalogue)
        if samples is not None and samples.n:
            chosen = np.arange(samples.n) if most is None else choose(samples, most)
            yield pack_task(samples, chosen, longest=longest, room=room, keep=keep)


def _samples_view(packed: Sequence[PackedTask], pieces: tuple[tuple[str, str], ...]) -> SamplesView:
    total, shown = sum(task.total for task in packed), sum(task.shown for task in packed)
    summary = [f"{amount(shown)} of {amount(total)} samples."]
    if shown < total:
        summary.append(
            "Of tasks with more samples than fit here: samples that failed, those on which models "
            "disagree most, and a random remainder. The site layout has all of them."
        )
    surprising = sum(task.surprising for task in packed)
    with_tokens = sum(task.with_tokens for task in packed)
    if with_tokens < surprising:
        summary.append(
            f"Log-probabilities of single tokens are here for {amount(with_tokens)} of the "
            f"{amount(surprising)} samples that have them. The site layout has all of them."
        )
    tasks = [
        {key: value for key, value in asdict(task).items() if key != "notes"} for task in packed
    ]
    index = inert_json({"flags": FLAGS, "steps": STEPS, "tasks": tasks})
    notes = dict.fromkeys(note for task in packed for note in task.notes)
    return SamplesView(index, pieces, tuple(summary), tuple(notes))
