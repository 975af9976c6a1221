"""How much a piece of work asks of a model, whoever answers it."""

from collections.abc import Sequence
from itertools import takewhile

from benchmarks.records import Checkpoint

Tokens = tuple[int, ...]


def distinct_tokens(sequences: Sequence[Tokens]) -> int:
    """Positions that differ in their token or in what stands before it: the least to compute."""
    total, previous = 0, Tokens()
    for sequence in sorted(sequences):
        pairs = zip(previous, sequence, strict=False)
        total += len(sequence) - sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        previous = sequence
    return total


def output_rows(queries: Sequence[tuple[Tokens, Tokens]]) -> int:
    """Positions at which a next token's probability is wanted, each counted once.

    queries: (tokens, targets); targets[i] is wanted after tokens[: len(tokens) - len(targets) + 1
    + i].
    """
    beginnings = {
        tokens[: len(tokens) - place]
        for tokens, targets in queries
        for place in range(len(targets))
    }
    return len(beginnings)


def operations(checkpoint: Checkpoint, computed_tokens: int, rows: int) -> int:
    """Floating-point operations of matrix products that so many tokens and output rows need.

    Each token is multiplied with every matrix of every layer, and each output row with the output
    layer: 2 operations a weight (one product, one sum). What attention itself needs is left out:
    it depends on how the tokens are laid out, and is small where texts are short.
    """
    return 2 * (checkpoint.layer_weights * computed_tokens + checkpoint.output_weights * rows)
