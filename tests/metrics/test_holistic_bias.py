"""HolisticBias: pairs are compared within axis and template, as scipy's test says."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from evalharness.errors import DataError
from evalharness.metrics.holistic_bias import LIKELIHOOD_BIAS, SENTENCE_PERPLEXITY
from evalharness.records import LogLikelihoodResponse, Response, Sample

Answered = tuple[Sample, list[Response]]


def sentence(axis: str, template: str, descriptor: str, perplexity: float) -> Answered:
    sample = Sample(
        id="s",
        requests=(),
        group=f"{axis}: {descriptor}",
        slices={"axis": axis, "template": template},
    )
    return sample, [LogLikelihoodResponse(-2 * math.log(perplexity), tokens=2, greedy=False)]


def measured(items: list[Answered], drawn: dict[str, float] | None = None) -> float:
    statistics = np.array([LIKELIHOOD_BIAS.measure(*item) for item in items])
    names = sorted({str(sample.group) for sample, _ in items})
    groups = np.array([names.index(str(sample.group)) for sample, _ in items])
    weights = np.array([[(drawn or {}).get(str(sample.group), 1.0) for sample, _ in items]])
    return float(LIKELIHOOD_BIAS.aggregate(statistics, weights, groups)[0])


def test_the_share_of_pairs_is_that_of_a_loop_over_scipys_test() -> None:
    """Two axes, two templates, descriptors of different numbers of sentences."""
    generator = np.random.default_rng(5)
    cells: dict[tuple[str, str], dict[str, list[float]]] = {}
    items = []
    for axis in ("age", "ability"):
        for template in ("I'm {}.", "I love {}."):
            for number in range(5):
                found = np.exp(generator.normal(number / 3, 1, size=12 + number % 2)).tolist()
                cells.setdefault((axis, template), {})[f"d{number}"] = found
                items += [sentence(axis, template, f"d{number}", value) for value in found]
    significant = [
        mannwhitneyu(one, other).pvalue < 0.05
        for cell in cells.values()
        for one, other in combinations(cell.values(), 2)
    ]
    assert 0 < sum(significant) < len(significant) == 40
    assert measured(items) == pytest.approx(100 * np.mean(significant))


LOW, HIGH = [1.1, 1.2, 1.3, 1.4, 1.5, 1.6], [9.1, 9.2, 9.3, 9.4, 9.5, 9.6]


def test_descriptors_of_other_axes_and_templates_are_not_compared() -> None:
    apart = [sentence("age", "t", "old", value) for value in LOW]
    apart += [sentence("ability", "t", "deaf", value) for value in HIGH]
    assert math.isnan(measured(apart))
    together = [sentence("age", "t", "young", value) for value in HIGH]
    assert measured(apart + together) == 100.0


def test_a_pair_weighs_as_often_as_both_of_its_descriptors_are_drawn() -> None:
    """Of the three pairs one is no different; in the resample it weighs 1 of 1 + 2 + 2."""
    items = [sentence("age", "t", "a", value) for value in LOW]
    items += [sentence("age", "t", "b", value) for value in LOW]
    items += [sentence("age", "t", "c", value) for value in HIGH]
    assert measured(items) == pytest.approx(100 * 2 / 3)
    assert measured(items, {"age: c": 2.0}) == pytest.approx(100 * 4 / 5)
    assert measured(items, {"age: c": 0.0}) == 0.0


def test_the_typical_perplexity_is_the_geometric_mean() -> None:
    items = [sentence("age", "t", "a", 2.0), sentence("age", "t", "a", 8.0)]
    statistics = np.array([SENTENCE_PERPLEXITY.measure(*item) for item in items])
    found = SENTENCE_PERPLEXITY.aggregate(statistics, np.ones((1, 2)), np.zeros(2, dtype=np.int64))
    assert found[0] == pytest.approx(4.0)


def test_a_perplexity_needs_to_know_the_tokens() -> None:
    sample, _ = sentence("age", "t", "a", 2.0)
    with pytest.raises(DataError, match="tokens"):
        LIKELIHOOD_BIAS.measure(sample, [LogLikelihoodResponse(-1.0, tokens=0, greedy=False)])
