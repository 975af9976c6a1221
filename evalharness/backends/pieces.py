"""Where the tokens of a request begin and end, for people."""

from collections.abc import Iterator, Sequence

from evalharness.backends.encoding import (
    TextTokenizer,
    encode_generations,
    encode_log_likelihoods,
    encode_rolling,
)
from evalharness.backends.refusals import NOT_MASKED
from evalharness.records import (
    Failure,
    Generation,
    LogLikelihood,
    Piece,
    Pieces,
    PseudoLogLikelihood,
    Request,
)

# What a decoder writes for a character of which bytes are missing.
_INCOMPLETE = "\ufffd"
# A space in the vocabulary of SentencePiece, which a decoder strips from the ends of a text.
_SPACE = "\u2581"
# Pieces that are decoded before one, since what a text begins with may be written otherwise.
_BEFORE = 8


def pieces_of(tokenizer: TextTokenizer, request: Request, max_length: int) -> Pieces | Failure:
    """The tokens that the model is given for a request, and those that are scored, as text.

    They are the very tokens of backends/encoding.py, shortened as those are. Of a text that is
    scored as a whole, windows are put together again.
    """
    if isinstance(request, LogLikelihood):
        (query,) = encode_log_likelihoods(tokenizer, [request], max_length)
        if isinstance(query, Failure):
            return query
        inputs, targets = query.query.tokens, query.query.targets
        given = inputs[: len(inputs) - len(targets) + 1]
        return _split(tokenizer, given, targets)
    if isinstance(request, Generation):
        (job,) = encode_generations(tokenizer, [request], max_length)
        return job if isinstance(job, Failure) else _split(tokenizer, job.job.tokens, ())
    if isinstance(request, PseudoLogLikelihood):
        return Failure(NOT_MASKED)
    (windows,) = encode_rolling(tokenizer, [request], max_length)
    targets = tuple(token for window in windows for token in window.targets)
    return _split(tokenizer, (tokenizer.start_token,), targets)


def _split(tokenizer: TextTokenizer, given: Sequence[int], scored: Sequence[int]) -> Pieces:
    tokens = [*given, *scored]
    pieces = list(pieces_in(tokenizer, tokens))
    before = 0
    for index, piece in enumerate(pieces):
        if before >= len(given):
            return Pieces(tuple(pieces[:index]), tuple(pieces[index:]))
        before += piece.tokens
    return Pieces(tuple(pieces), ())


def pieces_in(tokenizer: TextTokenizer, tokens: Sequence[int]) -> Iterator[Piece]:
    """Tokens as text. One may be a part of a character only, or a space that is written with what
    follows it: such tokens are one piece with the next ones.
    """
    starts = [0]
    for end in range(1, len(tokens) + 1):
        begin, first = starts[0], starts[-1]
        text = tokenizer.decode(tokens[begin:end])
        if text.endswith(_INCOMPLETE) and end < len(tokens):
            continue
        written = tokenizer.decode(tokens[begin:first])
        # Special tokens are not decoded, and a decoder may change what it wrote before.
        new = text[len(written) :] if text.startswith(written) else ""
        shown = new or tokenizer.text_of(tokens[first:end])
        if not shown.strip(_SPACE) and end < len(tokens):
            continue
        yield Piece(shown, end - first)
        starts = [*starts[-_BEFORE:], end]
