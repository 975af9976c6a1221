"""The backend of transformers' encoder-decoder classes, against the classes asked one by one."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, T5ForConditionalGeneration

from evalharness.backends import open_backend
from evalharness.backends.description import describe
from evalharness.backends.huggingface import quantisation
from evalharness.backends.huggingface.forward import Forward
from evalharness.backends.huggingface.seq2seq_scoring import (
    TargetQuery,
    padding_keeps_scores,
    score_targets,
)
from evalharness.errors import DataError, UsageError
from evalharness.records import (
    Failure,
    Generation,
    GenerationResponse,
    Instance,
    LogLikelihood,
    LogLikelihoodResponse,
    Message,
    Outcome,
    Pieces,
    PseudoLogLikelihood,
    Request,
    RollingLogLikelihood,
    Sample,
    Sampling,
    Tokenizing,
    whole_prompt,
)
from tests.encoder_models import (
    LANGUAGES,
    SEQ2SEQ,
    bert_tokenizer,
    change,
    make_masked,
    make_seq2seq,
    save_random,
    seq2seq_spec,
    train_sentencepiece,
)

pytestmark = pytest.mark.usefixtures("cache")

SCORED = [
    LogLikelihood("The quick brown fox", " jumps over the lazy dog."),
    LogLikelihood("The quick brown fox", " jumps"),
    LogLikelihood("the older nurse was slow", "to learn"),
    LogLikelihood("Numbers such as 1", "Der Fuchs", shots=("Le renard\n", "brun saute.\n")),
]
LONG = "the nurse, " * 60
WRITTEN = [
    Generation("The quick brown fox jumps over", 6),
    Generation("The quick", 4),
    Generation("the older nurse", 6),
]


def ask(spec: str, requests: Sequence[Request]) -> list[Outcome]:
    sample = Sample(id="sample", requests=tuple(requests))
    asked = [Instance("task", sample, index) for index in range(len(requests))]
    outcomes = dict(open_backend(spec).answer(asked))
    return [outcomes[index] for index in range(len(requests))]


def scored(outcome: Outcome) -> LogLikelihoodResponse:
    assert isinstance(outcome, LogLikelihoodResponse)
    return outcome


def written(outcome: Outcome) -> GenerationResponse:
    assert isinstance(outcome, GenerationResponse)
    return outcome


@dataclass(frozen=True)
class Reference:
    """Model and tokenizer of transformers, set to the direction as its documentation says."""

    model: Any
    tokenizer: Any
    before: str = ""

    @classmethod
    def of(cls, folder: Path, name: str) -> "Reference":
        model = AutoModelForSeq2SeqLM.from_pretrained(str(folder), attn_implementation="eager")
        tokenizer = AutoTokenizer.from_pretrained(str(folder))
        options = dict(pair.split("=") for pair in LANGUAGES.get(name, "").split("&") if pair)
        if "source_language" in options:
            tokenizer.src_lang = options["source_language"]
            tokenizer.tgt_lang = options["target_language"]
        before = ">>deu<< " if name == "Marian, several targets" else ""
        return cls(model.eval(), tokenizer, before)

    def source(self, prompt: str) -> dict[str, torch.Tensor]:
        return dict(self.tokenizer(self.before + prompt, return_tensors="pt"))

    def score(self, request: LogLikelihood) -> tuple[float, int]:
        """By the class's own way from labels to what the decoder is given."""
        prompt = whole_prompt(request)
        assert isinstance(prompt, str)
        target = request.continuation.lstrip()
        labels = self.tokenizer(text_target=target)["input_ids"]
        own = self.tokenizer(text_target=target, add_special_tokens=False)["input_ids"]
        first = next(i for i in range(len(labels)) if labels[i : i + len(own)] == own)
        with torch.inference_mode():
            found = self.model(**self.source(prompt), labels=torch.tensor([labels]))
        rows = self.log_probabilities(found.logits[0])
        places = range(first, first + len(own))
        return sum(float(rows[place, labels[place]]) for place in places), len(own)

    def log_probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Without what is never written: "before the softmax, so that the probabilities of other
        'legal' tokens are not super low" (of Marian's padding, transformers' issue 5134).
        """
        banned = [word[0] for word in self.model.generation_config.bad_words_ids or []]
        allowed = logits.clone()
        allowed[:, banned] = -torch.inf
        return allowed.log_softmax(-1)

    def text(self, request: Generation, name: str) -> str:
        """What generate() writes when it is told the language as the documentation of each says."""
        how: dict[str, Any] = {}
        given = 0
        if name == "mBART":
            how["decoder_start_token_id"] = self.tokenizer.convert_tokens_to_ids("de_DE")
        elif name in ("mBART-50", "M2M100", "NLLB"):
            code = {"mBART-50": "de_DE", "M2M100": "__de__", "NLLB": "deu_Latn"}[name]
            how["forced_bos_token_id"] = self.tokenizer.convert_tokens_to_ids(code)
            given = 1
        elif name == "BART":
            given = 1
        tokens = self.model.generate(
            **self.source(str(request.prompt)), **how, do_sample=False, num_beams=1,
            max_new_tokens=request.max_tokens + given, forced_eos_token_id=None,
        )[0, 1 + given:]  # fmt: skip
        text = self.tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        # M2M100's tokenizer does not count the languages among its special tokens.
        return re.sub("__[a-z]+__", "", text) if name == "M2M100" else str(text)


@pytest.mark.parametrize("name", SEQ2SEQ)
def test_scores_are_those_that_the_class_gives_labels(tmp_path: Path, name: str) -> None:
    """Neither what the decoder begins with, nor a language, nor the end of the text is counted."""
    make_seq2seq(tmp_path, name)
    reference = Reference.of(tmp_path, name)
    for request, outcome in zip(SCORED, ask(seq2seq_spec(tmp_path, name), SCORED), strict=True):
        expected, tokens = reference.score(request)
        assert scored(outcome).tokens == tokens > 0
        assert scored(outcome).log_probability == pytest.approx(expected, abs=1e-4), request


@pytest.mark.parametrize("name", SEQ2SEQ)
def test_texts_are_those_of_generate_a_request(tmp_path: Path, name: str) -> None:
    make_seq2seq(tmp_path, name)
    reference = Reference.of(tmp_path, name)
    outcomes = [written(one) for one in ask(seq2seq_spec(tmp_path, name), WRITTEN)]
    for request, outcome in zip(WRITTEN, outcomes, strict=True):
        assert outcome.text == reference.text(request, name)
        assert outcome.cost.generated_tokens <= request.max_tokens
    assert any(outcome.text for outcome in outcomes)


@pytest.mark.parametrize("name", SEQ2SEQ)
def test_a_draw_depends_on_request_and_seed_alone(tmp_path: Path, name: str) -> None:
    make_seq2seq(tmp_path, name)
    drawn: list[Request] = [
        Generation(str(one.prompt), 6, sampling=Sampling(1.5, seed=seed))
        for one in WRITTEN
        for seed in range(2)
    ]
    spec = seq2seq_spec(tmp_path, name)
    together = [written(one).text for one in ask(spec, [*WRITTEN, *drawn])][len(WRITTEN) :]
    assert together == [written(ask(spec, [one])[0]).text for one in drawn]
    assert len(set(together)) > 3


# --- Tokens that are never written ----------------------------------------------------------------


@pytest.mark.parametrize("lost", [{"bad_words_ids": None}, {"bad_words_ids": [["x"], 3, [1, 2]]}])
def test_marians_padding_is_forbidden_also_where_the_settings_have_lost_it(
    tmp_path: Path, lost: dict[str, Any]
) -> None:
    """Its score is higher than that of every word: texts were empty, and words next to
    impossible.
    """
    make_seq2seq(tmp_path, "Marian")
    expected = ask(seq2seq_spec(tmp_path, "Marian"), [*SCORED, *WRITTEN])
    change(tmp_path / "generation_config.json", **lost)
    assert any(written(one).text for one in expected[len(SCORED) :])
    found = ask(seq2seq_spec(tmp_path, "Marian"), [*SCORED, *WRITTEN])
    numbers = slice(0, len(SCORED)), slice(len(SCORED), None)
    assert [scored(one).log_probability for one in found[numbers[0]]] == [
        scored(one).log_probability for one in expected[numbers[0]]
    ]
    assert [written(one).text for one in found[numbers[1]]] == [
        written(one).text for one in expected[numbers[1]]
    ]


def test_what_a_checkpoint_forbids_is_never_written(tmp_path: Path) -> None:
    """As by generate(). Older checkpoints say it in config.json."""
    model = make_seq2seq(tmp_path, "T5")
    spec = seq2seq_spec(tmp_path, "T5")
    before = [written(one).text for one in ask(spec, WRITTEN)]
    tokens = model.generate(**Reference.of(tmp_path, "T5").source(str(WRITTEN[0].prompt)))[0, 1:]
    banned = [[token] for token in sorted(set(tokens.tolist()) - {1})]
    change(tmp_path / "generation_config.json", bad_words_ids=banned)
    reference = Reference.of(tmp_path, "T5")
    expected = [reference.text(one, "T5") for one in WRITTEN]
    assert expected[0] != before[0]
    assert [written(one).text for one in ask(spec, WRITTEN)] == expected
    change(tmp_path / "generation_config.json", bad_words_ids=None)
    change(tmp_path / "config.json", bad_words_ids=banned)
    assert [written(one).text for one in ask(spec, WRITTEN)] == expected


# --- Batches change nothing ----------------------------------------------------------------------


@pytest.fixture(scope="module", params=["T5", "BART", "M2M100"])
def forward(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Forward:
    folder = tmp_path_factory.mktemp("model")
    make_seq2seq(folder, request.param)
    return Forward(AutoModelForSeq2SeqLM.from_pretrained(str(folder)).eval())


def some(least: int, most: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.integers(3, 60), min_size=least, max_size=most).map(tuple)


QUERIES = st.lists(
    st.builds(
        TargetQuery,
        st.one_of(some(1, 30), st.just((5, 6, 7, 2))),
        st.just((2, 4)),
        some(1, 12),
    ),
    max_size=12,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(queries=QUERIES, batch_size=st.integers(1, 15), padding=st.booleans())
def test_scores_do_not_depend_on_what_is_computed_together(
    forward: Forward, queries: list[TargetQuery], batch_size: int, padding: bool
) -> None:
    assert padding_keeps_scores(forward, (2, 4))
    found = sorted(
        score_targets(forward, queries, batch_size=batch_size, padding=padding),
        key=lambda one: one.query,
    )
    assert [one.query for one in found] == list(range(len(queries)))
    for query, together in zip(queries, found, strict=True):
        (alone,) = score_targets(forward, [query], batch_size=1, padding=False)
        assert together.log_probability == pytest.approx(alone.log_probability, abs=1e-4)


def test_the_source_of_several_options_is_encoded_once(t5: str) -> None:
    options = [LogLikelihood("The quick brown fox", text) for text in ("jumps", "runs")]
    first, second = (scored(one).cost for one in ask(t5, options))
    source = first.prompt_tokens - scored(ask(t5, options)[0]).tokens
    spent = first.computed_tokens + second.computed_tokens
    assert spent == first.prompt_tokens + second.prompt_tokens - source


def test_a_decoder_that_sees_later_tokens_is_asked_for_texts_only(tmp_path: Path) -> None:
    """ProphetNet of transformers 5.24 does: a target would have a part in its own score."""
    sizes = {
        "hidden_size": 36, "encoder_ffn_dim": 50, "decoder_ffn_dim": 50, "num_encoder_layers": 2,
        "num_decoder_layers": 2, "num_encoder_attention_heads": 6, "init_std": 0.3,
        "num_decoder_attention_heads": 6, "max_position_embeddings": 64, "pad_token_id": 0,
        "eos_token_id": 3, "decoder_start_token_id": 2,
    }  # fmt: skip
    save_random(tmp_path, "ProphetNetForConditionalGeneration", bert_tokenizer(), sizes)
    score, text = ask(f"hf:{tmp_path}", [SCORED[0], WRITTEN[0]])
    assert isinstance(score, Failure)
    assert "another probability when the tokens behind it change" in score.error
    assert written(text).cost.generated_tokens > 0


def test_numbers_that_overflow_are_not_taken_for_a_decoder_that_sees_later_tokens(
    tmp_path: Path,
) -> None:
    """NaN is equal to nothing: the probe gave the class the blame for what the weights do."""
    model = make_seq2seq(tmp_path, "T5")
    model.get_parameter("decoder.final_layer_norm.weight").data *= 1e38
    model.get_parameter("shared.weight").data *= 1e3
    model.save_pretrained(tmp_path)
    for outcome in ask(f"hf:{tmp_path}", SCORED):
        assert isinstance(outcome, Failure)
        assert "not numbers" in outcome.error


# --- Too long, empty, ended ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("t5")
    make_seq2seq(folder, "T5")
    return f"hf:{folder}"


@pytest.fixture(scope="module")
def nllb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nllb")
    make_seq2seq(folder, "NLLB")
    return folder


@pytest.mark.parametrize("name", ["T5", "BART", "NLLB", "mBART", "Marian, several targets"])
def test_a_long_source_loses_its_shots_and_then_its_beginning(tmp_path: Path, name: str) -> None:
    """What the tokenizer puts around a source stays: a language, and the end of the text."""
    make_seq2seq(tmp_path, name)
    spec = seq2seq_spec(tmp_path, name)
    shots = ("The lazy dog. " * 30, "The fox. ")
    long = LogLikelihood("the nurse was quick", "to learn", shots=shots)
    reference = Reference.of(tmp_path, name)
    (outcome,) = ask(spec, [long])
    assert scored(outcome).dropped_shots == 1
    expected, _ = reference.score(replace(long, shots=shots[1:]))
    assert not scored(outcome).truncated
    assert scored(outcome).log_probability == pytest.approx(expected, abs=1e-4)

    (cut,) = ask(spec, [LogLikelihood(LONG, "to learn")])
    assert scored(cut).truncated
    tokens = reference.tokenizer(reference.before + LONG)["input_ids"]
    plain = reference.tokenizer(LONG, add_special_tokens=False)["input_ids"]
    first = next(i for i in range(3) if tokens[i : i + len(plain)] == plain)
    behind = len(tokens) - first - len(plain)
    left = [*tokens[:first], *plain[-(64 - first - behind) :], *tokens[first + len(plain) :]]
    assert len(left) == 64
    labels = reference.tokenizer(text_target="to learn")["input_ids"]
    own = reference.tokenizer(text_target="to learn", add_special_tokens=False)["input_ids"]
    start = next(i for i in range(3) if labels[i : i + len(own)] == own)
    with torch.inference_mode():
        found = reference.model(torch.tensor([left]), labels=torch.tensor([labels])).logits[0]
    rows = reference.log_probabilities(found)
    total = sum(float(rows[start + i, token]) for i, token in enumerate(own))
    assert scored(cut).log_probability == pytest.approx(total, abs=1e-4)


def test_a_target_that_the_decoder_cannot_hold_is_a_failure(nllb: Path) -> None:
    spec = seq2seq_spec(nllb, "NLLB")
    *failed, fitting = ask(
        spec, [LogLikelihood("the", "a" * 70), Generation("the", 63), Generation("the", 62)]
    )
    errors = [one.error for one in failed if isinstance(one, Failure)]
    assert "tokens, but the decoder's context is 64, of which 2" in errors[0]
    assert "63 tokens are to be generated, but the decoder's context is 64" in errors[1]
    assert 0 < written(fitting).cost.generated_tokens <= 62


def test_texts_end_at_stop_strings_and_end_tokens(tmp_path: Path) -> None:
    make_seq2seq(tmp_path, "BART")
    (whole,) = ask(f"hf:{tmp_path}", [Generation("The quick", 6)])
    text = written(whole).text
    (stopped,) = ask(f"hf:{tmp_path}", [Generation("The quick", 6, stop=(text[2:4],))])
    assert (written(stopped).text, written(stopped).finish) == (
        text[: text.index(text[2:4])],
        "stop",
    )
    reference = Reference.of(tmp_path, "BART")
    tokens = reference.model.generate(
        **reference.source("The quick"), do_sample=False, num_beams=1, max_new_tokens=3
    )[0].tolist()
    change(tmp_path / "generation_config.json", eos_token_id=tokens[2])
    (ended,) = ask(f"hf:{tmp_path}", [Generation("The quick", 6)])
    assert (written(ended).text, written(ended).finish) == ("", "end")


# --- Languages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_target_language_changes_the_answers_and_the_fingerprint(
    tmp_path: Path, name: str
) -> None:
    make_seq2seq(tmp_path, name)
    spec = seq2seq_spec(tmp_path, name)
    french = {"de_DE": "fr_XX", "de": "fr", "deu_Latn": "fra_Latn", "deu": "fra"}
    before, _, german = spec.rpartition("=")
    other = f"{before}={french[german]}"
    first, second = open_backend(spec), open_backend(other)
    assert first.model.fingerprint != second.model.fingerprint
    assert first.model.name != second.model.name
    values = [scored(ask(one, SCORED[:1])[0]).log_probability for one in (spec, other)]
    assert values[0] != pytest.approx(values[1], abs=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "needs source_language=CODE, one of the 2.. codes"),
        ("target_language=deu_Latn", "needs source_language=CODE"),
        ("source_language=eng_Latn", "needs target_language=CODE"),
        ("source_language=eng_Latn&target_language=deu_Latm", "Did you mean 'deu_Latn'"),
        ("source_language=en&target_language=deu_Latn", "Did you mean .*'eng_Latn'"),
        ("source_language=eng_Latn&target_languag=x", "Did you mean 'target_language'"),
    ],
)
def test_missing_and_unknown_languages_are_refused_with_the_nearest(
    nllb: Path, options: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        open_backend(f"hf:{nllb}?{options}")


def test_a_checkpoint_that_names_its_languages_needs_no_options(tmp_path: Path) -> None:
    make_seq2seq(tmp_path, "NLLB")
    with_options = ask(seq2seq_spec(tmp_path, "NLLB"), SCORED)
    change(tmp_path / "tokenizer_config.json", src_lang="eng_Latn", tgt_lang="deu_Latn")
    found = ask(f"hf:{tmp_path}", SCORED)
    assert [scored(one).log_probability for one in found] == [
        scored(one).log_probability for one in with_options
    ]


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("T5", "target_language=de", "no codes of languages"),
        ("BART", "source_language=en", "no codes of languages"),
        ("Marian", "target_language=deu", "no codes of languages"),
        ("Marian, several targets", "", "needs target_language=CODE, one of the 2 codes"),
        ("Marian, several targets", "target_language=deo", "Did you mean 'deu'"),
        ("Marian, several targets", "source_language=eng", "finds out itself"),
    ],
)
def test_languages_are_refused_where_a_model_has_no_use_for_them(
    tmp_path: Path, name: str, option: str, message: str
) -> None:
    make_seq2seq(tmp_path, name)
    with pytest.raises(UsageError, match=message):
        open_backend(f"hf:{tmp_path}?{option}" if option else f"hf:{tmp_path}")


def test_languages_are_refused_for_causal_models(tmp_path: Path) -> None:
    from tests.models import make_llama

    make_llama(tmp_path)
    with pytest.raises(UsageError, match="is a causal model, which is told in the prompt"):
        open_backend(f"hf:{tmp_path}?target_language=de")


# --- What is refused, and what is told -----------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (RollingLogLikelihood("The fox"), "have no prompt"),
        (LogLikelihood("", "The fox"), "have no prompt"),
        (Generation("", 4), "have no prompt"),
        (PseudoLogLikelihood("The fox"), "masked models"),
        (Generation((Message("user", "Hello"),), 4), "no chat template"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_answers_it(
    t5: str, request_: Request, message: str
) -> None:
    backend = open_backend(t5)
    one = Instance("task", Sample(id="sample", requests=(request_,)), 0)
    reason = backend.unsupported(one)
    assert reason is not None
    assert message in reason
    assert dict(backend.answer([one])) == {0: Failure(reason)}


def test_prompts_are_shown_as_the_encoder_gets_them(t5: str, nllb: Path) -> None:
    assert open_backend(t5).render(Generation("The fox", 4)) == "The fox</s>"
    backend = open_backend(seq2seq_spec(nllb, "NLLB"))
    assert backend.render(LogLikelihood("The fox", "x")) == "eng_LatnThe fox</s>"


def test_tokens_are_shown_of_source_and_target(nllb: Path) -> None:
    backend = open_backend(seq2seq_spec(nllb, "NLLB"))
    assert isinstance(backend, Tokenizing)
    found = backend.pieces(LogLikelihood("The fox", " the"))
    assert isinstance(found, Pieces)
    given = [piece.text for piece in found.given]
    assert (given[0], given[-1]) == ("eng_Latn", "</s>")
    assert "The fox" in "".join(given)
    assert "".join(piece.text for piece in found.scored).endswith("the")
    assert sum(piece.tokens for piece in found.scored) == 2
    assert isinstance(backend.pieces(Generation("The fox", 64)), Failure)
    assert isinstance(backend.pieces(PseudoLogLikelihood("The fox")), Failure)


def test_a_decoder_without_a_beginning_is_refused_before_any_work(tmp_path: Path) -> None:
    make_seq2seq(tmp_path, "T5")
    for file in ("config.json", "generation_config.json"):
        values = json.loads((tmp_path / file).read_text())
        for name in ("decoder_start_token_id", "bos_token_id"):
            values.pop(name, None)
        (tmp_path / file).write_text(json.dumps(values))
    with pytest.raises(DataError, match="names the decoder_start_token_id"):
        open_backend(f"hf:{tmp_path}")


def test_a_tokenizer_of_another_model_is_refused_before_any_work(tmp_path: Path) -> None:
    """Languages are numbered behind all other tokens, and get_vocab() leaves them out."""
    make_seq2seq(tmp_path, "M2M100", vocab_size=90)
    with pytest.raises(DataError, match="do not belong together"):
        open_backend(seq2seq_spec(tmp_path, "M2M100"))


def test_the_package_that_reads_a_tokenizer_is_named_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_seq2seq(tmp_path, "Marian")
    (tmp_path / "source.spm").write_bytes(b"")
    monkeypatch.setattr(quantisation, "find_spec", lambda _: None)
    with pytest.raises(DataError, match=r"pip install 'evalharness\[sentencepiece\]'"):
        open_backend(f"hf:{tmp_path}")


def test_a_sentencepiece_model_alone_is_a_tokenizer(tmp_path: Path) -> None:
    """As of T5 v1.1 and mT5, which have no tokenizer.json."""
    make_seq2seq(tmp_path, "T5", vocab_size=120)
    (tmp_path / "tokenizer.json").unlink()
    train_sentencepiece(tmp_path, "spiece")
    settings = {"tokenizer_class": "T5Tokenizer", "extra_ids": 0}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    processor = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "spiece.model"))
    pieces = processor.encode("The lazy dog.", out_type=int)
    found = ask(f"hf:{tmp_path}", [LogLikelihood("The quick", "The lazy dog."), WRITTEN[0]])
    assert scored(found[0]).tokens == len(pieces)
    assert written(found[1]).cost.generated_tokens > 0


def test_a_class_that_generates_in_a_way_of_its_own_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own generate() may look at languages, or choose tokens by another rule."""
    make_seq2seq(tmp_path, "T5")
    monkeypatch.setattr(T5ForConditionalGeneration, "generate", lambda *_: None)
    with pytest.raises(DataError, match="T5ForConditionalGeneration generates in a way of its own"):
        open_backend(f"hf:{tmp_path}")


