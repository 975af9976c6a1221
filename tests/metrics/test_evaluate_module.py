"""Modules of Hugging Face's evaluate as metrics; the modules are written by the tests."""

import hashlib
import math
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalharness.discovery import find_tasks
from evalharness.errors import DataError, UsageError
from evalharness.measurement import Answered, measure_task
from evalharness.metrics.evaluate_module import (
    Module,
    likeliest_choice,
    mean_of_samples,
    score_of_corpus,
)
from evalharness.prompts.preparation import prepare
from evalharness.records import GenerationResponse, Metric, Response, Sample
from evalharness.statistics.summaries import summarize
from tests.metrics.answers import corpus, scored, written
from tests.plugins import write_rows

# Two scores: the mean over samples of what is shared, and a ratio of sums, which is no such mean.
SCRIPT = '''
"""Shares of the words of a reference."""
import datasets
import evaluate


class WordShare(evaluate.Metric):
    def _info(self):
        text = datasets.Value("string")
        references = {references}
        return evaluate.MetricInfo(
            description="", citation="", inputs_description="",
            features=datasets.Features({{"predictions": text, "references": references}}),
        )

    def _compute(self, predictions, references, scale=1.0):
        firsts = [one if isinstance(one, str) else one[0] for one in references]
        pairs = [(set(a.split()), set(b.split())) for a, b in zip(predictions, firsts)]
        shared = [len(a & b) for a, b in pairs]
        sizes = [len(b) for _, b in pairs]
        return {{
            "mean": scale * sum(s / n for s, n in zip(shared, sizes)) / len(pairs),
            "pooled": scale * sum(shared) / sum(sizes),
            "each": [s / n for s, n in zip(shared, sizes)],
            "words": "many",
            "undefined": float("nan"),
        }}
'''


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A folder with a module whose references are single texts."""
    return write_module(tmp_path / "word_share", "text")


def write_module(folder: Path, references: str) -> Path:
    folder.mkdir()
    (folder / f"{folder.name}.py").write_text(SCRIPT.format(references=references))
    return folder


ANSWERED = [written("a b", "a b"), written("a", "a b c d"), written("x", "y")]


@pytest.mark.parametrize(
    ("score", "make", "expected"),
    [
        ("mean", mean_of_samples, (1 + 1 / 4 + 0) / 3),
        ("each", mean_of_samples, (1 + 1 / 4 + 0) / 3),
        ("mean", score_of_corpus, (1 + 1 / 4 + 0) / 3),
        ("pooled", score_of_corpus, 3 / 7),
        ("pooled", mean_of_samples, (1 + 1 / 4 + 0) / 3),
    ],
)
def test_scores_of_samples_and_of_the_corpus(
    script: Path, score: str, make: Any, expected: float
) -> None:
    """Worked out by hand; a pooled ratio is not the mean of ratios."""
    assert corpus(make(Module(script, score)), ANSWERED) == pytest.approx(expected)


def statistics(metric: Metric, answered: Sequence[tuple[Sample, list[Response]]]) -> np.ndarray:
    return np.array([metric.measure(*one) for one in answered])


def test_a_resample_is_computed_as_a_corpus_in_which_samples_stand_several_times(
    script: Path,
) -> None:
    metric = score_of_corpus(Module(script, "pooled"))
    weights = np.array([[1.0, 1, 1], [3, 0, 0], [0, 2, 1]])
    values = metric.aggregate(statistics(metric, ANSWERED), weights, np.arange(3))
    assert values == pytest.approx([3 / 7, 6 / 6, 2 / 9])


def test_weights_that_are_no_whole_samples_leave_it_undefined(script: Path) -> None:
    """Statistics probe a metric with fractions, to tell whether it is a mean."""
    metric = score_of_corpus(Module(script, "pooled"))
    weights = np.array([[0.5, 1.5, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    values = metric.aggregate(statistics(metric, ANSWERED), weights, np.arange(3))
    assert values == pytest.approx([math.nan, math.nan, 1 / 4], nan_ok=True)


def test_the_interval_comes_from_as_many_resamples_as_are_asked_for(script: Path) -> None:
    metric = score_of_corpus(Module(script, "pooled"), resamples=20)
    measured = statistics(metric, ANSWERED)
    (found,) = summarize([(metric, measured)], np.arange(3), seed=0, replicates=1000)
    assert found.value == pytest.approx(3 / 7)
    assert found.interval is not None
    assert found.interval[0] < 3 / 7 < found.interval[1]
    values = metric.aggregate(measured, np.ones((50, 3)), np.arange(3))
    assert np.isnan(values).sum() == 30
    assert "interval from 20 resamples" in metric.signature


def test_statistics_depend_on_the_sample_alone_and_are_refused_elsewhere(script: Path) -> None:
    """Another process has other rows: a number of its own would score other texts in silence."""
    one, other = (score_of_corpus(Module(script, "pooled")) for _ in range(2))
    measured = statistics(one, ANSWERED)
    assert (measured == statistics(one, ANSWERED)).all()
    with pytest.raises(ValueError, match="cannot be aggregated again"):
        other.aggregate(measured, np.ones((1, 3)), np.arange(3))


def test_draws_are_rows_of_the_corpus_and_averaged_in_the_mean(script: Path) -> None:
    sample = Sample(id="s", requests=(), references=("a b",))
    draws = [GenerationResponse("a b", "end"), GenerationResponse("a", "end")]
    assert corpus(mean_of_samples(Module(script, "mean")), [(sample, draws)]) == 3 / 4
    assert corpus(score_of_corpus(Module(script, "pooled")), [(sample, draws)]) == 3 / 4


def test_several_references_are_given_where_the_module_takes_them(tmp_path: Path) -> None:
    single = write_module(tmp_path / "single", "text")
    several = write_module(tmp_path / "several", "datasets.Sequence(text)")
    answered = [written("a", "a", "b")]
    assert corpus(mean_of_samples(Module(several, "mean")), answered) == 1.0
    with pytest.raises(DataError, match="takes one value of references, but a sample has 2"):
        corpus(mean_of_samples(Module(single, "mean")), answered)


def test_arguments_reach_the_module_and_its_signature(script: Path) -> None:
    module = Module(script, "mean", arguments={"scale": 100.0})
    metric = mean_of_samples(module, bounds=(0.0, 100.0))
    assert corpus(metric, ANSWERED[:1]) == 100.0
    assert "scale=100.0" in metric.signature


HITS = '''
"""Share of equal classes."""
import datasets
import evaluate


class Hits(evaluate.Metric):
    def _info(self):
        number = datasets.Value("int32")
        return evaluate.MetricInfo(
            description="", citation="", inputs_description="",
            features=datasets.Features({"predictions": number, "references": number}),
        )

    def _compute(self, predictions, references):
        return {"hits": sum(a == b for a, b in zip(predictions, references)) / len(references)}
'''


def test_classes_are_indexes_of_options(tmp_path: Path) -> None:
    """What modules such as accuracy and matthews_correlation look at."""
    (tmp_path / "hits.py").write_text(HITS)
    sample = Sample(id="s", requests=(), choices=("x", "y"), gold=(1,))
    module = Module(tmp_path / "hits.py", "hits", rows=likeliest_choice)
    assert corpus(mean_of_samples(module), [(sample, scored(-2.0, -1.0))]) == 1.0
    assert corpus(score_of_corpus(module), [(sample, scored(-1.0, -2.0))]) == 0.0


def test_the_signature_tells_which_code_was_run(script: Path) -> None:
    """Of a module on the hub the script is known when it was run, not when it is named."""
    metric = mean_of_samples(Module(script, "mean"))
    file = script / "word_share.py"
    code = f"sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}"
    assert f"word_share ({code}), value 'mean', mean over samples" in metric.signature
    assert metric.signature_of is not None
    assert metric.signature_of([]) == metric.signature
    file.write_text(f"{file.read_text()}\n# another score\n")
    assert code not in mean_of_samples(Module(file, "mean")).signature
    named = score_of_corpus(Module("rouge", "rouge1", revision="v1"))
    assert "rouge (revision v1)" in named.signature
    assert named.signature_of is not None
    with pytest.raises(DataError, match="cannot be loaded"):
        named.signature_of([])


@pytest.mark.parametrize(
    ("place", "score", "name"),
    [("exact_match", "exact_match", "exact_match"), ("owner/one", "f1", "one_f1")],
)
def test_a_metric_is_called_after_module_and_score(place: str, score: str, name: str) -> None:
    assert mean_of_samples(Module(place, score)).name == name


@pytest.mark.parametrize(
    ("score", "make", "message"),
    [
        ("maen", mean_of_samples, "gives no 'maen'.*Did you mean 'mean'"),
        ("words", mean_of_samples, "gives no number as 'words'"),
        ("each", score_of_corpus, "take mean_of_samples"),
    ],
)
def test_values_that_are_none_are_named(script: Path, score: str, make: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        corpus(make(Module(script, score)), ANSWERED)


def test_what_the_module_finds_undefined_is_undefined(script: Path) -> None:
    assert math.isnan(corpus(score_of_corpus(Module(script, "undefined")), ANSWERED))


def test_a_path_without_a_script_is_refused_when_the_plugin_is_loaded(script: Path) -> None:
    with pytest.raises(DataError, match=r"word_shares.py.*Did you mean 'word_share.py'"):
        Module(script / "word_shares.py", "mean")


def test_a_module_that_cannot_be_fetched_says_what_to_do() -> None:
    metric = mean_of_samples(Module("there_is_no_such_module", "score"))
    with pytest.raises(DataError, match=r"cannot be loaded.*copy the folder.*give its Path"):
        corpus(metric, ANSWERED)


def test_a_folder_here_never_takes_the_place_of_a_name_on_the_hub(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards against other code in silence: evaluate looks at the working folder first."""
    monkeypatch.chdir(script.parent)
    with pytest.raises(DataError, match="give a Path, or run in another folder"):
        corpus(mean_of_samples(Module("word_share", "mean")), ANSWERED)


