"""Tiny random masked and encoder-decoder checkpoints, with tokenizers in the manner of each."""

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from tests.models import CORPUS

SENTENCES = [
    *CORPUS,
    "the older nurse was slow to learn, the younger nurse was quick to learn.",
    "Le renard brun saute. Der Fuchs springt über den Hund.",
]


def _wordpiece() -> Tokenizer:
    """As BERT's: lower-cased words in pieces, between [CLS] and [SEP]."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=150, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def _byte_level() -> Tokenizer:
    """As RoBERTa's and BART's: bytes, a space belonging to the word after it, in <s> and </s>."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    return tokenizer


def _unigram(special: list[str], unknown: str, single: str) -> Tokenizer:
    """As SentencePiece's: the mark ▁ before each word."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=160, special_tokens=special, unk_token=unknown, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    around = [(token, special.index(token)) for token in special if token in single]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=around)
    return tokenizer


BERT_TOKENS = {
    "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]",
    "mask_token": "[MASK]",
}  # fmt: skip
ROBERTA_TOKENS = {
    "bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>",
    "pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>",
}  # fmt: skip
T5_TOKENS = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def bert_tokenizer() -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=_wordpiece(), **BERT_TOKENS)


def roberta_tokenizer() -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=_byte_level(), **ROBERTA_TOKENS)


def albert_tokenizer() -> PreTrainedTokenizerFast:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = _unigram(special, "[UNK]", "[CLS] $A [SEP]")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **BERT_TOKENS)


def t5_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = _unigram(["<pad>", "</s>", "<unk>"], "<unk>", "$A </s>")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **T5_TOKENS)


SIZES: dict[str, Any] = {
    "hidden_size": 36,
    "intermediate_size": 50,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
}
MASKED: dict[str, tuple[Any, dict[str, Any]]] = {
    "BertForMaskedLM": (bert_tokenizer, {"pad_token_id": 0}),
    "RobertaForMaskedLM": (roberta_tokenizer, {"pad_token_id": 1, "max_position_embeddings": 66}),
    "AlbertForMaskedLM": (albert_tokenizer, {"pad_token_id": 0, "embedding_size": 20}),
    "ModernBertForMaskedLM": (
        roberta_tokenizer,
        {"pad_token_id": 1, "local_attention": 8, "global_attn_every_n_layers": 2,
         "cls_token_id": 0, "sep_token_id": 2, "bos_token_id": 0, "eos_token_id": 2},
    ),
    # No attention mask at all: every position is mixed with every other one.
    "FNetForMaskedLM": (bert_tokenizer, {"pad_token_id": 0}),
}  # fmt: skip


def make_masked(folder: Path, architecture: str, **sizes: Any) -> PreTrainedModel:
    """Save a random masked model with a tokenizer of its kind in `folder`."""
    make_tokenizer, own = MASKED[architecture]
    tokenizer = make_tokenizer()
    return save_random(folder, architecture, tokenizer, {**SIZES, **own, **sizes})


def save_random(
    folder: Path, architecture: str, tokenizer: Any, values: dict[str, Any]
) -> PreTrainedModel:
    """Save a random model of the class and its tokenizer, norms and biases random as well."""
    tokenizer.save_pretrained(str(folder))
    torch.manual_seed(0)
    model_class = getattr(transformers, architecture)
    config = model_class.config_class(**{"vocab_size": len(tokenizer), **values})
    model = model_class(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1:
                middle = 1.0 if name.endswith("weight") and weight.mean() == 1 else 0.0
                weight.copy_(middle + 0.3 * torch.randn(weight.shape))
    model.save_pretrained(str(folder))
    return model


def change(path: Path, **values: Any) -> None:
    """Set values of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
