"""Small but valid wheels, in a folder that is all the package index there is."""

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from evalharness.sources import Wheel

WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder which is the only place that pip looks in."""
    index = tmp_path / "index"
    index.mkdir(exist_ok=True)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return index


def build_wheel(folder: Path, files: Mapping[str, str | bytes], name: str = "toy-data") -> Wheel:
    """A wheel of version 1.0 in `folder`."""
    base = name.replace("-", "_")
    information = {
        f"{base}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{base}-1.0.dist-info/WHEEL": WHEEL,
    }
    path = folder / f"{base}-1.0-py3-none-any.whl"
    record = ""
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in {**files, **information}.items():
            written = content.encode() if isinstance(content, str) else content
            archive.writestr(file, written)
            digest = base64.urlsafe_b64encode(hashlib.sha256(written).digest())
            record += f"{file},sha256={digest.decode().rstrip('=')},{len(written)}\n"
        archive.writestr(f"{base}-1.0.dist-info/RECORD", record)
    return Wheel(name, "1.0", hashlib.sha256(path.read_bytes()).hexdigest())
