"""One spelling for equal values, to be hashed."""

import json
from typing import Any


def canonical(value: Any) -> bytes:
    """A value as JSON with sorted keys and no spaces, in UTF-8; a dataclass is an object.

    Raises TypeError for a value that JSON has not. Text that no UTF-8 has, such as half of a
    surrogate pair, is kept apart from other text.
    """
    return _ENCODER.encode(value).encode("utf-8", "surrogatepass")


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, not copied: dataclasses.asdict takes ten times as long."""
    names = getattr(value, "__dataclass_fields__", None)
    if names is None:
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")
    return {name: getattr(value, name) for name in names}


_ENCODER = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=fields_of
)
