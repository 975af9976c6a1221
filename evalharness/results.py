"""The run folder: run.json, samples/TASK.parquet and results.json, which is written last.

Files are written to a temporary name and moved into place, so that a killed run leaves either the
whole file or none. What is read is validated; a damaged file is a DataError that names the key.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from evalharness.errors import DataError
from evalharness.validation import first_problem


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MetricResult(_Record):
    """A score and its 95 % interval; None where it is undefined (no samples, one sample).

    `method` is how the interval was found (statistics/summaries.py); runs from before there were
    several have percentile bootstrap intervals.
    """

    value: FiniteFloat | None
    interval: tuple[FiniteFloat, FiniteFloat] | None
    stderr: FiniteFloat | None
    method: str = "percentile bootstrap"
    higher_is_better: bool
    ideal: float | None = None
    bounds: tuple[float | None, float | None] = (0.0, 1.0)
    signature: str = ""


class SliceResult(_Record):
    """The scores of the samples that share one value of a slice."""

    n: int
    metrics: dict[str, MetricResult]


class Validity(_Record):
    """How many samples are to be read with care, out of `samples`.

    truncated    a prompt lost its beginning
    lost_shots   at least one few-shot example did not fit the model's context
    unfinished   a text was cut off at its limit of tokens
    unfinished_thinking  a model had not done thinking when its text ended, and gave no answer
    empty        nothing was written, thinking apart
    unparsed     something was written, and no answer could be found in it
    looped       a text ends by repeating itself
    doubled_start  a prompt begins with the token that starts a text twice

    Runs from before there were the last three counted an unparsed answer as an empty one.
    """

    samples: int
    failed: int = 0
    truncated: int = 0
    lost_shots: int = 0
    unfinished: int = 0
    unfinished_thinking: int = 0
    empty: int = 0
    unparsed: int = 0
    looped: int = 0
    doubled_start: int = 0


class TaskCost(_Record):
    """What the answers cost when they were computed; `from_store` of them were known before.

    `price` is in the currency of the prices that the user gave (input_price, output_price).
    """

    request_seconds: float
    prompt_tokens: int
    computed_tokens: int
    generated_tokens: int
    peak_memory_bytes: int
    from_store: int
    requests: int
    price: float = 0.0


ChatMode = Literal["auto", "on", "off"]
ShotForm = Literal["turns", "text"]


class ChatForm(_Record):
    """How the prompts of a task became chats; `fewshot_as` is None where there are no examples."""

    system_prompt: str
    fewshot_as: ShotForm | None


class Method(_Record):
    """How a task was asked in place of its author's way, and why; its metrics are the method's.

    letter  the options of multiple choice stand in the prompt, and the model is asked for a letter
    source  the model is given the source as it stands; the metrics are the task's own
    """

    name: Literal["letter", "source"]
    reason: str


class TaskResult(_Record):
    """One task of a run.

    `prompt_hash` is equal for runs that asked exactly the same, whether as text or as chats; `chat`
    says how chats were made of it, and is None for plain text. `method` is None for a task that was
    asked as its author wrote it.
    """

    version: int
    family: str
    n: int
    num_fewshot: int
    prompt_hash: str
    metrics: Annotated[dict[str, MetricResult], Field(min_length=1)]
    slices: dict[str, dict[str, SliceResult]]
    validity: Validity
    cost: TaskCost
    caveat: str = ""
    chat: ChatForm | None = None
    method: Method | None = None


class ModelResult(_Record):
    """The model as it was run, and its place in a series of checkpoints where it has one."""

    spec: str
    name: str
    fingerprint: str
    architecture: str
    parameters: int
    dtype: str
    device: str
    max_length: int
    series: str = ""
    step: int | None = None


class Results(_Record):
    """results.json: what a run found."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    run_id: str
    model: ModelResult
    tasks: dict[str, TaskResult]
    load_seconds: float

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class TaskRecord(_Record):
    """What a run knows of a task before it is answered; `chat` and `method` as in a TaskResult."""

    version: int
    family: str
    source: str
    revision: str
    n: int
    num_fewshot: int
    prompt_hash: str
    languages: tuple[str, ...] = ()
    licence: str = ""
    description: str = ""
    caveat: str = ""
    content_warning: str = ""
    chat: ChatForm | None = None
    method: Method | None = None


class RunConfiguration(_Record):
    """The resolved configuration of a run. Runs from before there were chats have plain text.

    `training_text` is sha256 over the texts that samples were looked for in, or "".
    `data` says for which tasks it came from elsewhere, and from where (see data_choice.py).
    """

    limit: int | None
    num_fewshot: int
    seed: int
    chat: ChatMode = "off"
    system_prompt: str = ""
    fewshot_as: ShotForm = "turns"
    data: dict[str, str] = {}
    training_text: str = ""


class RunRecord(_Record):
    """run.json: what was asked, of which model, in which environment.

    `skipped` are the tasks that the model cannot answer, with the reason.
    """

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    run_id: str
    command: tuple[str, ...]
    configuration: RunConfiguration
    model: ModelResult
    environment: dict[str, str]
    tasks: dict[str, TaskRecord]
    skipped: dict[str, str] = {}
    status: Literal["running", "complete"]
    started: datetime
    finished: datetime | None = None

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def limited_tasks(self) -> tuple[str, ...]:
        """The tasks that may have more samples than were asked: fewer than the limit are all."""
        limit = self.configuration.limit
        if limit is None:
            return ()
        return tuple(name for name, task in self.tasks.items() if task.n >= limit)


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A row of samples/TASK.parquet.

    `prompt_hash` is sha256 over all that the sample asks and that its score depends on, so that
    samples of two runs can be told to be the same. `prompts` are what the model was given, special
    tokens included and without the few-shot examples that did not fit; `responses` are what it
    wrote, thinking included. `statistics` is None where a request of the sample failed;
    `lost_shots` is the largest number of few-shot examples that a request of it lost.
    """

    id: str
    group: str | None
    slices: dict[str, str]
    prompt_hash: str
    prompts: list[str]
    target: str
    references: list[str]
    responses: list[str]
    extracted: list[str]
    statistics: dict[str, list[float]] | None
    truncated: bool
    lost_shots: int
    unfinished: bool
    unfinished_thinking: bool
    empty: bool
    unparsed: bool
    looped: bool
    doubled_start: bool
    failed: bool
    error: str


def write_run(folder: Path, record: RunRecord) -> None:
    """Write run.json."""
    write_text(folder / "run.json", record.model_dump_json(indent=1, by_alias=True) + "\n")


def write_results(folder: Path, results: Results) -> None:
    """Write results.json, which says that the run is whole: the last write of a run."""
    write_text(folder / "results.json", results.model_dump_json(indent=1, by_alias=True) + "\n")


def write_samples(folder: Path, task: str, rows: Sequence[SampleRow]) -> None:
    """Write samples/TASK.parquet; slices and statistics are JSON text, since their keys differ.

    Raises DataError when it cannot be written.
    """
    import pyarrow
    import pyarrow.parquet

    columns: dict[str, list[Any]] = {field.name: [] for field in fields(SampleRow)}
    for row in rows:
        for name, values in columns.items():
            value = getattr(row, name)
            values.append(json.dumps(value) if name in {"slices", "statistics"} else value)
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
                    name: json.loads(value) if name in {"slices", "statistics"} else value
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
        raise DataError(f"{path}: {first_problem(error, model)}") from None


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
