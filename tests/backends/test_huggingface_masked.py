"""The backend of transformers' masked classes, against the classes asked token by token."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForMaskedLM, AutoTokenizer

from evalharness.backends import open_backend
from evalharness.backends.description import describe
from evalharness.backends.huggingface.forward import Forward
from evalharness.backends.huggingface.masked_scoring import (
    MaskedQuery,
    padding_is_right,
    score_masked,
)
from evalharness.backends.huggingface.masked_tokens import MaskedTokenizer, shared_places
from evalharness.errors import DataError, UsageError
from evalharness.records import (
    Failure,
    Generation,
    Instance,
    LogLikelihood,
    LogLikelihoodResponse,
    Outcome,
    Pieces,
    PseudoLogLikelihood,
    Request,
    RollingLogLikelihood,
    Sample,
    Tokenizing,
)
from tests.encoder_models import MASKED, SENTENCES, change, make_masked

pytestmark = pytest.mark.usefixtures("cache")

MORE = "The older nurse was slow to learn."
LESS = "The younger nurse was slow to learn new things."
ASKED = [
    *(PseudoLogLikelihood(text) for text in SENTENCES),
    PseudoLogLikelihood("The older nurse was slow", span=(4, 9)),
    PseudoLogLikelihood("The older nurse was slow", span=(19, 24)),
    PseudoLogLikelihood(MORE, shared_with=LESS),
    PseudoLogLikelihood(LESS, shared_with=MORE),
    PseudoLogLikelihood("Unwritten: \N{SNOWMAN}"),
]


def ask(spec: str, requests: Sequence[Request]) -> list[Outcome]:
    sample = Sample(id="sample", requests=tuple(requests))
    asked = [Instance("task", sample, index) for index in range(len(requests))]
    outcomes = dict(open_backend(spec).answer(asked))
    return [outcomes[index] for index in range(len(requests))]


def score(outcome: Outcome) -> float:
    assert isinstance(outcome, LogLikelihoodResponse)
    return outcome.log_probability


def expected_places(tokenizer: Any, request: PseudoLogLikelihood) -> list[int]:
    """The scored places, in the manner of the script of Nangia et al. where texts share tokens."""
    found = tokenizer(request.text, return_offsets_mapping=True)
    tokens, spans = found["input_ids"], found["offset_mapping"]
    if request.span is not None:
        start, end = request.span
        return [i for i, (first, last) in enumerate(spans) if first < end and last > start]
    if not request.shared_with:
        return list(range(1, len(tokens) - 1))
    other = tokenizer(request.shared_with)["input_ids"]
    places: list[int] = []
    for kind, start, end, *_ in difflib.SequenceMatcher(None, tokens, other).get_opcodes():
        if kind == "equal":
            places += range(start, end)
    return places[1:-1]


def expected_score(model: Any, tokenizer: Any, request: PseudoLogLikelihood) -> tuple[float, int]:
    """One forward pass for each token."""
    tokens = tokenizer(request.text)["input_ids"]
    total, places = 0.0, expected_places(tokenizer, request)
    for place in places:
        masked = torch.tensor([tokens])
        masked[0, place] = tokenizer.mask_token_id
        with torch.inference_mode():
            total += float(model(masked).logits[0, place].log_softmax(-1)[tokens[place]])
    return total, len(places)


@pytest.mark.parametrize("architecture", MASKED)
def test_scores_are_those_of_one_forward_pass_a_token(tmp_path: Path, architecture: str) -> None:
    make_masked(tmp_path, architecture)
    model = AutoModelForMaskedLM.from_pretrained(str(tmp_path), attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(str(tmp_path))
    for request, outcome in zip(ASKED, ask(f"hf:{tmp_path}", ASKED), strict=True):
        assert isinstance(outcome, LogLikelihoodResponse)
        expected, places = expected_score(model, tokenizer, request)
        assert places > 0
        assert outcome.tokens == places
        assert outcome.log_probability == pytest.approx(expected, abs=1e-4), request


@pytest.fixture(scope="module", params=["RobertaForMaskedLM", "FNetForMaskedLM"])
def forward(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Forward:
    folder = tmp_path_factory.mktemp("model")
    make_masked(folder, request.param)
    return Forward(AutoModelForMaskedLM.from_pretrained(str(folder)).eval())


TEXTS = st.lists(st.integers(5, 90), min_size=1, max_size=30).map(tuple)
QUERIES = st.lists(
    TEXTS.flatmap(lambda text: st.builds(MaskedQuery, st.just(text), st.integers(0, len(text) - 1)))
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(queries=QUERIES, batch_size=st.integers(1, 40))
def test_scores_do_not_depend_on_what_is_computed_together(
    forward: Forward, queries: list[MaskedQuery], batch_size: int
) -> None:
    padding = padding_is_right(forward, 4)
    found = sorted(
        score_masked(forward, queries, 4, batch_size=batch_size, padding=padding),
        key=lambda one: one.query,
    )
    assert [one.query for one in found] == list(range(len(queries)))
    for query, together in zip(queries, found, strict=True):
        (alone,) = score_masked(forward, [query], 4, batch_size=1, padding=False)
        assert together.log_probability == pytest.approx(alone.log_probability, abs=1e-4)


@pytest.mark.parametrize("architecture", MASKED)
def test_a_probe_finds_which_classes_padding_changes(tmp_path: Path, architecture: str) -> None:
    """FNet knows no attention mask: padding would be mixed into every token."""
    make_masked(tmp_path, architecture)
    model = AutoModelForMaskedLM.from_pretrained(str(tmp_path)).eval()
    assert padding_is_right(Forward(model), 4) == (architecture != "FNetForMaskedLM")


def test_a_token_that_several_requests_score_is_computed_once(tmp_path: Path) -> None:
    make_masked(tmp_path, "BertForMaskedLM")
    whole, part = ask(f"hf:{tmp_path}", [ASKED[0], PseudoLogLikelihood(SENTENCES[0], span=(4, 9))])
    assert isinstance(whole, LogLikelihoodResponse)
    assert isinstance(part, LogLikelihoodResponse)
    assert whole.cost.computed_tokens == whole.cost.prompt_tokens > 0
    assert part.cost.computed_tokens == 0 < part.cost.prompt_tokens


# --- Which tokens are scored ---------------------------------------------------------------------

TOKENS = st.lists(st.integers(0, 4), max_size=12)


@given(first=TOKENS, second=TOKENS)
def test_what_two_texts_share_are_equal_tokens_in_both(first: list[int], second: list[int]) -> None:
    one, other = shared_places([first, second])
    assert [first[place] for place in sorted(one)] == [second[place] for place in sorted(other)]
    assert shared_places([first, first])[0] == frozenset(range(len(first)))


@given(texts=st.lists(st.lists(st.sampled_from("abc"), max_size=8), min_size=2, max_size=2))
@settings(deadline=None)
def test_both_texts_of_a_pair_are_scored_over_the_same_tokens(
    bert: str, texts: list[list[str]]
) -> None:
    """The blocks of difflib depend on the order where they are equally long: "a b" and "b a"."""
    tokenizer = MaskedTokenizer(Path(bert.removeprefix("hf:")), trust_remote_code=False)
    one, other = (" ".join(["start", *words]) for words in texts)
    scored = []
    for text, shared_with in ((one, other), (other, one)):
        found = tokenizer.scored(PseudoLogLikelihood(text, shared_with=shared_with))
        assert not isinstance(found, Failure)
        encoded, places = found
        scored.append([encoded.tokens[place] for place in places])
    assert scored[0] == scored[1]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("bert")
    make_masked(folder, "BertForMaskedLM")
    return f"hf:{folder}"


def test_letters_are_lowered_by_the_tokenizer_alone(bert: str) -> None:
    upper, lower = ask(bert, [PseudoLogLikelihood("THE Fox"), PseudoLogLikelihood("the fox")])
    assert score(upper) == score(lower)


def test_special_tokens_in_a_text_are_not_scored(bert: str) -> None:
    (outcome,) = ask(bert, [PseudoLogLikelihood("the [MASK] fox", span=(4, 14))])
    (word,) = ask(bert, [PseudoLogLikelihood("the [MASK] fox", span=(11, 14))])
    assert score(outcome) == score(word)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (PseudoLogLikelihood(" \n"), "no tokens but special ones"),
        (PseudoLogLikelihood("the  fox", span=(3, 5)), "no token has a character of '  '"),
        (PseudoLogLikelihood("the", shared_with="dog"), "no token is shared with 'dog'"),
        (PseudoLogLikelihood("fox " * 63), "tokens, but the model's context is 64"),
    ],
)
def test_a_text_that_cannot_be_scored_is_a_failure_with_the_reason(
    bert: str, request_: PseudoLogLikelihood, message: str
) -> None:
    failed, whole = ask(bert, [request_, PseudoLogLikelihood("the fox")])
    assert isinstance(failed, Failure)
    assert message in failed.error
    assert isinstance(whole, LogLikelihoodResponse)


@pytest.mark.parametrize("architecture", MASKED)
def test_a_text_as_long_as_the_context_is_scored(tmp_path: Path, architecture: str) -> None:
    """RoBERTa numbers positions from behind the padding's: it has fewer than config.json says."""
    make_masked(tmp_path, architecture)
    tokenizer = AutoTokenizer.from_pretrained(str(tmp_path))
    backend = open_backend(f"hf:{tmp_path}")
    assert backend.model.max_length == 64
    text = ","
    while len(tokenizer(text)["input_ids"]) < 64:
        text += ","
    assert len(tokenizer(text)["input_ids"]) == 64
    fits, fails = ask(
        f"hf:{tmp_path}", [PseudoLogLikelihood(text), PseudoLogLikelihood(f"{text},")]
    )
    assert isinstance(fits, LogLikelihoodResponse)
    assert isinstance(fails, Failure)
    with pytest.raises(UsageError, match="trained for 64 positions"):
        open_backend(f"hf:{tmp_path}?max_length=65")


