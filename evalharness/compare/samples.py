"""The samples of runs as columns, and which of them two runs have in common.

Only the columns that are needed are read, and no sample becomes a Python object: a comparison of
20 runs of 100,000 samples has to fit in 2 GB.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalharness.errors import DataError
from evalharness.records import Groups, Statistics

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class StoredSamples:
    """The samples of one task of one run that did not fail, in the order of the file.

    path        samples/TASK.parquet
    ids         of the samples (n,), and `groups` (n,) as numbers: columns of pyarrow
    statistics  of each metric (n, d)
    rows        where the samples stand in the file (n,); `failed` samples stand there too
    """

    path: Path
    ids: Any
    groups: Groups
    statistics: dict[str, Statistics]
    rows: Places
    failed: int


def read_samples(folder: Path, task: str, metrics: Sequence[str]) -> StoredSamples:
    """Read what is needed of samples/TASK.parquet.

    Raises DataError when the file cannot be read, or has no statistics of one of the metrics.
    """
    import pyarrow
    import pyarrow.compute

    path = folder / "samples" / f"{task}.parquet"
    table = _columns(path, ["id", "group", "statistics"])
    measured = pyarrow.compute.not_equal(table["statistics"], "null")
    rows = np.flatnonzero(measured.to_numpy(zero_copy_only=False))
    failed = len(table) - len(rows)
    if failed:
        table = table.filter(measured)
    return StoredSamples(
        path=path,
        ids=table["id"],
        groups=_groups(table["group"]),
        statistics=_statistics(table["statistics"], metrics, path),
        rows=rows,
        failed=failed,
    )


def words_of(samples: StoredSamples) -> Places:
    """How many words each of the samples (n,) asks about.

    Raises DataError for a run from before they were counted.
    """
    import pyarrow.parquet

    known = "words" in pyarrow.parquet.read_schema(samples.path).names
    words = _columns(samples.path, ["words"])["words"] if known else None
    if words is None or words.null_count:
        raise DataError(
            f"the run {samples.path.parent.parent.name} was made before words were counted; "
            "evalharness rescore counts them."
        )
    return np.asarray(words.to_numpy()[samples.rows], dtype=np.int64)


def _columns(path: Path, names: list[str]) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_table(path, columns=names).combine_chunks()
    except FileNotFoundError:
        raise DataError(
            f"{_named(path)} is missing: the run has lost the samples of this task."
        ) from None
    except (OSError, pyarrow.ArrowException) as error:
        reason = str(error).replace(str(path), _named(path))
        raise DataError(f"{_named(path)} cannot be read: {reason}.") from None


def _named(path: Path) -> str:
    """A file of samples from its run's folder on: reports are read where the run does not lie."""
    return "/".join(path.parts[-3:])


def _groups(column: Any) -> Groups:
    """Numbers of the groups; a sample without one is a group of its own."""
    codes = column.combine_chunks().dictionary_encode().indices
    groups = codes.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    alone = groups < 0
    groups[alone] = groups.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    return np.asarray(groups, dtype=np.int64)


def _statistics(column: Any, metrics: Sequence[str], path: Path) -> dict[str, Statistics]:
    """Each row is a JSON object of lists; all rows are parsed at once, by pyarrow."""
    import pyarrow
    import pyarrow.compute
    import pyarrow.json

    if not len(column):
        return {name: np.empty((0, 1)) for name in metrics}
    lines = pyarrow.ListArray.from_arrays([0, len(column)], column.combine_chunks())
    text = pyarrow.compute.binary_join(lines, "\n")[0]
    schema = pyarrow.schema([(name, pyarrow.list_(pyarrow.float64())) for name in metrics])
    options = pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    try:
        parsed = pyarrow.json.read_json(
            pyarrow.BufferReader(text.as_buffer()), parse_options=options
        )
    except pyarrow.ArrowException as error:
        raise DataError(f"{_named(path)}: the statistics cannot be read: {error}.") from None
    return {name: _matrix(parsed[name], name, path) for name in metrics}


def _matrix(column: Any, metric: str, path: Path) -> Statistics:
    lists = column.combine_chunks()
    values = lists.flatten().to_numpy(zero_copy_only=False)
    width = len(values) // max(1, len(lists))
    lengths = lists.value_lengths().to_numpy(zero_copy_only=False)
    if not width or (lengths != width).any() or not np.isfinite(values).all():
        raise DataError(
            f"{_named(path)}: not every sample has the same number of statistics of the metric "
            f"{metric!r}."
        )
    return np.asarray(values.reshape(-1, width), dtype=np.float64)


def common_samples(first: StoredSamples, second: StoredSamples) -> tuple[Places, Places]:
    """Where the samples with equal ids stand in each of both, in the order of the first."""
    import pyarrow.compute

    if first.ids.equals(second.ids):
        everywhere = np.arange(len(first.ids))
        return everywhere, everywhere
    found = pyarrow.compute.index_in(first.ids, value_set=second.ids.combine_chunks())
    places = found.combine_chunks().fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    present = np.flatnonzero(places >= 0)
    return present, places[present]


def differently_asked(
    first: StoredSamples, second: StoredSamples, common: tuple[Places, Places]
) -> int | None:
    """How many of the common samples were asked otherwise; None where a run does not tell."""
    import pyarrow.compute
    import pyarrow.parquet

    hashes = []
    for samples, places in zip((first, second), common, strict=True):
        if "prompt_hash" not in pyarrow.parquet.read_schema(samples.path).names:
            return None
        column = _columns(samples.path, ["prompt_hash"])["prompt_hash"]
        hashes.append(column.take(samples.rows[places]))
    return int(pyarrow.compute.sum(pyarrow.compute.not_equal(*hashes)).as_py())
