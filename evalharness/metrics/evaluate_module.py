"""Any module of Hugging Face's library `evaluate` as a metric, bootstrap included.

    mean_of_samples(Module("exact_match", score="exact_match"))
    score_of_corpus(Module("sacrebleu", score="score"), bounds=(0.0, 100.0))
    mean_of_samples(Module(Path(__file__).parent / "data" / "word_share", score="share"))

The first kind computes the module on each sample alone and takes the mean: right for scores that
are means of samples, and quick. The second computes it on all samples, and for the interval on
whole resamples of them: right for every module, and slow.

A module is a script that is fetched from the hub and run. Only a plugin can name one, and running a
plugin is running its modules: read them, and give `revision` or a Path.
"""

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from evalharness.errors import DataError, UsageError, did_you_mean
from evalharness.metrics.aggregation import mean
from evalharness.metrics.responses import log_likelihoods, texts
from evalharness.records import Groups, Metric, Response, Sample, Statistics, Values, Weights

_MEAN = "mean over samples"

Inputs = Mapping[str, Any]
Rows = Callable[[Sample, Sequence[Response]], Sequence[Inputs]]
"""What a module is given of one sample, a row for each draw; columns that it lacks are not used."""


def texts_and_references(sample: Sample, responses: Sequence[Response]) -> list[Inputs]:
    """The columns of modules that look at texts: predictions, references, sources, data."""
    return [
        {
            "predictions": text,
            "references": list(sample.references),
            "sources": sample.source,
            "data": text,
        }
        for text in texts(responses)
    ]


def likeliest_choice(sample: Sample, responses: Sequence[Response]) -> list[Inputs]:
    """For modules that look at classes: the index of the likeliest option and the right one."""
    values = [scored.log_probability for scored in log_likelihoods(responses)]
    values = values[: len(sample.choices)]
    return [{"predictions": values.index(max(values)), "references": sample.gold[0]}]


@dataclass(frozen=True, slots=True)
class Module:
    """A module of evaluate, and what is asked of it.

    place      a name on the hub, such as "rouge" or "OWNER/NAME", or the Path of a script, or of a
               folder with a script of its name
    score      which of the values that the module gives
    config     the configuration of a module that has several
    revision   a commit, tag or branch on the hub; without it evaluate's own choice
    arguments  handed to the module's `compute`
    rows       what it is given of a sample
    Raises DataError for a Path without a script.
    """

    place: str | Path
    score: str
    config: str | None = None
    revision: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    rows: Rows = texts_and_references

    def __post_init__(self) -> None:
        if isinstance(self.place, Path) and not self.script.is_file():
            scripts = [path.name for path in self.script.parent.glob("*.py")]
            raise DataError(
                f"there is no script {self.script} of a module of evaluate."
                f"{did_you_mean(self.script.name, scripts)}"
            )

    @property
    def script(self) -> Path:
        """Of a module in a file of one's own."""
        path = Path(self.place)
        return path if path.suffix == ".py" else path / f"{path.name}.py"

    @property
    def name(self) -> str:
        """Of its metric: the module's and, where it says more, the score's."""
        stem = Path(self.place).stem
        return stem if stem == self.score else f"{stem}_{self.score}"

    def signature(self, how: str) -> str:
        """What is computed, and how; of a script in a file with its sha256."""
        code = f"revision {self.revision or 'not given'}"
        if isinstance(self.place, Path):
            code = _digest(self.script)
        return self._described(code, how)

    def signature_of_a_run(self, how: str) -> str:
        """The same with the sha256 of the script that was run, wherever it came from."""
        loaded = _load(self.place, self.config, self.revision)
        return self._described(_digest(Path(inspect.getfile(type(loaded)))), how)

    def _described(self, code: str, how: str) -> str:
        asked = {"config": self.config} if self.config else {}
        settings = [f"{key}={value!r}" for key, value in {**asked, **self.arguments}.items()]
        shown = self.place.name if isinstance(self.place, Path) else self.place
        parts = [f"evaluate {version('evaluate')}: {shown} ({code})", *settings]
        return ", ".join([*parts, f"value {self.score!r}", how])

    def compute(self, rows: Sequence[Inputs]) -> Any:
        """The value that is asked for, of these rows together.

        Raises DataError for a module that cannot be loaded, or needs other columns or values.
        """
        loaded = _load(self.place, self.config, self.revision)
        columns = {
            name: [_cell(self, loaded, name, row) for row in rows] for name in _names(loaded)
        }
        values = loaded.compute(**columns, **self.arguments)
        if self.score not in values:
            raise DataError(
                f"the module {self.place} of evaluate gives no {self.score!r}, but "
                f"{', '.join(map(repr, values))}.{did_you_mean(self.score, values)}"
            )
        return values[self.score]


