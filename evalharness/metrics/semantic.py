"""Nearness in meaning by embeddings: BERTScore, and the cosine of sentence embeddings.

Sources: Zhang et al. 2020 (BERTScore) and the package bert-score 0.3.13, whose figures these are,
without inverse document frequencies and without rescaling. The package itself fails on empty texts
with transformers 5. Reimers & Gurevych 2019 for sentence embeddings, by sentence-transformers.

No task has these metrics from the start, since each needs a model that must be fetched first: see
tasks/summarization/README.md. Figures of different models do not compare.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from evalharness.errors import DataError, UsageError
from evalharness.metrics.aggregation import mean
from evalharness.metrics.responses import mean_over_draws
from evalharness.metrics.text_models import check_tokenizer, most_tokens
from evalharness.records import Metric, Sample

_KEPT = 64  # scores that are remembered, so that the three metrics of a sample cost one


@dataclass(frozen=True, slots=True)
class Encoder:
    """A model of transformers and its tokenizer.

    model     a hub id, or a folder
    layer     whose states are compared, counted from 1; bert-score takes 17 of roberta-large, 9 of
              bert-base-uncased, 5 of distilbert-base-uncased, 40 of microsoft/deberta-xlarge-mnli
    revision  a commit, tag or branch on the hub
    """

    model: str
    layer: int
    revision: str | None = None

    @property
    def signature(self) -> str:
        """Model, revision and layer."""
        revision = f"@{self.revision}" if self.revision else ""
        return f"{self.model}{revision}, layer {self.layer}"


def bert_scores(encoder: Encoder) -> tuple[Metric, Metric, Metric]:
    """BERTScore's F1, precision and recall, each the largest over references; empty texts get 0.

    Texts are cut at the length that the model takes, as bert-score cuts them.
    """

    def part(name: str, index: int) -> Metric:
        def measure(sample: Sample, text: str) -> Sequence[float]:
            return (max(_bert_score(encoder, text, one)[index] for one in sample.references),)

        return Metric(
            f"bertscore_{name}",
            mean_over_draws(measure),
            mean(),
            bounds=(-1.0, 1.0),
            signature=f"BERTScore {name}, {encoder.signature}, no idf, not rescaled, "
            "mean over documents",
        )

    return part("f1", 2), part("precision", 0), part("recall", 1)


@lru_cache(maxsize=_KEPT)
def _bert_score(encoder: Encoder, text: str, reference: str) -> tuple[float, float, float]:
    """Precision, recall and F1. Special tokens can be matched, but have no match counted."""
    import torch

    states, counted = _states(encoder, text)
    reference_states, reference_counted = _states(encoder, reference)
    if not counted.any() or not reference_counted.any():
        return 0.0, 0.0, 0.0
    with torch.inference_mode():
        similarity = states @ reference_states.T  # (tokens, tokens of the reference)
        precision = float(similarity.max(dim=1).values[counted].mean())
        recall = float(similarity.max(dim=0).values[reference_counted].mean())
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total else 0.0


def _states(encoder: Encoder, text: str) -> tuple[Any, Any]:
    """Unit vectors of the tokens (tokens, width), and which of them are no special tokens."""
    import torch

    tokenizer, model, longest = _load(encoder)
    # Where a space is a part of the word after it, the first word is to be like the others.
    space = " " if "ByteLevel" in repr(tokenizer.backend_tokenizer.pre_tokenizer) else ""
    encoded = tokenizer(
        space + text.strip() if text.strip() else "",
        truncation=True,
        max_length=longest,
        return_special_tokens_mask=True,
        return_tensors="pt",
    ).to(model.device)
    counted = encoded.pop("special_tokens_mask")[0] == 0
    with torch.inference_mode():
        states = model(**encoded, output_hidden_states=True).hidden_states[encoder.layer][0]
        return torch.nn.functional.normalize(states.float(), dim=-1), counted


@cache
def _load(encoder: Encoder) -> tuple[Any, Any, int]:
    """Tokenizer, model and the most tokens that it takes.

    Raises DataError for a model that cannot be loaded or has no tokenizer, UsageError for a layer
    that it lacks.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    with_advice = _advice(encoder.model)
    tokenizer = with_advice(AutoTokenizer.from_pretrained, revision=encoder.revision)
    check_tokenizer(tokenizer, encoder.model)
    model = with_advice(AutoModel.from_pretrained, revision=encoder.revision)
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    layers = model.config.num_hidden_layers
    if not 1 <= encoder.layer <= layers:
        raise UsageError(f"the model {encoder.model} has layers 1 to {layers}, no {encoder.layer}.")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return tokenizer, model.eval().to(device), most_tokens(tokenizer, model.config)


def embedding_similarity(model: str, revision: str | None = None) -> Metric:
    """The cosine of the embeddings of text and reference, the largest over references.

    model: a model of sentence-transformers, a hub id or a folder; its own pooling is used
    """

    def measure(sample: Sample, text: str) -> Sequence[float]:
        encoder = _sentence_encoder(model, revision)
        own, *others = encoder.encode(
            [text, *sample.references], normalize_embeddings=True, show_progress_bar=False
        )
        return (max(float(own @ other) for other in others),)

    named = f"{model}@{revision}" if revision else model
    return Metric(
        "embedding_similarity",
        mean_over_draws(measure),
        mean(),
        bounds=(-1.0, 1.0),
        signature=f"cosine of sentence embeddings, {named}, mean over documents",
    )


@cache
def _sentence_encoder(model: str, revision: str | None) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ModuleNotFoundError:
        raise UsageError(
            "embedding_similarity needs the package sentence-transformers: "
            "pip install 'evalharness[embeddings]'."
        ) from None
    return _advice(model)(SentenceTransformer, revision=revision)


def _advice(model: str) -> Callable[..., Any]:
    """Calls a function that loads the model; says what to do where it cannot be had."""

    def call(load: Callable[..., Any], **options: Any) -> Any:
        try:
            return load(model, **options)
        except Exception as error:  # the network and the hub fail in many ways
            raise DataError(
                f"the model {model} of a metric cannot be loaded ({type(error).__name__}: "
                f"{' '.join(str(error).split())}). Where the hub cannot be reached, give a folder "
                "with its files."
            ) from None

    return call
