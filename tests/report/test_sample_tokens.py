"""Tokens of samples: packed with what a page shows of them, within their room, without secrets."""

import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.errors import DataError
from evalharness.records import TokenScore
from evalharness.report.layouts import render_single
from evalharness.report.sample_columns import TaskSamples, task_samples
from evalharness.report.sample_data import LARGEST_PIECE, pack_task
from evalharness.report.sample_tokens import (
    TokenRoom,
    mean_surprisal,
    pack_tokens,
    read_tokens,
    surprisal,
)
from evalharness.report.text import redacted, redactions
from evalharness.run_folder import read_sample_rows, write_samples
from tests.report import folders
from tests.report.folders import MadeModel, MadeTask
from tests.report.packed import Kept, unpacked

WRITTEN = MadeTask("capitals", "question_answering")
OPTIONS = MadeTask("reasoning", "question_answering", options=4)
EVERYTHING = TokenRoom(in_output=1000, in_all=None)


def made(
    folder: Path, *models: MadeModel, task: MadeTask = WRITTEN, samples: int = 20
) -> TaskSamples:
    runs = folders.write_runs(folder, models=models, tasks=[task], samples=samples)
    return read(runs, task)


def read(runs: list[Path], task: MadeTask = WRITTEN) -> TaskSamples:
    found = task_samples(task.name, folders.read(runs), folders.catalogue([task]))
    assert found is not None
    return found


def model(name: str = "a", *, tokens: bool = True, task: MadeTask = WRITTEN) -> MadeModel:
    return MadeModel(name, 0.6, tasks=(task.name,), tokens=tokens)


def token(text: str, log_probability: float = -1.0, **others: float) -> dict[str, Any]:
    return {
        "text": text,
        "log_probability": log_probability,
        "alternatives": [[other, value] for other, value in others.items()],
    }


def numbers(kept: Kept, packed: Any, models: int) -> list[np.ndarray[Any, Any]]:
    """Scores, mean surprisals and flags, as the page reads them."""
    data = b"".join(unpacked(kept.pieces[piece.name]) for piece in packed.numbers)
    size = 4 * models * packed.shown
    floats = [np.frombuffer(data[at : at + size], "<f4") for at in (0, size)]
    return [*floats, np.frombuffer(data[2 * size :], "<u2")]


# --- What is packed ------------------------------------------------------------------------------


def test_surprisal_is_in_bits() -> None:
    assert surprisal(math.log(0.5)) == 1
    assert surprisal(math.log(1 / 1024)) == pytest.approx(10)
    assert mean_surprisal([[token("a", math.log(0.5))], [token("b", math.log(0.125))]]) == 2
    assert math.isnan(mean_surprisal([]))


def test_tokens_are_packed_with_five_alternatives_and_the_mean_over_all_of_them() -> None:
    """A mean over the tokens that are shown would be that of another text."""
    likely = {name: math.log(0.25) for name in "abcdefg"}
    tokens = [token("x", math.log(0.5), **likely), token("y", math.log(0.125)), token("z", 0.0)]
    assert pack_tokens(tokens, 2) == [
        ["x", "y"],
        [1.0, 3.0],
        [["a", 2.0, "b", 2.0, "c", 2.0, "d", 2.0, "e", 2.0], []],
        3,
        round(4 / 3, 6),
    ]


@pytest.mark.parametrize("text", ["[[", "3", "[]", "[[], []]"])
def test_damaged_tokens_are_an_error_in_words(text: str) -> None:
    """A traceback said that a list index was out of range."""
    with pytest.raises(DataError, match="the stored tokens of a sample"):
        read_tokens({"tokens": text, "responses": ["one"]})


def test_an_impossible_token_is_no_number_that_json_lacks() -> None:
    """Infinity in a piece made all of its samples unreadable."""
    packed = pack_tokens([token("a", -math.inf, b=-math.inf)], 9)
    assert json.loads(json.dumps(packed, allow_nan=False)) == [
        ["a"],
        [None],
        [["b", None]],
        1,
        None,
    ]


def test_a_token_of_any_length_is_cut() -> None:
    packed = pack_tokens([token("x" * 10_000_000)], 9)
    assert isinstance(packed, list)
    assert packed[0] == ["x" * 39 + "…"]


@given(st.lists(st.integers(1, 9), min_size=1), st.booleans())
def test_keys_and_home_folders_are_taken_out_however_they_are_cut_into_tokens(
    lengths: list[int], is_key: bool
) -> None:
    """No single token looks like a key, nor do its alternatives."""
    secret = "hf_abcdefghijklmnopqrstuvwx" if is_key else "/home/alice"
    text = f"see {secret} there"
    pieces, start = [], 0
    for length in [*lengths, len(text)]:
        pieces.append(text[start : start + length])
        start += length
    packed = pack_tokens([token(piece, **{piece: -1.0}) for piece in pieces if piece], 99)
    assert isinstance(packed, list)
    shown = "".join(packed[0])
    assert all(part not in shown for part in ("abc", "alice", "lice", "mnop"))
    assert all(not likely for piece, likely in zip(*packed[0:3:2], strict=True) if "[" in piece)


