"""A GGUF file is converted once and whole, or refused with a message that names what is wrong."""

import contextlib
import json
import stat
import struct
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

import evalharness.transformer.gguf
from evalharness.errors import DataError
from evalharness.transformer.gguf import converted, weights
from evalharness.transformer.gguf.reading import read_gguf
from evalharness.transformer.weights import weight_files
from tests.gguf_files import byte_level, sentencepiece, write_gguf
from tests.gguf_models import ROPES, make
from tests.models import CORPUS, make_tokenizer


def llama(**sizes: Any) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        **{
            "vocab_size": len(make_tokenizer()),
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 128,
            "tie_word_embeddings": True,
            "pad_token_id": None,
            **sizes,
        }
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.gguf"
    write_gguf(file, llama())
    return file


def convert(path: Path) -> Path:
    return converted(path, "0" * 64, path.parent / "cache")


# --- Once, and whole -----------------------------------------------------------------------------


def test_a_second_call_converts_nothing(path: Path) -> None:
    folder = convert(path)
    before = (folder / "model.safetensors").stat().st_mtime_ns
    path.unlink()
    assert (convert(path) / "model.safetensors").stat().st_mtime_ns == before


def test_of_two_at_once_one_converts_and_both_get_the_folder(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []
    convert_file = evalharness.transformer.gguf._convert

    def counted(file: Path, folder: Path) -> None:
        begun.append(file)
        convert_file(file, folder)

    monkeypatch.setattr(evalharness.transformer.gguf, "_convert", counted)
    with ThreadPoolExecutor(3) as pool:
        folders = set(pool.map(convert, [path] * 3))
    assert len(folders) == len(begun) == 1


def test_all_who_share_a_cache_can_read_the_folder(path: Path) -> None:
    """It was made as a temporary one, which only its owner can enter."""
    folder = convert(path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o644}


def test_a_cache_that_cannot_be_written_is_a_data_error(path: Path) -> None:
    (path.parent / "cache").write_text("a file where the folder should be")
    with pytest.raises(DataError, match="Set EVALHARNESS_CACHE"):
        convert(path)


def test_a_large_model_is_written_in_parts_with_an_index(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load_file(convert(path) / "model.safetensors")
    monkeypatch.setattr(weights, "SHARD_BYTES", 40_000)
    folder = converted(path, "1" * 64, path.parent / "cache")
    parts = [load_file(file) for file in weight_files(folder)]
    assert len(parts) > 3
    assert sum(map(len, parts)) == len(whole)
    for part in parts:
        assert len(part) == 1 or sum(weight.nbytes for weight in part.values()) <= 40_000
        assert all(torch.equal(weight, whole[name]) for name, weight in part.items())
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(weight.nbytes for weight in whole.values())
    again = AutoModelForCausalLM.from_pretrained(str(folder))
    assert all(torch.equal(again.state_dict()[name], weight) for name, weight in whole.items())


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        (Kind.F32, torch.float32),
        (Kind.F16, torch.float16),
        (Kind.BF16, torch.bfloat16),
        (Kind.Q8_0, torch.float32),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_is_not_quantised_keeps_its_type(
    tmp_path: Path, kind: Kind, dtype: torch.dtype
) -> None:
    """Twice the disk would be written, and read at every load, for nothing."""
    write_gguf(tmp_path / "tiny.gguf", llama(), kind=kind)
    folder = convert(tmp_path / "tiny.gguf")
    for weight in load_file(folder / "model.safetensors").values():
        assert weight.dtype == (dtype if weight.ndim > 1 else torch.float32)
    config = json.loads((folder / "config.json").read_text())
    assert config["dtype"] == str(dtype).removeprefix("torch.")


# --- Refused -------------------------------------------------------------------------------------


def test_an_unknown_architecture_is_refused_by_name_and_leaves_nothing(path: Path) -> None:
    change(path, b"llama", b"lama2")
    with pytest.raises(DataError, match=r"'lama2'.* Did you mean 'llama'\?.*hf:"):
        convert(path)
    (left,) = (path.parent / "cache" / "converted").iterdir()
    assert left.suffix == ".lock"


def change(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"blk.1.ffn_up.weight", b"blk.1.ffn_wp.weight", "'blk.1.ffn_up.weight' is missing"),
        (b"output_norm.weight", b"output_n0rm.weight", "'output_norm.weight' is missing"),
        (b"token_embd.weight", b"token_embx.weight", "'token_embd.weight' is missing"),
        (b"embedding_length", b"embedding_l3ngth", "'llama.embedding_length' is missing"),
        (b"ggml.tokens", b"ggml.t0kens", r"'tokenizer\.ggml\.tokens' is missing"),
    ],
)
def test_what_is_missing_is_named(path: Path, old: bytes, new: bytes, message: str) -> None:
    change(path, old, new)
    with pytest.raises(DataError, match=rf"tiny\.gguf.*{message}"):
        convert(path)


