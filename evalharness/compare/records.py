"""What a comparison of runs finds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evalharness.results import MetricResult, Results, RunRecord
from evalharness.statistics.corrections import Correction
from evalharness.statistics.paired import Difference
from evalharness.statistics.ranking import Standing
from evalharness.statistics.task_means import TaskMean
from evalharness.validity import THRESHOLDS


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run folder, and what is written in it."""

    folder: Path
    record: RunRecord
    results: Results


@dataclass(frozen=True, slots=True)
class ComparedRun(FinishedRun):
    """A finished run, or several of one model that were joined (report/joining.py).

    label    tells it from the others of one comparison
    origins  which run each task comes from, by task; empty for a run that stands for itself
    notes    what a reader must know of how it was joined, in sentences
    """

    label: str
    origins: Mapping[str, FinishedRun] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def origin(self, task: str) -> FinishedRun:
        """The run that a task comes from, whose folder has its samples."""
        return self.origins.get(task, self)

    def parts(self) -> tuple[FinishedRun, ...]:
        """The runs that it was joined from, each once, or itself."""
        found = {part.results.run_id: part for part in self.origins.values()}
        return tuple(found.values()) or (self,)


@dataclass(frozen=True, slots=True)
class Settings:
    """How runs are compared.

    metrics  the metrics of each task that are compared; without any, its primary one
    also     (task, metric) pairs that are compared besides, since a gate asks for them
    levels   of intervals that are wanted besides 1 - alpha
    effect   a difference of which it is wanted how many samples show it; None for the observed one
    thresholds  shares of samples above which readers are warned (see validity.py)
    """

    metrics: tuple[str, ...] = ()
    also: tuple[tuple[str, str], ...] = ()
    correction: Correction = "holm"
    alpha: float = 0.05
    levels: tuple[float, ...] = ()
    effect: float | None = None
    allow_mismatch: bool = False
    seed: int = 0
    thresholds: Mapping[str, float] = field(default_factory=lambda: THRESHOLDS)


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of one task for one run beside the baseline.

    metric_result  of the baseline: the direction and the bounds of the metric
    corrected      the p-value of `difference`, corrected over all rows of the comparison
    detectable     smallest true difference that these samples would show (see statistics/power.py)
    needed         samples that would show the effect that is asked for, else the observed
                   difference, were it the true one; None where nothing can be said
    mismatches     what the two runs do not have in common, where they were compared all the same
    notes          how many samples could not be compared, and why
    """

    task: str
    family: str
    metric: str
    metric_result: MetricResult
    run: str
    run_id: str
    difference: Difference
    corrected: float
    detectable: float
    needed: int | None
    mismatches: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A task of one run that is not compared, and why; `metric` is "" where all are meant.

    Where `run` is the baseline, no run is compared with it.
    """

    task: str
    metric: str
    run: str
    reason: str


@dataclass(frozen=True, slots=True)
class Caution:
    """What a reader of a score must know of one run's samples of a task (see validity.py)."""

    task: str
    run: str
    text: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """Where all runs stand on a metric, by the n samples that they have in common."""

    task: str
    metric: str
    metric_result: MetricResult
    n: int
    standings: dict[str, Standing]
    mismatches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskFindings:
    """What was found of one task."""

    rows: tuple[Row, ...]
    rankings: tuple[Ranking, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Overall:
    """The mean difference of one run from the baseline over several tasks, families or samples.

    In shares of each metric's range, and turned so that more is better. Tasks whose metric has no
    range, or an ideal in the middle, have no part in it and are not in `tasks`.
    """

    run: str
    tasks: tuple[str, ...]
    of_tasks: TaskMean
    of_families: TaskMean
    of_samples: TaskMean
    mismatches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that was compared; intervals have the level 1 - alpha."""

    baseline: str
    runs: tuple[str, ...]
    alpha: float
    correction: Correction
    effect: float | None
    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]
    cautions: tuple[Caution, ...]
    rankings: tuple[Ranking, ...]
    overall: tuple[Overall, ...]

    @property
    def level(self) -> float:
        return 1 - self.alpha
