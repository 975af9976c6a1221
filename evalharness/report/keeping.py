"""A folder of results under version control: the way a team keeps its board."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from evalharness.errors import DataError
from evalharness.run_folder import read_runs_with_folders, write_results, write_run

_UNSAFE = re.compile(r"[^\w.-]")


def keep_results(paths: Sequence[Path], folder: Path, say: Callable[[str], None]) -> list[str]:
    """Copy run.json and results.json of finished runs into `folder`, each below its run id.

    A run that is there already is replaced. Returns what was done, in words. Raises DataError as
    `read_runs` does, and when the folder cannot be written; nothing is read without `paths`.
    """
    if not paths:
        return []
    done = []
    for _, (record, results) in read_runs_with_folders(paths, say):
        name = _UNSAFE.sub("-", results.run_id)
        place = folder / name
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise DataError(f"{place} is no folder, so that the run cannot be kept there.")
        known = (place / "results.json").exists()
        write_run(place, record)
        write_results(place, results)
        done.append(f"{'replaced' if known else 'kept'}: {place}")
    return done
