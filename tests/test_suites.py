"""Suite files and options: what is wrong is blamed on the one that is wrong."""

from pathlib import Path
from typing import Any

import pytest

from evalharness.config import read_suite
from evalharness.errors import DataError, UsageError

GIVEN: dict[str, Any] = {"models": ("baseline:random",), "tasks": ("openbookqa",)}


def suite_file(folder: Path, text: str) -> Path:
    path = folder / "suite.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: [a]\nmodels: [b]\n", "the key 'models' is given twice"),
        ("[" * 3000, "nested too deeply"),
        ("limit: 1" + "0" * 5000, "not valid YAML"),
        ("limit: 2001-13-45", "not valid YAML"),
    ],
)
def test_a_suite_file_that_says_no_one_thing_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    """Of a key given twice the last one won in silence; deep nesting was an internal error."""
    with pytest.raises(DataError, match=rf"suite\.yaml.*{message}"):
        read_suite(suite_file(tmp_path, text), GIVEN)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("num_fewshot: true", "num_fewshot: Input should be a valid integer, found True"),
        ("limit: '3'", "limit: Input should be a valid integer, found '3'"),
        ("allow_failed: true", "allow_failed: Input should be a valid number, found True"),
        ("models: baseline:random", r"models: Input should be a list, such as \[a, b\], found"),
        ("limit: 0", "limit: Input should be greater"),
    ],
)
def test_a_value_of_another_kind_is_refused_and_not_converted(
    tmp_path: Path, text: str, message: str
) -> None:
    """num_fewshot: true was run as 1."""
    with pytest.raises(UsageError, match=rf"suite\.yaml: {message}"):
        read_suite(suite_file(tmp_path, text), GIVEN)


def test_a_wrong_option_is_not_blamed_on_the_suite_file(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"^option --num-fewshot: Input should be greater"
    ) as found:
        read_suite(suite_file(tmp_path, "limit: 3"), {**GIVEN, "num_fewshot": -1})
    assert "suite.yaml" not in str(found.value)
