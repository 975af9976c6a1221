"""Exact match and token F1 as SQuAD's official scripts define them.

Sources: Rajpurkar et al. 2016 and 2018, evaluate-v1.1 and evaluate-v2.0. A sample that cannot be
answered has the reference "" (or the words that the prompt asks for in that case).
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

from evalharness.metrics.aggregation import mean
from evalharness.metrics.responses import mean_over_draws
from evalharness.records import Metric, Sample

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalize_answer(answer: str) -> str:
    """Lower case, no ASCII punctuation, no English articles, single spaces; in this order."""
    bare = answer.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact_match(prediction: str, references: Sequence[str]) -> float:
    """1 if the normal form of the prediction is that of a reference, else 0."""
    found = normalize_answer(prediction)
    return float(any(found == normalize_answer(reference) for reference in references))


def token_f1(prediction: str, references: Sequence[str]) -> float:
    """The best F1 over references of the multisets of tokens, 0..1."""
    found = normalize_answer(prediction).split()
    return max(_f1(found, normalize_answer(reference).split()) for reference in references)


def _f1(found: Sequence[str], expected: Sequence[str]) -> float:
    if not found or not expected:
        return float(not found and not expected)
    shared = (Counter(found) & Counter(expected)).total()
    if shared == 0:
        return 0.0
    precision, recall = shared / len(found), shared / len(expected)
    return 2 * precision * recall / (precision + recall)


def _metric(name: str, function: Callable[[str, Sequence[str]], float], signature: str) -> Metric:
    def measure(sample: Sample, text: str) -> Sequence[float]:
        return (function(text, sample.references),)

    return Metric(
        name,
        mean_over_draws(measure),
        mean(scale=100.0),
        bounds=(0.0, 100.0),
        signature=signature,
    )


EXACT_MATCH = _metric("exact_match", exact_match, "SQuAD normal form, best of references, x 100")
TOKEN_F1 = _metric("f1", token_f1, "SQuAD token F1, best of references, x 100")