def test_a_class_that_reads_sounds_is_refused_by_name(tmp_path: Path) -> None:
    make_masked(tmp_path, "BertForMaskedLM")
    change(tmp_path / "config.json", architectures=["WhisperForConditionalGeneration"])
    with pytest.raises(DataError, match="'WhisperForConditionalGeneration' is none that"):
        open_backend(f"hf:{tmp_path}")


def test_the_record_says_what_the_model_is(t5: str) -> None:
    found = describe(t5)
    assert found.model.architecture == "T5ForConditionalGeneration"
    assert found.model.max_length == 64
    assert not found.has_chat_template
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {f.name for f in found.files}
    with pytest.raises(UsageError, match="trained for 64 positions"):
        open_backend(f"{t5}?max_length=65")


def test_a_lora_adapter_gives_the_answers_of_pefts_merged_model(tmp_path: Path) -> None:
    base = make_seq2seq(tmp_path / "base", "BART")
    config = LoraConfig(r=3, lora_alpha=5, target_modules=["q_proj", "v_proj"])
    adapted = get_peft_model(base, config)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_" in name:
                weight.copy_(0.3 * torch.randn(weight.shape))
    adapted.save_pretrained(str(tmp_path / "adapter"))
    requests: list[Request] = [*SCORED, *WRITTEN]
    found = ask(f"hf:{tmp_path / 'base'}?adapter={tmp_path / 'adapter'}", requests)
    plain = ask(f"hf:{tmp_path / 'base'}", SCORED)
    adapted.merge_and_unload().save_pretrained(str(tmp_path / "base"))
    for one, other in zip(found, ask(f"hf:{tmp_path / 'base'}", requests), strict=True):
        if isinstance(one, GenerationResponse):
            assert one.text == written(other).text
        else:
            assert scored(one).log_probability == pytest.approx(
                scored(other).log_probability, abs=1e-4
            )
    assert abs(scored(found[0]).log_probability - scored(plain[0]).log_probability) > 1e-3
