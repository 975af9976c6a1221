"""The trie in flat arrays is the trie: compared with dictionaries of prefixes."""

from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from evalharness.engine.radix import Tokens, build_trie, tokens_of

TOKENS = st.lists(st.sampled_from([0, 1, 256, 262_143]), min_size=1, max_size=10).map(tuple)


@given(st.lists(TOKENS, min_size=1, max_size=30))
def test_nodes_end_where_lists_end_or_part(lists: list[Tokens]) -> None:
    followers: dict[Tokens, set[int]] = defaultdict(set)
    for tokens in lists:
        for end, token in enumerate(tokens):
            followers[tokens[:end]].add(token)
    parting = {prefix for prefix, tokens in followers.items() if len(tokens) > 1}
    trie = build_trie(lists, [()] * len(lists), 1000)
    rows = [tuple(tokens_of(row).tolist()) for row in trie.rows]
    found = [
        rows[row][:stop]
        for row, stop in zip(trie.first_row.tolist(), trie.stop.tolist(), strict=True)
    ]
    assert rows == sorted(lists) == [lists[number] for number in trie.order]
    assert len(set(found)) == len(found)
    assert set(found) == {(), *lists} | parting
    assert found == sorted(found)
    ends = Counter(lists)
    for node, text in enumerate(found):
        first, after = trie.first_row[node], trie.after_row[node]
        through = [row for row, tokens in enumerate(rows) if tokens[: len(text)] == text]
        assert list(range(first, after)) == through
        assert trie.own[node] == ends[text]
        below = [other for other, longer in enumerate(found) if longer[: len(text)] == text]
        assert list(range(node, trie.after[node])) == below
        if node:
            assert found[trie.parent[node]] == text[: trie.start[node]]
            assert trie.parent[node] < node


@given(st.lists(TOKENS, min_size=1, max_size=30), st.integers(1, 4))
def test_no_node_has_more_ends_than_allowed(lists: list[Tokens], most: int) -> None:
    lists = lists * 3
    trie = build_trie(lists, [()] * len(lists), most)
    assert trie.own.sum() == len(lists)
    assert trie.own.max() <= most
    assert (trie.stop > trie.start)[1:].all()
