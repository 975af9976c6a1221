"""Populations that samples are drawn from, with their true scores known."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from evalharness.metrics.aggregation import mean, ratio_of_sums
from evalharness.metrics.bias import ICAT
from evalharness.metrics.translation import bleu, chrf
from evalharness.records import Groups, Metric, Statistics
from evalharness.statistics.resampling import score

MEAN = Metric("mean", lambda _sample, _responses: (0.0,), mean())
RATIO = Metric("ratio", lambda _sample, _responses: (0.0, 0.0), ratio_of_sums())
BLEU = bleu("en")
CHRF = chrf()

Generator = np.random.Generator


@dataclass(frozen=True)
class Population:
    """`draw` gives statistics of so many clusters, of `cluster` samples each."""

    metric: Metric
    draw: Callable[[Generator, int], Statistics]
    cluster: int = 1

    def groups(self, clusters: int) -> Groups:
        return np.repeat(np.arange(clusters), self.cluster)

    def truth(self) -> float:
        """The score of very many samples."""
        many = 300_000
        return score(self.metric, self.draw(np.random.default_rng(99), many), self.groups(many))


def column(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=float)[:, None]


def f1_scores(generator: Generator, number: int) -> Statistics:
    """Many zeros and ones, as token F1 has, and values between."""
    kind = generator.random(number)
    between = generator.beta(2, 3, number)
    return column(np.where(kind < 0.3, 0.0, np.where(kind < 0.55, 1.0, between)))


def clustered_rights(generator: Generator, clusters: int) -> Statistics:
    """Five questions about each passage, which may be hard or easy."""
    easy = np.repeat(generator.beta(1, 1.5, clusters), 5)
    return column(generator.random(5 * clusters) < easy)


def clustered_f1_scores(generator: Generator, clusters: int) -> Statistics:
    easy = np.repeat(generator.beta(2, 2, clusters), 5)
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


def triples(generator: Generator, terms: int, preference: float = 0.7) -> Statistics:
    """Preferences of three triples for each target term, as StereoSet's metrics have them."""
    stereotype = np.repeat(generator.beta(10 * preference, 10 - 10 * preference, terms), 3)
    meaning = np.repeat(generator.beta(8, 2, terms), 3)
    drawn = generator.random((3, 3 * terms))
    preferred = [drawn[0] < stereotype, drawn[1] < meaning, drawn[2] < meaning]
    return np.stack(preferred, axis=1).astype(float)


POPULATIONS = {
    "continuous": Population(MEAN, f1_scores),
    "binary in clusters": Population(MEAN, clustered_rights, 5),
    "continuous in clusters": Population(MEAN, clustered_f1_scores, 5),
    "BLEU": Population(BLEU, segments),
    "chrF": Population(CHRF, character_segments),
    "ratio of sums": Population(RATIO, placeholders),
    "ICAT": Population(ICAT, triples, 3),
    # Its formula has a fold at a preference of one half, over which resamples go.
    "ICAT near its fold": Population(ICAT, partial(triples, preference=0.6), 3),
}
