"""What is known of a model without computing anything: its fingerprint, files and licence."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evalharness.backends import open_backend
from evalharness.backends.catalogue import CATALOGUE
from evalharness.backends.checkpoint import CARD
from evalharness.backends.checkpoint_backend import CheckpointBackend
from evalharness.backends.spec import parse_spec
from evalharness.records import Model
from evalharness.transformer.gguf.reading import read_gguf

_LONGEST = 200  # characters of a licence's name


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file that the fingerprint covers, by its path in the folder."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """A model, and its checkpoint where it has one: else there is no folder and no file.

    `licence` is what the checkpoint or the catalogue says; "" where neither does.
    """

    model: Model
    folder: Path | None = None
    files: tuple[ModelFile, ...] = ()
    has_chat_template: bool = False
    licence: str = ""


def describe(spec: str) -> ModelDescription:
    """Open the model that a spec names and look at its files. Raises what open_backend raises."""
    backend = open_backend(spec)
    if not isinstance(backend, CheckpointBackend):
        return ModelDescription(backend.model)
    files = [(name, backend.folder / name, digest) for name, digest in backend.files.items()]
    return ModelDescription(
        model=backend.model,
        folder=backend.folder,
        files=tuple(
            # A template that an option names lies elsewhere.
            ModelFile(name, path.stat().st_size if path.exists() else 0, digest)
            for name, path, digest in sorted(files)
        ),
        has_chat_template=backend.has_chat_template,
        licence=licence_of(parse_spec(spec).reference, backend.folder),
    )


def licence_of(reference: str, folder: Path) -> str:
    """The licence by the catalogue, by a GGUF file's metadata, or by the card; "" by none."""
    if reference in CATALOGUE:
        return CATALOGUE[reference].licence
    path = Path(reference).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return _text(read_gguf(path).metadata.get("general.license"))
    return _licence_of_card(folder / CARD)


def _licence_of_card(path: Path) -> str:
    """What the front matter of a model card says: https://huggingface.co/docs/hub/model-cards."""
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    start, fence, rest = content.partition("---\n")
    front, closing, _ = rest.partition("\n---")
    if start.strip() or not fence or not closing:
        return ""
    try:
        values = yaml.safe_load(front)
    except (yaml.YAMLError, ValueError, RecursionError):
        return ""
    if not isinstance(values, dict):
        return ""
    name, own = _text(values.get("license")), _text(values.get("license_name"))
    return f"{name} ({own})" if name == "other" and own else name


def _text(value: Any) -> str:
    """A licence's name, or several; whatever else a stranger put there is none."""
    names = value if isinstance(value, list) else [value]
    return ", ".join(name for name in names if isinstance(name, str))[:_LONGEST]
