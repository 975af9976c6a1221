"""What metrics that ask a model of transformers need to know of its tokenizer."""

from typing import Any

from evalharness.errors import DataError
from evalharness.words import knows_words

_UNLIMITED = 1_000_000  # tokenizers that know no length say a larger one
_SPECIAL_POSITIONS = 2  # which some models have beyond the tokens that they take


def check_tokenizer(tokenizer: Any, model: str) -> None:
    """Raises DataError for one whose files are missing, to which all texts would be the same."""
    if not knows_words(tokenizer):
        raise DataError(
            f"the model {model} is without the files of its tokenizer, a "
            f"{type(tokenizer).__name__}: copy them from where the model comes from."
        )


def most_tokens(tokenizer: Any, config: Any) -> int:
    """How many tokens the model takes, special ones included."""
    longest = int(tokenizer.model_max_length)
    if longest <= _UNLIMITED:
        return longest
    return int(getattr(config, "max_position_embeddings", 512)) - _SPECIAL_POSITIONS
