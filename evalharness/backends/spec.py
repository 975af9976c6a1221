"""Model specs: SCHEME:REFERENCE?option=value&option=value."""

import re
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import parse_qsl, quote, urlencode

from pydantic import BaseModel, ValidationError

from evalharness.errors import UsageError, did_you_mean


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A spec taken apart; `text` is what the user wrote.

    series  the spec with wildcards that it is one of (see sweeps.py), at its `step`
    """

    text: str
    scheme: str
    reference: str
    options: dict[str, str] = field(default_factory=dict)
    series: str = ""
    step: int | None = None


def shown(text: str) -> str:
    """A spec as errors repeat it: without a user and password in its address."""
    return re.sub(r"(?<=//)[^/?]*@", "...@", text)


def parse_spec(text: str) -> ModelSpec:
    """Take a spec apart. Raises UsageError when it has not the form of one."""
    scheme, colon, rest = text.partition(":")
    if not colon or not scheme or not rest:
        raise UsageError(
            f"model {shown(text)!r} has not the form SCHEME:REFERENCE, "
            "such as builtin:smollm2-135m-instruct, builtin:path/to/checkpoint or baseline:random."
        )
    reference, _, query = rest.partition("?")
    try:
        # A + is itself, as in paths; only forms of web pages mean a space by it.
        pairs = parse_qsl(query.replace("+", "%2B"), strict_parsing=True) if query else []
    except ValueError:
        raise UsageError(
            f"model {shown(text)!r}: options have the form key=value&key=value."
        ) from None
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"model {shown(text)!r}: the option {name!r} is given twice.")
    return ModelSpec(text, scheme, reference, dict(pairs))


def with_option(text: str, name: str, value: str) -> str:
    """The same spec with this value of an option, whether it had one or not."""
    spec = parse_spec(text)
    start = f"{spec.scheme}:{spec.reference}"
    pairs = {**spec.options, name: value}
    # Paths keep their slashes and a + stays itself, as parse_spec reads it.
    return f"{start}?{urlencode(pairs, quote_via=quote, safe='/+:~')}"


_Options = TypeVar("_Options", bound=BaseModel)


def parse_options(spec: ModelSpec, options: type[_Options]) -> _Options:
    """The options of a spec, validated. Raises UsageError that names the option."""
    known = options.model_fields
    for name in spec.options:
        if name not in known:
            raise UsageError(
                f"model {shown(spec.text)!r}: unknown option {name!r}; known are "
                f"{', '.join(known)}.{did_you_mean(name, known)}"
            )
    try:
        return options.model_validate(spec.options)
    except ValidationError as error:
        problem = error.errors()[0]
        raise UsageError(
            f"model {shown(spec.text)!r}: option {problem['loc'][0]!r} is {problem['input']!r}: "
            f"{problem['msg']}."
        ) from None
