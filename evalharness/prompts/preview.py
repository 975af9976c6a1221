"""Samples for people: what is asked, and what counts as right."""

from collections.abc import Callable

from evalharness.prompts.preparation import Render, render_plainly
from evalharness.records import (
    Failure,
    LogLikelihood,
    Piece,
    Pieces,
    PseudoLogLikelihood,
    Request,
    RollingLogLikelihood,
    Sample,
)

# Between tokens; a letter that hardly any text has.
BOUNDARY = "│"
Tokenize = Callable[[Request], Pieces | Failure]


def no_tokens(_request: Request) -> Pieces:
    """For what has no tokenizer, or is not asked for it."""
    return Pieces((), ())


def preview(sample: Sample, render: Render = render_plainly, tokenize: Tokenize = no_tokens) -> str:
    """A sample: its requests as `render` shows them, their tokens, and what counts as right."""
    lines = [f"=== {sample.id}"]
    prompts = [render(request) for request in sample.requests]
    for prompt in dict.fromkeys(prompts):
        asked = [
            (index, request)
            for index, request in enumerate(sample.requests)
            if prompts[index] == prompt
        ]
        lines += ["--- prompt", prompt, *_given(tokenize(asked[0][1]))]
        for index, request in asked:
            mark = "*" if index in sample.gold else " "
            lines.append(f"{mark} {_asked(request)}{_scored(tokenize(request))}")
    if not sample.gold:
        lines += [f"--- accepted: {reference}" for reference in sample.references]
    slices = ", ".join(f"{name}={value}" for name, value in sample.slices.items())
    return "\n".join([*lines, f"--- slices: {slices}"] if slices else lines)


def _asked(request: Request) -> str:
    if isinstance(request, LogLikelihood):
        return f"scored: {request.continuation!r}"
    if isinstance(request, RollingLogLikelihood):
        return "scored as a whole"
    if isinstance(request, PseudoLogLikelihood):
        return _asked_masked(request)
    drawn = ""
    if (how := request.sampling) is not None:
        drawn = f", drawn: temperature {how.temperature:g}, top_p {how.top_p:g}, seed {how.seed}"
    return f"generated: up to {request.max_tokens} tokens, until {list(request.stop)}{drawn}"


def _asked_masked(request: PseudoLogLikelihood) -> str:
    if request.span is not None:
        part = f" of {request.text[slice(*request.span)]!r}"
    elif request.shared_with:
        part = f" that is shared with {request.shared_with!r}"
    else:
        part = ""
    return f"scored: each token{part}, masked alone"


def _given(pieces: Pieces | Failure) -> list[str]:
    if isinstance(pieces, Failure):
        return [f"--- cannot be asked: {pieces.error}"]
    if not pieces.given:
        return []
    return [f"--- {_counted(pieces.given)} are given", _bounded(pieces.given)]


def _scored(pieces: Pieces | Failure) -> str:
    if isinstance(pieces, Failure) or not pieces.scored:
        return ""
    return f" as {_counted(pieces.scored)}: {_bounded(pieces.scored)}"


def _counted(pieces: tuple[Piece, ...]) -> str:
    number = sum(piece.tokens for piece in pieces)
    return f"{number} token{'s' if number > 1 else ''}"


def _bounded(pieces: tuple[Piece, ...]) -> str:
    """Several tokens that are one character together say how many they are."""
    return BOUNDARY.join(
        piece.text if piece.tokens == 1 else f"{piece.text}({piece.tokens} tokens)"
        for piece in pieces
    )