def test_a_tensor_that_the_architecture_has_not_is_named(tmp_path: Path) -> None:
    """Left out, it would be missed in every answer: here, the norms of another family."""
    model = llama()
    model.model.layers[1].self_attn.q_norm = torch.nn.Linear(4, 4, bias=False)
    with pytest.MonkeyPatch.context() as patch:
        names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, 2)
        patch.setattr(gguf, "get_tensor_name_map", lambda *_: names)
        write_gguf(tmp_path / "tiny.gguf", model)
    with pytest.raises(DataError, match=r"'blk\.1\.attn_q_norm\.weight' is not known.*'llama'"):
        convert(tmp_path / "tiny.gguf")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"expert_count": 8}, r"llama\.expert_count is 8"),
        ({"attention.sliding_window": 64}, r"llama\.attention\.sliding_window is 64"),
        ({"rope.dimension_count": 7}, "not 7 of a head"),
        ({"rope.dimension_count": 8}, "8 of the 16 elements"),
        ({"attention.value_length": 8}, "different widths"),
        ({"attention.head_count": [4, 4]}, r"attention\.head_count.* a list of 2"),
        ({"block_count": 0}, r"block_count.* 0"),
        ({"block_count": 3}, r"'blk\.2\.attn_norm\.weight' is missing"),
        ({"block_count": 2**31}, "2147483648 layers, but has only 20 tensors"),
        ({"attention.head_count": 5, "attention.key_length": 16}, "does not fit 5 heads"),
        ({"attention.layer_norm_rms_epsilon": "small"}, "should be one positive number"),
        ({"rope.scaling.type": "stretched"}, "'stretched' is not known"),
        ({"rope.scaling.type": "longrope"}, "'longrope' does not go with no table"),
        ({"rope.scaling.type": "yarn"}, r"rope\.scaling\.factor"),
        ({"rope.scaling.alpha": 7.0}, "alpha = 7.0"),
    ],
)
def test_a_setting_that_cannot_be_kept_is_named(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    write_gguf(tmp_path / "tiny.gguf", llama(), settings=settings)
    with pytest.raises(DataError, match=message):
        convert(tmp_path / "tiny.gguf")


def test_one_part_of_a_model_in_several_files_is_refused(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", llama(), settings={"split.count": 3})
    with pytest.raises(DataError, match=r"one of 3 parts of a model.*--merge"):
        convert(tmp_path / "tiny.gguf")


@pytest.mark.parametrize(
    ("beginning", "message"),
    [
        (b"", "is empty"),
        (b"GG", "ends after 2 bytes, within the header"),
        (b"PK\x03\x04" + b"\0" * 40, "is not a GGUF file"),
        (b"GGUF" + struct.pack("<I", 1) + b"\0" * 40, "of version 1"),
        (b"GGUF" + struct.pack(">I", 3) + b"\0" * 40, "for big-endian machines"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), "the description of tensor 1 of"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "the key of metadata entry 1 of"),
    ],
)
def test_what_is_no_gguf_file_is_told_from_one_that_is_cut(
    tmp_path: Path, beginning: bytes, message: str
) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(beginning)
    with pytest.raises(DataError, match=rf"tiny\.gguf.*{message}"):
        convert(path)


# A file of each kind of tokenizer, of rotary positions and of layers.
KINDS_OF_FILES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "llama": ("llama", {}, byte_level(pre="smollm")),
    "llama3": (*ROPES["llama3"], sentencepiece(CORPUS, vocabulary=61)),
    "yarn": (*ROPES["yarn"], byte_level(pre="qwen2")),
    "longrope": (*ROPES["longrope on a part of each head"], byte_level()),
    "gemma3": ("gemma3", {}, sentencepiece(CORPUS, ["  "], vocabulary=60)),
}


@pytest.fixture(scope="module", params=KINDS_OF_FILES)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a file up to the last one that belongs to a tensor."""
    file = tmp_path_factory.mktemp("whole") / "tiny.gguf"
    family, values, tokenizer = KINDS_OF_FILES[request.param]
    write_gguf(file, make(family, **values), tokenizer)
    convert(file)
    tensors = read_gguf(file).tensors.values()
    return file.read_bytes()[: max(tensor.start + tensor.size for tensor in tensors)]


def header_size(whole: bytes) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.gguf"
        path.write_bytes(whole)
        return min(tensor.start for tensor in read_gguf(path).tensors.values())


def test_a_file_that_is_cut_anywhere_is_refused(whole: bytes) -> None:
    """Numpy gives an empty array past the end of a file, so that a cut list read as a short one."""
    header = header_size(whole)

    @given(st.one_of(st.integers(0, header), st.integers(0, len(whole) - 1)))
    def check(size: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tiny.gguf"
            path.write_bytes(whole[:size])
            with pytest.raises(DataError) as caught:
                read_gguf(path)
        message = str(caught.value)
        assert str(path) in message
        assert "is not a whole GGUF file" in message
        assert size == 0 or message.endswith("Fetch or copy it again.")

    check()


@pytest.mark.parametrize(
    ("before", "within"),
    [
        (b"tokenizer.ggml.merges", "the key of metadata entry"),
        (b"what", "the metadata key 'tokenizer.ggml.tokens'"),
        (b"output_norm.weight", "the description of tensor"),
    ],
)
def test_a_cut_file_is_refused_with_the_place_before_anything_is_made(
    path: Path, before: bytes, within: str
) -> None:
    content = path.read_bytes()
    # Before a key or a name, there are the eight bytes of its length.
    path.write_bytes(content[: content.index(before) - 4])
    with pytest.raises(DataError, match=f"within {within}"):
        convert(path)
    assert [file.suffix for file in (path.parent / "cache/converted").iterdir()] == [".lock"]


def test_a_damaged_header_is_refused_or_read_but_never_ends_in_another_error(whole: bytes) -> None:
    @given(st.integers(0, header_size(whole) - 1), st.integers(1, 255))
    def check(place: int, change: int) -> None:
        damaged = bytearray(whole)
        damaged[place] ^= change
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tiny.gguf"
            path.write_bytes(damaged)
            with contextlib.suppress(DataError):
                convert(path)

    check()
