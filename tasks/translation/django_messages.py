"""Django's user-interface messages: software localisation, where placeholders must survive.

Data: the message catalogues of the package django (https://www.djangoproject.com), translated by
volunteers of each language; BSD-3-Clause. About 800 messages a language: translated, not fuzzy,
without plural forms. The same message may stand in several catalogues, and is then counted in each;
for the intervals its copies are one group. Rows come in a fixed random order, since the first
catalogue begins with the names of a hundred languages.

    msgid "Please correct the errors below."
    msgstr "Bitte die unten aufgeführten Fehler korrigieren."
"""

from functools import partial
from hashlib import sha256
from pathlib import Path

from evalharness.metrics.translation import PLACEHOLDERS_KEPT, bleu, chrf, placeholders
from evalharness.records import Row, Sample, Task
from evalharness.samples import generation
from evalharness.sources import LocalFile, Shuffled, WheelFile
from evalharness.wheels import Wheel

DJANGO = Wheel(
    "django", "5.2.19", "5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00"
)
SHOTS = Path(__file__).parent / "data" / "django_messages_shots"
# Language code, its name, and its folder in Django.
LANGUAGES = (
    ("de", "German", "de"),
    ("es", "Spanish", "es"),
    ("fr", "French", "fr"),
    ("it", "Italian", "it"),
    ("ja", "Japanese", "ja"),
    ("pl", "Polish", "pl"),
    ("pt", "Portuguese", "pt"),
    ("zh", "Chinese", "zh_Hans"),
)


def sample(row: Row, language: str) -> Sample:
    """One message; its white space at both ends is layout, and is left out."""
    source = row["msgid"].strip()
    identity = f"{row['file']}\n{row['msgctxt']}\n{row['msgid']}"
    return generation(
        id=sha256(identity.encode()).hexdigest()[:16],
        prompt=f"English phrase: {source}\n\n{language} phrase:",
        references=[row["msgstr"].strip()],
        max_tokens=96,
        stop=("\n",),
        source=source,
        group=row["msgid"],
        slices={"placeholders": "with" if placeholders(source) else "without"},
    )


TASKS = tuple(
    Task(
        name=f"django-messages-{code}",
        family="translation",
        version=1,
        data=Shuffled(WheelFile(DJANGO, f"django/**/locale/{folder}/LC_MESSAGES/*.po")),
        shots=LocalFile(SHOTS / f"{code}.po"),
        sample=partial(sample, language=name),
        metrics=(chrf(2), bleu(code), chrf(), PLACEHOLDERS_KEPT),
        languages=("en", code),
        licence="BSD-3-Clause",
        description=f"User-interface messages of Django from English into {name}.",
    )
    for code, name, folder in LANGUAGES
)
