"""Tiny random masked and encoder-decoder checkpoints, with tokenizers in the manner of each."""

import json
from collections.abc import Sequence
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

from tests.models import CORPUS, make_tokenizer

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
    if (forced := values.get("forced_bos_token_id")) is not None:
        model.generation_config.forced_bos_token_id = forced
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


# --- Encoder-decoder models ----------------------------------------------------------------------


def train_sentencepiece(folder: Path, name: str) -> list[str]:
    """Save a SentencePiece model of the sentences; returns its pieces but the special ones."""
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_prefix=str(folder / name),
        vocab_size=90,
        hard_vocab_limit=False,
        character_coverage=1.0,
        minloglevel=2,
    )
    (folder / f"{name}.vocab").unlink()
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{name}.model"))
    return [processor.id_to_piece(number) for number in range(3, processor.get_piece_size())]


def marian_tokenizer(folder: Path, marks: tuple[str, ...] = ()) -> Any:
    """Two SentencePiece models and one vocabulary, in which </s> and <unk> come first."""
    from transformers import MarianTokenizer

    pieces = train_sentencepiece(folder, "source")
    for name in ("source", "target"):
        (folder / f"{name}.spm").write_bytes((folder / "source.model").read_bytes())
    (folder / "source.model").unlink()
    vocabulary = ["</s>", "<unk>", *marks, *pieces, "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({t: n for n, t in enumerate(vocabulary)}))
    return MarianTokenizer(
        str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json")
    )


def m2m100_tokenizer(folder: Path) -> Any:
    from transformers import M2M100Tokenizer

    pieces = train_sentencepiece(folder, "sentencepiece.bpe")
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *pieces]
    # Its 100 languages have the numbers behind these.
    (folder / "vocab.json").write_text(json.dumps({t: n for n, t in enumerate(vocabulary)}))
    return M2M100Tokenizer(
        str(folder / "vocab.json"), str(folder / "sentencepiece.bpe.model"), num_madeup_words=0
    )


def _fairseq_pieces() -> list[tuple[str, float]]:
    letters = sorted({letter for text in SENTENCES for letter in text if letter != " "})
    words = sorted({word for text in SENTENCES for word in text.split()})
    special = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces = [("▁", -2.0), *((f"▁{word}", -3.0) for word in words)]
    return [*special, *pieces, *((letter, -6.0) for letter in letters)]


def mbart_tokenizer(_: Path) -> Any:
    from transformers import MBartTokenizer

    codes = [("en_XX", 0.0), ("de_DE", 0.0), ("fr_XX", 0.0)]
    return MBartTokenizer(vocab=[*_fairseq_pieces(), *codes, ("<mask>", 0.0)])


def mbart50_tokenizer(_: Path) -> Any:
    from transformers import MBart50Tokenizer

    codes = [("en_XX", 0.0), ("de_DE", 0.0), ("fr_XX", 0.0)]
    return MBart50Tokenizer(vocab=[*_fairseq_pieces(), *codes, ("<mask>", 0.0)])


def nllb_tokenizer(_: Path) -> Any:
    from transformers import NllbTokenizer

    letters = sorted({letter for text in SENTENCES for letter in text if letter != " "})
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", "▁", *letters, "▁t", "he"]
    return NllbTokenizer(
        vocab={token: number for number, token in enumerate(vocabulary)},
        merges=[("▁", "t"), ("h", "e")],
    )