# --- What is refused, and what is told -----------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Generation("The", 5), "writes no texts"),
        (LogLikelihood("The", " fox"), "no likelihood of a text that follows another"),
        (RollingLogLikelihood("The fox"), "no likelihood of a text that follows another"),
    ],
)
def test_other_kinds_of_requests_are_refused_with_what_answers_them(
    bert: str, request_: Request, message: str
) -> None:
    backend = open_backend(bert)
    one = Instance("task", Sample(id="sample", requests=(request_,)), 0)
    reason = backend.unsupported(one)
    assert reason is not None
    assert message in reason
    assert "causal" in reason
    assert dict(backend.answer([one])) == {0: Failure(reason)}


@pytest.mark.parametrize(
    "option", ["chat_template=FILE", "thinking=off", "source_language=en", "target_language=de"]
)
def test_options_about_prompts_are_refused(bert: str, tmp_path: Path, option: str) -> None:
    template = tmp_path / "template.jinja"
    template.write_text("{{ messages }}")
    with pytest.raises(UsageError, match="is a masked model, which reads no prompts"):
        open_backend(f"{bert}?{option.replace('FILE', str(template))}")


def test_a_tokenizer_without_a_mask_is_refused_before_any_work(tmp_path: Path) -> None:
    make_masked(tmp_path, "BertForMaskedLM")
    change(tmp_path / "tokenizer_config.json", mask_token=None, tokenizer_class="TokenizersBackend")
    with pytest.raises(DataError, match="names no mask_token"):
        open_backend(f"hf:{tmp_path}")


