"""How scores change with the length of what is asked: the same bins of samples for all models."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.compare.metrics import check_reproduced, installed_metric
from evalharness.compare.records import ComparedRun
from evalharness.compare.samples import StoredSamples, read_samples, words_of
from evalharness.discovery import Catalogue
from evalharness.errors import DataError
from evalharness.records import Metric
from evalharness.results import MetricResult
from evalharness.statistics.binning import SizeBin, Sizes, quantile_bins
from evalharness.statistics.summaries import Summary, summarize

MOST_BINS = 5
MOST_MODELS = 8
"""More lines in one figure cannot be told from each other."""
_FEWEST = 10


@dataclass(frozen=True, slots=True)
class BinScore:
    """The score of the n samples of one bin; its interval has the level 0.95."""

    bin: SizeBin
    n: int
    summary: Summary


@dataclass(frozen=True, slots=True)
class ScoresByLength:
    """One metric of one task by the number of words that a sample asks about.

    models  with their scores in each bin; a bin of which a model has no sample is left out
    having  how many models there are, of which at most MOST_MODELS were measured
    """

    metric: str
    metric_result: MetricResult
    models: tuple[tuple[str, tuple[BinScore, ...]], ...]
    having: int


@dataclass(frozen=True, slots=True)
class _Measured:
    label: str
    metric: Metric
    samples: StoredSamples
    words: Sizes


def scores_by_length(
    task: str, runs: Sequence[ComparedRun], catalogue: Catalogue
) -> ScoresByLength | None:
    """The first runs' scores in bins of equal numbers of samples, or None without their samples.

    By the primary metric, or the first one whose stored statistics can be turned into scores.
    Raises DataError that says why nothing can be shown where the samples are at hand.
    """
    having = [run for run in runs if task in run.results.tasks]
    at_hand = [run for run in having if _has_samples(run, task)]
    if not at_hand:
        return None
    first = at_hand[0].results.tasks[task]
    reason: DataError | None = None
    for name, result in first.metrics.items():
        try:
            measured = _measured(task, name, at_hand, catalogue)
        except DataError as error:
            reason = reason or error
            continue
        models = tuple((one.label, tuple(scores)) for one, scores in _binned(measured))
        return ScoresByLength(name, result, models, len(having))
    assert reason is not None
    raise reason


def _has_samples(run: ComparedRun, task: str) -> bool:
    return (run.origin(task).folder / "samples" / f"{task}.parquet").exists()


def _measured(
    task: str, name: str, runs: Sequence[ComparedRun], catalogue: Catalogue
) -> list[_Measured]:
    """The samples of the first runs that have the metric."""
    found = []
    for run in [run for run in runs if name in run.results.tasks[task].metrics][:MOST_MODELS]:
        metric = installed_metric(catalogue, task, name, run)
        samples = read_samples(run.origin(task).folder, task, [name])
        check_reproduced(metric, run.results.tasks[task].metrics[name], samples)
        found.append(_Measured(run.label, metric, samples, words_of(samples)))
    return found


def _binned(measured: Sequence[_Measured]) -> list[tuple[_Measured, list[BinScore]]]:
    """Bins are cut where all models' samples together have their quantiles."""
    together = np.concatenate([one.words for one in measured])
    smallest = min(len(one.words) for one in measured)
    bins = quantile_bins(together, max(1, min(MOST_BINS, smallest // _FEWEST)))
    return [(one, [_score(one, some) for some in bins if some.holds(one.words).any()])
            for one in measured]  # fmt: skip


def _score(measured: _Measured, some: SizeBin) -> BinScore:
    inside = some.holds(measured.words)
    statistics = measured.samples.statistics[measured.metric.name][inside]
    groups = measured.samples.groups[inside]
    (summary,) = summarize([(measured.metric, statistics)], groups, seed=0)
    return BinScore(some, int(inside.sum()), summary)
