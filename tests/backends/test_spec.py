"""Model specs, taken apart."""

import pytest

from evalharness.backends import open_backend
from evalharness.errors import UsageError


@pytest.mark.parametrize(
    "spec",
    [
        "server:m@https://user:hunter2@host/v1?timeout=1&timeout=2",
        "server:m@https://user:hunter2@host/v1?tmeout=1",
        "server:m@https://user:hunter2@host/v1?timeout",
        "serve:m@https://user:hunter2@host/v1",
    ],
)
def test_an_error_about_a_spec_does_not_repeat_the_password_in_its_address(spec: str) -> None:
    """A spec with an option given twice was repeated whole, before its address was looked at."""
    with pytest.raises(UsageError) as raised:
        open_backend(spec)
    assert "hunter2" not in str(raised.value)
