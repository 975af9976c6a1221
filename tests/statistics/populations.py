"""Populations that samples are drawn from, with their true scores known."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from evalharness.metrics.aggregation import mean, ratio_of_sums
from evalharness.metrics.bias import ICAT
from evalharness.metrics.continuations import group_scores
from evalharness.metrics.translation import bleu, chrf
from evalharness.records import Groups, Metric, Statistics
from evalharness.statistics.resampling import score

MEAN = Metric("mean", lambda _sample, _responses: (0.0,), mean())
UNBOUNDED = replace(MEAN, name="unbounded mean", bounds=(0.0, np.inf))
DIFFERENCE = replace(MEAN, name="mean difference", bounds=(-1.0, 1.0))
RATIO = Metric("ratio", lambda _sample, _responses: (0.0, 0.0), ratio_of_sums())
RATE = replace(RATIO, name="rate", bounds=(0.0, np.inf))
GAP, _ = group_scores("gap", lambda _sample, _text: 0.0, bounds=(0.0, 1.0), signature="rights")
BLEU = bleu("en")
CHRF = chrf()

Generator = np.random.Generator
Sizes = NDArray[np.int64]
Draw = Callable[[Generator, int], Statistics]


def ones(clusters: int) -> Sizes:
    return np.ones(clusters, dtype=np.int64)


def fives(clusters: int) -> Sizes:
    return 5 * ones(clusters)


def threes(clusters: int) -> Sizes:
    return 3 * ones(clusters)


def unequal(clusters: int) -> Sizes:
    """From 1 to 25, as numbers of questions about passages; few clusters have most samples."""
    shares = (np.arange(clusters) + 0.5) / clusters
    return np.asarray(np.ceil(25 ** (shares**2)), dtype=np.int64)


@dataclass(frozen=True)
class Population:
    """`draw` gives statistics of so many clusters, of as many samples each as `sizes` says."""

    metric: Metric
    draw: Draw
    sizes: Callable[[int], Sizes] = ones

    def groups(self, clusters: int) -> Groups:
        return np.repeat(np.arange(clusters), self.sizes(clusters))

    def truth(self) -> float:
        """The score of very many samples."""
        many = 300_000
        return score(self.metric, self.draw(np.random.default_rng(0), many), self.groups(many))


def column(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=float)[:, None]


def f1_scores(generator: Generator, number: int) -> Statistics:
    """Many zeros and ones, as token F1 has, and values between."""
    kind = generator.random(number)
    between = generator.beta(2, 3, number)
    return column(np.where(kind < 0.3, 0.0, np.where(kind < 0.55, 1.0, between)))


def mostly_nothing(generator: Generator, number: int) -> Statistics:
    """Four samples in five score 0, as rare words that are to be found, or toxicity."""
    between = generator.beta(2, 3, number)
    return column(np.where(generator.random(number) < 0.8, 0.0, between))


def skewed(generator: Generator, number: int, spread: float = 0.5) -> Statistics:
    """Log-normal, as losses in log-probability and numbers of tokens."""
    return column(generator.lognormal(0, spread, number))


def rare_changes(generator: Generator, number: int) -> Statistics:
    """Differences of two models of which four samples in five do not differ at all."""
    changes = generator.uniform(-1, 1, number)
    return column(np.where(generator.random(number) < 0.8, 0.0, changes))


def lopsided_changes(generator: Generator, number: int) -> Statistics:
    """Differences with many small losses and rare large gains."""
    return column(0.1 * generator.exponential(size=number) + generator.normal(-0.05, 0.05, number))


def rights_in_clusters(
    generator: Generator, clusters: int, sizes: Callable[[int], Sizes] = fives
) -> Statistics:
    """Questions about passages, each of which may be hard or easy."""
    easy = np.repeat(generator.beta(1, 1.5, clusters), sizes(clusters))
    return column(generator.random(len(easy)) < easy)


def scores_in_clusters(
    generator: Generator, clusters: int, sizes: Callable[[int], Sizes] = fives
) -> Statistics:
    easy = np.repeat(generator.beta(2, 2, clusters), sizes(clusters))
    return column(generator.beta(4 * easy + 0.1, 4 * (1 - easy) + 0.1))


def segments(generator: Generator, number: int, quality: np.ndarray | None = None) -> Statistics:
    """Statistics as those of BLEU: lengths, matches and totals of four orders."""
    if quality is None:
        quality = generator.beta(4, 4, number)
    length = generator.integers(5, 46, number)
    reference = np.maximum(1, length + generator.integers(-3, 6, number))
    totals = np.stack([length - order for order in range(4)])
    chances = np.stack([0.85**order * quality ** (1 + order / 2) for order in range(4)])
    matches = generator.binomial(totals, chances)
    return np.stack([length, reference, *matches, *totals], axis=1).astype(float)


def character_segments(generator: Generator, number: int) -> Statistics:
    """Statistics as those of chrF: n-grams of both sides, and matches, of six orders."""
    quality, length = generator.beta(5, 3, number), generator.integers(20, 200, number)
    reference = np.maximum(10, length + generator.integers(-10, 15, number))
    columns = []
    for order in range(6):
        own, other = length - order, reference - order
        columns += [own, other, generator.binomial(np.minimum(own, other), quality ** (1 + order))]
    return np.stack(columns, axis=1).astype(float)


def placeholders(generator: Generator, number: int) -> Statistics:
    """How many of a message's placeholders are kept; many messages have none."""
    wanted = generator.poisson(1.5, number)
    kept = generator.binomial(wanted, generator.beta(2, 1, number))
    return np.stack([kept, wanted], axis=1).astype(float)


