"""The run folder: run.json, samples/TASK.parquet and results.json, which is written last.

Files are written to a temporary name and moved into place, so that a killed run leaves either the
whole file or none. What is read is validated; a damaged file is a DataError that names the key.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from evalharness.canonical import fields_of
from evalharness.errors import DataError
from evalharness.records import TokenScore
from evalharness.results import Results, RunRecord, SampleRow
from evalharness.validation import first_problem

# The columns of samples/TASK.parquet that are JSON text, and what it holds.
_JSON: Mapping[str, TypeAdapter[Any]] = {
    "slices": TypeAdapter(dict[str, str]),
    "statistics": TypeAdapter(dict[str, list[float]] | None),
    "tokens": TypeAdapter(list[list[TokenScore]] | None),
}


def write_run(folder: Path, record: RunRecord) -> None:
    """Write run.json."""
    write_text(folder / "run.json", record.model_dump_json(indent=1, by_alias=True) + "\n")


def write_results(folder: Path, results: Results) -> None:
    """Write results.json, which says that the run is whole: the last write of a run."""
    write_text(folder / "results.json", results.model_dump_json(indent=1, by_alias=True) + "\n")


def write_samples(folder: Path, task: str, rows: Sequence[SampleRow]) -> None:
    """Write samples/TASK.parquet; what `_JSON` names is JSON text, since keys differ.

    Raises DataError when it cannot be written.
    """
    import pyarrow
    import pyarrow.parquet

    columns: dict[str, list[Any]] = {field.name: [] for field in fields(SampleRow)}
    for row in rows:
        for name, values in columns.items():
            value = getattr(row, name)
            values.append(json.dumps(value, default=fields_of) if name in _JSON else value)
    table = pyarrow.table(columns)
    path = folder / "samples" / f"{task}.parquet"
    try:
        with _replacing(path) as temporary:
            pyarrow.parquet.write_table(table, temporary)
    except OSError as error:
        raise _unwritable(path, error) from None


def read_sample_rows(folder: Path, task: str) -> dict[str, SampleRow]:
    """The rows of a task of a run, by id. Raises DataError for a file that cannot be read."""
    import pyarrow
    import pyarrow.parquet

    path = folder / "samples" / f"{task}.parquet"
    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
        decoded = [
            SampleRow(
                **{
                    name: _JSON[name].validate_json(value) if name in _JSON else value
                    for name, value in row.items()
                }
            )
            for row in rows
        ]
    except (OSError, pyarrow.ArrowException, TypeError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from None
    return {row.id: row for row in decoded}


def read_run(folder: Path) -> tuple[RunRecord, Results]:
    """Read a finished run. Raises DataError when it is unfinished, damaged or not a run folder."""
    if not (folder / "run.json").exists():
        raise DataError(f"{folder} is not a run folder: it has no run.json.")
    record = _read(folder / "run.json", RunRecord)
    if not (folder / "results.json").exists():
        raise DataError(
            f"{folder} is not finished: it has no results.json. Run it again to resume."
        )
    return record, _read(folder / "results.json", Results)


def is_finished(folder: Path) -> bool:
    """Has the folder the results of a whole run?"""
    return (folder / "run.json").exists() and (folder / "results.json").exists()


_Model = TypeVar("_Model", bound=BaseModel)


def _read(path: Path, model: type[_Model]) -> _Model:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from None
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        problem = _newer_schema(text, model) or first_problem(error, model)
        raise DataError(f"{path}: {problem}") from None


def _newer_schema(text: str, model: type[BaseModel]) -> str:
    """What to say of a file of a schema that came later, or ""."""
    known = model.model_fields["schema_"].default
    try:
        schema = json.loads(text)["schema"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    if not isinstance(schema, int) or schema <= known:
        return ""
    return (
        f"it was written by a newer evalharness (schema {schema}, this one reads {known}): "
        "update evalharness."
    )


def find_runs(paths: Sequence[Path], say: Callable[[str], None]) -> list[Path]:
    """Finished run folders among `paths` and directly below them; `say` is told what is left out.

    Each is listed once, however often and by whichever path it is named. Raises DataError when a
    path is neither, or when no finished run is left.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        for run in _runs_in(path):
            if is_finished(run):
                found.setdefault(run.resolve(), run)
            else:
                say(f"left out: {run} is not finished; run it again to resume")
    if not found:
        raise DataError("none of the runs is finished.")
    return list(found.values())


def _runs_in(path: Path) -> list[Path]:
    """The folder itself if it is a run, else the runs directly below it."""
    try:
        if not path.is_dir():
            raise DataError(f"there is no folder {path}.")
        if (path / "run.json").exists():
            return [path]
        runs = sorted(below for below in path.iterdir() if (below / "run.json").exists())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from None
    if not runs:
        raise DataError(f"{path} is neither a run folder nor a folder of run folders.")
    return runs


def read_runs_with_folders(
    paths: Sequence[Path], say: Callable[[str], None]
) -> list[tuple[Path, tuple[RunRecord, Results]]]:
    """All finished runs among `paths` and directly below them, each with its folder.

    A damaged run below a folder is left out, of which `say` is told. Raises DataError as
    `find_runs` does, for a damaged run that is itself one of `paths`, and when no run is left.
    """
    named = {path.resolve() for path in paths}
    runs = []
    for folder in find_runs(paths, say):
        try:
            runs.append((folder, read_run(folder)))
        except DataError as error:
            if folder.resolve() in named:
                raise
            say(f"left out: {error}")
    if not runs:
        raise DataError("none of the runs can be read.")
    return runs


def read_runs(paths: Sequence[Path], say: Callable[[str], None]) -> list[tuple[RunRecord, Results]]:
    """Record and results of `read_runs_with_folders`, which says what is raised."""
    return [run for _, run in read_runs_with_folders(paths, say)]


def write_text(path: Path, text: str) -> None:
    """Write a whole text file or none. Raises DataError when it cannot be written."""
    try:
        with _replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path} cannot be written: {error}. Make room or clear the way, or choose another place "
        "with -o."
    )


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place once it is written whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
