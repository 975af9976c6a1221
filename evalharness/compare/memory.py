"""What comparisons of the same runs with several baselines share."""

from collections.abc import Callable, Sequence

from evalharness.compare.records import ComparedRun
from evalharness.compare.samples import StoredSamples, read_samples
from evalharness.statistics.paired import Difference, mirrored


class Memory:
    """Samples that were read of one task, and differences that were found on it, by labels of runs.

    The difference of one run from another is that of the other from the one, mirrored, so that
    every pair is tested once, whichever of both is the baseline.
    """

    def __init__(self) -> None:
        self._samples: dict[tuple[str, tuple[str, ...]], StoredSamples] = {}
        self._differences: dict[tuple[str, str, str], Difference] = {}

    def samples(self, run: ComparedRun, task: str, metrics: Sequence[str]) -> StoredSamples:
        """The samples of a task of a run, read once. Raises DataError as `read_samples` does."""
        key = run.label, tuple(metrics)
        if key not in self._samples:
            self._samples[key] = read_samples(run.origin(task).folder, task, metrics)
        return self._samples[key]

    def difference(
        self, metric: str, run: str, baseline: str, compute: Callable[[], Difference]
    ) -> Difference:
        """The difference of a run from a baseline: known, mirrored or computed now."""
        other_way = self._differences.get((metric, baseline, run))
        if other_way is not None:
            return mirrored(other_way)
        key = metric, run, baseline
        if key not in self._differences:
            self._differences[key] = compute()
        return self._differences[key]