def documents(generator: Generator, number: int) -> Statistics:
    """Losses and lengths of documents of very unequal length, for a loss per byte."""
    length = np.ceil(generator.lognormal(5, 0.8, number))
    return np.stack([length * generator.gamma(8, 0.1, number), length], axis=1)


def triples(generator: Generator, terms: int, preference: float = 0.7) -> Statistics:
    """Preferences of three triples for each target term, as StereoSet's metrics have them."""
    stereotype = np.repeat(generator.beta(10 * preference, 10 - 10 * preference, terms), 3)
    meaning = np.repeat(generator.beta(8, 2, terms), 3)
    drawn = generator.random((3, 3 * terms))
    preferred = [drawn[0] < stereotype, drawn[1] < meaning, drawn[2] < meaning]
    return np.stack(preferred, axis=1).astype(float)


def answers_by_confidence(
    generator: Generator, number: int, overconfidence: float = 0.0
) -> Statistics:
    """Confidences, and rights that are by so much rarer: the calibration error is just that."""
    confidence = 0.3 + 0.6 * generator.beta(2, 2, number)
    right = generator.random(number) < confidence - overconfidence
    return np.stack([confidence, right], axis=1)


def scores_of_two_groups(generator: Generator, number: int, gap: float = 0.0) -> Statistics:
    """Rights of two groups of texts, as gaps between groups of one domain have them."""
    group = np.arange(number) % 2
    right = generator.random(number) < 0.5 + gap * group
    return np.stack([right, np.ones(number), np.zeros(number), group], axis=1)


POPULATIONS = {
    "continuous": Population(MEAN, f1_scores),
    "mostly nothing": Population(MEAN, mostly_nothing),
    "skewed": Population(UNBOUNDED, skewed),
    "binary in clusters": Population(MEAN, rights_in_clusters, fives),
    "binary in unequal clusters": Population(
        MEAN, partial(rights_in_clusters, sizes=unequal), unequal
    ),
    "continuous in clusters": Population(MEAN, scores_in_clusters, fives),
    "continuous in unequal clusters": Population(
        MEAN, partial(scores_in_clusters, sizes=unequal), unequal
    ),
    "BLEU": Population(BLEU, segments),
    "chrF": Population(CHRF, character_segments),
    "ratio of sums": Population(RATIO, placeholders),
    "loss per byte": Population(RATE, documents),
    "ICAT": Population(ICAT, triples, threes),
    # Its formula has a fold at a preference of one half, over which resamples go.
    "ICAT near its fold": Population(ICAT, partial(triples, preference=0.6), threes),
}
