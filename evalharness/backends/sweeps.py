"""Sweeps: one spec for all checkpoints of a training run, such as builtin:runs/checkpoint-*."""

import re
from collections.abc import Sequence
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path
from urllib.parse import quote, urlencode

from evalharness.backends.spec import ModelSpec, parse_spec
from evalharness.errors import UsageError, did_you_mean

SWEPT = ("builtin", "hf")
# A folder with one of them, or a .gguf file, may be a checkpoint.
_MARKS = {"reference": "config.json", "adapter": "adapter_config.json"}
_SHOWN = 10


def expand_specs(texts: Sequence[str]) -> list[ModelSpec]:
    """The specs, taken apart, each once; a pattern becomes the checkpoints that match it, in order.

    The wildcards are those of a shell (* and [...]; a question mark starts the options). They may
    stand in the reference or in the option `adapter`. Raises UsageError for a text that is no spec,
    and for a pattern that nothing matches or that matches something else than checkpoints.
    """
    found: dict[str, ModelSpec] = {}
    for text in texts:
        for spec in _expanded(parse_spec(text)):
            # What is named alone as well has its place in the series all the same.
            if spec.series or spec.text not in found:
                found[spec.text] = spec
    return list(found.values())


def _expanded(spec: ModelSpec) -> list[ModelSpec]:
    if spec.scheme not in SWEPT:
        return [spec]
    adapter = spec.options.get("adapter", "")
    swept = [name for name, value in (("reference", spec.reference), ("adapter", adapter))
             if _is_pattern(value)]  # fmt: skip
    if not swept:
        return [spec]
    if len(swept) > 1:
        raise UsageError(
            f"model {spec.text!r}: wildcards in the reference and in adapter make a table, not a "
            "series; give a spec for each base."
        )
    (kind,) = swept
    pattern = spec.reference if kind == "reference" else adapter
    return [_member(spec, kind, pattern, match) for match in _matches(spec, kind, pattern)]


def _is_pattern(value: str) -> bool:
    """A folder may have brackets in its name."""
    return has_magic(value) and not Path(value).expanduser().exists()


def _matches(spec: ModelSpec, kind: str, pattern: str) -> list[str]:
    """What matches, by step. Raises UsageError when it is nothing, or not checkpoints only."""
    matches = glob(str(Path(pattern).expanduser()))
    if not matches:
        raise UsageError(f"model {spec.text!r}: nothing matches {pattern!r}. {_there(pattern)}")
    for match in sorted(matches, key=_natural):
        path = Path(match)
        hint = "Choose a pattern that only checkpoints match."
        if kind == "reference" and (path / _MARKS["adapter"]).is_file():
            hint = f"It is an adapter: {spec.scheme}:BASE?adapter={pattern}."
        if not (path / _MARKS[kind]).is_file() and not (path.is_file() and path.suffix == ".gguf"):
            raise UsageError(
                f"model {spec.text!r}: {match!r} matches, but is no "
                f"{'checkpoint' if kind == 'reference' else 'adapter'}: it has no {_MARKS[kind]}. "
                f"{hint}"
            )

    def place(match: str) -> tuple[bool, int, list[str | int]]:
        step = _step(pattern, match)
        return step is None, step or 0, _natural(match)

    return sorted(matches, key=place)


def _there(pattern: str) -> str:
    """What is in the folder where the first wildcard is looked for."""
    path = Path(pattern).expanduser()
    while has_magic(str(path)):
        path = path.parent
    wanted = path
    try:
        while not path.is_dir() and path.parent != path:
            path = path.parent
        names = sorted((entry.name for entry in path.iterdir()), key=_natural)
    except OSError as error:
        return f"{path} cannot be read: {error}."
    if path != wanted:
        missing = wanted.relative_to(path).parts[0]
        return f"There is no {missing!r} in {path}.{did_you_mean(missing, names)}"
    shown = ", ".join(names[:_SHOWN]) or "nothing"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"In {path} there is: {shown}{more}."


def _natural(text: str) -> list[str | int]:
    """A key by which checkpoint-500 comes before checkpoint-1000."""
    parts = re.split(r"([0-9]+)", text)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


def _step(pattern: str, match: str) -> int | None:
    """The last number in the last part of a path that a wildcard stands for."""
    pairs = zip(reversed(Path(pattern).parts), reversed(Path(match).parts), strict=False)
    matched = next(name for wanted, name in pairs if has_magic(wanted))
    numbers = re.findall(r"[0-9]+", matched)
    return int(numbers[-1]) if numbers else None


def _member(spec: ModelSpec, kind: str, pattern: str, match: str) -> ModelSpec:
    """The spec of one checkpoint, as if it were given alone, but that it knows its series."""
    series, step = spec.text, _step(pattern, match)
    if kind == "reference":
        _, question, options = spec.text.partition("?")
        text = f"{spec.scheme}:{match}{question}{options}"
        return replace(spec, text=text, reference=match, series=series, step=step)
    changed = {**spec.options, "adapter": match}
    query = urlencode(changed, quote_via=quote, safe="/+")
    text = f"{spec.scheme}:{spec.reference}?{query}"
    return replace(spec, text=text, options=changed, series=series, step=step)
