"""OPUS-100: sentences of many kinds from OPUS, between English and 94 languages, and 15 more pairs.

Data: Helsinki-NLP/opus-100 on the hub (Zhang et al. 2020, arXiv 2004.11867), split test, mostly
2,000 pairs of sentences for each pair of languages; examples from validation, which the pairs
without English do not have. Licences differ by source and are not stated. Configurations are named
in the order of the alphabet (de-en, en-fr); each pair is offered in both directions.

    {"translation": {"ca": "El tren arriba tard.", "en": "The train is late."}}

Prompt: the one of all translation tasks here. The references are aligned by program and often free
or wrong (subtitles, software, scripture): scores rank systems and say little of any one sentence.
Five of the hundred languages (an, dz, hy, mn, yo) have no test set.

Configurations, field, splits and sizes are those of the data set's card, as kept in the repository
of `datasets`. Not checked against the hub from a closed network.
"""

from collections.abc import Callable, Mapping
from functools import partial

from evalharness.errors import UsageError, did_you_mean
from evalharness.languages import language_name
from evalharness.metrics.translation import translation_metrics
from evalharness.records import Source, Task, TaskTemplate
from evalharness.samples import translation_of_pair
from evalharness.sources import HubDataset, Numbered

NAME = "Helsinki-NLP/opus-100"
_WITH_ENGLISH = """
af am ar as az be bg bn br bs ca cs cy da de el eo es et eu fa fi fr fy ga gd gl gu ha he hi hr hu
id ig is it ja ka kk km kn ko ku ky li lt lv mg mk ml mr ms mt my nb ne nl nn no oc or pa pl ps pt
ro ru rw se sh si sk sl sq sr sv ta te tg th tk tr tt ug uk ur uz vi wa xh yi zh zu
"""
_WITHOUT = (
    "ar-de ar-fr ar-nl ar-ru ar-zh de-fr de-nl de-ru de-zh fr-nl fr-ru fr-zh nl-ru nl-zh ru-zh"
)
PAIRS = frozenset(
    [*("-".join(sorted(("en", code))) for code in _WITH_ENGLISH.split()), *_WITHOUT.split()]
)
SIZES: Mapping[str, int] = {
    "en-gd": 1606,
    "en-ig": 1843,
    "en-kn": 918,
    "en-or": 1318,
    "en-tk": 1852,
}
DIRECTIONS = sorted(PAIRS | {"-".join(reversed(pair.split("-"))) for pair in PAIRS})


def task(argument: str, _find: Callable[[str], Task]) -> Task:
    """Raises UsageError for a direction without a test set, with the nearest one."""
    if argument not in DIRECTIONS:
        hint = did_you_mean(argument, DIRECTIONS)
        raise UsageError(f"OPUS-100 has no test set of {argument!r}.{hint}")
    source, target = argument.split("-")
    pair = "-".join(sorted((source, target)))

    def split(name: str) -> Source:
        return Numbered(HubDataset(NAME, pair, name))

    return Task(
        name=f"opus100:{argument}",
        family="translation",
        version=1,
        data=split("test"),
        shots=split("validation") if "en" in (source, target) else None,
        sample=partial(translation_of_pair, languages=(source, target)),
        metrics=translation_metrics(target),
        languages=(source, target),
        licence="not stated; that of each source in OPUS",
        description=f"Sentences of many kinds from {language_name(source)} into "
        f"{language_name(target)}.",
        size=SIZES.get(pair, 2000),
    )


TASKS = (
    TaskTemplate(
        name="opus100",
        family="translation",
        argument="SOURCE-TARGET",
        examples=("en-fr", "de-en", "ar-zh"),
        make=task,
        description="OPUS-100: sentences of many kinds, mostly from or into English.",
    ),
)
