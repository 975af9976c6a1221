"""Is a translation in the right language, and is it a translation at all?

Two shares that tell of failures which overlap with a reference hides: text in another language, and
the source itself. Both count segments where they can be told only, so that neither names, numbers
and short texts nor the errors of the identifier are held against a model.

Languages are identified by py3langid (after Lui and Baldwin 2012; 140 languages, offline).
"""

import unicodedata
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any

from evalharness.languages import macrolanguage
from evalharness.metrics.aggregation import ratio_of_sums
from evalharness.metrics.responses import sum_over_draws
from evalharness.records import Metric, Sample

_NO_LANGUAGE = "zxx"

Identify = Callable[[str], str]
"""The code of a text's language, that of a group for its varieties; "" where there is none."""


@cache
def _identifier() -> Any:
    """Loaded when first needed, which takes a second; one of our own, so that nobody changes it."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)


@lru_cache(maxsize=1 << 16)  # references are the same for every model of a run
def identify_language(text: str) -> str:
    """The macrolanguage of a text (see languages.macrolanguage), "" for one without letters."""
    if not any(character.isalpha() for character in text):
        return ""
    code, _ = _identifier().classify(text)
    return "" if code == _NO_LANGUAGE else macrolanguage(code)


def wrong_language(target: str, identify: Identify = identify_language) -> Metric:
    """The share of outputs in another language than `target` (a code).

    Counted are the segments of which a reference is identified as in the target language: what the
    identifier cannot tell of the reference, it cannot tell of the output. They are the same for
    every model. An output without letters is in no language, and not in a wrong one. Varieties of
    one macrolanguage (Croatian and Serbian, Indonesian and Malay, the Arabics) are one language,
    and scripts are not told apart. Undefined where nothing is counted, as for languages that the
    identifier does not know.
    """
    wanted = macrolanguage(target)

    def measure(sample: Sample, text: str) -> Sequence[float]:
        told = any(identify(one) == wanted for one in sample.references)
        return float(told and identify(text) not in (wanted, "")), float(told)

    return Metric(
        "wrong_language",
        sum_over_draws(measure),
        ratio_of_sums(),
        higher_is_better=False,
        signature=f"share of outputs not in {wanted}, of those whose reference is identified as "
        f"{wanted}; py3langid {version('py3langid')}",
    )


def normalised(text: str) -> str:
    """NFKC, lower case, and single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _measure_copied(sample: Sample, text: str) -> Sequence[float]:
    source = normalised(sample.source)
    differs = bool(source) and all(normalised(one) != source for one in sample.references)
    return float(differs and normalised(text) == source), float(differs)


COPIED = Metric(
    "copied",
    sum_over_draws(_measure_copied),
    ratio_of_sums(),
    higher_is_better=False,
    signature="share of outputs equal to the source (NFKC, case and spaces aside), of segments "
    "whose references all differ from it",
)
