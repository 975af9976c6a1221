"""Django's user-interface messages: software localisation, where placeholders must survive.

Data: the message catalogues of the package django (https://www.djangoproject.com), translated by
volunteers of each language; BSD-3-Clause. About 800 messages a language, fewer in some: translated,
not fuzzy, without plural forms. The same message may stand in several catalogues, and is then
counted in each; for the intervals its copies are one group. Rows come in a fixed random order,
since the first catalogue begins with the names of a hundred languages.

    msgid "Please correct the errors below."
    msgstr "Bitte die unten aufgeführten Fehler korrigieren."

Eight languages are tasks of their own, with few-shot examples; django-messages:CODE is any other
language that Django is translated into, without examples.
"""

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path

from evalharness.errors import UsageError
from evalharness.languages import did_you_mean_code, language_name
from evalharness.metrics.placeholders import PLACEHOLDERS_KEPT, placeholders
from evalharness.metrics.translation import translation_metrics
from evalharness.records import Row, Sample, Source, Task, TaskTemplate
from evalharness.samples import translation
from evalharness.sources import LocalFile, Shuffled, Wheel, WheelFile

DJANGO = Wheel(
    "django", "5.2.19", "5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00"
)
SHOTS = Path(__file__).parent / "data" / "django_messages_shots"
# Tasks of their own: language code, and its folder in Django.
LISTED = {
    "de": "de",
    "es": "es",
    "fr": "fr",
    "it": "it",
    "ja": "ja",
    "pl": "pl",
    "pt": "pt",
    "zh": "zh_Hans",
}
# Of more than 60 messages, none of which is empty: without fy and sw.
_OTHERS = """
af am ar ar_DZ ast az be bg bn br bs ca ckb cs cy da dsb el eo es_AR es_CO es_MX es_VE et eu fa
fi ga gd gl he hi hr hsb hu hy ia id ig io is ka kab kk km kn ko ky lb lt lv mk ml mn mr ms my
nb ne nl nn os pa pt_BR ro ru sk sl sq sr sr_Latn sv ta te tg th tk tr tt udm ug uk ur uz vi
zh_Hant
"""
OTHERS = tuple(_OTHERS.split())


def sample(row: Row, target: str) -> Sample:
    """One message; its white space at both ends is layout, and is left out."""
    source = row["msgid"].strip()
    identity = f"{row['file']}\n{row['msgctxt']}\n{row['msgid']}"
    return translation(
        id=sha256(identity.encode()).hexdigest()[:16],
        languages=("en", target),
        source=source,
        references=[row["msgstr"].strip()],
        max_tokens=96,
        group=row["msgid"],
        slices={"placeholders": "with" if placeholders(source) else "without"},
    )


def task(name: str, code: str, folder: str, shots: Source | None) -> Task:
    """The messages in one language."""
    return Task(
        name=name,
        family="translation",
        version=1,
        data=Shuffled(WheelFile(DJANGO, f"django/**/locale/{folder}/LC_MESSAGES/*.po")),
        shots=shots,
        sample=partial(sample, target=code),
        metrics=(*translation_metrics(code), PLACEHOLDERS_KEPT),
        languages=("en", code),
        licence="BSD-3-Clause",
        description=f"User-interface messages of Django from English into {language_name(code)}.",
    )


def other(argument: str, _find: Callable[[str], Task]) -> Task:
    """A language that is no task of its own. Raises UsageError for one that Django has not."""
    if argument in LISTED:
        raise UsageError(f"{argument!r} is a task of its own: django-messages-{argument}.")
    if argument not in OTHERS:
        hint = did_you_mean_code(argument, (*OTHERS, *LISTED))
        raise UsageError(f"Django has no messages in {argument!r}.{hint}")
    return task(f"django-messages:{argument}", argument, argument, shots=None)


TASKS = (
    *(
        task(f"django-messages-{code}", code, folder, LocalFile(SHOTS / f"{code}.po"))
        for code, folder in LISTED.items()
    ),
    TaskTemplate(
        name="django-messages",
        family="translation",
        argument="TARGET",
        examples=("uk", "ko"),
        make=other,
        description="User-interface messages of Django from English into another language.",
    ),
)