@given(st.text("/homealicsk-_ABCDEFGHIJKLMNOPQR0123 ", max_size=60))
def test_redactions_are_where_something_is_taken_out(text: str) -> None:
    assert bool(redactions(text)) == (redacted(text) != text)


# --- Of whole tasks ------------------------------------------------------------------------------


def test_the_mean_surprisal_of_an_answer_is_that_of_its_stored_tokens(tmp_path: Path) -> None:
    models = [model("a"), model("b", tokens=False)]
    runs = folders.write_runs(tmp_path, models=models, tasks=[WRITTEN], samples=20)
    samples = read(runs)
    kept = Kept()
    packed = pack_task(samples, np.arange(20), longest=99, room=EVERYTHING, keep=kept)
    scores, surprisals, flags = numbers(kept, packed, 2)
    stored = [row.tokens for row in read_sample_rows(runs[0], "capitals").values()]
    expected = [np.mean([-np.log2(np.exp(one.log_probability)) for one in row[0]])
                for row in stored if row is not None]  # fmt: skip
    place = samples.models.index("a")
    assert surprisals.reshape(2, -1)[place] == pytest.approx(expected, rel=1e-6)
    assert np.isnan(surprisals.reshape(2, -1)[1 - place]).all()
    assert scores.reshape(2, -1) == pytest.approx(samples.scores)
    assert not flags.any()
    assert (packed.surprising, packed.with_tokens) == (20, 20)


def test_of_options_the_right_one_says_how_surprising_a_sample_is(tmp_path: Path) -> None:
    samples = made(tmp_path, model(task=OPTIONS), task=OPTIONS, samples=5)
    kept = Kept()
    packed = pack_task(samples, np.arange(5), longest=99, room=EVERYTHING, keep=kept)
    _, surprisals, _ = numbers(kept, packed, 1)
    for number, (text, item) in enumerate(
        zip(kept.texts(packed), kept.tokens(packed), strict=True)
    ):
        of_texts, of_options, of_others = item[0]
        (right,) = text["g"]
        assert (of_texts, of_others) == ([], [])
        assert len(of_options) == 4
        assert surprisals[number] == pytest.approx(of_options[right][4], abs=1e-5)
        assert "".join(of_options[right][0]) == f" {text['c'][right]}"


def test_without_stored_tokens_a_page_has_no_place_for_them(tmp_path: Path) -> None:
    samples = made(tmp_path, model(tokens=False))
    kept = Kept()
    packed = pack_task(samples, np.arange(20), longest=99, room=EVERYTHING, keep=kept)
    assert (packed.surprising, packed.with_tokens, packed.tokens) == (0, 0, ())
    data = b"".join(unpacked(kept.pieces[piece.name]) for piece in packed.numbers)
    assert len(data) == 20 * (4 + 2)


def test_tokens_are_left_out_where_there_is_no_more_room_and_that_is_said(tmp_path: Path) -> None:
    samples = made(tmp_path, model())
    kept = Kept()
    packed = pack_task(samples, np.arange(20), longest=99, room=TokenRoom(3, 9), keep=kept)
    items = kept.tokens(packed)
    shown = [len(item[0][0][0][0]) for item in items if item]
    assert sum(shown) <= 9
    assert max(shown) <= 3
    assert packed.with_tokens == len(shown)
    assert packed.surprising == 20
    _, surprisals, _ = numbers(kept, packed, 1)
    assert not np.isnan(surprisals).any()


def test_a_single_file_says_how_many_samples_have_their_tokens_in_it(tmp_path: Path) -> None:
    models = [replace(model(), outputs=dict.fromkeys(range(200), "word " * 900))]
    runs = folders.write_runs(tmp_path, models=models, tasks=[WRITTEN], samples=200)
    page = render_single(folders.evidence(runs, tasks=[WRITTEN]), title="t")
    assert "Log-probabilities of single tokens are here for 50 of the 200 samples" in page


def test_pieces_of_tokens_are_no_larger_than_others(tmp_path: Path) -> None:
    """Twenty models, long outputs of noise, and one sample alone is more than fits a piece."""
    noise = random.Random(0)

    def text() -> str:
        return "".join(chr(noise.randrange(0x4E00, 0x9FFF)) for _ in range(39))

    runs = folders.write_runs(tmp_path, models=[model(str(n)) for n in range(20)],
                              tasks=[WRITTEN], samples=3)  # fmt: skip
    for folder in runs:
        rows = [
            replace(
                row,
                tokens=[[TokenScore(text(), -1.0, ((text(), -1.0),) * 5) for _ in range(300)]],
                responses=["".join(text() for _ in range(300))],
            )
            for row in read_sample_rows(folder, "capitals").values()
        ]
        write_samples(folder, "capitals", rows)
    kept = Kept()
    packed = pack_task(read(runs), np.arange(3), longest=100_000, room=EVERYTHING, keep=kept)
    assert max(map(len, kept.pieces.values())) <= LARGEST_PIECE
    (first, *_) = kept.tokens(packed)
    assert 0 < len(first[0][0][0][0]) < 300
    assert first[0][0][0][3] == 300
    assert "more characters are not shown" in kept.texts(packed)[0]["o"][0][1][0]
