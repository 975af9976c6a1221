"""What `models list` and `models show` print."""

import json
from typing import Any

import click

from evalharness.report.text import size, spelled_out

_NOT_STATED = "not stated"


def print_catalogue(output_format: str) -> None:
    """The models that come as wheels from the package index."""
    from evalharness.backends.catalogue import CATALOGUE

    rows = [
        {
            "name": name,
            "spec": f"builtin:{name}",
            "file": model.file.name,
            "licence": model.licence,
            "accept_licence": model.terms.word if model.terms else None,
        }
        for name, model in CATALOGUE.items()
    ]
    if output_format == "json":
        click.echo(json.dumps(rows, indent=1))
        return
    width = max(len(str(row["spec"])) for row in rows)
    for row in rows:
        asked = f", accept_licence={row['accept_licence']}" if row["accept_licence"] else ""
        click.echo(f"{row['spec']:<{width}}  {row['licence']}{asked} ({row['file']})")


def print_model(spec: str, output_format: str) -> None:
    """A model and its files. Raises what open_backend raises."""
    from evalharness.backends.description import describe

    found = describe(spec)
    model = found.model
    facts: dict[str, Any] = {
        "spec": model.spec,
        "name": model.name,
        "fingerprint": model.fingerprint,
        "architecture": model.architecture,
        "parameters": model.parameters or None,
        "context_length": model.max_length or None,
        "dtype": model.dtype,
        "device": model.device,
    }
    if found.folder is not None:
        facts |= {
            "quantisation": model.quantisation or "none",
            "chat_template": found.has_chat_template,
            "licence": found.licence or None,
            "folder": str(found.folder),
            "files": [
                {"name": file.name, "bytes": file.bytes, "sha256": file.sha256}
                for file in found.files
            ],
        }
    if output_format == "json":
        click.echo(json.dumps(facts, indent=1))
    else:
        _print_facts(facts)


def _print_facts(facts: dict[str, Any]) -> None:
    files = facts.pop("files", [])
    for key, value in facts.items():
        click.echo(spelled_out(f"{key.replace('_', ' ') + ':':<16}{_shown(value)}"))
    for file in files:
        click.echo(spelled_out(f"{'file:':<16}{file['name']}, {size(file['bytes'])}"))
        click.echo(f"{'':<16}sha256 {file['sha256']}")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "none"
    if value is None:
        return _NOT_STATED
    return f"{value:,}" if isinstance(value, int) else str(value)
