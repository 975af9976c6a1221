"""BERTScore and similarity of embeddings, with tiny models that the tests make."""

import re
import sys
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, BertTokenizerFast

from evalharness.discovery import bundled_folder, find_tasks
from evalharness.errors import DataError, UsageError
from evalharness.metrics.semantic import Encoder, bert_scores, embedding_similarity
from evalharness.records import GenerationResponse, Sample
from tests.metrics.answers import corpus, written
from tests.models import make_llama

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, "the", "dog", "ran", "home", "cats", "sleep", ".", "a"]


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of three layers whose weights are computed, the same everywhere."""
    folder = tmp_path_factory.mktemp("bert")
    vocabulary = {word: place for place, word in enumerate(WORDS)}
    BertTokenizerFast(vocab=vocabulary, model_max_length=16).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=12,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=20,
        max_position_embeddings=16,
    )
    model = BertModel(config).eval()
    with torch.no_grad():
        for number, (name, weight) in enumerate(sorted(model.named_parameters())):
            places = torch.arange(weight.numel(), dtype=torch.float64)
            values = torch.frac(torch.sin(places * 12.9898 + number) * 43758.5453).abs() - 0.5
            values += 1.0 if "LayerNorm.weight" in name else 0.0
            weight.copy_(values.reshape(weight.shape))
    model.save_pretrained(folder)
    return folder


# Precision, recall and F1 that bert-score 0.3.13 gives for these very weights (num_layers=LAYER).
BERT_SCORE = [
    (2, "the dog ran", "the dog ran home", (0.979711, 0.971175, 0.975424)),
    (2, "cats sleep", "a dog .", (0.867896, 0.909435, 0.888180)),
    (2, "the dog ran home . " * 8, "cats sleep", (0.864773, 0.922516, 0.892712)),
    (2, "zebra", "the dog", (0.928365, 0.774463, 0.844459)),
    (3, "the dog ran", "the dog ran home", (0.987996, 0.988664, 0.988330)),
    (3, "zebra", "the dog", (0.900509, 0.909597, 0.905031)),
]


@pytest.mark.parametrize(("layer", "text", "reference", "expected"), BERT_SCORE)
def test_bertscore_equals_the_package_bert_score(
    encoder_folder: Path,
    layer: int,
    text: str,
    reference: str,
    expected: tuple[float, float, float],
) -> None:
    """Special tokens that are matched but not counted, unknown words, texts that are cut."""
    f1, precision, recall = bert_scores(Encoder(str(encoder_folder), layer))
    answered = [written(text, reference)]
    found = (corpus(precision, answered), corpus(recall, answered), corpus(f1, answered))
    assert found == pytest.approx(expected, abs=2e-6)


def test_bertscore_of_equal_and_of_empty_texts(encoder_folder: Path) -> None:
    """The package itself ends with an error for an empty text under transformers 5."""
    for metric in bert_scores(Encoder(str(encoder_folder), 2)):
        assert corpus(metric, [written("cats sleep .", "cats sleep .")]) == pytest.approx(1.0)
        assert corpus(metric, [written("", "the dog")]) == 0.0
        assert corpus(metric, [written("the dog", "")]) == 0.0


def test_bertscore_takes_the_best_reference_and_the_mean_of_draws(encoder_folder: Path) -> None:
    f1, *_ = bert_scores(Encoder(str(encoder_folder), 2))
    assert corpus(f1, [written("cats", "the dog", "cats")]) == pytest.approx(1.0)
    sample = Sample(id="s", requests=(), references=("cats",))
    draws = [GenerationResponse("cats", "end"), GenerationResponse("", "end")]
    assert corpus(f1, [(sample, draws)]) == pytest.approx(0.5)


def test_the_first_word_is_encoded_like_the_others_by_tokenizers_of_bytes(tmp_path: Path) -> None:
    """As bert-score asks of RoBERTa's tokenizer, for which "fox" and " fox" are two tokens."""
    make_llama(tmp_path)
    precision = bert_scores(Encoder(str(tmp_path), 2))[1]
    tokenizer, model = AutoTokenizer.from_pretrained(tmp_path), AutoModel.from_pretrained(tmp_path)
    vectors = []
    for text in (" fox", " lazy dog"):
        encoded = tokenizer(text, return_tensors="pt", return_special_tokens_mask=True)
        mask = encoded.pop("special_tokens_mask")
        assert not mask.any()
        with torch.inference_mode():
            states = model(**encoded, output_hidden_states=True).hidden_states[2][0]
        vectors.append(states / states.norm(dim=-1, keepdim=True))
    expected = (vectors[0] @ vectors[1].T).max(dim=1).values.mean()
    assert corpus(precision, [written("fox", "lazy dog")]) == pytest.approx(float(expected))