WIDTHS: dict[str, Any] = {
    "d_model": 36, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 6,
    "decoder_attention_heads": 6, "encoder_ffn_dim": 50, "decoder_ffn_dim": 50,
    "max_position_embeddings": 64, "init_std": 0.3,
}  # fmt: skip
FAIRSEQ: dict[str, Any] = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
T5: dict[str, Any] = {
    "d_model": 36, "d_kv": 6, "d_ff": 50, "num_layers": 2, "num_heads": 6, "n_positions": 64,
    "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "initializer_factor": 3.0,
}  # fmt: skip
LANGUAGES: dict[str, str] = {
    "mBART": "source_language=en_XX&target_language=de_DE",
    "mBART-50": "source_language=en_XX&target_language=de_DE",
    "M2M100": "source_language=en&target_language=de",
    "NLLB": "source_language=eng_Latn&target_language=deu_Latn",
    "Marian, several targets": "target_language=deu",
}
SEQ2SEQ: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "T5": ("T5ForConditionalGeneration", lambda _: t5_tokenizer(), T5),
    "mT5": (
        "MT5ForConditionalGeneration",
        lambda _: t5_tokenizer(),
        {**T5, "tie_word_embeddings": False, "feed_forward_proj": "gated-gelu"},
    ),
    "BART": (
        "BartForConditionalGeneration",
        lambda _: roberta_tokenizer(),
        {**WIDTHS, **FAIRSEQ, "decoder_start_token_id": 2, "forced_bos_token_id": 0},
    ),
    "BART, nothing forced": (
        "BartForConditionalGeneration",
        lambda _: roberta_tokenizer(),
        {**WIDTHS, **FAIRSEQ, "decoder_start_token_id": 2},
    ),
    "Pegasus": (
        "PegasusForConditionalGeneration",
        lambda _: t5_tokenizer(),
        {**WIDTHS, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0},
    ),
    "Marian": ("MarianMTModel", marian_tokenizer, WIDTHS),
    "Marian, several targets": (
        "MarianMTModel",
        lambda folder: marian_tokenizer(folder, (">>deu<<", ">>fra<<")),
        WIDTHS,
    ),
    "mBART": ("MBartForConditionalGeneration", mbart_tokenizer, {**WIDTHS, **FAIRSEQ}),
    "mBART-50": (
        "MBartForConditionalGeneration",
        mbart50_tokenizer,
        {**WIDTHS, **FAIRSEQ, "decoder_start_token_id": 2},
    ),
    "M2M100": (
        "M2M100ForConditionalGeneration",
        m2m100_tokenizer,
        {**WIDTHS, **FAIRSEQ, "decoder_start_token_id": 2, "vocab_size": 220},
    ),
    "NLLB": (
        "M2M100ForConditionalGeneration",
        nllb_tokenizer,
        {**WIDTHS, **FAIRSEQ, "decoder_start_token_id": 2},
    ),
}


def make_seq2seq(folder: Path, name: str, **sizes: Any) -> PreTrainedModel:
    """Save a random encoder-decoder model of the kind in `folder`."""
    architecture, make_tokenizer, own = SEQ2SEQ[name]
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer(folder)
    values = {**own, **sizes}
    if architecture == "MarianMTModel":
        padding = tokenizer.pad_token_id
        values |= {"pad_token_id": padding, "decoder_start_token_id": padding, "eos_token_id": 0}
    model = save_random(folder, architecture, tokenizer, values)
    if architecture == "MarianMTModel":
        _convert_padding(model)
        model.save_pretrained(str(folder))
    return model


def _convert_padding(model: PreTrainedModel) -> None:
    """As checkpoints converted from Marian have it: no word has a score as high as the padding,
    which the settings of generation forbid.
    """
    padding = model.config.pad_token_id
    model.final_logits_bias.sub_(30.0)
    model.final_logits_bias[0, padding] = 0.0
    model.generation_config.bad_words_ids = [[padding]]


def seq2seq_spec(folder: Path, name: str) -> str:
    """The spec of a model that make_seq2seq saved, with the languages that it needs."""
    options = LANGUAGES.get(name)
    return f"hf:{folder}?{options}" if options else f"hf:{folder}"


def make_classifier(folder: Path, labels: Sequence[str], biases: Sequence[float]) -> Path:
    """A classifier of texts whose logits are `biases`, whatever it reads."""
    tokenizer = make_tokenizer()
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
        pad_token_id=0,
    )
    model = transformers.BertForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor(biases))
    model.save_pretrained(folder)
    tokenizer.pad_token = "<s>"
    tokenizer.save_pretrained(folder)
    return folder
