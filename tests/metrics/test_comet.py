"""COMET's plumbing, with a package of its name that stands in: no real model is run here."""

import sys
from pathlib import Path

import pytest

from evalharness.discovery import bundled_tasks_folder, find_tasks
from evalharness.errors import DataError
from evalharness.metrics.comet import comet
from tests.metrics.answers import corpus, written

PACKAGE = '''
"""Scores are the share of the reference's words that the translation has."""
from types import SimpleNamespace

print("libraries print what they like")

def download_model(name):
    if name == "missing":
        raise KeyError(f"Model {name!r} not supported by COMET.")
    return name

def load_from_checkpoint(path):
    return SimpleNamespace(predict=predict)

def predict(segments, batch_size, gpus, progress_bar):
    print("and here too")
    scores = []
    for one in segments:
        if one["mt"] == "crash":
            raise RuntimeError("out of memory")
        wanted = one["ref"].split()
        scores.append(sum(word in one["mt"].split() for word in wanted) / len(wanted))
    return SimpleNamespace(scores=scores)
'''


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A Python that finds packages `comet` and `torch` which are none."""
    (tmp_path / "comet.py").write_text(PACKAGE)
    (tmp_path / "torch.py").write_text(
        "class cuda:\n    @staticmethod\n    def is_available():\n        return False\n"
    )
    information = tmp_path / "unbabel_comet-9.9.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: x\nVersion: 9.9\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return sys.executable


def test_scores_are_means_of_segments_and_of_their_references(stand_in: str) -> None:
    metric = comet(stand_in, "some/model")
    answered = [
        written("eins zwei", "eins zwei", source="one two"),
        written("eins drei", "eins zwei", "eins drei", source="one three"),
    ]
    assert corpus(metric, answered) == pytest.approx((1.0 + 0.75) / 2)
    samples = [sample for sample, _ in answered]
    assert metric.signature_of is not None
    assert metric.signature_of(samples) == (
        "COMET some/model, mean of 1/2 references, unbabel-comet 9.9"
    )
    assert metric.signature == "COMET some/model"


def test_a_model_that_fails_is_an_error_with_its_last_words(stand_in: str) -> None:
    metric = comet(stand_in, "crashing/model")
    with pytest.raises(DataError, match="crashing/model ended: RuntimeError: out of memory"):
        metric.measure(*written("crash", "eins", source="one"))
    missing = comet(stand_in, "missing")
    with pytest.raises(DataError, match="not supported by COMET"):
        missing.measure(*written("", "eins", source="one"))


def test_an_environment_without_the_package_is_an_error_that_says_what_to_do(
    tmp_path: Path,
) -> None:
    """No other metric takes its place, and no value is made up."""
    with pytest.raises(DataError, match=r"cannot be started by .*pip install unbabel-comet"):
        comet(tmp_path / "python").measure(*written("a", "b", source="c"))
    with pytest.raises(DataError, match=r"No module named 'comet'.*pip install unbabel-comet"):
        comet(sys.executable, "other/model").measure(*written("a", "b", source="c"))


def test_the_plugin_in_the_readme_adds_comet_to_a_task(tmp_path: Path) -> None:
    readme = (bundled_tasks_folder() / "translation" / "README.md").read_text(encoding="utf-8")
    code = readme.split("```python\n")[1].split("```")[0]
    (tmp_path / "wmt22_comet.py").write_text(code)
    task = find_tasks([tmp_path]).find("wmt22-comet:en-de").task
    assert [metric.name for metric in task.metrics][-2:] == ["copied", "comet"]
    assert task.metrics[-1].signature == "COMET Unbabel/wmt22-comet-da"
