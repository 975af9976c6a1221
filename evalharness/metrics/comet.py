"""COMET (Rei et al. 2020, 2022): a trained model's judgement of translations, by unbabel-comet.

The package needs transformers below 5, numpy below 2 and huggingface-hub below 1 (version 2.2.7),
so that it cannot be installed beside evalharness. It gets an environment of its own:

    python -m venv comet-environment
    comet-environment/bin/pip install unbabel-comet

and a plugin names that environment's Python and a model; nothing is chosen by itself:

    COMET = comet("comet-environment/bin/python", "Unbabel/wmt22-comet-da")
    metrics=(*translation_metrics("de"), COMET)

The model is loaded there once, in a process that scores one segment after another. It is fetched
from the hub at first, unless it is the path of a checkpoint; some models ask for their terms to be
accepted there. Scores of different models are not comparable: the signature names the model.
"""

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from evalharness.errors import DataError
from evalharness.metrics.aggregation import mean
from evalharness.metrics.responses import mean_over_draws
from evalharness.records import Metric, Sample

_REMEDY = (
    "COMET needs an environment of its own, whose Python the task names: "
    "python -m venv comet-environment; comet-environment/bin/pip install unbabel-comet."
)


def comet(python: str | Path, model: str = "Unbabel/wmt22-comet-da") -> Metric:
    """The mean of the segments' COMET scores; of a segment with several references, their mean.

    python  the interpreter of an environment in which unbabel-comet is installed
    model   an id on the hub, or the path of a checkpoint; models without references ignore them

    What is missing is a DataError when a run is scored, before any segment is.
    """

    def measure(sample: Sample, text: str) -> Sequence[float]:
        segments = [
            {"src": sample.source, "mt": text, "ref": reference} for reference in sample.references
        ]
        scores = _process(str(python), model).scores(segments)
        return (sum(scores) / len(scores),)

    def signature(samples: Sequence[Sample]) -> str:
        numbers = sorted({len(sample.references) for sample in samples})
        references = "/".join(map(str, numbers))
        installed = _process(str(python), model).version
        return f"COMET {model}, mean of {references} references, unbabel-comet {installed}"

    return Metric(
        "comet",
        mean_over_draws(measure),
        mean(),
        bounds=(-float("inf"), float("inf")),
        signature=f"COMET {model}",
        signature_of=signature,
    )


@cache
def _process(python: str, model: str) -> "_CometProcess":
    """One process for all tasks of a run. It ends when its standard input does, with this one."""
    return _CometProcess(python, model)


class _CometProcess:
    """A model in a process of another environment. Raises DataError where it does not answer."""

    def __init__(self, python: str, model: str) -> None:
        self._model = model
        # What the process says is shown if it fails; the file lives as long as the process.
        self._messages: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        script = Path(__file__).with_name("comet_process.py")
        try:
            self._process = subprocess.Popen(
                [python, str(script), model],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._messages,
                text=True,
                encoding="utf-8",
            )
        except OSError as error:
            raise DataError(f"COMET cannot be started by {python}: {error}. {_REMEDY}") from None
        self.version = str(self._answer()["version"])

    def scores(self, segments: Sequence[Mapping[str, str]]) -> list[float]:
        """The score of each segment: src, mt (the translation) and ref."""
        assert self._process.stdin is not None
        with suppress(OSError):  # it has ended, and has said why
            print(json.dumps(segments), file=self._process.stdin, flush=True)
        return [float(score) for score in self._answer()]

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._process.wait()
        self._messages.seek(0)
        said = self._messages.read().strip().rpartition("\n")[2]
        raise DataError(f"COMET with the model {self._model} ended: {said}. {_REMEDY}")
