"""Sources made of other sources keep what they are made of, and drop nothing unsaid."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from evalharness.errors import DataError
from evalharness.metrics.translation import chrf
from evalharness.prompts.preparation import prepare
from evalharness.records import Row, Sample, Task
from evalharness.samples import translation
from evalharness.sources import (
    HubDataset,
    Joined,
    LocalFile,
    NotGiven,
    Numbered,
    Selected,
    Shuffled,
)
from evalharness.sources.choice import with_data
from evalharness.sources.combined import innermost, with_source


def table(path: Path, *rows: Mapping[str, object]) -> LocalFile:
    path.write_text("".join(f"{json.dumps(dict(row))}\n" for row in rows))
    return LocalFile(path)


def test_rows_without_an_id_are_numbered_in_their_order(tmp_path: Path) -> None:
    source = Numbered(table(tmp_path / "a.jsonl", {"text": "x"}, {"text": "x"}))
    rows = list(source.rows())
    assert [row["row_number"] for row in rows] == ["1", "2"]
    assert rows[1]["text"] == "x"
    assert rows[1].location.endswith("row 2")
    assert source.is_here()


def test_chosen_rows_are_told_by_the_identity(tmp_path: Path) -> None:
    whole = table(tmp_path / "a.jsonl", {"id": 1, "bad": True}, {"id": 2, "bad": False})
    chosen = Selected(whole, "bad", False)
    assert [row["id"] for row in chosen.rows()] == [2]
    assert chosen.identity().name == "a.jsonl where bad is False"
    assert chosen.identity().revision == whole.identity().revision
    with pytest.raises(DataError, match=r"a\.jsonl, row 1: no field 'bda'.*Did you mean 'bad'"):
        list(Selected(whole, "bda", False).rows())


def test_two_data_sets_are_joined_by_a_key_in_the_order_of_the_first(tmp_path: Path) -> None:
    one = table(tmp_path / "en.jsonl", {"id": 2, "text": "two"}, {"id": 1, "text": "one"})
    other = table(tmp_path / "de.jsonl", {"id": 1, "text": "eins"}, {"id": 2, "text": "zwei"})
    joined = Joined(one, other, key="id")
    texts = [(row["source"]["text"], row["target"]["text"]) for row in joined.rows()]
    assert texts == [("two", "zwei"), ("one", "eins")]
    assert joined.identity().name == "en.jsonl + de.jsonl"
    assert joined.is_here()


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        ([1, 2], [1], r"en\.jsonl, row 2: there is no row of the id 2 in de\.jsonl"),
        ([1], [1, 2], r"de\.jsonl, row 2: there is no row of the id 2 in en\.jsonl"),
        ([1], [1, 1], r"de\.jsonl, row 2: the id 1 comes twice"),
        ([1, 1], [1], r"en\.jsonl, row 2: there is no row of the id 1 .* or it was joined before"),
    ],
)
def test_rows_that_have_no_partner_are_named(
    tmp_path: Path, first: list[int], second: list[int], problem: str
) -> None:
    one = table(tmp_path / "en.jsonl", *({"id": number} for number in first))
    other = table(tmp_path / "de.jsonl", *({"id": number} for number in second))
    with pytest.raises(DataError, match=problem):
        list(Joined(one, other, key="id").rows())


def test_data_given_instead_is_numbered_and_chosen_like_the_tasks_own(tmp_path: Path) -> None:
    """Else a benchmark's rule for its rows would not hold for its own file, given by --data."""
    path = tmp_path / "a.jsonl"
    table(
        path,
        {"source": "bad", "target": "schlecht", "bad": True},
        {"source": "good", "target": "gut", "bad": False},
    )

    def sample(row: Row) -> Sample:
        return translation(
            id=row["row_number"],
            languages=("en", "de"),
            source=row["source"],
            references=[row["target"]],
        )

    task = Task(
        name="some",
        family="translation",
        version=1,
        data=Numbered(Selected(HubDataset("nobody/nothing", split="train"), "bad", False)),
        sample=sample,
        metrics=(chrf(),),
    )
    (chosen,) = with_data([task], {"some": str(path)})
    prepared = prepare(chosen, limit=None, num_fewshot=0, seed=0)
    assert [one.source for one in prepared.samples] == ["good"]
    assert prepared.samples[0].id == "1"
    # A folder is read with the split of the hub's data set.
    (chosen,) = with_data([task], {"some": str(tmp_path)})
    assert innermost(chosen.data) == HubDataset(str(tmp_path), split="train")


def test_what_is_made_of_no_source_is_replaced_as_a_whole() -> None:
    new = LocalFile(Path("new.jsonl"))
    assert with_source(NotGiven("--data"), new) == new
    assert with_source(Shuffled(NotGiven("--data")), new) == Shuffled(new)
