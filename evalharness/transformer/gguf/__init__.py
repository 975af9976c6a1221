"""GGUF files: converted once into a folder as transformers writes one.

The folder has config.json, tokenizer.json with its settings, and *.safetensors; `architectures`
says by tables which GGUF names become which of transformers'.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

import torch
from filelock import FileLock

from evalharness.cache import writing_to_the_cache
from evalharness.transformer.gguf.configuration import architecture_of, configuration
from evalharness.transformer.gguf.reading import read_gguf
from evalharness.transformer.gguf.tokenizer import write_tokenizer
from evalharness.transformer.gguf.weights import find_weights, quantisation, write_weights

# Raised when a change of this package changes what a conversion gives.
CONVERTER_VERSION = 3
# Beside the files that transformers reads, which it must not change.
_QUANTISATION = "quantisation.txt"


def converted_folder(digest: str, cache: Path) -> Path:
    """Where the converted form of the GGUF file with the sha256 `digest` is, or will be."""
    return cache / "converted" / f"{digest[:24]}-{CONVERTER_VERSION}"


def converted(path: Path, digest: str, cache: Path) -> Path:
    """The folder with the converted form of the GGUF file `path`, whose sha256 is `digest`.

    It is made in `cache` when it is not there yet; two processes may ask at once. Raises DataError
    for a damaged file and for one that cannot be converted.
    """
    folder = converted_folder(digest, cache)
    if folder.exists():
        return folder
    with writing_to_the_cache():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
                try:
                    _convert(path, unfinished)
                    _let_all_read(unfinished)
                    os.replace(unfinished, folder)
                finally:
                    shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _convert(path: Path, folder: Path) -> None:
    """Convert; what is quick and may be refused comes first."""
    file = read_gguf(path)
    architecture = architecture_of(file)
    config = configuration(file, architecture)
    weights = find_weights(file, architecture, config)
    write_tokenizer(file, folder)
    write_weights(file, weights, config, folder)
    dtypes = {weight.dtype for weight in weights if len(weight.tensor.shape) > 1}
    dtype = dtypes.pop() if len(dtypes) == 1 else torch.float32
    config["dtype"] = str(dtype).removeprefix("torch.")
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    (folder / _QUANTISATION).write_text(quantisation(file), encoding="utf-8")


def quantisation_before(folder: Path) -> str:
    """How the weights of the GGUF file were quantised of which the folder was made; "" if not."""
    path = folder / _QUANTISATION
    kinds = path.read_text(encoding="utf-8") if path.exists() else ""
    return f"GGUF {kinds}" if kinds else ""


def _let_all_read(folder: Path) -> None:
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)
