"""From the reference in a model spec to a checkpoint folder, and to its fingerprint."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalharness.backends.catalogue import CATALOGUE, catalogue_folder
from evalharness.cache import cache_folder, file_digest
from evalharness.errors import DataError, UsageError, did_you_mean
from evalharness.transformer.gguf import converted

# Settings, tokenizer and templates; the weights are what weight_files() finds.
_DESCRIPTION = ("*.json", "*.jinja", "additional_chat_templates/*.jinja")
# The card says under which licence the model is; no answer depends on it.
CARD = "README.md"
_FETCHED = (*_DESCRIPTION, CARD)


def find_checkpoint(
    reference: str,
    revision: str | None = None,
    accepted_licence: str | None = None,
    also: Sequence[str] = (),
) -> Path:
    """The folder of a checkpoint: config.json, tokenizer.json, *.safetensors (or pickled weights).

    reference: a name of the catalogue, a folder, a .gguf file, or a hub id. also: patterns of
    further files to fetch from the hub. Raises UsageError when it is none of these or a licence has
    to be accepted first, and DataError when it cannot be fetched or read.
    """
    if reference in CATALOGUE:
        return catalogue_folder(reference, accepted_licence)
    if accepted_licence is not None:
        asking = ", ".join(name for name, model in CATALOGUE.items() if model.terms)
        raise UsageError(
            f"accept_licence={accepted_licence}: only models of the catalogue ask for that "
            f"({asking}), and {reference!r} is not one of them."
        )
    path = Path(reference).expanduser()
    if path.is_dir():
        return path
    if path.suffix == ".gguf":
        if not path.is_file():
            raise DataError(f"there is no file {path}.{_nearest(path)}")
        return _from_gguf(path)
    if reference.count("/") == 1 and not path.is_absolute() and not reference.startswith("."):
        return _from_hub(reference, revision, [*_FETCHED, *also])
    raise UsageError(
        f"there is no checkpoint {reference!r}: it is no folder, no .gguf file, no hub id "
        f"(OWNER/NAME) and not in the catalogue ({', '.join(CATALOGUE)})."
        f"{did_you_mean(reference, CATALOGUE) or _nearest(path)}"
    )


def find_adapter(path: Path) -> Path:
    """The folder of an adapter. Raises DataError when there is none."""
    folder = path.expanduser()
    if not folder.is_dir():
        raise DataError(f"adapter: there is no folder {folder}.{_nearest(folder)}")
    return folder


def _nearest(path: Path) -> str:
    """The question whether its nearest sibling is meant by the part of a path that is missing."""
    while not path.parent.is_dir() and path.parent != path:
        path = path.parent
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return ""
    return did_you_mean(path.name, names)


def _from_gguf(path: Path) -> Path:
    return converted(path, file_digest(path), cache_folder())


def _from_hub(reference: str, revision: str | None, described: Sequence[str]) -> Path:
    from huggingface_hub.errors import HFValidationError

    try:
        folder = _fetched(reference, revision, ["*.safetensors", *described])
        if not any(folder.glob("*.safetensors")):  # pickled weights are of before safetensors
            folder = _fetched(reference, revision, ["pytorch_model*.bin", *described])
    except HFValidationError as error:
        raise UsageError(f"{reference!r} is no folder here and no valid hub id: {error}.") from None
    except Exception as error:  # the network fails in many ways, none of which is ours to mend
        raise DataError(
            f"the checkpoint {reference!r} is no folder here and could not be fetched from the hub "
            f"({type(error).__name__}). Give a folder or a .gguf file, or one of the catalogue: "
            f"{', '.join(CATALOGUE)}.{_nearest(Path(reference))}"
        ) from None
    return folder


def _fetched(reference: str, revision: str | None, patterns: list[str]) -> Path:
    """Files of a hub id, but for what some repositories hold a second time in another form."""
    from huggingface_hub import snapshot_download

    others = ["consolidated*", "original/*", "onnx/*"]
    return Path(
        snapshot_download(
            reference, revision=revision, allow_patterns=patterns, ignore_patterns=others
        )
    )


def description_files(folder: Path, also: Sequence[str] = ()) -> list[Path]:
    """All files of a checkpoint but its weights; `also` are patterns of further ones."""
    return sorted({path for pattern in (*_DESCRIPTION, *also) for path in folder.glob(pattern)})


def digests(folder: Path, files: Iterable[Path]) -> dict[str, str]:
    """sha256 of each file by its path in the folder. Raises DataError for one that is not there."""
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


@dataclass(frozen=True, slots=True)
class MappedFile:
    """A file whose bytes are still being read, as it was when they were first looked at."""

    path: Path
    inode: int
    size: int
    modified: int  # nanoseconds

    @classmethod
    def of(cls, path: Path) -> "MappedFile":
        status = path.stat()
        return cls(path, status.st_ino, status.st_size, status.st_mtime_ns)

    def is_overwritten(self) -> bool:
        """Was it written to in its place?

        Where another file has its name by now, or none, its own bytes are as they were.
        """
        try:
            now = MappedFile.of(self.path)
        except OSError:
            return False
        return now.inode == self.inode and now != self


def fingerprint(files: Mapping[str, str], settings: Mapping[str, str]) -> str:
    """sha256 over the digests of all checkpoint files and over `settings` that change answers."""
    content = {"files": dict(files), **settings}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