def test_a_damaged_tokenizer_is_refused_before_any_work(tmp_path: Path) -> None:
    make_masked(tmp_path, "BertForMaskedLM")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(DataError, match="no tokenizer that transformers can read"):
        open_backend(f"hf:{tmp_path}")


def test_a_tokenizer_of_another_model_is_refused_before_any_work(tmp_path: Path) -> None:
    make_masked(tmp_path, "BertForMaskedLM")
    change(tmp_path / "config.json", vocab_size=7)
    with pytest.raises(DataError, match="do not belong together"):
        open_backend(f"hf:{tmp_path}")


def test_the_record_says_what_the_model_is(bert: str) -> None:
    found = describe(bert)
    assert found.model.architecture == "BertForMaskedLM"
    assert found.model.dtype == "float32"
    assert not found.has_chat_template
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {f.name for f in found.files}
    backend = open_backend(bert)
    assert backend.render(PseudoLogLikelihood("The fox")) == "The fox"


def test_tokens_are_shown_with_those_that_are_scored(bert: str) -> None:
    backend = open_backend(bert)
    assert isinstance(backend, Tokenizing)
    found = backend.pieces(PseudoLogLikelihood("The fox", span=(0, 3)))
    assert isinstance(found, Pieces)
    assert [found.given[0].text, found.given[-1].text] == ["[CLS]", "[SEP]"]
    assert "".join(piece.text.removeprefix("##") for piece in found.scored) == "the"
    assert isinstance(backend.pieces(Generation("The fox", 5)), Failure)


def test_the_fingerprint_changes_with_what_changes_answers(bert: str) -> None:
    specs = [bert, f"{bert}?dtype=bfloat16", f"{bert}?max_length=32"]
    assert len({open_backend(spec).model.fingerprint for spec in specs}) == 3
    small = open_backend(f"{bert}?batch_size=3").model
    assert small.fingerprint == open_backend(bert).model.fingerprint


def test_a_lora_adapter_gives_the_scores_of_pefts_merged_model(tmp_path: Path) -> None:
    base = make_masked(tmp_path / "base", "BertForMaskedLM")
    config = LoraConfig(r=3, lora_alpha=5, target_modules=["query", "value"])
    adapted = get_peft_model(base, config)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_" in name:
                weight.copy_(0.3 * torch.randn(weight.shape))
    adapted.save_pretrained(str(tmp_path / "adapter"))
    found = ask(f"hf:{tmp_path / 'base'}?adapter={tmp_path / 'adapter'}", ASKED)
    plain = ask(f"hf:{tmp_path / 'base'}", ASKED)
    adapted.merge_and_unload().save_pretrained(str(tmp_path / "base"))
    merged = ask(f"hf:{tmp_path / 'base'}", ASKED)
    for one, other, without in zip(found, merged, plain, strict=True):
        assert score(one) == pytest.approx(score(other), abs=1e-4)
        assert abs(score(one) - score(without)) > 1e-3
