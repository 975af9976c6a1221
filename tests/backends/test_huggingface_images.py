"""Models of images and texts by `hf:`, given texts alone, and classes causal by name only."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import PreTrainedModel

from evalharness.backends import open_backend
from evalharness.errors import DataError
from evalharness.records import (
    Failure,
    Generation,
    GenerationResponse,
    Instance,
    LogLikelihood,
    LogLikelihoodResponse,
    Outcome,
    Sample,
)
from evalharness.transformer.tokenizer import Tokenizer
from tests.encoder_models import bert_tokenizer, save_random
from tests.models import make_tokenizer

pytestmark = pytest.mark.usefixtures("cache")

VOCABULARY = len(make_tokenizer()) + 8
IMAGE, VIDEO, START, END = range(VOCABULARY - 4, VOCABULARY)
TEXT = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16,
    "max_position_embeddings": 128, "initializer_range": 0.3, "pad_token_id": 0,
}  # fmt: skip
SECTIONS = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
VISION = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
          "num_attention_heads": 2, "image_size": 28, "patch_size": 14}  # fmt: skip
QWEN_VISION = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2,
               "out_hidden_size": 32}  # fmt: skip
QWEN_TOKENS = {"image_token_id": IMAGE, "video_token_id": VIDEO, "vision_start_token_id": START,
               "vision_end_token_id": END}  # fmt: skip
LINEAR = {
    "num_hidden_layers": 4, "linear_num_key_heads": 1, "linear_num_value_heads": 2,
    "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    "layer_types": [*["linear_attention"] * 3, "full_attention"],
    "rope_parameters": {**SECTIONS, "mrope_section": [1, 1, 0], "partial_rotary_factor": 0.25},
}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "Gemma3": {
        "text_config": {**TEXT, "sliding_window": 8,
                        "layer_types": ["sliding_attention", "full_attention"]},
        "vision_config": VISION, "image_token_index": IMAGE, "mm_tokens_per_image": 4,
    },
    "Mistral3": {
        "text_config": {**TEXT, "model_type": "mistral"},
        "vision_config": {**VISION, "model_type": "pixtral", "head_dim": 8},
        "image_token_index": IMAGE,
    },
    "Qwen2_5_VL": {
        "text_config": {**TEXT, "rope_parameters": SECTIONS},
        "vision_config": {**QWEN_VISION, "fullatt_block_indexes": [0]}, **QWEN_TOKENS,
    },
    "Qwen3VL": {
        "text_config": {**TEXT, "rope_parameters": SECTIONS},
        "vision_config": {**QWEN_VISION, "deepstack_visual_indexes": [0]}, **QWEN_TOKENS,
    },
    "Qwen3_5": {
        "text_config": {**TEXT, **LINEAR}, "vision_config": QWEN_VISION, **QWEN_TOKENS,
    },
    "SmolVLM": {
        "text_config": {**TEXT, "model_type": "llama"}, "vision_config": VISION,
        "image_token_id": IMAGE,
    },
    "PaliGemma": {
        "text_config": {**TEXT, "model_type": "gemma"}, "projection_dim": 32,
        "vision_config": {**VISION, "projection_dim": 32}, "image_token_index": IMAGE,
    },
}  # fmt: skip
SCORED = [
    LogLikelihood("The quick brown fox", " jumps over the lazy dog"),
    LogLikelihood("The quick brown fox", " jumps"),
    LogLikelihood("the nurse", " was slow to learn"),
]
WRITTEN = [Generation("The quick brown", 5), Generation("the", 5)]


def make(folder: Path, kind: str) -> PreTrainedModel:
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**KINDS[kind])
    model = getattr(transformers, f"{kind}ForConditionalGeneration")(config).eval()
    model.save_pretrained(str(folder))
    make_tokenizer().save_pretrained(str(folder))
    return model


def ask(folder: Path) -> tuple[list[Outcome], list[Outcome]]:
    """Outcomes of SCORED and of WRITTEN."""
    sample = Sample(id="sample", requests=(*SCORED, *WRITTEN))
    asked = [Instance("task", sample, index) for index in range(len(sample.requests))]
    outcomes = dict(open_backend(f"hf:{folder}").answer(asked))
    ordered = [outcomes[index] for index in range(len(asked))]
    return ordered[: len(SCORED)], ordered[len(SCORED) :]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "PaliGemma"])
def test_scores_and_texts_are_those_of_the_class_given_text_alone(
    tmp_path: Path, kind: str
) -> None:
    """Most open checkpoints see images by now; that they do was a reason to refuse them."""
    model = make(tmp_path, kind)
    tokenizer = Tokenizer(tmp_path)
    scored, written = ask(tmp_path)
    for request, outcome in zip(SCORED, scored, strict=True):
        before = str(request.prompt)
        prompt, whole = tokenizer.encode([before, before + request.continuation])
        with torch.inference_mode():
            rows = model(input_ids=torch.tensor([whole])).logits[0].log_softmax(-1)
        expected = sum(float(rows[i - 1, whole[i]]) for i in range(len(prompt), len(whole)))
        assert isinstance(outcome, LogLikelihoodResponse)
        assert outcome.log_probability == pytest.approx(expected, abs=1e-4)
    for asked, outcome in zip(WRITTEN, written, strict=True):
        (tokens,) = tokenizer.encode([str(asked.prompt)])
        found = model.generate(
            torch.tensor([tokens]), max_new_tokens=5, do_sample=False, eos_token_id=None
        )[0, len(tokens) :]
        assert isinstance(outcome, GenerationResponse)
        assert outcome.text == tokenizer.decode(found.tolist())


def test_a_class_that_sees_the_whole_prompt_at_once_scores_nothing(tmp_path: Path) -> None:
    """A text that is given as a whole would have a part in its own score."""
    make(tmp_path, "PaliGemma")
    scored, written = ask(tmp_path)
    for outcome in scored:
        assert isinstance(outcome, Failure)
        assert "when the tokens behind it change" in outcome.error
    assert all(isinstance(outcome, GenerationResponse) for outcome in written)


@pytest.mark.parametrize("decoder", [False, True])
def test_bert_is_causal_only_where_its_configuration_says_so(tmp_path: Path, decoder: bool) -> None:
    """BertLMHeadModel is a causal class, and sees all tokens unless it is a decoder."""
    sizes = {
        "hidden_size": 36, "intermediate_size": 50, "num_hidden_layers": 2,
        "num_attention_heads": 6, "max_position_embeddings": 64, "initializer_range": 0.3,
    }  # fmt: skip
    save_random(tmp_path, "BertLMHeadModel", bert_tokenizer(), {**sizes, "is_decoder": decoder})
    scored, _ = ask(tmp_path)
    expected = LogLikelihoodResponse if decoder else Failure
    assert all(isinstance(outcome, expected) for outcome in scored)


def test_a_class_that_fails_on_a_text_is_said_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "SmolVLM")

    def forward(_model: Any, input_ids: Any = None, **_: Any) -> Any:  # noqa: ARG001
        raise ValueError("You have to specify pixel_values")

    monkeypatch.setattr(transformers.SmolVLMForConditionalGeneration, "forward", forward)
    with pytest.raises(DataError, match="fails on a text: You have to specify pixel_values"):
        ask(tmp_path)
