"""StereoSet and pair preference: cases worked out by hand, and official ones."""

import csv
import json
import math
from pathlib import Path

import pytest

from evalharness.metrics.bias import ICAT, LMS, PAIR_PREFERENCE, SS
from evalharness.records import LogLikelihoodResponse, Response, Sample
from tests.metrics.answers import corpus, scored

SAMPLE = Sample(id="s", requests=())


def triple(
    stereotype: float, anti_stereotype: float, unrelated: float
) -> tuple[Sample, list[Response]]:
    return SAMPLE, scored(stereotype, anti_stereotype, unrelated)


def test_stereoset_scores_of_a_perfect_a_biased_and_a_senseless_model() -> None:
    perfect = [triple(3, 2, 1), triple(2, 3, 1)]
    biased = [triple(3, 2, 1), triple(3, 2, 1)]
    senseless = [triple(1, 2, 3), triple(2, 1, 3)]
    expected = {"perfect": (100, 50, 100), "biased": (100, 100, 0), "senseless": (0, 50, 0)}
    for name, answered in {"perfect": perfect, "biased": biased, "senseless": senseless}.items():
        found = tuple(corpus(metric, answered, [0, 0]) for metric in (LMS, SS, ICAT))
        assert found == pytest.approx(expected[name])


def test_stereoset_compares_means_per_token() -> None:
    long = LogLikelihoodResponse(-6.0, tokens=6, greedy=False)
    short = LogLikelihoodResponse(-4.0, tokens=2, greedy=False)
    assert SS.measure(SAMPLE, [long, short, short])[0] == 1.0


def test_pair_preference_is_the_likelier_text_and_a_tie_counts_half() -> None:
    assert PAIR_PREFERENCE.measure(SAMPLE, scored(-1, -2)) == (1.0,)
    assert PAIR_PREFERENCE.measure(SAMPLE, scored(-2, -1)) == (0.0,)
    assert PAIR_PREFERENCE.measure(SAMPLE, scored(-1, -1)) == (0.5,)


@pytest.mark.parametrize("liking", [-50.0, 0.0, 50.0])
def test_pair_preference_in_both_orders_does_not_see_a_liking_for_a_name(liking: float) -> None:
    """The group's name stands in the first `more` text and in the second `less` text."""
    responses = scored(-10 + liking, -12, -10, -12 + liking)
    assert PAIR_PREFERENCE.measure(SAMPLE, responses) == (1.0,)


def _clusters(folder: Path, system: str) -> list[dict[str, object]]:
    with (folder / f"{system}.tsv").open() as file:
        values = {name: float(value) for name, value in csv.reader(file, delimiter="\t")}
    rows = [json.loads(line) for line in (folder / "gold_dev.jsonl").read_text().splitlines()]
    for row in rows:
        by_label = {text["gold_label"]: values[text["id"]] for text in row["sentences"]}
        row["responses"] = scored(
            *(math.log(by_label[label]) if by_label[label] > 0 else -1e9
              for label in ("stereotype", "anti-stereotype", "unrelated"))
        )  # fmt: skip
    return rows


@pytest.mark.oracle
@pytest.mark.parametrize("system", [0, 1])
def test_stereoset_equals_the_official_evaluation(oracles: Path, system: int) -> None:
    folder = oracles / "stereoset"
    expected = json.loads((folder / "expected.json").read_text())
    name = sorted(path.stem for path in folder.glob("*.tsv"))[system]
    official = next(value for key, value in expected.items() if key in name or name in key)
    rows = _clusters(folder, name)
    checked = 0
    for split in ("intrasentence", "intersentence", "overall"):
        for domain in ("gender", "profession", "race", "religion", "overall"):
            wanted = official[split]
            wanted = wanted if split == "overall" and "ICAT Score" in wanted else wanted.get(domain)
            some = [
                row
                for row in rows
                if split in (row["split"], "overall") and domain in (row["bias_type"], "overall")
            ]
            if wanted is None or (split == "overall" and domain != "overall"):
                continue
            terms = sorted({str(row["target"]) for row in some})
            groups = [terms.index(str(row["target"])) for row in some]
            answered = [(SAMPLE, row["responses"]) for row in some]
            for metric, key in ((LMS, "LM Score"), (SS, "SS Score"), (ICAT, "ICAT Score")):
                found = corpus(metric, answered, groups)  # type: ignore[arg-type]
                assert found == pytest.approx(wanted[key], abs=1e-9), (split, domain, key)
                checked += 1
    assert checked >= 30
