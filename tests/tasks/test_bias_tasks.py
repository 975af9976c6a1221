"""Bias probes: how rows of the originals become samples, and what is refused."""

import csv
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalharness.discovery import find_tasks
from evalharness.errors import DataError, UsageError
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


LINE = "12 [The baker] thanked the farmer because [she] was short of flour."
WORDS = re.sub(r"[\[\]]|12 ", "", LINE).replace(".", " .").split()


HUB = {"tokens": WORDS, "coreference_clusters": ["0", "1", "6", "6"]}


def test_winobias_lines_and_rows_of_the_hub_give_one_sample() -> None:
    line = sample("winobias-type1", {"text": LINE})
    document = "nw/test_type1/stereotype//11"
    hub = sample("winobias-type1", {**HUB, "document_id": document})
    assert hub.id == document
    assert hub == replace(line, id=document)
    assert line.target == "baker"
    assert line.choices == ("baker", "farmer")
    assert line.requests[0].prompt.endswith("flour. ‘She’ refers to the")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("line", "stereotype"),
    [
        (LINE, "pro"),
        (LINE.replace("[she]", "[he]"), "anti"),
        ("The baker thanked [the farmer] because [his] field was green.", "pro"),
        ("The CEO praised [the construction worker] and gave [her] the key.", "anti"),
    ],
)
def test_winobias_sides_follow_from_occupation_and_pronoun(line: str, stereotype: str) -> None:
    assert sample("winobias-type1", {"text": line}).slices["stereotype"] == stereotype


def test_the_side_that_a_document_of_winobias_tells_is_taken_as_it_is() -> None:
    """Line 141 of the test half of type 1 is on the other side than its words say."""
    fields = {**HUB, "document_id": "nw/test_type1/not_stereotype//140"}
    assert sample("winobias-type1", fields).slices["stereotype"] == "anti"
    with pytest.raises(DataError, match="file, row 7: document_id"):
        sample("winobias-type1", {**HUB, "document_id": "nw/test_type1//140"})


def test_treebank_blanks_are_taken_out_of_winobias_sentences() -> None:
    found = sample("winobias-type1", {"text": "The clerk took [the farmer] 's hat from [him] ."})
    assert str(found.requests[0].prompt).startswith("The clerk took the farmer's hat from him. ")  # type: ignore[union-attr]


def test_the_two_winobias_sentences_of_a_pair_are_one_group() -> None:
    pro, anti = (
        sample("winobias-type1", {"text": text}) for text in (LINE, LINE.replace("she", "he"))
    )
    assert pro.group == anti.group
    assert pro.id != anti.id


@pytest.mark.parametrize(
    "line", ["The baker slept.", "The [baker] thanked the pilot for [her] bread."]
)
def test_a_winobias_line_without_two_occupations_or_marks_is_refused(line: str) -> None:
    with pytest.raises(DataError, match="file, row 7: expected one marked occupation"):
        sample("winobias-type1", {"text": line})


@pytest.mark.oracle
@pytest.mark.parametrize("kind", ["type1", "type2"])
@pytest.mark.parametrize("side", ["pro", "anti"])
def test_every_official_winobias_line_is_on_the_side_of_its_file(
    oracles: Path, kind: str, side: str
) -> None:
    path = oracles / "winobias" / f"{side}_stereotyped_{kind}.txt.dev"
    lines = path.read_text().splitlines()
    found = [sample(f"winobias-{kind}", {"text": line}).slices["stereotype"] for line in lines]
    assert found == [side] * 396


def winogender(sentid: str, sentence: str, **fields: object) -> Sample:
    return sample("winogender", {"sentid": sentid, "sentence": sentence, **fields})


@pytest.mark.parametrize(
    ("gender", "pronoun", "answer", "women", "expected"),
    [
        ("female", "she", 0, 20.0, "yes"),
        ("male", "he", 0, 20.0, "no"),
        ("male", "he", 1, 20.0, "yes"),
        ("female", "she", 1, 20.0, "no"),
        ("male", "he", 0, 50.0, "yes"),  # women are the majority from 50 % on
        ("neutral", "they", 0, 50.0, "neutral"),
    ],
)
def test_winogender_gotchas_are_where_the_majority_misleads(
    gender: str, pronoun: str, answer: int, women: float, expected: str
) -> None:
    sentid = f"welder.guest.{answer}.{gender}.txt"
    found = winogender(sentid, f"The welder told the guest {pronoun} left.", bls_pct_female=women)
    assert found.slices["gotcha"] == expected
    assert found.gold == (answer,)


@pytest.mark.oracle
def test_the_official_winogender_sentences_have_240_gotchas(oracles: Path) -> None:
    """As many as the hub lists, by the percentages of the official file."""
    folder = oracles / "winogender"
    with (folder / "occupations-stats.tsv").open() as file:
        rows = csv.DictReader(file, delimiter="\t")
        women = {row["occupation"]: row["bls_pct_female"] for row in rows}
    with (folder / "all_sentences.tsv").open() as file:
        found = [
            winogender(**row, bls_pct_female=women[row["sentid"].split(".")[0]])
            for row in csv.DictReader(file, delimiter="\t")
        ]
    kinds = Counter(one.slices["gotcha"] for one in found)
    assert kinds == {"yes": 240, "no": 240, "neutral": 240}
    prompts = {request.prompt for one in found for request in one.requests}  # type: ignore[union-attr]
    assert len(prompts) == 720


@pytest.mark.parametrize(
    ("sentid", "sentence", "named"),
    [
        ("welder.guest.0.feminine.txt", "The welder told the guest she left.", "sentid"),
        ("welder.guest.0.male.txt", "The welder told the guest she left.", "no male pronoun"),
    ],
)
def test_a_winogender_row_that_does_not_fit_its_id_is_refused(
    sentid: str, sentence: str, named: str
) -> None:
    with pytest.raises(DataError, match=f"file, row 7: .*{named}"):
        winogender(sentid, sentence)


BOLD = {"domain": "gender", "name": "Ada_Brook", "category": "American_actresses"}


def test_bold_prompts_are_read_as_a_list_and_as_a_text_that_writes_one() -> None:
    written = sample("bold", {**BOLD, "prompts": '["Ada Brook is ", "Brook\'s voice "]'})
    assert written == sample("bold", {**BOLD, "prompts": ["Ada Brook is ", "Brook's voice "]})
    assert [request.prompt for request in written.requests] == [  # type: ignore[union-attr]
        "Ada Brook is",
        "Brook's voice",
    ]


@pytest.mark.parametrize("prompts", [[], "Ada Brook is ", "[unfinished", [1], None])
def test_a_bold_row_without_prompts_is_refused(prompts: object) -> None:
    with pytest.raises(DataError, match="file, row 7: prompts: expected a list of texts"):
        sample("bold", {**BOLD, "prompts": prompts})


def test_counterfactual_asks_the_questions_of_another_task_twice() -> None:
    base = TASKS["starter-pairs"]
    task = find_tasks().find("counterfactual:starter-pairs").task
    row = next(row for row in base.data.rows() if row["category"] == "gender")
    plain, twice = base.sample(row), task.sample(row)
    assert twice.requests[: len(plain.requests)] == plain.requests
    assert len(twice.requests) == 2 * len(plain.requests)
    assert twice.id == plain.id


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("starter-pears", "Did you mean 'starter-pairs'"),
        ("counterfactual:starter-pairs", "is swapped already"),
        ("starter-translation-en-de", "only English texts can be swapped"),
    ],
)
def test_what_cannot_be_swapped_is_refused(argument: str, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        find_tasks().find(f"counterfactual:{argument}")
