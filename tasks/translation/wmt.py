"""WMT: the test sets of the conference's news (from 2022 general) translation tasks, 2014 to 2024.

wmt14:SOURCE-TARGET to wmt24:SOURCE-TARGET, in the directions that sacrebleu lists for the set.

2014 to 2018, between English and another language: wmt/wmt14 ... wmt/wmt18 on the hub, split test,
examples from validation. Until 2018 both directions of a pair share one set. Licence not stated
there.

    {"translation": {"de": "Der Zug hat Verspätung.", "en": "The train is late."}}

    Field and splits as in lm-evaluation-harness's wmt14 and wmt16 tasks; which sets each split has
    was read in the loading scripts that the parquet files were made by, sizes in their metadata.
    wmt14 is the whole newstest2014 (sacrebleu's wmt14/full, 3,003 sentences for German), not the
    smaller part that was used in the evaluation of 2014. Finnish of 2016 and 2017 is not taken from
    the hub: there each source stands twice, with one reference each (6,000 and 6,004 rows).

All else, and 2019 to 2024 as a whole (wmt/wmt19 has no test split, and no official set of later
years was found on the hub): what sacrebleu fetches from the conference, once, and scores by. Its
folder may be copied, or files be given, those of WMT itself among them (until 2020 .sgm, since then
one .xml, of whose references sacrebleu's choice is taken):

    evalharness run -m MODEL -t wmt22:en-de --data wmt22:en-de=wmttest2022.en-de.all.xml
    evalharness run -m MODEL -t wmt20:en-de --data src=newstest-src.sgm,ref=newstest-ref.sgm

Prompt: the one of all translation tasks here, "English phrase: ...", an empty line, "German
phrase:"; lm-evaluation-harness 0.4.13 has a line break in the place of the empty line. Scores by
sacrebleu with its defaults, raw text; TER and chrF as in lm-evaluation-harness.

Not checked against the hub from a closed network.
"""

from collections.abc import Callable, Mapping
from functools import partial

from evalharness.errors import UsageError, did_you_mean
from evalharness.languages import language_name
from evalharness.metrics.translation import translation_metrics
from evalharness.records import Row, Sample, Source, Task, TaskTemplate
from evalharness.samples import translation_of_pair
from evalharness.sources import HubDataset, Numbered, SacrebleuTestSet
from evalharness.sources.test_sets import scored_references

# Languages beside English whose test sets are on the hub, with the sizes that are known.
HUB: Mapping[str, Mapping[str, int]] = {
    "wmt14": {"cs": 3003, "de": 3003, "fr": 0, "hi": 0, "ru": 3003},
    "wmt15": {"cs": 2656, "de": 2169, "fi": 1370, "fr": 1500, "ru": 2818},
    "wmt16": {"cs": 2999, "de": 2999, "ro": 1999, "ru": 2998, "tr": 3000},
    "wmt17": {"cs": 3005, "de": 3004, "lv": 2001, "ru": 3001, "tr": 3007, "zh": 2001},
    "wmt18": {"cs": 2983, "de": 0, "et": 0, "fi": 0, "ru": 0, "tr": 0, "zh": 0},
}
_BY_HUB = "between English and some languages from the hub, else "
EXAMPLES = {"wmt14": "en-fr", "wmt16": "de-en", "wmt18": "en-zh"}


def sample(row: Row, languages: tuple[str, str], test_set: str) -> Sample:
    """A row of the hub, of sacrebleu or of files; of WMT's own, with sacrebleu's references."""
    if "translators" in row:
        row = scored_references(row, test_set, "-".join(languages))
    return translation_of_pair(row, languages, max_tokens=512)


def task(argument: str, _find: Callable[[str], Task], test_set: str) -> Task:
    """Raises UsageError for a direction that the test set has not, with the nearest one."""
    from sacrebleu.dataset import DATASETS

    directions = sorted(DATASETS[test_set].langpairs)
    if argument not in directions:
        hint = did_you_mean(argument, directions)
        raise UsageError(f"{test_set} has {', '.join(directions)}, not {argument!r}.{hint}")
    source, target = languages = tuple(argument.split("-"))
    other = target if source == "en" else source
    on_hub = "en" in languages and other in HUB.get(test_set, {})
    return Task(
        name=f"{test_set}:{argument}",
        family="translation",
        version=1,
        data=_hub(test_set, other, "test") if on_hub else SacrebleuTestSet(test_set, argument),
        shots=_hub(test_set, other, "validation") if on_hub else None,
        sample=partial(sample, languages=(source, target), test_set=test_set),
        metrics=translation_metrics(target),
        languages=languages,
        licence="not stated; see the conference's pages",
        description=f"The WMT test set of 20{test_set[3:]} from {language_name(source)} into "
        f"{language_name(target)}.",
        size=HUB[test_set][other] if on_hub else 0,
    )


def _hub(test_set: str, other: str, split: str) -> Source:
    return Numbered(HubDataset(f"wmt/{test_set}", f"{other}-en", split))


TASKS = tuple(
    TaskTemplate(
        name=name,
        family="translation",
        argument="SOURCE-TARGET",
        examples=(EXAMPLES.get(name, "en-de"),),
        make=partial(task, test_set=name),
        description=f"The WMT test set of 20{name[3:]} "
        f"({_BY_HUB * (name in HUB)}what sacrebleu fetches).",
    )
    for name in (f"wmt{year}" for year in range(14, 25))
)