def mean_of_samples(
    module: Module, *, bounds: tuple[float, float] = (0.0, 1.0), higher_is_better: bool = True
) -> Metric:
    """The mean of the module's values for each sample alone, of its draws where it has several."""

    def measure(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        found = [_number(module, module.compute([row])) for row in module.rows(sample, responses)]
        return (float(np.mean(found)),)

    return Metric(
        module.name,
        measure,
        mean(),
        bounds,
        higher_is_better,
        signature=module.signature(_MEAN),
        signature_of=lambda _samples: module.signature_of_a_run(_MEAN),
    )


def score_of_corpus(
    module: Module,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    higher_is_better: bool = True,
    resamples: int = 200,
) -> Metric:
    """The module's value for all samples together.

    resamples: how many of the bootstrap's resamples it is computed on, for the interval; and of the
        parts of the samples (200 or fewer) whose weight in the score is looked at besides

    The statistic of a sample is a number that stands for its rows, and is of use only where these
    were measured: `compare`, which reads stored statistics, cannot compare such a metric. Raises
    UsageError for fewer than two resamples.
    """
    if resamples < 2:
        raise UsageError(f"an interval needs 2 resamples or more, not {resamples}")
    how = f"of the corpus, interval from {resamples} resamples"
    rows_of: dict[float, Sequence[Inputs]] = {}

    def measure(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        rows = module.rows(sample, responses)
        # 52 bits, which a float holds exactly.
        number = float(int(hashlib.sha256(repr(rows).encode()).hexdigest()[:13], 16))
        rows_of[number] = rows
        return (number,)

    def aggregate(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
        values = np.full(len(weights), np.nan)
        for place, counts in enumerate(weights[:resamples]):
            # A module knows whole samples only, and nothing of none.
            if counts.any() and (counts == np.round(counts)).all():
                drawn = np.repeat(statistics[:, 0], counts.astype(np.int64))
                rows = [row for number in drawn for row in _known(rows_of, number)]
                values[place] = _number(module, module.compute(rows))
        return values

    return Metric(
        module.name,
        measure,
        aggregate,
        bounds,
        higher_is_better,
        signature=module.signature(how),
        signature_of=lambda _samples: module.signature_of_a_run(how),
    )


def _digest(script: Path) -> str:
    return f"sha256 {hashlib.sha256(script.read_bytes()).hexdigest()}"


def _known(rows_of: Mapping[float, Sequence[Inputs]], number: float) -> Sequence[Inputs]:
    if number not in rows_of:
        raise ValueError(
            "what was measured is known to the run only, so that stored statistics cannot be "
            "aggregated again; a metric made with mean_of_samples can be compared"
        )
    return rows_of[number]


@cache
def _load(place: str | Path, config: str | None, revision: str | None) -> Any:
    """The module. Imported late: evaluate imports much of transformers."""
    import evaluate

    if isinstance(place, str) and Path(place).exists():
        raise DataError(
            f"the module {place!r} of evaluate is a name on the hub, but evaluate would take "
            f"{Path(place).resolve()} for it: give a Path, or run in another folder."
        )
    try:
        return evaluate.load(str(place), config, revision=revision, keep_in_memory=True)
    except Exception as error:  # the network, the hub and scripts fail in many ways
        raise DataError(
            f"the module {place} of evaluate cannot be loaded ({type(error).__name__}: "
            f"{' '.join(str(error).split())}). Where the hub cannot be reached, copy the folder of "
            "the module (the Space evaluate-metric/NAME) and give its Path. What was answered is "
            "stored."
        ) from None


def _forms(loaded: Any) -> list[Mapping[str, Any]]:
    """The forms that the columns of a module may have."""
    return list(loaded.features) if isinstance(loaded.features, list) else [loaded.features]


def _names(loaded: Any) -> list[str]:
    return list(_forms(loaded)[0])


def _cell(module: Module, loaded: Any, name: str, row: Inputs) -> Any:
    """The value of a column: all references where the module takes several, else the only one."""
    if name not in row:
        raise DataError(
            f"the module {module.place} of evaluate needs the column {name!r}; `rows` gives "
            f"{', '.join(map(repr, row))}.{did_you_mean(name, row)}"
        )
    value = row[name]
    if not isinstance(value, list) or any(_is_list(form[name]) for form in _forms(loaded)):
        return value
    if len(value) != 1:
        raise DataError(
            f"the module {module.place} of evaluate takes one value of {name}, but a sample has "
            f"{len(value)}: choose in `rows`."
        )
    return value[0]


def _is_list(feature: Any) -> bool:
    import datasets

    return isinstance(feature, list | datasets.List | datasets.LargeList)


def _number(module: Module, value: Any) -> float:
    """A value as a number; modules that score each row give a list, here of one."""
    if isinstance(value, list | np.ndarray) and len(value) == 1:
        value = value[0]
    if isinstance(value, str | list | dict) or np.ndim(value) != 0:
        raise DataError(
            f"the module {module.place} of evaluate gives no number as {module.score!r}, but "
            f"{value!r:.80}; a list has a value for each row: take mean_of_samples."
        )
    return float(value)
