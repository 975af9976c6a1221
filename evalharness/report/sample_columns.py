"""The samples of a task over all models: ids, scores and flags as arrays, texts on demand.

Scores and flags of 100,000 samples of 20 models are a few megabytes and stay in memory; texts are
streamed from the files, a piece of every model's at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalharness.compare.metrics import installed_metric
from evalharness.compare.records import ComparedRun
from evalharness.compare.samples import read_samples
from evalharness.discovery import Catalogue
from evalharness.errors import DataError
from evalharness.metrics.multiple_choice import LETTER_ACCURACY
from evalharness.results import MetricResult, TaskRecord
from evalharness.statistics.samplewise import mean_scores, sample_scores

FLAGS = (
    *("failed", "truncated", "lost_shots", "unfinished", "unfinished_thinking"),
    *("empty", "unparsed", "looped", "doubled_start"),
)
"""What the bits of a sample's flags are, from the lowest; MISSING is of one that was not asked."""
MISSING = 1 << 15
SHARED = ("slices", "target", "references", "choices", "gold", "continuations")
OWN = ("prompts", "responses", "extracted", "error", "tokens")
_AT_ONCE = 1000

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TaskSamples:
    """One task.

    metrics the primary one of each model: where one is asked for letters, it has another
    ids     of all samples (n,), a pyarrow array: of the first model, then what only others have
    scores  (m, n) of the primary metric of each model; NaN where there is none
    flags   (m, n) bits of FLAGS
    places  for each model, where each sample stands in its file (n,), -1 where it does not
    notes   what could not be read, in sentences
    """

    name: str
    record: TaskRecord
    metric: str
    metric_result: MetricResult
    models: tuple[str, ...]
    metrics: tuple[str, ...]
    files: tuple[Path, ...]
    ids: Any
    scores: NDArray[np.float32]
    flags: NDArray[np.uint16]
    places: tuple[Places, ...]
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        return len(self.ids)


def task_samples(
    name: str, runs: Sequence[ComparedRun], catalogue: Catalogue
) -> TaskSamples | None:
    """The samples of a task, or None if no run has any at hand."""
    columns: list[_Columns] = []
    notes: list[str] = []
    for run in runs:
        if name not in run.results.tasks:
            continue
        try:
            columns.append(_columns(name, run, catalogue, notes))
        except DataError as error:
            notes.append(f"{run.label}: {error}")
    if not columns:
        return None
    ids = _union([column.ids for column in columns])
    places = [_places(ids, column.ids) for column in columns]
    metric, result = next(iter(columns[0].run.results.tasks[name].metrics.items()))
    return TaskSamples(
        name=name,
        record=columns[0].run.record.tasks[name],
        metric=metric,
        metric_result=result,
        models=tuple(column.run.label for column in columns),
        metrics=tuple(next(iter(c.run.results.tasks[name].metrics)) for c in columns),
        files=tuple(column.path for column in columns),
        ids=ids,
        scores=np.stack(
            [_spread(c.scores, p, np.nan) for c, p in zip(columns, places, strict=True)]
        ).astype(np.float32),
        flags=np.stack(
            [_spread(c.flags, p, MISSING) for c, p in zip(columns, places, strict=True)]
        ).astype(np.uint16),
        places=tuple(places),
        notes=tuple(notes),
    )


@dataclass(frozen=True, slots=True)
class _Columns:
    run: ComparedRun
    path: Path
    ids: Any
    scores: NDArray[np.float64]
    flags: NDArray[np.uint16]


