"""Paloma: how well does a model predict texts of sixteen sources? (Magnusson et al. 2023)

Data: https://huggingface.co/datasets/allenai/paloma, which asks for consent to its licence first
(AI2 ImpACT, low risk; some parts have others); paloma:SUBSET is the test split of a subset. An
invented row in the original's form:

    {"text": "The council met at eight. ...", "id": "1", "added": "2023-12-01", "source": "c4",
     "subdomain": "example.org", "metadata": "{}"}

Subsets, splits, field and metrics are those of lm-evaluation-harness. The paper's figures are
perplexities per token of models that were trained under its control, and compare with others of
that kind only. Not checked against the hub, from a closed network.
"""

from collections.abc import Callable

from evalharness.errors import UsageError, did_you_mean
from evalharness.metrics.perplexity import PERPLEXITIES
from evalharness.records import Row, Sample, Task, TaskTemplate
from evalharness.samples import place_of, rolling
from evalharness.sources import HubDataset

SUBSETS = (
    *("4chan_meta_sep", "c4_100_domains", "c4_en", "dolma-v1_5", "dolma_100_programing_languages"),
    *("dolma_100_subreddits", "falcon-refinedweb", "gab", "m2d2_s2orc_unsplit"),
    *("m2d2_wikipedia_unsplit", "manosphere_meta_sep", "mc4", "ptb", "redpajama"),
    *("twitterAAE_HELM_fixed", "wikitext_103"),
)


def sample(row: Row) -> Sample:
    slices = {"subdomain": row["subdomain"]} if "subdomain" in row else {}
    return rolling(id=place_of(row), text=row["text"], slices=slices)


def make(subset: str, _find: Callable[[str], Task]) -> Task:
    if subset not in SUBSETS:
        hint = did_you_mean(subset, SUBSETS) or f" Subsets: {', '.join(SUBSETS)}."
        raise UsageError(f"paloma has no subset {subset!r}.{hint}")
    return Task(
        name=f"paloma:{subset}",
        family="language_modelling",
        version=1,
        data=HubDataset("allenai/paloma", name=subset),
        sample=sample,
        metrics=PERPLEXITIES,
        licence="AI2 ImpACT (low risk) or that of the subset, see the data set's card",
        description=f"Texts of Paloma's subset {subset}, each scored as a whole.",
        content_warning="Some of the texts, which come from the web, are offensive.",
    )


TASKS = (
    TaskTemplate(
        name="paloma",
        family="language_modelling",
        argument="SUBSET",
        examples=("wikitext_103", "c4_100_domains"),
        make=make,
        description="Texts of sixteen sources, each scored as a whole.",
    ),
)
