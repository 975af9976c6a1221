"""config.json as a mapping that says what is wrong with a value, and where."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evalharness.errors import DataError

OTHER_WAY = "`hf:REF` in place of `builtin:REF` runs the checkpoint with transformers' own class."
LARGEST = sys.float_info.max
# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
_POINTER = b"version https://git-lfs."


class Values:
    """The values of one config.json; keys that it lacks have the defaults of their family."""

    def __init__(self, where: str, values: Mapping[str, Any]) -> None:
        """`where` is what errors call the place of the values."""
        self.where = where
        self._values = values

    @classmethod
    def read(cls, folder: Path) -> "Values":
        """Raises DataError when config.json is missing or damaged."""
        path = folder / "config.json"
        if not path.exists():
            raise DataError(
                f"{folder} has no config.json, so it is not a checkpoint folder. It should hold "
                "config.json, tokenizer.json and *.safetensors."
            )
        return cls.read_file(path)

    @classmethod
    def read_file(cls, path: Path) -> "Values":
        """The values of any file of settings. Raises DataError when it cannot be read."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path} is not valid JSON: {error}. {remedy(path)}") from None
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error}.") from None
        if not isinstance(values, dict):
            raise DataError(f"{path} should hold one JSON object. {remedy(path)}")
        return cls(str(path), values)

    def renamed(self, names: Mapping[str, str], defaults: Mapping[str, Any]) -> "Values":
        """The values under other names (`names`: ours -> the file's), with defaults below them."""
        kept = {key: value for key, value in self._values.items() if key not in names}
        present = {ours: self._values[own] for ours, own in names.items() if own in self._values}
        return Values(self.where, {**defaults, **kept, **present})

    def get(self, key: str) -> Any:
        """The value, or None where it is null or absent."""
        return self._values.get(key)

    def keys(self) -> Iterable[str]:
        return self._values.keys()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def integer(self, key: str) -> int:
        """A positive whole number. Raises DataError when it is absent or something else."""
        value = self._present(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.wrong(key, "a positive whole number")
        return value

    def number(self, key: str) -> float:
        """A positive number. Raises DataError when it is absent or something else."""
        value = self._present(key)
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not 0 < value <= LARGEST
        ):
            raise self.wrong(key, "a positive number")
        return float(value)

    def flag(self, key: str) -> bool:
        """True or false; null and absent are false."""
        value = self.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return bool(value)

    def mapping(self, key: str) -> dict[str, Any]:
        """A copy of a JSON object; null and absent are an empty one."""
        value = self.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.wrong(key, "a JSON object")
        return dict(value or {})

    def inner(self, key: str, values: Mapping[str, Any]) -> "Values":
        """An object inside the file, whose errors say that it is under `key`."""
        return Values(f"{self.where}, {key}", values)

    def wrong(self, key: str, expected: str) -> DataError:
        return DataError(
            f"{self.where}: {key!r} should be {expected}, but it is {self.get(key)!r}."
        )

    def unknown(self, feature: str) -> DataError:
        """The error for something that would change answers and that the built-in model lacks."""
        return DataError(
            f"{self.where}: the built-in transformer does not know {feature}. {OTHER_WAY}"
        )

    def _present(self, key: str) -> Any:
        if key not in self._values:
            raise DataError(f"{self.where}: the key {key!r} is missing.")
        return self._values[key]


def remedy(path: Path) -> str:
    """What to do about a damaged file of a checkpoint."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_POINTER))
    except OSError:
        head = b""
    if head == _POINTER:
        return "It is only git-lfs's pointer to the file: fetch the file itself (git lfs pull)."
    return "Fetch or save it again."
