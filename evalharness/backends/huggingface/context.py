"""How many tokens a model of transformers has seen at most, by its config.json."""

from typing import Any

from evalharness.backends.huggingface.loading import FoundModel
from evalharness.errors import UsageError
from evalharness.transformer.chat import read_json

# As the config of one class or another calls it.
_NAMES = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "max_sequence_length",
    "max_encoder_position_embeddings",
    "seq_length",
)
# For models that could read texts of any length and do not say what they were trained on.
_UNSAID = 2_048
# Tokenizers without a limit say so by a huge number.
_HUGE = 1 << 30


def context_length(found: FoundModel, most: int | None = None) -> int:
    """The context in use. Raises UsageError for a longer one than the model was trained for.

    most: how many positions the model has, where that is known otherwise than by its config.json

    A model with frequencies of their own for long texts (longrope) has its original context here:
    transformers chooses the frequencies by the longest text that is computed together with others,
    so that longer ones would change the scores of their neighbours.
    """
    wanted = found.options.max_length
    config = found.config.get_text_config()
    trained = _trained(config)
    if most is not None:
        trained = most if trained is None else min(trained, most)
    if trained is None:
        limit = read_json(found.folder / "tokenizer_config.json").get("model_max_length")
        named = isinstance(limit, int) and 2 <= limit < _HUGE
        return wanted or (int(limit) if named else _UNSAID)  # type: ignore[arg-type]
    if wanted is not None and wanted > trained:
        raise UsageError(
            f"max_length={wanted}: the model was trained for {trained} positions"
            f"{' with one set of frequencies' if most is None else ''}. Leave the option out, or "
            f"give {trained} or less."
        )
    return wanted or trained


def _trained(config: Any) -> int | None:
    lengths = [getattr(config, name, None) for name in _NAMES]
    found = next((length for length in lengths if isinstance(length, int) and length > 0), None)
    rope = getattr(config, "rope_parameters", None) or {}
    kind = rope.get("rope_type") if isinstance(rope, dict) else None
    original = getattr(config, "original_max_position_embeddings", None) or (
        rope.get("original_max_position_embeddings") if isinstance(rope, dict) else None
    )
    if kind == "longrope" and isinstance(original, int):
        return original
    return found
