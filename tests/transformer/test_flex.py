"""FlexAttention sees what the blocks of PackAttention see; a CPU runs its rule uncompiled."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention.flex_attention import flex_attention

from evalharness.engine.packs import blocks
from evalharness.engine.trie import Limits, Query, plan
from evalharness.transformer.attention import AttentionKind, KeysValues, PackAttention
from evalharness.transformer.flex import FlexPackAttention, compiled_kernel, difference_from_blocks

CPU = torch.device("cpu")
pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")


def test_the_probe_finds_no_difference_where_there_is_none() -> None:
    assert difference_from_blocks(flex_attention, CPU) < 1e-5


def test_the_probe_finds_a_kernel_that_is_wrong() -> None:
    def wrong(*args: Any, **options: Any) -> Any:
        return flex_attention(*args, **{**options, "block_mask": None})

    assert difference_from_blocks(wrong, CPU) > 1e-2


def test_a_cpu_uses_blocks() -> None:
    assert compiled_kernel(CPU) is None


TEXTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=9).map(tuple), min_size=1)
KINDS = st.builds(
    AttentionKind,
    st.just(0.25),
    st.sampled_from([None, 1, 3, 8]),
    st.sampled_from([None, 5.0]),
)


@settings(max_examples=20, deadline=None)
@given(TEXTS, KINDS, st.integers(0, 7))
def test_both_forms_give_the_same_on_random_tries(
    texts: list[tuple[int, ...]], kind: AttentionKind, stem_length: int
) -> None:
    pack = plan([Query(text) for text in texts], Limits(pack_size=200))[-1]
    length, generator = len(pack.tokens), torch.Generator().manual_seed(len(texts))

    def random(heads: int, size: int) -> torch.Tensor:
        return torch.randn(1, heads, size, 8, generator=generator)

    positions = torch.from_numpy(pack.positions) + stem_length
    reach = torch.from_numpy(pack.reach)
    stems: list[KeysValues] = []
    if stem_length:
        stems = [[(random(2, stem_length), random(2, stem_length))]]
    queries, keys, values = random(6, length), random(2, length), random(2, length)
    expected = PackAttention(positions, reach, blocks(pack, CPU), stems).attend(
        0, kind, queries, keys, values
    )
    flex = FlexPackAttention(positions, reach, stems, None, flex_attention)
    found = flex.attend(0, kind, queries, keys, values)
    assert torch.allclose(found, expected, atol=1e-5)