def test_columns_that_are_not_given_are_named(script: Path) -> None:
    module = Module(script, "mean", rows=lambda _sample, _responses: [{"prediction": "a"}])
    with pytest.raises(DataError, match=r"'predictions'.*Did you mean 'prediction'"):
        corpus(mean_of_samples(module), ANSWERED)


def test_an_interval_of_one_resample_is_refused(script: Path) -> None:
    with pytest.raises(UsageError, match="2 resamples"):
        score_of_corpus(Module(script, "mean"), resamples=1)


PLUGIN = '''
"""Words that are shared."""
from pathlib import Path

from evalharness.metrics.evaluate_module import Module, mean_of_samples, score_of_corpus
from evalharness.records import Task
from evalharness.samples import generation
from evalharness.sources import LocalFile

DATA = Path(__file__).parent / "data"


def sample(row):
    return generation(id=row["id"], prompt="?", references=[row["answer"]], max_tokens=4)


TASKS = [
    Task(
        name="words",
        family="question_answering",
        version=1,
        data=LocalFile(DATA / "words.jsonl"),
        sample=sample,
        metrics=(
            mean_of_samples(Module(DATA / "word_share", "mean")),
            score_of_corpus(Module(DATA / "word_share", "pooled"), resamples=50),
        ),
    )
]
'''


