"""Packed samples, unpacked again."""

import base64
import gzip
import json
from typing import Any

from evalharness.report.sample_data import PackedTask, Piece


def unpacked(data: str) -> bytes:
    return gzip.decompress(base64.b64decode(data))


class Kept:
    """Packed pieces by name."""

    def __init__(self) -> None:
        self.pieces: dict[str, str] = {}

    def __call__(self, data: str) -> str:
        self.pieces[str(len(self.pieces))] = data
        return str(len(self.pieces) - 1)

    def texts(self, packed: PackedTask) -> list[dict[str, Any]]:
        return self._items(packed.texts)

    def tokens(self, packed: PackedTask) -> list[Any]:
        return self._items(packed.tokens)

    def _items(self, pieces: tuple[Piece, ...]) -> list[Any]:
        return [item for piece in pieces for item in json.loads(unpacked(self.pieces[piece.name]))]
