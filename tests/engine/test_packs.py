"""Blocks of a pack have just what their rows see."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from evalharness.engine import packs
from evalharness.engine.packs import blocks
from evalharness.engine.trie import Limits, Query, plan

CPU = torch.device("cpu")
TEXTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=40).map(tuple), min_size=1)


@given(TEXTS)
def test_every_place_that_a_row_sees_is_in_its_block_and_nothing_above_in_vain(
    texts: list[tuple[int, ...]],
) -> None:
    (pack,) = plan([Query(text) for text in texts], Limits(pack_size=10_000))
    rows = 0
    for block in blocks(pack, CPU):
        assert block.start == rows
        rows = block.stop
        seen = {place for row in range(block.start, block.stop) for place in pack.path(row)}
        above = block.above.tolist()
        assert above == sorted(place for place in seen if place < block.start)
        assert block.columns().tolist() == [*above, *range(block.start, block.stop)]
    assert rows == len(pack.tokens)


def test_a_prefix_of_all_does_not_make_blocks_see_each_other() -> None:
    """A word that started every prompt made one tree of a pack, all of which was attended to."""
    queries = [Query((7, *range(100 * number, 100 * number + 60))) for number in range(1, 9)]
    (pack,) = plan(queries, Limits(pack_size=1000))
    assert max(len(block.above) for block in blocks(pack, CPU)) <= 60
    assert len(pack.tokens) > 3 * packs.BLOCK_ROWS
