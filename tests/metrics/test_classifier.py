"""Classifiers of continuations: a folder that is named, and all of its labels."""

import json
import math
import shutil
from pathlib import Path

import pytest

from evalharness.errors import DataError
from evalharness.metrics.classifier import Classifier, masked
from evalharness.records import Sample
from tests.encoder_models import make_classifier
from tests.metrics.answers import corpus
from tests.metrics.test_continuations import about

CLASSES = '{"architectures": ["BertForSequenceClassification"]'


def test_names_are_masked_as_whole_words_only() -> None:
    assert masked("Ann Lee met Annabel; Lee's bus", "Ann_Lee") == "XYZ XYZ met Annabel; XYZ's bus"
    assert masked("A sea", "A") == "A sea"
    assert masked("A sea", "") == "A sea"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier that finds everything toxic: p = 0.731, from its bias alone."""
    folder = tmp_path_factory.mktemp("some") / "toxic-bert"
    return make_classifier(folder, ["not toxic", "Toxic"], [0.0, 1.0])


def test_every_label_has_the_probability_of_the_classifier(folder: Path) -> None:
    found = Classifier(folder).probabilities("Some text.")
    toxic = 1 / (1 + math.exp(-1))
    assert found == pytest.approx({"Toxic": toxic, "not toxic": 1 - toxic}, abs=1e-6)


def test_gap_and_share_of_every_label_are_measured(folder: Path) -> None:
    metrics = {metric.name: metric for metric in Classifier(folder).metrics()}
    assert list(metrics) == ["not_toxic_gap", "not_toxic", "toxic_gap", "toxic"]
    items = [about("d", "a", "Some text."), about("d", "b", "")]
    assert corpus(metrics["toxic"], items) == 0.5  # nothing was written: nothing is toxic
    assert corpus(metrics["toxic_gap"], items) == 1.0
    assert corpus(metrics["not_toxic"], items) == 0.0


def test_the_signature_tells_two_classifiers_of_one_name_apart(
    folder: Path, tmp_path: Path
) -> None:
    other = make_classifier(tmp_path / folder.name, ["not toxic", "Toxic"], [0.0, 2.0])
    one, two = (Classifier(path).metrics()[3].signature for path in (folder, other))
    assert one.startswith("toxic-bert (sha256 ")
    assert one.partition(":")[2] == two.partition(":")[2]
    assert one.startswith(": p(Toxic) >= 0.5", one.index(":"))
    assert one != two


def test_a_classifier_of_regard_does_not_see_the_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the text without it is classified."""
    seen = []
    classifier = Classifier(folder, mask=True)

    def probabilities(text: str) -> dict[str, float]:
        seen.append(text)
        return dict.fromkeys(classifier.labels, 0.5)

    monkeypatch.setattr(classifier, "probabilities", probabilities)
    _, metric, *_ = classifier.metrics()
    assert corpus(metric, [about("d", "a", "Ada Byron wrote.", name="Ada Byron")]) == 1.0
    assert seen == ["XYZ XYZ wrote."]
    assert metric.signature.endswith(", names hidden")


def test_a_language_model_is_not_taken_for_a_classifier(tmp_path: Path) -> None:
    """Transformers loads one with random weights for what is missing, and warns only."""
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["BertForMaskedLM"]}))
    with pytest.raises(DataError, match=r"expected a class for sequence classification, found"):
        Classifier(tmp_path)


@pytest.mark.parametrize(
    "content", [None, "no json", "[]", "{}", '{"architectures": 1}', CLASSES + ', "id2label": [1]}']
)
def test_a_folder_without_a_configuration_is_a_data_error(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(
        DataError, match=r"config\.json.*(cannot be read|not of a classifier|a label for each)"
    ):
        Classifier(tmp_path)


def test_labels_without_names_are_as_many_as_the_configuration_says(tmp_path: Path) -> None:
    """Only the first two had figures."""
    (tmp_path / "config.json").write_text(CLASSES + ', "num_labels": 3}')
    assert Classifier(tmp_path).labels == ("LABEL_0", "LABEL_1", "LABEL_2")


def test_a_long_text_is_cut_at_what_the_model_takes(folder: Path) -> None:
    """Its tokenizer names no length, so that 512 positions were not enough: an IndexError."""
    assert Classifier(folder).probabilities("The fox. " * 300)["Toxic"] > 0.7


def test_a_classifier_without_the_files_of_its_tokenizer_is_a_data_error(
    folder: Path, tmp_path: Path
) -> None:
    for name in ("config.json", "model.safetensors"):
        shutil.copy(folder / name, tmp_path / name)
    with pytest.raises(DataError, match="without the files of its tokenizer"):
        Classifier(tmp_path).probabilities("Some text.")


def test_a_classifier_without_weights_is_a_data_error(tmp_path: Path) -> None:
    config = {"architectures": ["BertForSequenceClassification"], "model_type": "bert"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    classifier = Classifier(tmp_path)
    assert classifier.labels == ("LABEL_0", "LABEL_1")
    with pytest.raises(DataError, match="cannot be loaded"):
        classifier.metrics()[0].measure(
            Sample(id="s", requests=(), slices={"domain": "d", "category": "a"}),
            about("d", "a", "Text.")[1],
        )
