"""A suite's values are bounded where it is read, before anything is computed."""

import sys
from pathlib import Path
from typing import Any

import pytest

from evalharness.config import read_suite
from evalharness.errors import UsageError

WORK = {"models": ("baseline:random",), "tasks": ("toy",)}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": -1}, "seed: .*greater than or equal to 0, found -1"),
        ({"limit": 10**26}, f"limit: .*less than or equal to {sys.maxsize}"),
        ({"limit": 0}, "limit: .*greater than or equal to 1, found 0"),
    ],
)
def test_a_value_that_fails_only_later_is_refused(values: dict[str, Any], message: str) -> None:
    """A negative seed failed in the bootstrap, after all had been answered."""
    with pytest.raises(UsageError, match=message):
        read_suite(None, {**WORK, **values})


def test_the_largest_values_are_accepted() -> None:
    suite = read_suite(None, {**WORK, "seed": 2**70, "limit": sys.maxsize})
    assert (suite.seed, suite.limit) == (2**70, sys.maxsize)


@pytest.mark.parametrize(("written", "meant"), [("on", "on"), ("off", "off"), ("auto", "auto")])
def test_yaml_means_words_by_on_and_off(tmp_path: Path, written: str, meant: str) -> None:
    """YAML reads `chat: on` as true."""
    path = tmp_path / "suite.yaml"
    path.write_text(f"models: [baseline:random]\ntasks: [toy]\nchat: {written}\n")
    assert read_suite(path, {}).chat == meant


def test_an_unknown_way_to_chat_is_refused() -> None:
    with pytest.raises(UsageError, match=r"chat: .*'auto', 'on' or 'off', found 'yes'"):
        read_suite(None, {**WORK, "chat": "yes"})
