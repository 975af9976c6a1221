"""Starter translation: English with German, French, Spanish, Japanese and Chinese, both ways.

Data: data/starter_translation.jsonl, written for this project (Apache-2.0): 70 segments of seven
domains in all six languages, see README.md.

    {"id": "science-02", "domain": "science", "original": "de",
     "en": "The deeper you dive, the less red light reaches you.",
     "de": "Je tiefer man taucht, desto weniger rotes Licht kommt an.", "fr": ..., "es": ..., ...}
"""

from functools import partial
from pathlib import Path

from evalharness.languages import language_name
from evalharness.metrics.translation import translation_metrics
from evalharness.records import Row, Sample, Task
from evalharness.samples import translation
from evalharness.sources import LocalFile

DATA = Path(__file__).parent / "data"
OTHERS = ("de", "es", "fr", "ja", "zh")
DIRECTIONS = [("en", code) for code in OTHERS] + [(code, "en") for code in OTHERS]


def sample(row: Row, source: str, target: str) -> Sample:
    """One segment in one direction."""
    return translation(
        id=row["id"],
        languages=(source, target),
        source=row[source],
        references=[row[target]],
        max_tokens=128,
        slices={"domain": row["domain"], "original": row["original"]},
    )


TASKS = tuple(
    Task(
        name=f"starter-translation-{source}-{target}",
        family="translation",
        version=1,
        data=LocalFile(DATA / "starter_translation.jsonl"),
        shots=LocalFile(DATA / "starter_translation_shots.jsonl"),
        sample=partial(sample, source=source, target=target),
        metrics=translation_metrics(target),
        languages=(source, target),
        licence="Apache-2.0",
        description=f"Short segments of seven domains from {language_name(source)} into "
        f"{language_name(target)}.",
    )
    for source, target in DIRECTIONS
)
