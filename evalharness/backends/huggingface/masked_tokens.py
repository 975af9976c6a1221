"""Texts for masked models: their tokens, and which of them are scored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from evalharness.backends.huggingface.tokens import library_tokenizer
from evalharness.errors import DataError
from evalharness.records import Failure, Piece, PseudoLogLikelihood


@dataclass(frozen=True, slots=True)
class EncodedText:
    """A text with the special tokens that the model expects around it.

    ordinary  places of the tokens that are no special ones
    spans     characters [start, end) of each token; None where the tokenizer does not tell
    """

    tokens: tuple[int, ...]
    ordinary: tuple[int, ...]
    spans: tuple[tuple[int, int], ...] | None


class MaskedTokenizer:
    """The tokenizer of a masked model, as transformers reads it: lower-casing is its business."""

    def __init__(self, folder: Path, trust_remote_code: bool) -> None:
        """Raises DataError for a tokenizer that cannot be read or has no token to mask with."""
        self._tokenizer = library_tokenizer(folder, trust_remote_code)
        mask = self._tokenizer.mask_token_id
        if mask is None:
            raise DataError(
                f"{folder}: the tokenizer names no mask_token, which a masked model is asked with. "
                "Copy the tokenizer's files from where the checkpoint comes from."
            )
        self.mask_token = int(mask)
        # What the tokenizer does not know is a part of the text nevertheless.
        self._special = frozenset(self._tokenizer.all_special_ids) - {self._tokenizer.unk_token_id}

    @property
    def vocabulary_size(self) -> int:
        return len(self._tokenizer)

    @property
    def largest_token(self) -> int:
        return max(self._tokenizer.get_vocab().values(), default=-1)

    def encode(self, text: str) -> EncodedText:
        """The whole text, however long it is."""
        found = self._tokenizer(
            text,
            truncation=False,
            verbose=False,
            return_special_tokens_mask=True,
            return_offsets_mapping=self._tokenizer.is_fast,
        )
        tokens, special = found["input_ids"], found["special_tokens_mask"]
        return EncodedText(
            tokens=tuple(tokens),
            ordinary=tuple(
                place
                for place, (token, is_special) in enumerate(zip(tokens, special, strict=True))
                if not is_special and token not in self._special
            ),
            spans=tuple(found["offset_mapping"]) if self._tokenizer.is_fast else None,
        )

    def pieces(self, text: EncodedText) -> tuple[Piece, ...]:
        """The tokens as they stand in the vocabulary."""
        names = self._tokenizer.convert_ids_to_tokens(list(text.tokens))
        return tuple(Piece(str(name), 1) for name in names)

    def scored(self, request: PseudoLogLikelihood) -> tuple[EncodedText, list[int]] | Failure:
        """The text and the places of its tokens that are scored, of which there is one at least."""
        text = self.encode(request.text)
        if request.span is not None:
            if text.spans is None:
                return Failure("this tokenizer does not tell which characters a token is made of")
            places = [place for place in text.ordinary if _meet(text.spans[place], request.span)]
            none = f"no token has a character of {request.text[slice(*request.span)]!r}"
        elif request.shared_with:
            # One order for both texts of a pair, so that both are scored over the same tokens. In
            # CrowS-Pairs itself one pair has blocks of equal length, which this order decides as
            # its script does.
            both = sorted((request.text, request.shared_with), reverse=True)
            shared = shared_places([self.encode(one).tokens for one in both])
            own = shared[both.index(request.text)]
            places = [place for place in text.ordinary if place in own]
            none = f"no token is shared with {request.shared_with!r}"
        else:
            places = list(text.ordinary)
            none = "the text has no tokens but special ones"
        return (text, places) if places else Failure(f"there is no token to score: {none}")


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])


def shared_places(texts: Sequence[Sequence[int]]) -> tuple[frozenset[int], frozenset[int]]:
    """Places in the first and in the second of two lists of tokens where both are the same.

    As Nangia et al. (2020) find them: the `equal` blocks of difflib.SequenceMatcher over all
    tokens, those at the beginning and the end of every text included
    (https://github.com/nyu-mll/crows-pairs/blob/master/metric.py). Where several blocks are equally
    long, the choice depends on which list is the first.
    """
    first, second = texts
    blocks = SequenceMatcher(None, first, second).get_matching_blocks()
    return (
        _places((block.a, block.size) for block in blocks),
        _places((block.b, block.size) for block in blocks),
    )


def _places(blocks: Iterable[tuple[int, int]]) -> frozenset[int]:
    return frozenset(place for start, size in blocks for place in range(start, start + size))
