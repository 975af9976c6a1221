"""What every builder of samples refuses."""

from collections.abc import Sequence


def refuse_one_text(**lists: Sequence[str]) -> None:
    """Raises ValueError for a text in the place of a list, which would be one of its letters."""
    for name, texts in lists.items():
        if isinstance(texts, str):
            raise ValueError(
                f"{name} should be a list of texts, but is the text {texts!r:.80}; "
                f"for a single one write [{texts!r:.80}]"
            )
