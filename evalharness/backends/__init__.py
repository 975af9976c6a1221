"""Backends: whatever answers requests. A model spec is SCHEME:REFERENCE?option=value&..."""

from evalharness.backends.spec import ModelSpec, parse_spec
from evalharness.errors import UsageError, did_you_mean
from evalharness.records import Backend

SCHEMES = ("builtin", "server", "baseline")


def open_backend(spec: str) -> Backend:
    """The backend that a model spec names, found and checked but not loaded.

    Raises UsageError for a spec that is not one, DataError for a checkpoint or a server that
    cannot be used.
    """
    parsed = parse_spec(spec)
    if parsed.scheme == "builtin":
        from evalharness.backends.builtin import open_builtin

        return open_builtin(parsed)
    if parsed.scheme == "server":
        from evalharness.backends.server.backend import open_server

        return open_server(parsed)
    if parsed.scheme == "baseline":
        from evalharness.backends.baseline import open_baseline

        return open_baseline(parsed)
    raise UsageError(_unknown_scheme(parsed))


def _unknown_scheme(spec: ModelSpec) -> str:
    return (
        f"model {spec.text!r}: unknown scheme {spec.scheme!r}; known are "
        f"{', '.join(f'{scheme}:' for scheme in SCHEMES)}.{did_you_mean(spec.scheme, SCHEMES)}"
    )
