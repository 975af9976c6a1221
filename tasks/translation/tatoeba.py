"""Tatoeba: short everyday sentences by volunteers, between hundreds of pairs of languages.

Data: Helsinki-NLP/tatoeba_mt on the hub, the test sets of the Tatoeba Challenge (Tiedemann 2020),
CC BY 2.0; split test, examples from validation, which small pairs do not have. Codes have three
letters (eng, deu, nob); configurations are named in the order of the alphabet, and each pair is
offered in both directions.

    {"sourceLang": "deu", "targetlang": "eng",
     "sourceString": "Es regnet.", "targetString": "It's raining."}

Prompt: the one of all translation tasks here; lm-evaluation-harness's Norwegian tasks on the same
data ask in Norwegian. A sentence with several translations stands in as many rows, each a sample
with one reference; they are one group for the intervals. Many sentences have four or five words,
so that BLEU is rough. They are public, and models have probably seen them.

Fields, splits and configurations were checked against lm-evaluation-harness 0.4.13 (eng-nob,
eng-nno); its authors have published newer releases under the same id, whose rows were not seen:
pin one by giving its file. Which pairs there are is left to the hub. Not checked against it from a
closed network.
"""

from collections.abc import Callable
from functools import partial

from evalharness.languages import language_name, read_direction
from evalharness.metrics.translation import translation_metrics
from evalharness.records import Row, Sample, Source, Task, TaskTemplate
from evalharness.samples import translation, translation_of_row
from evalharness.sources import HubDataset, Numbered

FIELDS = ("sourceString", "targetString")


def sample(row: Row, languages: tuple[str, str]) -> Sample:
    """A row whose languages are in the order of the alphabet, whatever is asked for."""
    if "refs" in row:
        return translation_of_row(row, languages)
    source, target = FIELDS if languages == tuple(sorted(languages)) else reversed(FIELDS)
    return translation(
        id=row["row_number"],
        languages=languages,
        source=row[source],
        references=[row[target]],
        group=row[source],
    )


def task(argument: str, _find: Callable[[str], Task]) -> Task:
    """Raises UsageError for a language that does not exist, with the nearest code."""
    languages = read_direction(argument)
    pair = "-".join(sorted(languages))

    def split(name: str) -> Source:
        return Numbered(HubDataset("Helsinki-NLP/tatoeba_mt", pair, name))

    asked, wanted = map(language_name, languages)
    return Task(
        name=f"tatoeba:{argument}",
        family="translation",
        version=1,
        data=split("test"),
        shots=split("validation"),
        sample=partial(sample, languages=languages),
        metrics=translation_metrics(languages[1]),
        languages=languages,
        licence="CC-BY-2.0",
        description=f"Short everyday sentences from {asked} into {wanted}.",
    )


TASKS = (
    TaskTemplate(
        name="tatoeba",
        family="translation",
        argument="SOURCE-TARGET",
        examples=("eng-nob", "nob-eng"),
        make=task,
        description="Tatoeba: short everyday sentences, by codes of three letters such as eng.",
    ),
)
