"""Queries as real runs make them, to measure the planner with. Each takes its size and a seed."""

import random

from evalharness.engine.trie import Query, Tokens

VOCABULARY = 50_000


def _text(source: random.Random, length: int, vocabulary: int = VOCABULARY) -> Tokens:
    return tuple(source.choices(range(vocabulary), k=length))


def multiple_choice(
    queries: int, *, subjects: int = 57, shots: int = 0, seed: int = 0
) -> list[Query]:
    """Questions of 15 to 60 tokens with four options of 1 to 12 tokens, all of them targets.

    `shots` tokens are shared by all questions of a subject.
    """
    source = random.Random(seed)
    prefixes = [_text(source, shots) for _ in range(subjects)]
    found: list[Query] = []
    while len(found) < queries:
        question = source.choice(prefixes) + _text(source, source.randint(15, 60))
        for _ in range(4):
            option = _text(source, source.randint(1, 12))
            found.append(Query(question + option[:-1], option))
    return found[:queries]


def windows(queries: int, *, length: int = 2048, seed: int = 0) -> list[Query]:
    """Windows of rolling perplexity: every token but the first is a target."""
    source = random.Random(seed)
    texts = (_text(source, length) for _ in range(queries))
    return [Query(text[:-1], text[1:]) for text in texts]


def prompts(queries: int, *, shortest: int = 300, longest: int = 900, seed: int = 0) -> list[Query]:
    """Prompts to continue, which share nothing."""
    source = random.Random(seed)
    return [Query(_text(source, source.randint(shortest, longest))) for _ in range(queries)]


def nested(queries: int, *, longest: int = 500, seed: int = 0) -> list[Query]:
    """Texts together with all their prefixes: a trie as deep as it can be."""
    source = random.Random(seed)
    found: list[Query] = []
    while len(found) < queries:
        text = _text(source, longest)
        found.extend(Query(text[:stop], (text[stop - 1],)) for stop in range(1, longest + 1))
    return found[:queries]


def equal(queries: int, *, length: int = 60, seed: int = 0) -> list[Query]:
    """One text again and again."""
    text = _text(random.Random(seed), length)
    return [Query(text, (7,)) for _ in range(queries)]


def single_tokens(queries: int, *, vocabulary: int = 262_144, seed: int = 0) -> list[Query]:
    """Queries of one token, from a large vocabulary."""
    source = random.Random(seed)
    return [Query(_text(source, 1, vocabulary), (7,)) for _ in range(queries)]
