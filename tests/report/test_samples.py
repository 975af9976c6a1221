"""Samples of several models: aligned, chosen, packed, and nothing of them lost on the way."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.report.sample_choice import FEWEST, SHOWN, choose, quota
from evalharness.report.sample_columns import FLAGS, MISSING, TaskSamples, task_samples
from evalharness.report.sample_data import LARGEST_PIECE, Keep, PackedTask, pack_task
from evalharness.report.sample_tokens import TokenRoom
from evalharness.report.text import redacted
from evalharness.run_folder import read_sample_rows, write_samples
from tests.report import folders
from tests.report.folders import MadeModel, MadeTask
from tests.report.packed import Kept, unpacked

CAPITALS = [MadeTask("capitals", "question_answering")]
ONE = ("capitals",)
ROOM = TokenRoom(in_output=50, in_all=None)


def samples_of(paths: list[Path]) -> TaskSamples:
    found = task_samples("capitals", folders.read(paths), folders.catalogue())
    assert found is not None
    return found


def made(folder: Path, *models: MadeModel, samples: int = 120) -> TaskSamples:
    return samples_of(folders.write_runs(folder, models=models, tasks=CAPITALS, samples=samples))


def packed_task(
    samples: TaskSamples, chosen: Any, *, longest: int, keep: Keep, room: TokenRoom = ROOM
) -> PackedTask:
    return pack_task(samples, chosen, longest=longest, room=room, keep=keep)


def test_samples_in_another_order_meet_by_their_ids(tmp_path: Path) -> None:
    """Scores by place gave a model those of other questions."""
    models = [MadeModel("a", 0.7, tasks=ONE), MadeModel("b", 0.4, tasks=ONE)]
    first, second = folders.write_runs(tmp_path, models=models, tasks=CAPITALS)
    before = samples_of([first, second])
    kept, shuffled = Kept(), Kept()
    everything = np.arange(before.n)
    expected = kept.texts(packed_task(before, everything, longest=100, keep=kept))
    path = second / "samples" / "capitals.parquet"
    table = pyarrow.parquet.read_table(path)
    order = list(range(len(table)))
    random.Random(0).shuffle(order)
    pyarrow.parquet.write_table(table.take(order), path)
    after = samples_of([first, second])
    assert after.ids.equals(before.ids)
    assert (after.scores == before.scores).all()
    assert shuffled.texts(packed_task(after, everything, longest=100, keep=shuffled)) == expected


def test_a_sample_that_only_one_model_was_asked_is_there_for_that_one(tmp_path: Path) -> None:
    few = folders.write_runs(
        tmp_path / "a", models=[MadeModel("a", 0.5, tasks=ONE)], tasks=CAPITALS, samples=3
    )
    more = folders.write_runs(
        tmp_path / "b", models=[MadeModel("b", 0.5, tasks=ONE)], tasks=CAPITALS, samples=5
    )
    found = samples_of([*few, *more])
    assert found.n == 5
    assert list(found.flags[0]) == [0, 0, 0, MISSING, MISSING]
    assert list(np.isnan(found.scores[0])) == [False, False, False, True, True]
    kept = Kept()
    texts = kept.texts(packed_task(found, np.arange(5), longest=100, keep=kept))
    assert [text["o"][0] is None for text in texts] == [False, False, False, True, True]
    assert all(text["t"] for text in texts)


def test_options_are_those_of_a_model_that_scored_them(tmp_path: Path) -> None:
    """Rows of a model that was asked for a letter do not say which options are right."""
    task = MadeTask("capitals", "question_answering", options=4)
    models = [MadeModel("a", 0.7, tasks=ONE), MadeModel("b", 0.4, tasks=ONE)]
    runs = folders.write_runs(tmp_path, models=models, tasks=[task], samples=3)
    rows = read_sample_rows(runs[0], "capitals")
    lettered = [
        replace(row, prompts=["Q"], responses=["B"], extracted=["B"], gold=[], continuations=[""])
        for row in rows.values()
    ]
    write_samples(runs[0], "capitals", lettered)
    found = task_samples("capitals", folders.read(runs), folders.catalogue([task]))
    assert found is not None
    found = replace(found, metrics=("letter_accuracy", "acc_norm"))
    kept = Kept()
    texts = kept.texts(packed_task(found, np.arange(3), longest=100, keep=kept))
    assert [text["g"] for text in texts] == [row.gold for row in rows.values()]
    for text in texts:
        (letter, scored) = text["o"]
        assert letter[1] == ["B"]
        assert letter[4] == 0
        assert scored[1] == []
        assert len(scored[4][0]) == 4


def test_all_scores_of_a_task_have_as_many_decimals(tmp_path: Path) -> None:
    """1 stood in a column of 0.930."""
    runs = folders.read(folders.write_runs(tmp_path, samples=20))
    forms = {}
    for task in ("capitals", "passages"):
        found = task_samples(task, runs, folders.catalogue())
        assert found is not None
        packed = packed_task(found, np.arange(found.n), longest=100, keep=Kept())
        forms[task] = (packed.decimals, packed.is_share)
    assert forms == {"capitals": (0, True), "passages": (3, True)}


def test_numbers_come_back_as_they_were(tmp_path: Path) -> None:
    found = made(
        tmp_path,
        MadeModel("a", 0.7, tasks=ONE, failed=3),
        MadeModel("b", 0.4, tasks=ONE, unfinished=4),
    )
    kept = Kept()
    packed = packed_task(found, np.arange(found.n), longest=100, keep=kept)
    data = b"".join(unpacked(kept.pieces[piece.name]) for piece in packed.numbers)
    count = 2 * found.n
    scores = np.frombuffer(data[: 4 * count], dtype="<f4").reshape(2, -1)
    flags = np.frombuffer(data[4 * count :], dtype="<u2").reshape(2, -1)
    assert np.array_equal(scores, found.scores, equal_nan=True)
    assert (flags == found.flags).all()
    assert list(flags[0, :4]) == [1 << FLAGS.index("failed")] * 3 + [0]
    ids = [name for piece in packed.ids for name in json.loads(unpacked(kept.pieces[piece.name]))]
    assert ids == found.ids.to_pylist()


def test_no_piece_is_larger_than_half_a_mebibyte(tmp_path: Path) -> None:
    """Text that cannot be compressed, as of a model that writes noise."""
    noise = random.Random(0)
    outputs = {
        place: "".join(chr(noise.randrange(0x4E00, 0x9FFF)) for _ in range(40_000))
        for place in range(20)
    }
    found = made(tmp_path, MadeModel("a", 0.5, tasks=ONE, outputs=outputs), samples=30)
    kept = Kept()
    packed = packed_task(found, np.arange(30), longest=100_000, keep=kept)
    assert len(packed.texts) > 3
    assert max(map(len, kept.pieces.values())) <= LARGEST_PIECE
    assert [piece.first for piece in packed.texts[1:]] == list(
        np.cumsum([piece.count for piece in packed.texts])[:-1]
    )
    assert len(kept.texts(packed)) == 30


def test_an_output_of_ten_megabytes_is_cut_and_says_so(tmp_path: Path) -> None:
    long = MadeModel("a", 0.5, tasks=ONE, outputs={0: "x" * 10_000_000})
    found = made(tmp_path, long, samples=2)
    kept = Kept()
    (text, _) = kept.texts(packed_task(found, np.arange(2), longest=4000, keep=kept))
    (response,) = text["o"][0][1]
    assert response.startswith("x" * 4000 + " ⟦9,996,000 more characters")
    assert len(response) < 4100


def test_keys_and_home_folders_are_taken_out_of_texts(tmp_path: Path) -> None:
    leak = "see /home/alice/data and sk-abcdefghijklmnop1234, hf_abcdefghijklmnopqrstuv"
    found = made(tmp_path, MadeModel("a", 0.5, tasks=ONE, outputs={0: leak}), samples=2)
    kept = Kept()
    (text, _) = kept.texts(packed_task(found, np.arange(2), longest=4000, keep=kept))
    assert text["o"][0][1] == ["see ~/data and [redacted], [redacted]"]


@pytest.mark.parametrize(
    "text", ["the task-force of 1984", "/homes/alice", "rooted in", "a ghost", "AKIN"]
)
def test_words_that_look_a_little_like_keys_stay(text: str) -> None:
    assert redacted(text) == text


def test_runs_of_before_there_were_some_flags_are_read(tmp_path: Path) -> None:
    (folder,) = folders.write_runs(
        tmp_path, models=[MadeModel("a", 0.5, tasks=ONE, failed=1)], tasks=CAPITALS
    )
    path = folder / "samples" / "capitals.parquet"
    table = pyarrow.parquet.read_table(path).drop_columns(["unparsed", "looped", "doubled_start"])
    pyarrow.parquet.write_table(table, path)
    assert list(samples_of([folder]).flags[0, :2]) == [1, 0]


def test_damaged_samples_are_named_and_the_others_are_shown(tmp_path: Path) -> None:
    models = [MadeModel("a", 0.7, tasks=ONE), MadeModel("b", 0.4, tasks=ONE)]
    paths = folders.write_runs(tmp_path, models=models, tasks=CAPITALS)
    (paths[0] / "samples" / "capitals.parquet").write_bytes(b"PAR1 not really")
    found = samples_of(paths)
    assert found.models == ("b",)
    assert found.notes[0].startswith("a: its samples cannot be read")


# --- What a single file shows --------------------------------------------------------------------


def test_a_single_file_shows_failures_disagreements_and_others(tmp_path: Path) -> None:
    found = made(
        tmp_path,
        MadeModel("a", 0.9, tasks=ONE, failed=5),
        MadeModel("b", 0.2, tasks=ONE),
        samples=600,
    )
    chosen = choose(found, 90)
    assert len(chosen) == 90
    assert set(range(5)) <= set(chosen.tolist())
    differing = np.flatnonzero(found.scores[0] != found.scores[1])
    assert len(np.intersect1d(chosen, differing)) >= 45
    assert len(np.setdiff1d(chosen, differing)) > 0


@settings(max_examples=30)
@given(st.integers(1, 200), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_as_many_samples_are_chosen_as_there_is_room_for(n: int, most: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.choice([0.0, 0.5, 1.0, np.nan], size=(3, n)).astype(np.float32)
    flags = generator.integers(0, 2, size=(3, n)).astype(np.uint16)
    samples = bare(scores, flags)
    chosen = choose(samples, most)
    assert len(chosen) == min(n, most)
    assert (np.diff(chosen) > 0).all()
    assert (choose(samples, most) == chosen).all()


def bare(scores: Any, flags: Any) -> TaskSamples:
    """Samples without texts."""
    fields: dict[str, Any] = dict.fromkeys(TaskSamples.__dataclass_fields__)
    return TaskSamples(
        **{**fields, "name": "t", "ids": range(scores.shape[1]), "scores": scores, "flags": flags}
    )


def test_every_task_has_a_share_of_the_room_and_never_less_than_some() -> None:
    assert quota(1) == SHOWN
    assert quota(4) == SHOWN // 4
    assert quota(60) == FEWEST
