"""ROUGE F1 by the rouge-score package, the reimplementation of ROUGE-1.5.5 by Google Research.

Source: Lin 2004. With several references the best one counts, for each type on its own. The tokens
are [a-z0-9]+, so that other scripts than the Latin one have none: an error here, not a score of 0.
"""

import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from evalharness.metrics.aggregation import mean
from evalharness.metrics.responses import mean_over_draws
from evalharness.records import Metric, Sample

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_TOKEN = re.compile(r"[a-z0-9]")


@cache
def _scorer(kind: str, *, stemmer: bool) -> Any:
    """Imported and built when first needed; the package imports much."""
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([kind], use_stemmer=stemmer)


def rouge(
    kind: str, prediction: str, references: Sequence[str], *, stemmer: bool = True
) -> tuple[float, float, float]:
    """(precision, recall, F1) in 0..1 against the reference with the best F1.

    kind: "rouge1", "rouge2", "rougeL" or "rougeLsum". For rougeLsum a line is a sentence; a text
    without line breaks is split after ., ! and ?. Raises ValueError for a reference without tokens.
    """
    for reference in references:
        if not _TOKEN.search(reference.lower()):
            raise ValueError("ROUGE finds no token [a-z0-9] in the reference; use another metric")
    if kind == "rougeLsum":
        prediction, references = _lines(prediction), [_lines(one) for one in references]
    scorer = _scorer(kind, stemmer=stemmer)
    scores = [scorer.score(reference, prediction)[kind] for reference in references]
    best = max(scores, key=lambda score: score.fmeasure)
    return best.precision, best.recall, best.fmeasure


def _lines(summary: str) -> str:
    return summary if "\n" in summary else _SENTENCE_END.sub("\n", summary)


def _metric(kind: str) -> Metric:
    def measure(sample: Sample, text: str) -> Sequence[float]:
        return (rouge(kind, text, sample.references)[2],)

    signature = f"rouge-score {version('rouge-score')}, F1, stemmer, mean over documents"
    return Metric(kind, mean_over_draws(measure), mean(), signature=signature)


ROUGE_1 = _metric("rouge1")
ROUGE_2 = _metric("rouge2")
ROUGE_L = _metric("rougeL")
ROUGE_LSUM = _metric("rougeLsum")
