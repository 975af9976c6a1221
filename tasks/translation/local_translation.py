"""A translation test set of one's own: local source and reference files, in any direction.

    evalharness run -m MODEL -t local-translation:en-de --data src=test.en,ref=a.de,ref=b.de

The files are plain text with a segment a line, as the sacrebleu command reads and writes them; the
sample's id is the number of its line. Several references count as in sacrebleu, whose chrF takes
the first of equally good ones, so that their order is part of the test set. Or a table:

    evalharness run -m MODEL -t local-translation:en-de --data local-translation:en-de=test.jsonl

    {"id": "7-2", "src": "The cat sleeps.", "refs": ["Die Katze schläft."], "doc_id": "7"}

A row has an `id`, a `src`, and `refs` or a single `ref`; `doc_id` may group the segments of a
document, for the intervals. With outputs: instead of a model, this scores translations made
elsewhere as the sacrebleu command does.
"""

from collections.abc import Callable
from functools import partial

from evalharness.languages import language_name, read_direction
from evalharness.metrics.translation import translation_metrics
from evalharness.records import Task, TaskTemplate
from evalharness.samples import translation_of_row
from evalharness.sources import NotGiven


def task(argument: str, _find: Callable[[str], Task]) -> Task:
    """Raises UsageError for a language that does not exist, with the nearest code."""
    languages = read_direction(argument)
    asked, wanted = map(language_name, languages)
    return Task(
        name=f"local-translation:{argument}",
        family="translation",
        version=1,
        data=NotGiven("--data src=FILE,ref=FILE, with as many ref=FILE as there are references"),
        sample=partial(translation_of_row, languages=languages, max_tokens=512),
        metrics=translation_metrics(languages[1]),
        languages=languages,
        licence="that of your files",
        description=f"Your own segments from {asked} into {wanted}.",
    )


TASKS = (
    TaskTemplate(
        name="local-translation",
        family="translation",
        argument="SOURCE-TARGET",
        examples=("en-de", "en-zh_Hant"),
        make=task,
        description="Your own source and reference files, in any direction by language codes.",
    ),
)