def _columns(name: str, run: ComparedRun, catalogue: Catalogue, notes: list[str]) -> _Columns:
    import pyarrow
    import pyarrow.parquet

    path = run.origin(name).folder / "samples" / f"{name}.parquet"
    try:
        # Runs from before there were some of the flags do not have them.
        known = set(pyarrow.parquet.read_schema(path).names)
        columns = ["id", *(flag for flag in FLAGS if flag in known)]
        table = pyarrow.parquet.read_table(path, columns=columns).combine_chunks()
    except FileNotFoundError:
        raise DataError("its samples are not at hand") from None
    except (OSError, KeyError, pyarrow.ArrowException) as error:
        raise DataError(f"its samples cannot be read: {error}") from None
    flags = np.zeros(len(table), dtype=np.uint16)
    for bit, flag in enumerate(FLAGS):
        if flag not in known:
            continue
        flags |= (table[flag].to_numpy() > 0).astype(np.uint16) << bit
    scores = np.full(len(table), np.nan)
    metric_name = next(iter(run.results.tasks[name].metrics))
    try:
        metric = installed_metric(catalogue, name, metric_name, run)
        stored = read_samples(run.origin(name).folder, name, [metric_name])
        if len(stored.rows):
            of_metric = stored.statistics[metric_name]
            found = mean_scores(metric, of_metric, stored.groups)
            scores[stored.rows] = (
                sample_scores(metric, of_metric, stored.groups) if found is None else found
            )
    except DataError as error:
        notes.append(f"{run.label}: samples are shown without scores: {error}")
    ids = table["id"].combine_chunks()
    return _Columns(run, path, ids, scores, flags)


def _union(columns: Sequence[Any]) -> Any:
    """The ids of the first column, then those that only later ones have, each once."""
    import pyarrow
    import pyarrow.compute

    first = columns[0]
    if all(first.equals(other) for other in columns[1:]):
        return first
    return pyarrow.compute.unique(pyarrow.chunked_array(columns))


def _places(ids: Any, own: Any) -> Places:
    import pyarrow.compute

    if ids.equals(own):
        return np.arange(len(ids))
    found = pyarrow.compute.index_in(ids, value_set=own).fill_null(-1)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


def _spread(values: NDArray[Any], places: Places, missing: float) -> NDArray[Any]:
    """A model's values at the places of all samples."""
    if not len(values):
        return np.full(len(places), missing)
    return np.where(places < 0, missing, values[places])


@dataclass(frozen=True, slots=True)
class SampleTexts:
    """A sample's texts: what all models have in common, and each model's own or None."""

    shared: dict[str, Any]
    own: tuple[dict[str, Any] | None, ...]


def read_texts(samples: TaskSamples, chosen: Places) -> Iterator[SampleTexts]:
    """The texts of the chosen samples, whose places must rise.

    Raises DataError when a file cannot be read.
    """
    import pyarrow

    wanted = [places[chosen] for places in samples.places]
    own = [_rows(path, places, OWN) for path, places in zip(samples.files, wanted, strict=True)]
    # What is the same for all models is read from the first one that has the sample. One that was
    # asked for a letter scored no options, and its rows do not say which of them are right.
    scoring = np.array([metric != LETTER_ACCURACY.name for metric in samples.metrics])
    first = np.argmax((np.stack(wanted) >= 0) * (1 + scoring[:, None]), axis=0)
    shared = [
        _rows(path, np.where(first == model, places, -1), SHARED)
        for model, (path, places) in enumerate(zip(samples.files, wanted, strict=True))
    ]
    try:
        for model in first:
            common = [next(rows) for rows in shared][model]
            assert common is not None
            yield SampleTexts(common, tuple(next(rows) for rows in own))
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"the samples of {samples.name} cannot be read: {error}.") from None


def _rows(path: Path, places: Places, columns: Sequence[str]) -> Iterator[dict[str, Any] | None]:
    """The rows of a file at places, -1 for none; a file in another order is read whole.

    Runs from before there were some of the columns do not have them, and neither do their rows.
    """
    import pyarrow.parquet

    known = set(pyarrow.parquet.read_schema(path).names)
    columns = [name for name in columns if name in known]
    present = places[places >= 0]
    read = _in_order if (np.diff(present) > 0).all() else _taken
    rows = read(path, present, columns)
    for place in places:
        yield next(rows) if place >= 0 else None


def _in_order(path: Path, places: Places, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet

    start = 0
    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_AT_ONCE, columns=list(columns)):
            low, high = np.searchsorted(places, [start, start + len(batch)])
            if high - low == len(batch):
                yield from batch.to_pylist()
            elif high > low:
                yield from batch.take(places[low:high] - start).to_pylist()
            start += len(batch)
            if high == len(places):
                return


def _taken(path: Path, places: Places, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path, columns=list(columns))
    for start in range(0, len(places), _AT_ONCE):
        yield from table.take(places[start : start + _AT_ONCE]).to_pylist()
