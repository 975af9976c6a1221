"""What `tasks list` and `tasks preview` show, and what they leave out."""

import json
from pathlib import Path

import pytest

from evalharness.backends import open_backend
from evalharness.records import Generation, LogLikelihood, Pieces, RollingLogLikelihood, Tokenizing
from tests.models import make_llama
from tests.workplace import Workplace


def listed(workplace: Workplace, *arguments: str) -> dict[str, dict[str, object]]:
    done = workplace("tasks", "list", "--tasks-dir", "plugins", "--format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    return {row["name"]: row for row in json.loads(done.stdout)}


def test_lists_are_filtered_by_name_family_language_and_place(workplace: Workplace) -> None:
    everything = listed(workplace)
    toys = listed(workplace, "toy-*")
    assert set(toys) == {"toy-choice", "toy-answer"}
    assert toys["toy-choice"]["source"] == "toy.jsonl"
    assert toys["toy-choice"]["here"] is True
    german = listed(workplace, "--family", "translation", "--language", "de")
    assert "django-messages-de" in german
    assert all("de" in str(row["languages"]) for row in german.values())
    # No data set was fetched into this cache.
    here = listed(workplace, "--here")
    assert "openbookqa" in everything
    assert "openbookqa" not in here
    assert {"toy-choice", "starter-reading"} <= set(here)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("--family", "translatoin"), "Did you mean 'translation'"),
        (("--language", "dee"), "Did you mean 'de'"),
        (("toy-choise",), "Did you mean 'toy-choice'"),
    ],
)
def test_a_filter_that_leaves_nothing_is_told(
    workplace: Workplace, arguments: tuple[str, ...], hint: str
) -> None:
    done = workplace("tasks", "list", "--tasks-dir", "plugins", *arguments)
    assert done.returncode == 2
    assert hint in done.stderr


def pieces(folder: Path, request: LogLikelihood | Generation | RollingLogLikelihood) -> Pieces:
    backend = open_backend(f"builtin:{folder}")
    assert isinstance(backend, Tokenizing)
    found = backend.pieces(request)
    assert isinstance(found, Pieces)
    return found


def test_pieces_are_the_tokens_that_are_given_and_scored(tmp_path: Path) -> None:
    """Together they are the text; a letter of several tokens is one piece that says so."""
    folder = tmp_path / "checkpoint"
    make_llama(folder)
    found = pieces(folder, LogLikelihood("Is 日 a sun? ", "日 it is"))
    given = "".join(piece.text for piece in found.given)
    assert given.endswith("Is 日 a sun?")
    assert "".join(piece.text for piece in found.scored) == " 日 it is"
    assert max(piece.tokens for piece in found.scored) > 1
    written = pieces(folder, Generation("Go on", 4))
    assert written.scored == ()
    assert "".join(piece.text for piece in written.given).endswith("Go on")
    rolled = pieces(folder, RollingLogLikelihood("All of it"))
    assert "".join(piece.text for piece in rolled.scored) == "All of it"


def test_preview_shows_where_tokens_end_for_a_model(workplace: Workplace) -> None:
    done = workplace(
        "tasks", "preview", "toy-choice", "-n", "1", "--tasks-dir", "plugins",
        "-m", "builtin:checkpoint",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "tokens are given" in done.stdout
    assert "│" in done.stdout
    plain = workplace("tasks", "preview", "toy-choice", "-n", "1", "--tasks-dir", "plugins")
    assert "│" not in plain.stdout
