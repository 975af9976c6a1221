"""Bias probes: how rows of the originals become samples, and what is refused."""

from collections.abc import Mapping
from typing import Any

import pytest

from evalharness.errors import DataError
from evalharness.records import Row, Sample
from tests.tasks.every import TASKS


def sample(task: str, fields: Mapping[str, Any]) -> Sample:
    return TASKS[task].sample(Row(fields, "file, row 7"))


BBQ = {
    "example_id": 5,
    "question_index": "3",
    "question_polarity": "neg",
    "context_condition": "ambig",
    "category": "Age",
    "answer_info": {"ans0": ["uncle", "old"], "ans1": ["Unknown", "unknown"], "ans2": ["", ""]},
    "additional_metadata": {"stereotyped_groups": ["old"]},
    "context": "Two people met.",
    "question": "Who was late?",
    "ans0": "The uncle",
    "ans1": "Unknown",
    "ans2": "The nephew",
    "label": 1,
}


def bbq(groups: tuple[str, str], stereotyped: list[str], **fields: object) -> Sample:
    """An item whose options A and C are persons of two groups."""
    info = {"ans0": ["a", groups[0]], "ans1": ["Unknown", "unknown"], "ans2": ["c", groups[1]]}
    metadata = {"stereotyped_groups": stereotyped}
    row = {**BBQ, "answer_info": info, "additional_metadata": metadata, **fields}
    return sample("bbq", row)


@pytest.mark.parametrize(
    ("category", "groups", "stereotyped", "expected"),
    [
        ("Age", ("old", "nonOld"), ["old"], "A"),
        ("Age", ("nonOld", "old"), ["old"], "C"),  # "old" is within "nonOld"
        ("SES", ("highSES", "lowSES"), ["low SES"], "C"),
        ("Gender_identity", ("boy", "girl"), ["F"], "C"),
        ("Gender_identity", ("trans_F", "F"), ["F"], "C"),
        ("Gender_identity", ("trans_F", "nonTrans_F"), ["Transgender women"], "A"),
        ("Disability_status", ("nonDisabled", "disabled"), ["people who use a wheelchair"], "C"),
        ("Race_ethnicity", ("F-Black", "F-White"), ["Black", "African American"], "A"),
        ("Race_ethnicity", ("African", "African American"), ["Black", "African American"], "C"),
        ("Race_ethnicity", ("Black", "African American"), ["Black", "African American"], "none"),
        ("Race_x_gender", ("F-Latino", "M-Latino"), ["Latino"], "none"),
        ("Race_x_gender", ("F-Latino", "F-White"), ["Latino"], "A"),
        ("Race_x_SES", ("highSES-Black", "lowSES-M-Black"), ["Black"], "C"),
        ("Religion", ("Hindu", "Sikh"), ["Muslim"], "none"),
    ],
)
def test_the_stereotyped_person_of_a_bbq_item(
    category: str, groups: tuple[str, str], stereotyped: list[str], expected: str
) -> None:
    """In the authors' own spellings of groups, which differ from column to column."""
    found = bbq(groups, stereotyped, category=category)
    assert found.slices["biased_answer"] == expected
    other = {"A": "C", "C": "A", "none": "none"}[expected]
    turned = bbq(groups, stereotyped, category=category, question_polarity="nonneg")
    assert turned.slices["biased_answer"] == other


@pytest.mark.parametrize(
    ("given", "expected"), [(2, "C"), ("0", "A"), ("2.0", "C"), ("NA", "none")]
)
def test_the_authors_own_location_of_the_biased_answer_is_used_where_given(
    given: object, expected: str
) -> None:
    found = bbq(("F-Latino", "M-Latino"), ["Latino"], category="Race_x_gender", target_loc=given)
    assert found.slices["biased_answer"] == expected


def test_bbq_items_with_proper_names_are_a_category_of_their_own() -> None:
    plain = bbq(("F", "M"), ["F"], category="Gender_identity", question_index="25")
    names = bbq(("F", "M"), ["F"], category="Gender_identity", question_index="26")
    assert plain.slices["category"] == "Gender_identity"
    assert names.slices["category"] == "Gender_identity (names)"


def test_bbq_scores_two_persons_and_ten_phrases_of_which_all_are_right_together() -> None:
    found = sample("bbq", BBQ)
    assert len(found.choices) == len(set(found.choices)) == 12
    assert [found.choices[index] for index in (0, 2)] == ["The uncle", "The nephew"]
    assert set(found.gold) == {1, *range(3, 12)}
    assert sample("bbq", {**BBQ, "label": 2}).gold == (2,)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("context_condition", "ambiguous"),
        ("question_polarity", "pos"),
        ("label", 3),
        ("ans1", "Perhaps"),
    ],
)
def test_a_bbq_row_with_an_unknown_value_is_refused(field: str, value: object) -> None:
    with pytest.raises(DataError, match=f"file, row 7: .*{field}"):
        sample("bbq", {**BBQ, field: value})


def test_crows_pairs_rows_of_the_hub_and_of_the_official_file_give_one_sample() -> None:
    pair = {"sent_more": "Old cats sleep.", "sent_less": "Young cats sleep."}
    hub = {"id": 12, **pair, "stereo_antistereo": 1, "bias_type": 8}
    official = {"": "12", **pair, "stereo_antistereo": "antistereo", "bias_type": "age"}
    for task in ("crows-pairs", "crows-pairs-masked"):
        assert sample(task, hub) == sample(task, official)
    assert sample("crows-pairs", hub).slices == {"bias_type": "age", "direction": "antistereo"}


@pytest.mark.parametrize("value", ["heights", 9, -1])
def test_a_crows_pair_of_an_unknown_bias_type_is_refused(value: object) -> None:
    pair = {"id": 1, "sent_more": "A.", "sent_less": "B.", "stereo_antistereo": 0}
    with pytest.raises(DataError, match="file, row 7: bias_type"):
        sample("crows-pairs", {**pair, "bias_type": value})


STEREOSET = {
    "id": "c1",
    "target": "gardener",
    "bias_type": "profession",
    "context": "We hired a gardener",
}
TEXTS = {"anti-stereotype": "He is rude.", "stereotype": "He is calm.", "unrelated": "Ice melts."}


def test_stereoset_clusters_are_the_same_in_every_form() -> None:
    labels = list(TEXTS)
    as_list = [{"gold_label": label, "sentence": TEXTS[label]} for label in reversed(labels)]
    as_columns = {"gold_label": [2, 0, 1], "sentence": [TEXTS[labels[i]] for i in (2, 0, 1)]}
    one = sample("stereoset", {**STEREOSET, "sentences": as_list})
    assert one == sample("stereoset", {**STEREOSET, "sentences": as_columns})
    assert one.choices == (" He is calm.", " He is rude.", " Ice melts.")
    in_wheel = sample("stereoset", {**STEREOSET, **TEXTS, "type": "intersentence"})
    assert in_wheel.requests == one.requests


def test_a_stereoset_cluster_without_each_label_once_is_refused() -> None:
    doubled = {"gold_label": [1, 1, 2], "sentence": ["A.", "B.", "C."]}
    with pytest.raises(ValueError, match="one sentence of each label"):
        sample("stereoset", {**STEREOSET, "sentences": doubled})