def test_a_task_with_such_metrics_is_measured_with_intervals(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_module(data / "word_share", "text")
    (tmp_path / "words.py").write_text(PLUGIN)
    rows: list[dict[str, object]] = [
        {"id": str(number), "answer": "a b" if number % 2 else "a"} for number in range(12)
    ]
    write_rows(data / "words.jsonl", rows)
    task = prepare(find_tasks([tmp_path]).find("words").task, limit=None, num_fewshot=0, seed=0)
    answers = [
        Answered(instance, GenerationResponse("a", "end"), from_store=False)
        for instance in task.instances()
    ]
    result, _ = measure_task(task, answers, seed=0, peak_memory_bytes=0)
    values = {name: found.value for name, found in result.metrics.items()}
    expected = {"word_share_mean": 3 / 4, "word_share_pooled": 2 / 3}
    assert values == pytest.approx(expected)
    for found in result.metrics.values():
        assert found.interval is not None
        assert found.value is not None
        assert found.interval[0] < found.value < found.interval[1]


def test_the_guide_works_as_it_is_written(tmp_path: Path) -> None:
    """Every block of docs/metrics-from-evaluate.md, in its order."""
    guide = Path(__file__).parents[2] / "docs" / "metrics-from-evaluate.md"
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", guide.read_text(), re.DOTALL | re.MULTILINE)
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hub")}
    printed = ""
    for language, block in blocks:
        if language == "python":
            (tmp_path / block.partition("\n")[0].removeprefix("# ")).write_text(block)
            continue
        command = block.replace("evalharness", f"{sys.executable} -m evalharness")
        done = subprocess.run(
            ["bash", "-e"], input=command, cwd=tmp_path, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        printed += done.stdout
    assert "word_share_share" in printed
