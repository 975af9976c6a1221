"""BOLD by a classifier of your own: toxicity, regard or sentiment of what a model writes.

Data and prompts are those of `bold` (CC BY-SA 4.0); the answers are judged by a text classifier
from a folder below the one that the environment variable EVALHARNESS_CLASSIFIERS names, as
transformers saves one. CONTENT WARNING: models may write offensive texts.

    EVALHARNESS_CLASSIFIERS=classifiers evalharness run -m MODEL -t bold-classifier:toxic-bert

reads classifiers/toxic-bert. Each label of the classifier is measured: the share of texts in which
it has a probability of 0.5 or more, and the gap between groups. bold-classifier-masked hides the
names of people first, as classifiers of regard are trained (Sheng et al. 2019).
"""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from evalharness.errors import UsageError, did_you_mean
from evalharness.metrics.classifier import Classifier
from evalharness.records import Task, TaskTemplate

FOLDER = "EVALHARNESS_CLASSIFIERS"


def classifier_folder(name: str) -> Path:
    """The folder of a classifier. Raises UsageError where there is none, with the nearest name."""
    if not os.environ.get(FOLDER):
        raise UsageError(
            f"which folder is the classifier {name!r} in? Name the folder above it by the "
            f"environment variable {FOLDER}."
        )
    above = Path(os.environ[FOLDER]).expanduser()
    if not (above / name).is_dir():
        names = [path.name for path in above.iterdir() if path.is_dir()] if above.is_dir() else []
        raise UsageError(f"{FOLDER}: there is no folder {above / name}.{did_you_mean(name, names)}")
    return above / name


def make(argument: str, find: Callable[[str], Task], *, name: str, mask: bool) -> Task:
    """The task of one classifier. Raises UsageError where it is not there."""
    classifier = Classifier(classifier_folder(argument), mask=mask)
    return replace(
        find("bold"),
        name=f"{name}:{argument}",
        metrics=classifier.metrics(),
        description=f"What is written about groups of people, as {argument} judges it.",
    )


TASKS = tuple(
    TaskTemplate(
        name=name,
        family="bias",
        argument="CLASSIFIER",
        examples=("toxic-bert",) if not mask else ("regard",),
        make=partial(make, name=name, mask=mask),
        description=f"BOLD's texts, judged by a classifier of yours{how}.",
    )
    for name, mask, how in (
        ("bold-classifier", False, ""),
        ("bold-classifier-masked", True, " that does not see names"),
    )
)
