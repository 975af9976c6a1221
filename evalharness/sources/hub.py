"""Rows of data sets on the hub, or of a mirror of it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from evalharness.cache import folder_digest
from evalharness.errors import DataError
from evalharness.records import DataIdentity, Row
from evalharness.sources.wrapping import UnreachableError

COMMIT = re.compile("[0-9a-f]{40}")
MIRRORS = "EVALHARNESS_DATA"
FIRST_CONTACT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class HubDataset:
    """The rows of a split of a data set on the hub (or in a local folder), through `datasets`.

    path      OWNER/NAME, or a folder
    name      the configuration (subset)
    revision  a commit, tag or branch; None is the newest, whose commit is recorded
    folder    read only the files below this folder of the data set; so are the configurations of a
              parquet conversion (revision="refs/convert/parquet") told apart

    A folder OWNER/NAME below the one that the environment variable EVALHARNESS_DATA names takes the
    place of the hub's. A configuration is a folder in it, or is described in its README.md, as on
    the hub; where neither is there, the whole folder is the data set.
    """

    path: str
    name: str | None = None
    split: str = "test"
    revision: str | None = None
    folder: str | None = None

    def rows(self) -> Iterator[Row]:
        import datasets

        with self._loading():
            rows = datasets.load_dataset(split=self.split, **self._arguments())
        for number, fields in enumerate(rows, start=1):
            yield Row(fields, f"{self.place()}, row {number}", number)

    def identity(self) -> DataIdentity:
        """The commit, also where `revision` names a branch; of a folder, the sha256 of its files.

        Where `datasets` tells no commit: the revision that was given, else its own fingerprint.
        """
        place = Path(self._location())
        if place.is_dir():
            return DataIdentity(self.place(), f"sha256:{folder_digest(place)}")
        if self.revision and COMMIT.fullmatch(self.revision):
            return DataIdentity(self.place(), self.revision)
        import datasets

        with self._loading():
            builder = datasets.load_dataset_builder(**self._arguments())
        found = str(builder.hash)
        if not COMMIT.fullmatch(found):
            found = self.revision or f"datasets:{found}"
        return DataIdentity(self.place(), found)

    def is_here(self) -> bool:
        """In a folder, or fetched before: then `datasets` has a copy that it may read again."""
        import datasets

        copy = Path(datasets.config.HF_DATASETS_CACHE) / self.path.replace("/", "___")
        return Path(self._location()).is_dir() or copy.is_dir()

    def _arguments(self) -> dict[str, str | None]:
        """What `datasets` is asked for."""
        mirror = self._mirror()
        if mirror is None:
            return {
                "path": self.path,
                "name": self.name,
                "revision": self.revision,
                "data_dir": self.folder,
            }
        inside = next(
            (part for part in (self.folder, self.name) if part and (mirror / part).is_dir()), None
        )
        described = inside is None and (mirror / "README.md").is_file()
        return {
            "path": str(mirror),
            "name": self.name if described else None,
            "data_dir": inside,
        }

    def _mirror(self) -> Path | None:
        folder = Path(os.environ.get(MIRRORS, ""), self.path)
        return folder if os.environ.get(MIRRORS) and folder.is_dir() else None

    def _location(self) -> Path | str:
        return self._mirror() or self.path

    def place(self) -> str:
        parts = (self.path, self.name, self.folder, self.split)
        shown = "/".join(part for part in parts if part)
        return f"{shown} (mirror in {self._mirror()})" if self._mirror() else shown

    @contextmanager
    def _loading(self) -> Iterator[None]:
        try:
            if not self.is_here():
                _greet_hub()
            yield
        except Exception as error:  # the network and the hub fail in many ways
            if self._mirror() is None and Path(self.path).is_dir():
                raise DataError(
                    f"the folder {self.path} cannot be read as a data set ({_reason(error)}). Give "
                    f"one file of it, or name files after the split, such as {self.split}.jsonl."
                ) from None
            raise UnreachableError(
                f"the data set {self.place()} cannot be loaded ({_reason(error)}).",
                "give a file or a folder with the same columns with --data {task}=PATH",
                f"put a copy below the folder that {MIRRORS} names",
                "run it once with a network: datasets keeps a copy",
            ) from None


def _reason(error: BaseException) -> str:
    """Type and message of an error and of its causes, on one line, each once."""
    reason = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(".")
    if error.__cause__ is None:
        return reason
    cause = _reason(error.__cause__)
    # A library that passes an error on says the same again.
    return cause if cause.startswith(reason) else f"{reason}: {cause}"


@cache
def _greet_hub() -> None:
    """Raises an error of the network where nothing answers; `datasets` tries for half a minute.

    What is answered does not matter: a data set may be there where the front page is not.
    """
    from huggingface_hub import constants, get_session

    if not constants.is_offline_mode():
        get_session().head(constants.ENDPOINT, timeout=FIRST_CONTACT_SECONDS)
