"""Tiny random checkpoints, made on the spot by transformers itself."""

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AddedToken,
    AutoTokenizer,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

CORPUS = [
    "The quick brown fox jumps over the lazy dog.",
    "Question: what is the capital of France?\nAnswer: Paris",
    "Numbers such as 1, 22 and 333; ümläuts, ñ and 日本語.",
]
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}[{{ message.role }}]{{ message.content }}\n"
    "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)
# In the manner of Qwen3's: thinking is switched off by an empty thought.
THINKING_TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content.split('</think>')[-1] }}\n{% endfor %}"
    "[assistant]{% if enable_thinking is defined and not enable_thinking %}"
    "<think>\n\n</think>\n\n{% else %}<think>\n{% endif %}"
)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of about 320 tokens with BOS, EOS and a chat template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        chat_template=CHAT_TEMPLATE,
    )


# Odd sizes on purpose: three query heads a group, widths that are no powers of two.
SIZES: dict[str, Any] = {
    "hidden_size": 36,
    "intermediate_size": 50,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": None,
    "initializer_range": 0.3,
}
OWN_SIZES: dict[str, dict[str, Any]] = {
    "MistralForCausalLM": {"sliding_window": 8},
    "Qwen3ForCausalLM": {"head_dim": 10},
    "Gemma2ForCausalLM": {
        "head_dim": 10,
        "sliding_window": 8,
        "query_pre_attn_scalar": 7,
        "attn_logit_softcapping": 3.0,
        "final_logit_softcapping": 5.0,
    },
    "Gemma3ForCausalLM": {
        "head_dim": 10,
        "sliding_window": 8,
        "query_pre_attn_scalar": 7,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    },
    "GPTNeoXForCausalLM": {
        "hidden_size": 42,
        "num_attention_heads": 3,
        "num_key_value_heads": None,
        "rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.3},
    },
    "GPT2LMHeadModel": {
        "hidden_size": 42,
        "num_attention_heads": 3,
        "num_key_value_heads": None,
        "intermediate_size": None,
        "n_inner": 50,
    },
}


def make_model(folder: Path, architecture: str, *, seed: int = 0, **sizes: Any) -> PreTrainedModel:
    """Save a random model of a class of transformers, with its tokenizer, in `folder`.

    Weights of norms and biases are random as well: those that a new model has hide mistakes.
    """
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(str(folder))
    torch.manual_seed(seed)
    model_class = getattr(transformers, architecture)
    values = {"vocab_size": len(tokenizer), **SIZES, **OWN_SIZES.get(architecture, {}), **sizes}
    config = model_class.config_class(
        **{
            key: value
            for key, value in values.items()
            if value is not None or key not in ("num_key_value_heads", "intermediate_size")
        }
    )
    config._attn_implementation = "eager"  # the others have no soft cap
    model = model_class(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1:
                middle = 1.0 if name.endswith("weight") and weight.mean() == 1 else 0.0
                weight.copy_(middle + 0.3 * torch.randn(weight.shape))
    model.save_pretrained(str(folder))
    return model


def make_llama(folder: Path, *, seed: int = 0, **sizes: Any) -> LlamaForCausalLM:
    """Save a random Llama with its tokenizer in `folder`; odd sizes on purpose."""
    return make_model(folder, "LlamaForCausalLM", seed=seed, **sizes)


def make_thinker(folder: Path, *, special: bool) -> None:
    """A model whose template opens the thinking, and whose first token to "Hello" closes it."""
    model = make_llama(folder)
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    marks = [AddedToken(mark, special=special) for mark in ("<think>", "</think>")]
    tokenizer.add_tokens(marks, special_tokens=special)
    tokenizer.chat_template = THINKING_TEMPLATE
    tokenizer.save_pretrained(str(folder))
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    tokens = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hello"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=False,
    )
    with torch.inference_mode():
        likeliest = int(model(tokens).logits[0, -1].argmax())
    closing = tokenizer.convert_tokens_to_ids("</think>")
    with torch.no_grad():
        head = model.get_output_embeddings().weight
        head[[likeliest, closing]] = head[[closing, likeliest]]
    model.save_pretrained(str(folder))
