"""WMT24++: the general test set of WMT 2024 from English into 55 languages and varieties.

Data: google/wmt24pp on the hub (Deutsch et al. 2025, arXiv 2502.12404), Apache-2.0; a
configuration for each direction, whose only split, the test set, is called train: paragraphs of
news, social media, speech and literature. `target` is the post-edited reference, `original_target`
what was edited. The rows that are marked is_bad_source are left out, as other projects do: 960
remain. The identity of the data says so.

    {"lp": "en-de_DE", "domain": "news", "document_id": "en-news_a.1", "segment_id": 7,
     "is_bad_source": false, "source": "It rained.", "target": "Es regnete.",
     "original_target": "Es hat geregnet."}

Prompt: the one of all translation tasks here, with the country in the language's name. Segments of
a document are one group for the intervals; a score for each domain. There are no few-shot
examples: the data has one split. Only the published direction, out of English, is offered.

Fields, split and directions were checked against the card and a task list for lm-evaluation-harness
by others, the size against a copy. Not checked against the hub from a closed network.
"""

from collections.abc import Callable
from functools import partial

from evalharness.errors import UsageError, did_you_mean
from evalharness.languages import language_name
from evalharness.metrics.translation import translation_metrics
from evalharness.records import Row, Sample, Task, TaskTemplate
from evalharness.samples import translation
from evalharness.sources import HubDataset, Selected

_TARGETS = """
ar_EG ar_SA bg_BG bn_IN ca_ES cs_CZ da_DK de_DE el_GR es_MX et_EE fa_IR fi_FI fil_PH fr_CA fr_FR
gu_IN he_IL hi_IN hr_HR hu_HU id_ID is_IS it_IT ja_JP kn_IN ko_KR lt_LT lv_LV ml_IN mr_IN nl_NL
no_NO pa_IN pl_PL pt_BR pt_PT ro_RO ru_RU sk_SK sl_SI sr_RS sv_SE sw_KE sw_TZ ta_IN te_IN th_TH
tr_TR uk_UA ur_PK vi_VN zh_CN zh_TW zu_ZA
"""
DIRECTIONS = tuple(f"en-{target}" for target in _TARGETS.split())


def sample(row: Row, target: str) -> Sample:
    """A segment of a document."""
    return translation(
        id=f"{row['document_id']}:{row['segment_id']}",
        languages=("en", target),
        source=row["source"],
        references=[row["target"]],
        max_tokens=1024,
        group=row["document_id"],
        slices={"domain": row["domain"]},
    )


def task(argument: str, _find: Callable[[str], Task]) -> Task:
    """Raises UsageError for a direction that the data has not, with the nearest one."""
    if argument not in DIRECTIONS:
        hint = did_you_mean(argument, DIRECTIONS)
        raise UsageError(f"WMT24++ has no direction {argument!r}.{hint}")
    target = argument.removeprefix("en-")
    return Task(
        name=f"wmt24pp:{argument}",
        family="translation",
        version=1,
        data=Selected(HubDataset("google/wmt24pp", argument, "train"), "is_bad_source", False),
        sample=partial(sample, target=target),
        metrics=translation_metrics(target),
        languages=("en", target),
        licence="Apache-2.0",
        description=f"Paragraphs of four domains from English into {language_name(target)}.",
        size=960,
    )


TASKS = (
    TaskTemplate(
        name="wmt24pp",
        family="translation",
        argument="en-TARGET",
        examples=("en-de_DE", "en-ja_JP"),
        make=task,
        description="WMT24++: paragraphs of four domains from English into 55 languages.",
    ),
)