def test_the_signature_names_model_revision_and_layer() -> None:
    f1, *_ = bert_scores(Encoder("roberta-large", 17, revision="abc"))
    assert f1.name == "bertscore_f1"
    assert "roberta-large@abc, layer 17, no idf, not rescaled" in f1.signature


def test_a_layer_that_a_model_lacks_is_refused(encoder_folder: Path) -> None:
    metrics = bert_scores(Encoder(str(encoder_folder), 4))
    with pytest.raises(UsageError, match="layers 1 to 3, no 4"):
        corpus(metrics[0], [written("a", "a")])


@pytest.mark.parametrize(
    "metric",
    [bert_scores(Encoder("no-such/model", 1))[0], embedding_similarity("no-such/model")],
)
def test_a_model_that_cannot_be_had_says_what_to_do(metric: object) -> None:
    with pytest.raises(DataError, match=r"no-such/model.*give a folder"):
        corpus(metric, [written("a", "a")])  # type: ignore[arg-type]


def test_similarity_is_the_cosine_by_the_models_own_pooling(
    encoder_folder: Path, tmp_path: Path
) -> None:
    """One model pools by the mean of its tokens, the other takes the first: both are honoured."""
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    found = {}
    for mode in ("mean", "cls"):
        parts = Transformer(str(encoder_folder)), Pooling(12, pooling_mode=mode)
        SentenceTransformer(modules=list(parts), device="cpu").save(str(tmp_path / mode))
        metric = embedding_similarity(str(tmp_path / mode))
        found[mode] = corpus(metric, [written("the dog ran", "cats sleep")])
        assert corpus(metric, [written("cats .", "a", "cats .")]) == pytest.approx(1.0)
    tokenizer = AutoTokenizer.from_pretrained(encoder_folder)
    model = AutoModel.from_pretrained(encoder_folder)
    states = []
    for text in ("the dog ran", "cats sleep"):
        with torch.inference_mode():
            states.append(model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0])
    cosine = torch.nn.functional.cosine_similarity
    expected = {
        "mean": cosine(states[0].mean(dim=0), states[1].mean(dim=0), dim=0),
        "cls": cosine(states[0][0], states[1][0], dim=0),
    }
    assert found == pytest.approx({mode: float(value) for mode, value in expected.items()})
    assert found["mean"] != pytest.approx(found["cls"])


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(UsageError, match=r"evalharness\[embeddings\]"):
        corpus(embedding_similarity("any/model"), [written("a", "a")])


def test_the_readmes_plugin_adds_these_metrics_to_any_task(
    encoder_folder: Path, tmp_path: Path
) -> None:
    """Word by word, but for the models, which a test cannot have."""
    readme = bundled_folder("tasks") / "summarization" / "README.md"
    (block,) = re.findall(r"^```python\n(.*?)^```$", readme.read_text(), re.DOTALL | re.MULTILINE)
    SentenceTransformer(str(encoder_folder), device="cpu").save(str(tmp_path / "sentences"))
    for model, folder in (
        ('"roberta-large", layer=17', f"{str(encoder_folder)!r}, layer=2"),
        ('"sentence-transformers/all-mpnet-base-v2"', repr(str(tmp_path / "sentences"))),
    ):
        assert model in block
        block = block.replace(model, folder)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "semantic.py").write_text(block)
    task = find_tasks([tmp_path / "tasks"]).find("semantic:starter-summaries").task
    answered = [written("the dog ran", "the dog ran", source="the dog ran home")]
    scores = {metric.name: corpus(metric, answered) for metric in task.metrics}
    names = ["rouge1", "bertscore_f1", "bertscore_recall", "embedding_similarity"]
    assert [scores[name] for name in names] == pytest.approx([1.0] * 4)
