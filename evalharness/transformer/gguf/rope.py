"""Rotary positions: GGUF's settings and tables of factors as transformers' rope_parameters."""

import math
from typing import Any

import numpy as np

from evalharness.errors import DataError
from evalharness.transformer.gguf.architectures import (
    FREQUENCIES,
    LONG,
    ROPE_TABLES,
    SHORT,
    Rotation,
)
from evalharness.transformer.gguf.reading import GgufFile
from evalharness.transformer.gguf.weights import values

YARN_KEYS = {
    "attention_factor": "yarn_attn_factor",
    "beta_fast": "yarn_beta_fast",
    "beta_slow": "yarn_beta_slow",
}
# Settings under `rope.scaling.` that transformers has no counterpart for, and what means nothing.
FOREIGN = {
    "alpha": (0.0, 1.0),
    "attn_factor": (1.0,),
    "yarn_ext_factor": (1.0, -1.0),
    "yarn_log_multiplier": (0.0,),
}


def rope_parameters(file: GgufFile, head_width: int, rotation: Rotation) -> dict[str, Any]:
    """How a head is turned by its position, as in config.json.

    Raises DataError for a kind of scaling that transformers does not have.
    """
    base = file.number(file.own("rope.freq_base"), 10000.0)
    turned = file.count(file.own("rope.dimension_count"), head_width)
    if turned % 2:
        raise DataError(f"{file.path}: positions turn pairs of elements, not {turned} of a head.")
    parameters = {"rope_theta": float(base), **_scaling(file, float(base), turned)}
    if rotation is Rotation.PART:
        parameters["partial_rotary_factor"] = _part(turned, head_width)
    elif turned != head_width:
        raise DataError(
            f"{file.path}: {turned} of the {head_width} elements of a head are turned by its "
            "position; in this architecture, transformers turns all or none."
        )
    return parameters


def _part(turned: int, head_width: int) -> float:
    """The part of a head that is turned, such that int(head_width * part) is `turned`."""
    part = turned / head_width
    return part if int(head_width * part) == turned else math.nextafter(part, 1.0)


def _scaling(file: GgufFile, base: float, turned: int) -> dict[str, Any]:
    kind = _kind(file)
    for name, neutral in FOREIGN.items():
        found = file.metadata.get(file.own(f"rope.scaling.{name}"), neutral[0])
        if found not in neutral and (kind, name) != ("longrope", "attn_factor"):
            raise DataError(f"{file.path}: rope scaling with {name} = {found} is not known.")
    if kind == "default":
        return {"rope_type": kind}
    if kind == "llama3":
        return _llama3(file, turned, base)
    if kind == "longrope":
        return {"rope_type": kind, **_longrope(file, turned)}
    factor = file.number(
        file.own("rope.scaling.factor"), file.metadata.get(file.own("rope.scale_linear"))
    )
    if kind == "linear":
        return {"rope_type": kind, "factor": float(factor)}
    return {"rope_type": kind, "factor": float(factor), **_yarn(file)}


def _kind(file: GgufFile) -> str:
    """The rope_type of a file; older files name none, but have the factors of it."""
    named = file.metadata.get(file.own("rope.scaling.type"), "none")
    if named not in ("none", "linear", "yarn", "longrope"):
        raise DataError(
            f"{file.path}: rope scaling of the kind {named!r} is not known; known are none, "
            "linear, yarn and longrope."
        )
    tables = tuple(table for table in ROPE_TABLES if table in file.tensors)
    if tables == (FREQUENCIES,) and named == "none":
        return "llama3"
    if tables == (LONG, SHORT) and named in ("none", "longrope"):
        return "longrope"
    if tables or named == "longrope":
        raise DataError(
            f"{file.path}: rope scaling {named!r} does not go with "
            f"{' and '.join(tables) or 'no table of factors'}."
        )
    if named == "none" and file.metadata.get(file.own("rope.scale_linear"), 1.0) != 1.0:
        return "linear"
    return "default" if named == "none" else str(named)


def _yarn(file: GgufFile) -> dict[str, Any]:
    original = file.count(file.own("rope.scaling.original_context_length"))
    keys = {name: file.own(f"rope.scaling.{key}") for name, key in YARN_KEYS.items()}
    given = {name: float(file.number(key)) for name, key in keys.items() if key in file.metadata}
    return {"original_max_position_embeddings": original, **given}


def _longrope(file: GgufFile, turned: int) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "original_max_position_embeddings": file.count(
            file.own("rope.scaling.original_context_length")
        )
    }
    for name, table in (("long_factor", LONG), ("short_factor", SHORT)):
        factors = values(file, file.tensors[table]).float().numpy()
        _check_length(file, table, factors, turned)
        parameters[name] = [float(str(factor)) for factor in factors]
    attention = file.own("rope.scaling.attn_factor")
    if attention in file.metadata:
        parameters["attention_factor"] = float(file.number(attention))
    return parameters


def _check_length(file: GgufFile, table: str, factors: np.ndarray, turned: int) -> None:
    if factors.shape != (turned // 2,):
        raise DataError(
            f"{file.path}: {table} should hold {turned // 2} factors, but its shape is "
            f"{factors.shape}."
        )


def _llama3(file: GgufFile, turned: int, base: float) -> dict[str, Any]:
    """The parameters of Llama 3's scaling, found from the factor that divides each frequency.

    In terms of turns, the frequency / 2 pi: what turns less than low / context is divided by
    `factor`, what turns more than high / context by 1, and between them 1 / divisor goes linearly
    from one to the other (transformers, _compute_llama3_parameters). Only low / context and
    high / context can be told from a table, so low is 1, as in all of Llama's checkpoints.
    """
    table = values(file, file.tensors[FREQUENCIES]).double().numpy()
    _check_length(file, FREQUENCIES, table, turned)
    turns = base ** (-np.arange(0, turned, 2) / turned) / (2 * np.pi)
    factor = float(str(np.float32(table.max())))
    if (table == 1).all():
        return {"rope_type": "default"}
    between = (table > 1 + 1e-5) & (table < factor * (1 - 1e-5))
    if between.sum() >= 2:
        way = (1 / table[between] - 1 / factor) / (1 - 1 / factor)
        rise, start = np.polyfit(turns[between], way, 1)  # way = (context * turns - 1) / (high - 1)
        if start < 0 < rise:
            # The table is in float32: rounding gives back the numbers that it was made from.
            high, context = round(1 - 1 / start, 3), round(-rise / start)
            way = np.clip((context * turns - 1) / (high - 1), 0, 1)
            if np.allclose(table, 1 / (way + (1 - way) / factor), rtol=1e-4):
                return {
                    "rope_type": "llama3",
                    "factor": factor,
                    "low_freq_factor": 1.0,
                    "high_freq_factor": high,
                    "original_max_position_embeddings": context,
                }
    raise DataError(
        f"{file.path}: the factors in {FREQUENCIES} are not those of Llama 3's rope scaling, the "
        "only one with such a table that transformers knows."
    )
