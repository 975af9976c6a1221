"""Pack sizes follow from what packs cost, which is measured on the first layer of the model."""

from pathlib import Path

import pytest
import torch

from evalharness.engine.cost import PackCost, limits_for, measure_pack_cost
from evalharness.transformer.config import read_config
from evalharness.transformer.weights import load_transformer
from tests.models import make_llama

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("fixed", "size", "stem"),
    [
        (0.0, 256, 16),  # packs cost nothing: small ones lose less when a run is killed
        (24e-6, 800, 24),  # 3 % of 800 tokens
        (1e6, 1024, 128),  # what a busy machine says must not keep prefixes from being shared
    ],
)
def test_a_pack_is_so_large_that_its_fixed_cost_is_a_small_share(
    fixed: float, size: int, stem: int
) -> None:
    limits = limits_for(PackCost(fixed=fixed, per_token=1e-6), CPU)
    assert limits.pack_size == pytest.approx(size, abs=1)
    assert limits.minimum_stem == pytest.approx(stem, abs=1)


def test_measuring_uses_one_layer_and_leaves_the_model_whole(tmp_path: Path) -> None:
    make_llama(tmp_path)
    model = load_transformer(tmp_path, read_config(tmp_path), torch.float32, CPU)
    calls = []
    for index, layer in enumerate(model.layers):
        layer.register_forward_hook(lambda *_, index=index: calls.append(index))
    cost = measure_pack_cost(model)
    assert set(calls) == {0}
    assert len(model.layers) == 3
    assert cost.fixed >= 0
    assert cost.per_token > 0
