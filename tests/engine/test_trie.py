"""The planner covers every query exactly, shares what it can, and keeps to its limits."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.engine.trie import Limits, Pack, Query, plan
from tests.engine import workloads

# Few different tokens make many shared prefixes.
TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple)


@st.composite
def queries(draw: st.DrawFn) -> list[Query]:
    found = []
    for tokens in draw(st.lists(TOKENS, min_size=1, max_size=30)):
        targets = draw(st.lists(st.integers(0, 5), max_size=len(tokens)).map(tuple))
        found.append(Query(tokens, targets))
    return found


LIMITS = st.builds(
    Limits, pack_size=st.integers(1, 40), ends=st.integers(1, 10), minimum_stem=st.integers(1, 20)
)


def seen_tokens(packs: list[Pack], index: int, place: int) -> list[tuple[int, int]]:
    """(position, token) of everything that a place of a pack attends to, by the mask itself."""
    pack = packs[index]
    seen = [
        (packs[stem].positions[above], packs[stem].tokens[above])
        for stem in pack.stems
        for above in range(len(packs[stem].tokens))
    ]
    return seen + [(pack.positions[other], pack.tokens[other]) for other in pack.path(place)]


@given(queries(), LIMITS)
def test_every_target_is_asked_once_after_exactly_its_own_prefix(
    asked: list[Query], limits: Limits
) -> None:
    packs = plan(asked, limits)
    found: dict[int, list[tuple[int, int]]] = {index: [] for index in range(len(asked))}
    for index, pack in enumerate(packs):
        for place, token, query in pack.targets.tolist():
            prefix = seen_tokens(packs, index, place)
            assert [position for position, _ in prefix] == list(range(len(prefix)))
            assert tuple(above for _, above in prefix) == asked[query].tokens[: len(prefix)]
            found[query].append((len(prefix), token))
    for index, query in enumerate(asked):
        first = len(query.tokens) - len(query.targets) + 1
        assert sorted(found[index]) == [
            (first + place, token) for place, token in enumerate(query.targets)
        ]


@given(queries(), LIMITS)
def test_every_query_ends_once_and_its_path_spells_it(asked: list[Query], limits: Limits) -> None:
    packs = plan(asked, limits)
    ended = []
    for pack in packs:
        above = [token for stem in pack.stems for token in packs[stem].tokens]
        for place, query in pack.ends.tolist():
            ended.append(query)
            assert (*above, *pack.tokens[pack.path(place)]) == asked[query].tokens
    assert sorted(ended) == list(range(len(asked)))


@given(queries(), LIMITS)
def test_stems_come_first_and_are_kept(asked: list[Query], limits: Limits) -> None:
    packs = plan(asked, limits)
    needed = {stem for pack in packs for stem in pack.stems}
    assert needed == {index for index, pack in enumerate(packs) if pack.kept}
    for index, pack in enumerate(packs):
        assert all(stem < index for stem in pack.stems)


@given(queries(), LIMITS)
def test_stems_in_use_lie_on_one_path(asked: list[Query], limits: Limits) -> None:
    """What a pack does not name is not named again, and each stem has seen the stems above it."""
    packs = plan(asked, limits)
    in_use: set[int] = set()
    for index, pack in enumerate(packs):
        assert in_use.issuperset(pack.stems)
        for depth, stem in enumerate(pack.stems):
            assert packs[stem].stems == pack.stems[:depth]
        in_use = {*pack.stems, index} if pack.kept else set(pack.stems)


@given(queries(), LIMITS)
def test_packs_keep_to_their_limits(asked: list[Query], limits: Limits) -> None:
    for pack in plan(asked, limits):
        assert 1 <= len(pack.tokens) <= limits.pack_size
        assert len(pack.ends) <= limits.ends


@given(queries(), LIMITS)
def test_no_more_is_computed_than_without_sharing(asked: list[Query], limits: Limits) -> None:
    computed = sum(len(pack.tokens) for pack in plan(asked, limits))
    assert computed <= sum(len(query.tokens) for query in asked)


@given(queries(), st.integers(1, 40), st.integers(1, 20))
def test_no_pack_computes_a_prefix_twice(
    asked: list[Query], pack_size: int, minimum_stem: int
) -> None:
    packs = plan(asked, Limits(pack_size=pack_size, minimum_stem=minimum_stem))
    for pack in packs:
        prefixes = {
            tuple(pack.tokens[pack.path(place)].tolist()) for place in range(len(pack.tokens))
        }
        assert len(prefixes) == len(pack.tokens)


@given(queries())
def test_with_room_enough_each_distinct_prefix_is_computed_once(asked: list[Query]) -> None:
    packs = plan(asked, Limits(pack_size=1000))
    assert sum(len(pack.tokens) for pack in packs) == distinct_prefixes(asked)


@given(queries(), LIMITS, st.randoms(use_true_random=False))
def test_the_order_of_the_queries_does_not_matter(
    asked: list[Query], limits: Limits, source: random.Random
) -> None:
    shuffled = source.sample(asked, len(asked))
    first = [content(pack, asked) for pack in plan(asked, limits)]
    assert first == [content(pack, shuffled) for pack in plan(shuffled, limits)]


def content(pack: Pack, asked: list[Query]) -> tuple[object, ...]:
    """A pack with queries in the place of their numbers."""
    arrays = [pack.tokens, pack.positions, pack.reach]
    targets = sorted((*left, repr(asked[query])) for *left, query in pack.targets.tolist())
    ends = sorted((place, repr(asked[query])) for place, query in pack.ends.tolist())
    return (pack.stems, pack.kept, [array.tolist() for array in arrays], targets, ends)


def distinct_prefixes(asked: Sequence[Query]) -> int:
    return len({query.tokens[:end] for query in asked for end in range(1, len(query.tokens) + 1)})


def test_nothing_asked_is_nothing_planned() -> None:
    assert plan([]) == []


@pytest.mark.parametrize("query", [Query(()), Query((1,), (2, 3))])
def test_impossible_queries_are_refused(query: Query) -> None:
    with pytest.raises(ValueError, match="query 1 has"):
        plan([Query((1,)), query])


def test_a_long_text_is_cut_into_full_packs_each_of_which_sees_all_before_it() -> None:
    text = tuple(range(8192))
    packs = plan([Query(text, (*text[1:], 0))])
    assert [len(pack.tokens) for pack in packs] == [512] * 16
    assert [pack.stems for pack in packs] == [tuple(range(number)) for number in range(16)]
    assert [pack.kept for pack in packs] == [True] * 15 + [False]


def test_long_texts_that_share_nothing_are_planned_one_after_the_other() -> None:
    """Else the keys and values of all of them would be in memory at once."""
    packs = plan([Query((first, *range(10, 1509))) for first in range(5)])
    assert [pack.stems for pack in packs] == [
        stems for first in range(0, 15, 3) for stems in ((), (first,), (first, first + 1))
    ]


def test_questions_about_long_texts_share_all_of_the_text() -> None:
    source = random.Random(0)
    asked = []
    for _ in range(3):
        text = tuple(source.choices(range(50), k=1300))
        asked += [Query((*text, *source.choices(range(50), k=20))) for _ in range(30)]
    computed = sum(len(pack.tokens) for pack in plan(asked))
    assert computed == distinct_prefixes(asked)


def test_prefixes_of_one_long_text_need_no_more_packs_than_the_text() -> None:
    """A node in which a query ends is no reason for a stem of its own."""
    text = tuple(random.Random(0).choices(range(50), k=8192))
    packs = plan([Query(text[:end], (1,)) for end in range(100, 8193, 100)] + [Query(text)])
    assert [len(pack.tokens) for pack in packs] == [512] * 16


def test_a_short_prefix_is_computed_again_rather_than_kept() -> None:
    asked = [Query((*range(30), number, *([7] * 90))) for number in range(8)]
    packs = plan(asked, Limits(pack_size=512, minimum_stem=64))
    assert not any(pack.kept for pack in packs)
    assert sum(len(pack.tokens) for pack in packs) == 2 * 30 + 8 * 91


def test_more_equal_prompts_than_may_end_in_a_pack_repeat_their_last_token_only() -> None:
    packs = plan([Query(tuple(range(100)))] * 10, Limits(ends=4))
    assert sum(len(pack.tokens) for pack in packs) == 99 + 5
    assert max(len(pack.ends) for pack in packs) == 4


def test_packs_of_many_small_trees_are_nearly_full() -> None:
    asked = workloads.multiple_choice(8000)
    sizes = [len(pack.tokens) for pack in plan(asked)]
    assert sum(sizes) == distinct_prefixes(asked)
    assert sum(sizes[:-1]) > 0.97 * 512 * (len(sizes) - 1)


def test_a_long_prefix_shared_by_many_packs_is_computed_once() -> None:
    shots = tuple(range(100))
    asked = [Query((*shots, 1000 + number, *([2000 + number] * 30))) for number in range(50)]
    packs = plan(asked, Limits(pack_size=128))
    assert sum(len(pack.tokens) for pack in packs) == 100 + 50 * 31


def test_a_thousand_nested_prefixes_need_no_recursion() -> None:
    asked = [Query((7,) * length, (1,)) for length in range(1, 1500)]
    packs = plan(asked, Limits(pack_size=2000))
    assert sum(len(pack.tokens) for pack in packs) == 1499
