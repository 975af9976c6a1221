"""The planner covers every query exactly, shares what it can, and keeps to its limits."""

from hypothesis import given
from hypothesis import strategies as st

from evalharness.engine.trie import Limits, Pack, Query, plan

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
def test_trees_of_a_pack_do_not_see_each_other(asked: list[Query], limits: Limits) -> None:
    for pack in plan(asked, limits):
        firsts = pack.firsts()
        for place in range(len(pack.tokens)):
            assert pack.path(place)[0] == firsts[place]


@given(queries(), LIMITS)
def test_stems_come_first_and_are_kept(asked: list[Query], limits: Limits) -> None:
    packs = plan(asked, limits)
    needed = {stem for pack in packs for stem in pack.stems}
    assert needed == {index for index, pack in enumerate(packs) if pack.kept}
    for index, pack in enumerate(packs):
        assert all(stem < index for stem in pack.stems)


@given(queries(), LIMITS)
def test_packs_keep_to_their_size_unless_one_query_is_longer(
    asked: list[Query], limits: Limits
) -> None:
    for pack in plan(asked, limits):
        if not pack.kept and len(pack.tokens) > limits.pack_size:
            assert len({asked[query].tokens for query in pack.ends[:, 1]}) == 1


@given(queries())
def test_with_room_enough_each_distinct_prefix_is_computed_once(asked: list[Query]) -> None:
    packs = plan(asked, Limits(pack_size=1000))
    prefixes = {query.tokens[:end] for query in asked for end in range(1, len(query.tokens) + 1)}
    assert sum(len(pack.tokens) for pack in packs) == len(prefixes)


def test_a_long_prefix_shared_by_many_packs_is_computed_once() -> None:
    shots = tuple(range(100))
    asked = [Query((*shots, 1000 + number, *([2000 + number] * 30))) for number in range(50)]
    packs = plan(asked, Limits(pack_size=128))
    assert sum(len(pack.tokens) for pack in packs) == 100 + 50 * 31


def test_a_thousand_nested_prefixes_need_no_recursion() -> None:
    asked = [Query((7,) * length, (1,)) for length in range(1, 1500)]
    packs = plan(asked, Limits(pack_size=2000))
    assert sum(len(pack.tokens) for pack in packs) == 1499
