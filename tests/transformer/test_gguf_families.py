"""Every family of models comes out of a GGUF file as it went in, and as transformers reads it.

Two oracles: the model that was written to the file, and transformers' own reader where it knows
the architecture. The reader leaves out some settings of a file, which are named where they matter.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from hypothesis import assume, given
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, GgufConfig, PreTrainedModel

from evalharness.errors import DataError
from evalharness.transformer.gguf import converted, quantisation_before
from evalharness.transformer.gguf import rope as gguf_rope
from evalharness.transformer.gguf.architectures import FREQUENCIES, Rotation
from evalharness.transformer.gguf.reading import GgufFile, Tensor
from evalharness.transformer.gguf.weights import PLAIN
from tests import gguf_files
from tests.gguf_files import llama3_factors, write_gguf
from tests.gguf_models import FAMILIES, ROPES, make
from tests.transformer import comparison

UNNAMED = ("gemma2", False)
# Says nothing of the model, or matters in training only.
UNWRITTEN = {"transformers_version", "initializer_range", "dtype", "_name_or_path"}


def convert(path: Path, digest: str = "0") -> Path:
    return converted(path, digest * 64, path.parent / "cache")


def theirs_from_gguf(path: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(
        str(path.parent),
        gguf_file=path.name,
        dtype=torch.float32,
        quantization_config=GgufConfig(dequantize=True),
        pad_token_id=None,  # Phi-3's own is beyond this vocabulary
    ).eval()


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def logits(model: PreTrainedModel) -> torch.Tensor:
    with torch.inference_mode():
        found = model(torch.arange(2, 42)[None]).logits
    assert isinstance(found, torch.Tensor)
    return found


def said(config: Any) -> dict[str, Any]:
    """What a config says of the model itself."""
    return {name: value for name, value in config.to_dict().items() if name not in UNWRITTEN}


@pytest.mark.parametrize(
    ("family", "tied"),
    # A Gemma 2 always uses its embeddings again: the gguf package has no name for another matrix.
    [(family, tied) for family in FAMILIES for tied in (True, False) if (family, tied) != UNNAMED],
)
def test_a_model_comes_out_of_a_file_as_it_went_in(tmp_path: Path, family: str, tied: bool) -> None:
    model = make(family, tie_word_embeddings=tied)
    write_gguf(tmp_path / "tiny.gguf", model)
    folder = convert(tmp_path / "tiny.gguf")
    model.save_pretrained(str(tmp_path / "original"))
    original, weights = weights_of(tmp_path / "original"), weights_of(folder)
    assert weights.keys() == original.keys()
    for name, weight in original.items():
        # Gemma's norms are stored with 1 added, in float32.
        assert torch.allclose(weights[name], weight, rtol=0, atol=1e-6), name
    again = AutoModelForCausalLM.from_pretrained(str(folder)).eval()
    assert type(again) is type(model)
    assert (logits(again) - logits(model)).abs().max() < 1e-3
    expected = said(model.config)
    if family == "gpt2":
        expected["n_inner"] = 4 * expected["n_embd"]  # which None stands for
    found = said(again.config)
    assert {name: found[name] for name in expected} == expected


# What transformers' reader knows, and the settings that it must be given its defaults of, since it
# does not read them from the file.
READABLE: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen2": {},
    "qwen3": {"head_dim": 128},
    "gemma2": {
        "attn_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0,
        "query_pre_attn_scalar": 256,
        "head_dim": 256,
    },
    "gemma3": {
        "final_logit_softcapping": None,
        "query_pre_attn_scalar": 256,
        "head_dim": 256,
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 7000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
        },
    },
    "phi3": {"sliding_window": None},
    "gpt2": {"n_positions": 1024},
}
# GPT-2's reader keeps the length of its positions under a name that is not used any more.
UNREAD = {"architectures", "n_inner"}
OTHER_KINDS = (Kind.F16, Kind.BF16, Kind.Q4_0, Kind.Q8_0, Kind.Q6_K)
FILES = [
    *((family, kind) for family in READABLE for kind in (Kind.F32, Kind.Q4_K)),
    *(("llama", kind) for kind in OTHER_KINDS),
]
# Blocks of quantised rows are 32 or 256 long.
WIDE = {"hidden_size": 256, "intermediate_size": 512}


@pytest.mark.parametrize(
    ("family", "kind"), FILES, ids=[f"{family}-{kind.name}" for family, kind in FILES]
)
def test_a_file_gives_what_transformers_own_reader_gives(
    tmp_path: Path, family: str, kind: Kind
) -> None:
    wide = {"n_embd": 256, "n_head": 2} if family == "gpt2" else {**WIDE, "num_attention_heads": 4}
    heads = {} if family == "gpt2" else {"num_key_value_heads": 2}
    model = make(family, **{"head_dim": 64, **wide, **heads, **READABLE[family]})
    write_gguf(tmp_path / "tiny.gguf", model, kind=kind)
    folder = convert(tmp_path / "tiny.gguf")
    # What is left of it: the converted weights are as if they had never been quantised.
    quantised = quantisation_before(folder)
    assert quantised == ("" if kind in PLAIN else f"GGUF {kind.name}")
    ours = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32).eval()
    theirs = theirs_from_gguf(tmp_path / "tiny.gguf")
    expected = theirs.state_dict()
    assert ours.state_dict().keys() == expected.keys()
    for name, weight in ours.state_dict().items():
        assert torch.equal(weight, expected[name]), name
    # Their epsilon has the digits of float32, which some processors' kernels see.
    torch.testing.assert_close(logits(ours), logits(theirs))
    found, read = said(ours.config), said(theirs.config)
    for name in found.keys() & read.keys() - UNREAD:
        # The epsilon of a norm is a float32 in the file, and was written shorter in the original.
        assert found[name] == read[name] or found[name] == pytest.approx(read[name]), name


@pytest.mark.parametrize("family", FAMILIES)
def test_the_built_in_transformer_gives_the_logits_of_the_model(
    tmp_path: Path, family: str
) -> None:
    model = make(family)
    write_gguf(tmp_path / "tiny.gguf", model)
    folder = convert(tmp_path / "tiny.gguf")
    tokens = torch.arange(2, 42)[None]
    assert (comparison.logits(comparison.load(folder), tokens) - logits(model)).abs().max() < 1e-3


# --- Rotary positions ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROPES)
def test_the_scaling_of_rotary_positions_comes_out_as_it_went_in(tmp_path: Path, name: str) -> None:
    """The same frequencies, and for this reason the same logits far beyond the first positions."""
    family, values = ROPES[name]
    model = make(family, **values)
    write_gguf(tmp_path / "tiny.gguf", model)
    folder = convert(tmp_path / "tiny.gguf")
    again = AutoModelForCausalLM.from_pretrained(str(folder)).eval()
    ours, theirs = again.model.rotary_emb, model.model.rotary_emb
    assert torch.equal(ours.original_inv_freq, theirs.original_inv_freq)
    assert ours.attention_scaling == pytest.approx(theirs.attention_scaling, rel=1e-6)
    expected = logits(model)
    assert (logits(again) - expected).abs().max() < 1e-3
    tokens = torch.arange(2, 42)[None]
    assert (comparison.logits(comparison.load(folder), tokens) - expected).abs().max() < 1e-3
    assert again.config.rope_parameters.keys() >= model.config.rope_parameters.keys()
    for key, value in model.config.rope_parameters.items():
        assert again.config.rope_parameters[key] == pytest.approx(value)


@given(
    factor=st.floats(1.5, 64.0, width=32),
    high=st.integers(2, 9),
    context=st.integers(512, 40_000),
    base=st.sampled_from([1e4, 5e5, 1e6]),
    width=st.sampled_from([64, 96, 128]),
)
def test_llama3s_scaling_is_found_from_its_table_of_factors(
    factor: float, high: int, context: int, base: float, width: int
) -> None:
    """The file has only the table; a reader that leaves it out is wrong beyond a few positions."""
    rope = {
        "rope_theta": base,
        "factor": factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": float(high),
        "original_max_position_embeddings": context,
    }
    table = llama3_factors(rope, width)
    assume(sum(1.0 < each < factor for each in table) >= 2)
    file = GgufFile(
        Path("tiny.gguf"),
        {"general.architecture": "llama", "llama.rope.freq_base": base},
        {FREQUENCIES: Tensor(FREQUENCIES, (width // 2,), Kind.F32, 0, 2 * width)},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gguf_rope, "values", lambda *_: torch.tensor(table))
        found = gguf_rope.rope_parameters(file, width, Rotation.WHOLE)
    assert found.pop("rope_type") == "llama3"
    assert found == pytest.approx(rope, rel=1e-3)


def test_a_table_of_ones_scales_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family, values = ROPES["llama3"]
    monkeypatch.setattr(gguf_files, "llama3_factors", lambda *_: [1.0] * 32)
    write_gguf(tmp_path / "tiny.gguf", make(family, **values))
    config = json.loads((convert(tmp_path / "tiny.gguf") / "config.json").read_text())
    assert config["rope_parameters"] == {"rope_type": "default", "rope_theta": 500000.0}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([1.0] * 16 + [3.0, 2.0, 5.0] + [8.0] * 13, "are not those of Llama 3's rope scaling"),
        ([1.0] * 16 + [8.0] * 16, "are not those of Llama 3's rope scaling"),
        ([1.0, 8.0], r"should hold 32 factors, but its shape is \(2,\)"),
    ],
)
def test_a_table_of_factors_that_is_of_no_known_scaling_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: list[float], message: str
) -> None:
    family, values = ROPES["llama3"]
    monkeypatch.setattr(gguf_files, "llama3_factors", lambda *_: table)
    write_gguf(tmp_path / "tiny.gguf", make(family, **values))
    with pytest.raises(DataError, match=message):
        convert(tmp_path / "tiny.gguf")
