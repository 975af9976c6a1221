"""The run folder: run.json, samples/TASK.parquet and results.json, which is written last.

Files are written to a temporary name and moved into place, so that a killed run leaves either the
whole file or none. What is read is validated; a damaged file is a DataError that names the key.
"""

import json
import os
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from evalharness.errors import DataError

SCHEMA = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MetricResult(_Record):
    """A score and its 95 % interval; None where it is undefined (no samples, one sample)."""

    value: FiniteFloat | None
    interval: tuple[FiniteFloat, FiniteFloat] | None
    stderr: FiniteFloat | None
    higher_is_better: bool
    ideal: float | None = None
    bounds: tuple[float | None, float | None] = (0.0, 1.0)
    signature: str = ""


class SliceResult(_Record):
    """The scores of the samples that share one value of a slice."""

    n: int
    metrics: dict[str, MetricResult]


class Validity(_Record):
    """How many samples are to be read with care, out of `samples`."""

    samples: int
    failed: int = 0
    truncated: int = 0
    unfinished: int = 0
    empty: int = 0


class TaskCost(_Record):
    """What the answers cost when they were computed; `from_store` of them were known before."""

    request_seconds: float
    prompt_tokens: int
    computed_tokens: int
    generated_tokens: int
    peak_memory_bytes: int
    from_store: int
    requests: int


class TaskResult(_Record):
    """One task of a run. `prompt_hash` is equal for runs that asked exactly the same."""

    version: int
    family: str
    n: int
    num_fewshot: int
    prompt_hash: str
    metrics: dict[str, MetricResult]
    slices: dict[str, dict[str, SliceResult]]
    validity: Validity
    cost: TaskCost
    caveat: str = ""


class ModelResult(_Record):
    """The model as it was run."""

    spec: str
    name: str
    fingerprint: str
    architecture: str
    parameters: int
    dtype: str
    device: str
    max_length: int


class Results(_Record):
    """results.json: what a run found."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    run_id: str
    model: ModelResult
    tasks: dict[str, TaskResult]
    load_seconds: float

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class TaskRecord(_Record):
    """What a run knows of a task's data before it is answered."""

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


class RunConfiguration(_Record):
    """The resolved configuration of a run."""

    limit: int | None
    num_fewshot: int
    seed: int


class RunRecord(_Record):
    """run.json: what was asked, of which model, in which environment."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    run_id: str
    command: tuple[str, ...]
    configuration: RunConfiguration
    model: ModelResult
    environment: dict[str, str]
    tasks: dict[str, TaskRecord]
    status: Literal["running", "complete"]
    started: datetime
    finished: datetime | None = None

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
