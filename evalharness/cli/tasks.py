"""What the commands about tasks print."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import get_args

import click

from evalharness.checks.plugin import check_plugins
from evalharness.cli.printing import say, show
from evalharness.discovery import Catalogue, find_tasks
from evalharness.errors import UsageError, did_you_mean
from evalharness.new_task import new_task
from evalharness.records import Family, Task, TaskTemplate, Tokenizing
from evalharness.results import RunConfiguration
from evalharness.sources import is_here, place


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tasks are listed: names or globs, a family, a language, data that is here."""

    patterns: tuple[str, ...]
    family: str | None
    language: str | None
    here: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A task as it is listed; `size` 0 where the number of samples is not known before a run."""

    name: str
    family: str
    version: int | None
    languages: tuple[str, ...]
    size: int
    licence: str
    source: str
    here: bool
    alternatives: tuple[str, ...]
    metrics: tuple[str, ...]
    description: str


def print_tasks(wanted: Wanted, tasks_dir: Sequence[Path], output_format: str) -> None:
    """The tasks, and the plugins that could not be loaded.

    Raises UsageError for a family, a language or a name that no task has.
    """
    catalogue = find_tasks(tasks_dir)
    every = [*map(_listed, (one.task for one in catalogue.tasks.values())), *_templates(catalogue)]
    rows = [row for row in every if _is_wanted(row, wanted)]
    if not rows:
        raise UsageError(f"no task is like that.{_nearest(every, wanted)}")
    if output_format == "json":
        click.echo(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        _print_table(rows)
    for plugin in catalogue.broken:
        say(f"not loaded: {plugin.path}: {plugin.error}")


def _listed(task: Task) -> Listed:
    return Listed(
        name=task.name,
        family=task.family,
        version=task.version,
        languages=tuple(task.languages),
        size=task.size,
        licence=task.licence,
        source=place(task.data),
        here=is_here(task.data),
        alternatives=tuple(one.name for one in task.alternatives),
        metrics=tuple(metric.name for metric in task.metrics),
        description=task.description,
    )


def _templates(catalogue: Catalogue) -> Iterator[Listed]:
    """A template is one line, which shows what stands for the argument and an example."""
    for found in catalogue.templates.values():
        template: TaskTemplate = found.template
        yield Listed(
            name=f"{template.name}:{template.argument}",
            family=template.family,
            version=None,
            languages=(),
            size=0,
            licence="",
            source="",
            here=False,
            alternatives=(),
            metrics=(),
            description=f"{template.description} Such as {template.name}:{template.examples[0]}.",
        )


def _is_wanted(row: Listed, wanted: Wanted) -> bool:
    names = (row.name, f"{row.family}/{row.name}")
    return (
        (
            not wanted.patterns
            or any(fnmatchcase(name, one) for name in names for one in wanted.patterns)
        )
        and wanted.family in (None, row.family)
        and (wanted.language is None or wanted.language in row.languages)
        and (row.here or not wanted.here)
    )


def _nearest(rows: Sequence[Listed], wanted: Wanted) -> str:
    """A hint for the first filter that matches nothing by itself."""
    if wanted.family is not None and wanted.family not in get_args(Family):
        return did_you_mean(wanted.family, get_args(Family))
    languages = {code for row in rows for code in row.languages}
    if wanted.language is not None and wanted.language not in languages:
        return did_you_mean(wanted.language, languages)
    return "".join(did_you_mean(one, [row.name for row in rows]) for one in wanted.patterns)


def _print_table(rows: Sequence[Listed]) -> None:
    """One line a task, since a table with every column is wider than terminals are."""
    width = max(len(row.name) for row in rows)
    for family in sorted({row.family for row in rows}):
        show(family)
        for row in rows:
            if row.family == family:
                show(f"  {row.name:<{width}}  {row.description}")
                if facts := _facts(row):
                    show(f"  {'':<{width}}  {facts}")


def _facts(row: Listed) -> str:
    if row.version is None:
        return ""
    size = f"{row.size:,} samples" if row.size else ""
    fetched = "data is here" if row.here else "data must be fetched"
    other = f"or --data {row.name}={'|'.join(row.alternatives)}" if row.alternatives else ""
    facts = (f"v{row.version}", " ".join(row.languages), size, row.licence, row.source, fetched)
    return " · ".join(fact for fact in (*facts, other) if fact)


def print_task(name: str, tasks_dir: Sequence[Path], output_format: str) -> None:
    """What one task is. Raises UsageError when there is none of this name."""
    found = find_tasks(tasks_dir).find(name)
    task = found.task
    facts = {
        "name": task.name,
        "family": task.family,
        "version": task.version,
        "description": task.description,
        "file": str(found.path),
        "data": place(task.data),
        "data is here": "yes" if is_here(task.data) else "no, it is fetched when it is first used",
        "other places": "; ".join(f"{one.name}: {place(one.data)}" for one in task.alternatives),
        "samples": task.size or "",
        "languages": ", ".join(task.languages),
        "licence": task.licence,
        "caveat": task.caveat,
        "content warning": task.content_warning,
        "metrics": ", ".join(metric.name for metric in task.metrics),
        "signatures": " ".join(metric.signature for metric in task.metrics if metric.signature),
        "few-shot examples": place(task.shots) if task.shots else "none",
    }
    if output_format == "json":
        click.echo(json.dumps(facts, indent=1))
        return
    for key, value in facts.items():
        if value:
            show(f"{key + ':':<19}{value}")


def print_preview(task: Task, configuration: RunConfiguration, model: str | None) -> None:
    """The first samples of a task, in plain text or as a model is given them."""
    from evalharness.backends import open_backend
    from evalharness.prompts.letters import as_asked
    from evalharness.prompts.preparation import prepare, render_plainly
    from evalharness.prompts.preview import Tokenize, no_tokens, preview

    prepared = prepare(
        task,
        limit=configuration.limit,
        num_fewshot=configuration.num_fewshot,
        seed=configuration.seed,
    )
    render = render_plainly
    tokenize: Tokenize = no_tokens
    if model is not None:
        backend = open_backend(model)
        (prepared,) = as_asked(backend, [prepared], configuration)
        render = backend.render
        if isinstance(backend, Tokenizing):
            tokenize = backend.pieces
    for sample in prepared.samples:
        show(preview(sample, render, tokenize))


def print_findings(path: Path) -> bool:
    """What a check of plugins found; returns whether all is well."""
    problems = 0
    for finding in check_plugins(path):
        verdict = "ok     " if finding.ok else "PROBLEM"
        show(f"{verdict} {finding.task}: {finding.name}: {finding.detail}")
        problems += not finding.ok
    show("all is well" if not problems else f"{problems} to mend")
    return not problems


def print_new(name: str, kind: str, output: Path) -> None:
    """Write a new task, and say what comes next."""
    for path in new_task(name, kind, output):
        show(str(path))
    say(
        f"next: evalharness tasks validate {output}; evalharness run -m baseline:random "
        f"-t {name} --tasks-dir {output}"
    )
