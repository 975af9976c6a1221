"""Exact match and token F1 of generated answers, as the scripts of each benchmark define them.

A benchmark is its normal form: what of an answer does not count. The best of the accepted answers
is taken, and the mean over samples is times 100.

SQuAD 1.1        Rajpurkar et al. 2016, evaluate-v1.1.py
SQuAD 2.0        see squad_v2.py
NQ-open          Lee et al. 2019; the evaluation of the EfficientQA competition (Min et al. 2021)
TriviaQA         Joshi et al. 2017, triviaqa_evaluation.py
the harness's    lm-evaluation-harness 0.4 (nq_open version 4, triviaqa version 3)
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from evalharness.metrics.aggregation import mean
from evalharness.metrics.responses import mean_over_draws
from evalharness.records import Metric, Sample

Normalize = Callable[[str], str]
"""An answer without what does not count."""

Tokenize = Callable[[str], Sequence[str]]
"""An answer in its normal form, in tokens."""

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_PUNCTUATION_AS_SPACE = str.maketrans(dict.fromkeys(f"{string.punctuation}‘’´`_", " "))
# Thai, and Han with its compatibility ideographs: scripts that put no space between words.
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_HARNESS_ARTICLES = re.compile(r"\b(?:The |the |An |A |a |an )")


# --- Normal forms --------------------------------------------------------------------------------


def normalize_answer(answer: str) -> str:
    """SQuAD's: lower case, no ASCII punctuation, no English articles, single spaces; in order."""
    return _without_articles(answer.lower().translate(_PUNCTUATION))


def normalize_nq(answer: str) -> str:
    """NQ-open's: Unicode NFD, which sets accents apart from their letters, then as for SQuAD."""
    return normalize_answer(unicodedata.normalize("NFD", answer))


def normalize_trivia(answer: str) -> str:
    """TriviaQA's: punctuation, underscores and ‘ ’ ´ ` become spaces; the rest as for SQuAD."""
    return _without_articles(answer.lower().translate(_PUNCTUATION_AS_SPACE))


def harness_trivia(answer: str) -> str:
    """lm-evaluation-harness's of TriviaQA: case and ASCII punctuation are ignored; no more."""
    return answer.lower().translate(_PUNCTUATION)


def harness_nq(answer: str) -> str:
    """lm-evaluation-harness's of NQ-open: articles with the space after them go first."""
    return harness_trivia(_HARNESS_ARTICLES.sub("", answer))


def _without_articles(answer: str) -> str:
    return " ".join(_ARTICLES.sub(" ", answer).split())


# --- Scores --------------------------------------------------------------------------------------


def exact_match(
    prediction: str, references: Sequence[str], normalize: Normalize = normalize_answer
) -> float:
    """1 if the normal form of the prediction is that of a reference, else 0."""
    found = normalize(prediction)
    return float(any(found == normalize(reference) for reference in references))


def token_f1(
    prediction: str,
    references: Sequence[str],
    normalize: Normalize = normalize_answer,
    tokenize: Tokenize = str.split,
) -> float:
    """The best F1 over references of the multisets of tokens, 0..1; 0 where none is shared.

    So it is for two answers without any token, of which exact match is 1, as in the scripts.
    """
    found = tokenize(normalize(prediction))
    return max(multiset_f1(found, tokenize(normalize(reference))) for reference in references)


def multiset_f1(found: Sequence[str], expected: Sequence[str]) -> float:
    """Harmonic mean of precision and recall of tokens, each counted as often as it stands there."""
    shared = (Counter(found) & Counter(expected)).total()
    if shared == 0:
        return 0.0
    precision, recall = shared / len(found), shared / len(expected)
    return 2 * precision * recall / (precision + recall)


def characters(text: str) -> list[str]:
    """Each letter of a script without spaces (Han, Thai) is a token; what else, by white space."""
    return _UNSPACED.sub(r" \g<0> ", text).split()


def harness_answer(text: str) -> str:
    """What lm-evaluation-harness would have generated: it stops at a line break, "." and ","."""
    return re.split(r"[\n.,]", text, maxsplit=1)[0].strip()


def harness_exact_match(prediction: str, references: Sequence[str], normalize: Normalize) -> float:
    """Exact match of the beginning of a prediction that lm-evaluation-harness would score."""
    return exact_match(harness_answer(prediction), references, normalize)


# --- Metrics -------------------------------------------------------------------------------------


def _metric(name: str, function: Callable[[str, Sequence[str]], float], signature: str) -> Metric:
    def measure(sample: Sample, text: str) -> Sequence[float]:
        return (function(text, sample.references),)

    return Metric(
        name,
        mean_over_draws(measure),
        mean(scale=100.0),
        bounds=(0.0, 100.0),
        signature=f"{signature}, best of references, x 100",
    )


EXACT_MATCH = _metric("exact_match", exact_match, "SQuAD 1.1 normal form")
TOKEN_F1 = _metric("f1", token_f1, "SQuAD 1.1 token F1")
CHARACTER_F1 = _metric(
    "f1_characters",
    partial(token_f1, tokenize=characters),
    "SQuAD 1.1 normal form, F1 of tokens with each Han or Thai letter a token",
)
NQ_EXACT_MATCH = _metric(
    "exact_match",
    partial(exact_match, normalize=normalize_nq),
    "NFD, then SQuAD 1.1 normal form",
)
NQ_HARNESS_EXACT_MATCH = _metric(
    "exact_match_harness",
    partial(harness_exact_match, normalize=harness_nq),
    "lm-evaluation-harness nq_open: up to the first . or , or line break; no case, no punctuation, "
    "no articles",
)
TRIVIA_EXACT_MATCH = _metric(
    "exact_match",
    partial(exact_match, normalize=normalize_trivia),
    "TriviaQA normal form",
)
TRIVIA_F1 = _metric("f1", partial(token_f1, normalize=normalize_trivia), "TriviaQA token F1")
TRIVIA_HARNESS_EXACT_MATCH = _metric(
    "exact_match_harness",
    partial(harness_exact_match, normalize=harness_trivia),
    "lm-evaluation-harness triviaqa: up to the first . or , or line break; no case, no punctuation",
)
