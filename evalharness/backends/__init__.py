"""Backends: whatever answers requests. A model spec is SCHEME:REFERENCE?option=value&..."""

from collections.abc import Sequence

from evalharness.backends.bases import Bases
from evalharness.backends.spec import ModelSpec, parse_spec, shown
from evalharness.backends.sweeps import expand_specs
from evalharness.errors import UsageError, did_you_mean
from evalharness.records import Backend

SCHEMES = ("builtin", "hf", "server", "baseline", "outputs")


def open_backend(spec: str) -> Backend:
    """The backend that a model spec names, found and checked but not loaded.

    Raises UsageError for a spec that is not one, DataError for a checkpoint, a file or a server
    that cannot be used.
    """
    return _opened(parse_spec(spec), Bases())


def open_backends(specs: Sequence[str]) -> list[Backend]:
    """The backends of all specs, in order; a spec with wildcards is all that matches.

    Models that stand on one base share it: it is loaded once for those that are asked one after
    another. Raises the errors of open_backend, and UsageError for wildcards that nothing matches.
    """
    bases = Bases()
    return [_opened(spec, bases) for spec in expand_specs(specs)]


def _opened(parsed: ModelSpec, bases: Bases) -> Backend:
    if parsed.scheme == "builtin":
        from evalharness.backends.builtin import open_builtin

        return open_builtin(parsed, bases)
    if parsed.scheme == "hf":
        from evalharness.backends.huggingface import open_huggingface

        return open_huggingface(parsed)
    if parsed.scheme == "server":
        from evalharness.backends.server.backend import open_server

        return open_server(parsed)
    if parsed.scheme == "baseline":
        from evalharness.backends.baseline import open_baseline

        return open_baseline(parsed)
    if parsed.scheme == "outputs":
        from evalharness.backends.outputs import open_outputs

        return open_outputs(parsed)
    raise UsageError(_unknown_scheme(parsed))


def _unknown_scheme(spec: ModelSpec) -> str:
    return (
        f"model {shown(spec.text)!r}: unknown scheme {spec.scheme!r}; known are "
        f"{', '.join(f'{scheme}:' for scheme in SCHEMES)}.{did_you_mean(spec.scheme, SCHEMES)}"
    )
