"""The built-in backend: what it asks the engine, and what its fingerprint covers."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from evalharness.backends import open_backend
from evalharness.backends.encoding import encode_generations, encode_log_likelihoods
from evalharness.backends.spec import parse_spec
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
    PseudoLogLikelihood,
    Request,
    RollingLogLikelihood,
    Sample,
    Sampling,
)
from evalharness.transformer.tokenizer import Tokenizer
from tests.models import make_llama, make_model


def ask(spec: str, requests: Sequence[Request]) -> list[Outcome]:
    sample = Sample(id="sample", requests=tuple(requests))
    backend = open_backend(spec)
    asked = [Instance("task", sample, index) for index in range(len(requests))]
    outcomes = dict(backend.answer(asked))
    return [outcomes[index] for index in range(len(requests))]


@pytest.fixture
def checkpoint(tmp_path: Path, cache: Path) -> Path:  # noqa: ARG001 - sets the cache folder
    folder = tmp_path / "checkpoint"
    make_llama(folder)
    return folder


def test_mixed_requests_are_answered_each_once_and_in_their_own_kind(checkpoint: Path) -> None:
    outcomes = ask(
        f"builtin:{checkpoint}",
        [
            Generation("The quick", 5),
            LogLikelihood("The quick", " brown"),
            LogLikelihood("", "The lazy dog"),
            Generation((Message("user", "Hello"),), 3),
        ],
    )
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [
        GenerationResponse,
        LogLikelihoodResponse,
        LogLikelihoodResponse,
        GenerationResponse,
    ]


def test_log_likelihood_equals_one_forward_pass_of_transformers(checkpoint: Path) -> None:
    """The space at the end of the prompt belongs to the continuation, as in peers."""
    (outcome,) = ask(f"builtin:{checkpoint}", [LogLikelihood("The quick ", "brown fox")])
    theirs = make_llama(checkpoint)
    tokenizer = Tokenizer(checkpoint)
    prompt, whole = tokenizer.encode(["The quick", "The quick brown fox"])
    with torch.inference_mode():
        rows = theirs(torch.tensor([whole])).logits[0].log_softmax(-1)
    expected = sum(float(rows[place - 1, whole[place]]) for place in range(len(prompt), len(whole)))
    assert isinstance(outcome, LogLikelihoodResponse)
    assert outcome.log_probability == pytest.approx(expected, abs=1e-4)
    assert outcome.tokens == len(whole) - len(prompt)


def test_a_text_without_prompt_follows_the_start_token(checkpoint: Path) -> None:
    tokenizer = Tokenizer(checkpoint)
    (encoded,) = encode_log_likelihoods(tokenizer, [LogLikelihood("", "The fox")], 99)
    (text,) = tokenizer.encode(["The fox"])
    assert not isinstance(encoded, Failure)
    assert encoded.query.tokens == (tokenizer.start_token, *text[:-1])
    assert encoded.query.targets == tuple(text)


def test_a_long_prompt_loses_its_beginning_and_says_so(checkpoint: Path) -> None:
    tokenizer = Tokenizer(checkpoint)
    long = "The quick brown fox jumps over the lazy dog. " * 20
    (encoded,) = encode_log_likelihoods(tokenizer, [LogLikelihood(long, " Paris")], 16)
    (job,) = encode_generations(tokenizer, [Generation(long, 6)], 16)
    whole, prompt = tokenizer.encode([long.rstrip() + "  Paris", long])
    assert not isinstance(encoded, Failure)
    assert encoded.truncated
    assert encoded.query.tokens == tuple(whole[-17:-1])
    assert not isinstance(job, Failure)
    assert job.truncated
    assert job.job.tokens == tuple(prompt[-10:])


def test_what_does_not_fit_the_context_at_all_is_a_failure_with_its_reason(
    checkpoint: Path,
) -> None:
    long = "The quick brown fox jumps over the lazy dog. " * 20
    outcomes = ask(
        f"builtin:{checkpoint}?max_length=16", [LogLikelihood("a", long), Generation("a", 16)]
    )
    for outcome in outcomes:
        assert isinstance(outcome, Failure)
        assert "context is 16" in outcome.error


def test_examples_that_do_not_fit_are_left_out_of_the_forward_pass(checkpoint: Path) -> None:
    shots = tuple(f"Question: what is {number}?\nAnswer: {number}\n\n" for number in range(5))
    asked = LogLikelihood("Question: what is the", " capital", shots)
    tokenizer = Tokenizer(checkpoint)
    left = "".join(shots[3:]) + "Question: what is the"
    room = len(tokenizer.encode([f"{left} capital"])[0]) - 1
    whole, part = ask(
        f"builtin:{checkpoint}?max_length={room}", [LogLikelihood(left, " capital"), asked]
    )
    assert isinstance(whole, LogLikelihoodResponse)
    assert isinstance(part, LogLikelihoodResponse)
    assert (part.dropped_shots, part.truncated) == (3, False)
    assert (whole.dropped_shots, whole.truncated) == (0, False)
    assert part.log_probability == whole.log_probability
    (written,) = ask(f"builtin:{checkpoint}?max_length={room + 5}", [Generation(left, 5)])
    (short,) = ask(
        f"builtin:{checkpoint}?max_length={room + 5}",
        [Generation("Question: what is the", 5, shots=shots)],
    )
    assert isinstance(written, GenerationResponse)
    assert isinstance(short, GenerationResponse)
    assert (short.dropped_shots, short.text) == (3, written.text)


LONG = "The quick brown fox jumps over the lazy dog. " * 4 + "1, 22 and 333."


@pytest.mark.parametrize("max_length", [2, 7, 16, 250])
def test_atext_of_any_length_is_as_likely_as_the_forward_passes_of_its_windows(
    checkpoint: Path, max_length: int
) -> None:
    spec = f"builtin:{checkpoint}?max_length={max_length}&pack_size=24"
    (outcome,) = ask(spec, [RollingLogLikelihood(LONG)])
    tokenizer = Tokenizer(checkpoint)
    (own,) = tokenizer.encode([LONG])
    text = [tokenizer.start_token, *own]
    theirs = make_llama(checkpoint)
    expected = 0.0
    for place, token in enumerate(own):
        # A block of max_length tokens is predicted from what fits before its last one.
        last = min((place // max_length + 1) * max_length, len(own))
        seen = text[max(0, last - max_length) : place + 1]
        with torch.inference_mode():
            row = theirs(torch.tensor([seen])).logits[0, -1].log_softmax(-1)
        expected += float(row[token])
    assert isinstance(outcome, LogLikelihoodResponse)
    assert outcome.log_probability == pytest.approx(expected, abs=1e-3)
    assert outcome.tokens == len(own)
    assert not outcome.truncated
    windows = -(-len(own) // max_length)
    assert outcome.cost.prompt_tokens == min(len(own), max_length) * windows
    assert outcome.cost.seconds > 0


def test_whole_texts_are_answered_beside_other_requests_and_do_not_depend_on_them(
    checkpoint: Path,
) -> None:
    texts = [RollingLogLikelihood(LONG[:length]) for length in (0, 9, 40, 100, 170)]
    mixed: list[Request] = [LogLikelihood("", LONG[:40]), *texts, Generation("The", 3)]
    spec = f"builtin:{checkpoint}?max_length=60"
    together = ask(f"{spec}&pack_size=9", mixed)[1:-1]
    alone = [ask(spec, [text])[0] for text in texts]
    found = []
    for one, other in zip(together, alone, strict=True):
        assert isinstance(one, LogLikelihoodResponse)
        assert isinstance(other, LogLikelihoodResponse)
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-4)
        assert (one.tokens, one.greedy) == (other.tokens, other.greedy)
        found.append(one)
    assert (found[0].log_probability, found[0].tokens) == (0.0, 0)
    (plain,) = ask(spec, mixed[:1])
    assert isinstance(plain, LogLikelihoodResponse)
    assert found[2].log_probability == pytest.approx(plain.log_probability, abs=1e-4)


def test_a_draw_is_the_same_alone_and_another_with_another_seed(checkpoint: Path) -> None:
    requests = [Generation("The quick", 12, sampling=Sampling(1.5, seed=seed)) for seed in range(6)]
    spec = f"builtin:{checkpoint}"
    together = [one for one in ask(spec, requests) if isinstance(one, GenerationResponse)]
    assert len({one.text for one in together}) == 6
    for place in (0, 3):
        (alone,) = ask(spec, [requests[place]])
        assert isinstance(alone, GenerationResponse)
        assert alone.text == together[place].text
    (greedy, cold) = ask(
        spec, [Generation("The quick", 12), Generation("The quick", 12, sampling=Sampling(1e-4))]
    )
    assert isinstance(greedy, GenerationResponse)
    assert isinstance(cold, GenerationResponse)
    assert greedy.text == cold.text


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_probabilities_that_are_not_numbers_are_failures(checkpoint: Path, dtype: str) -> None:
    """Weights that are finite may overflow: NaN was scored as an answer, and kept."""
    file = checkpoint / "model.safetensors"
    weights = load_file(file)
    for name in weights:
        if "norm" not in name:
            weights[name] *= 60_000 / weights[name].abs().max()
    if dtype == "float32":
        weights["lm_head.weight"] *= 1e30
        weights["model.norm.weight"] *= 1e30
    save_file(weights, file)
    asked: list[Request] = [
        LogLikelihood("The quick", " brown"),
        RollingLogLikelihood(LONG),
        Generation("The quick", 5),
        Generation("The quick", 5, sampling=Sampling(1.0)),
    ]
    advice = {"float16": "try dtype=float32", "float32": "the weights are damaged"}
    for outcome in ask(f"builtin:{checkpoint}?dtype={dtype}", asked):
        assert isinstance(outcome, Failure)
        assert "not numbers" in outcome.error
        assert advice[dtype] in outcome.error


def fingerprint(spec: str) -> str:
    return open_backend(spec).model.fingerprint


def test_a_checkpoint_that_is_overwritten_in_place_gets_another_fingerprint(
    checkpoint: Path,
) -> None:
    before = fingerprint(f"builtin:{checkpoint}")
    assert fingerprint(f"builtin:{checkpoint}") == before
    weights = checkpoint / "model.safetensors"
    times = (weights.stat().st_atime_ns, weights.stat().st_mtime_ns)
    make_llama(checkpoint, seed=1)
    os.utime(weights, ns=times)
    assert fingerprint(f"builtin:{checkpoint}") != before


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer_config.json", "new.jinja"])
def test_a_checkpoint_that_is_overwritten_before_it_is_loaded_is_refused(
    checkpoint: Path, name: str
) -> None:
    """Its answers were kept under the fingerprint of the older weights.

    All models of a run are opened first, and the last is loaded hours later.
    """
    backend = open_backend(f"builtin:{checkpoint}")
    if name == "model.safetensors":
        make_llama(checkpoint, seed=1)
    else:
        with (checkpoint / name).open("a") as file:
            file.write(" ")
    sample = Sample(id="sample", requests=(LogLikelihood("The quick", " brown"),))
    for _ in range(2):
        with pytest.raises(DataError, match=rf"{name} changed while .* Run again"):
            list(backend.answer([Instance("task", sample, 0)]))


def test_a_chat_template_that_is_overwritten_before_loading_is_refused(
    checkpoint: Path, tmp_path: Path
) -> None:
    template = tmp_path / "other.jinja"
    template.write_text("{{ messages[0].content }}")
    backend = open_backend(f"builtin:{checkpoint}?chat_template={template}")
    template.write_text("{{ messages[-1].content }}")
    sample = Sample(id="sample", requests=(Generation((Message("user", "Hello"),), 3),))
    with pytest.raises(DataError, match="chat_template changed"):
        list(backend.answer([Instance("task", sample, 0)]))


def test_pickled_weights_enter_the_fingerprint(checkpoint: Path) -> None:
    """Two checkpoints that differ in nothing but pytorch_model.bin were taken for one."""
    (checkpoint / "model.safetensors").unlink()
    found = set()
    for seed in range(2):
        model = make_llama(checkpoint.with_name(f"seed-{seed}"), seed=seed)
        torch.save(model.state_dict(), checkpoint / "pytorch_model.bin")
        found.add(fingerprint(f"builtin:{checkpoint}"))
    assert len(found) == 2


def test_a_chat_template_that_cannot_be_read_is_named(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes("ü".encode("latin-1"))
    (tmp_path / "folder").mkdir()
    for name, message in (("latin", "UTF-8"), ("folder", "UTF-8"), ("no", "there is no file")):
        with pytest.raises(DataError, match=rf"chat_template: .*{message}"):
            open_backend(f"builtin:{checkpoint}?chat_template={tmp_path / name}")


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "model.safetensors"])
def test_a_file_of_a_checkpoint_that_cannot_be_read_is_named(checkpoint: Path, name: str) -> None:
    (checkpoint / name).unlink()
    (checkpoint / name).mkdir()
    with pytest.raises(DataError, match=rf"{name} cannot be read"):
        open_backend(f"builtin:{checkpoint}")


@pytest.mark.parametrize("option", ["dtype=bfloat16", "max_length=100"])
def test_options_that_change_answers_change_the_fingerprint(checkpoint: Path, option: str) -> None:
    plain = fingerprint(f"builtin:{checkpoint}")
    assert fingerprint(f"builtin:{checkpoint}?{option}") != plain


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "chat_template.jinja"])
def test_every_file_of_the_checkpoint_enters_the_fingerprint(checkpoint: Path, name: str) -> None:
    before = fingerprint(f"builtin:{checkpoint}")
    file = checkpoint / name
    file.write_text(file.read_text() + " ")
    assert fingerprint(f"builtin:{checkpoint}") != before


@pytest.mark.parametrize("name", ["additional_chat_templates/default.jinja", "other.jinja"])
def test_rarer_files_of_a_checkpoint_enter_the_fingerprint(checkpoint: Path, name: str) -> None:
    before = fingerprint(f"builtin:{checkpoint}")
    file = checkpoint / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("{{ messages[0].content }}")
    assert fingerprint(f"builtin:{checkpoint}") != before


def test_the_architecture_is_that_of_the_checkpoint(tmp_path: Path, cache: Path) -> None:  # noqa: ARG001
    make_model(tmp_path, "Gemma3ForCausalLM")
    model = open_backend(f"builtin:{tmp_path}").model
    assert model.architecture == "Gemma3ForCausalLM"


def test_a_chat_template_given_in_place_of_the_models_own_changes_the_fingerprint(
    checkpoint: Path, tmp_path: Path
) -> None:
    template = tmp_path / "other.jinja"
    template.write_text("{{ messages[0].content }}")
    spec = f"builtin:{checkpoint}?chat_template={template}"
    first = fingerprint(spec)
    template.write_text("{{ messages[-1].content }}")
    assert len({first, fingerprint(spec), fingerprint(f"builtin:{checkpoint}")}) == 3


def test_options_keep_their_plus_signs(checkpoint: Path, tmp_path: Path) -> None:
    """`a+b.jinja` was looked for as "a b.jinja", as a form of a web page would mean it."""
    for name in ("a+b.jinja", "a b.jinja"):
        (tmp_path / name).write_text(name)
    plus = parse_spec(f"builtin:{checkpoint}?chat_template={tmp_path}/a+b.jinja")
    assert plus.options == {"chat_template": f"{tmp_path}/a+b.jinja"}
    encoded = parse_spec(f"builtin:{checkpoint}?chat_template={tmp_path}/a%20b.jinja")
    assert encoded.options == {"chat_template": f"{tmp_path}/a b.jinja"}
    assert fingerprint(plus.text) != fingerprint(encoded.text)


@pytest.mark.parametrize(
    "reference",
    [
        "runs/chekpoint-10",
        "./runs/chekpoint-10",
        "runs/chekpoint-10/model",
        "runs/model.ggf/chekpoint-10",
        "runs/chekpoint-10.gguf",
    ],
)
@pytest.mark.usefixtures("cache")
def test_a_mistyped_path_is_answered_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    (tmp_path / "runs" / "checkpoint-10").mkdir(parents=True)
    (tmp_path / "runs" / "checkpoint-10.gguf").touch()
    (tmp_path / "runs" / "model.gguf").touch()
    monkeypatch.chdir(tmp_path)
    nearest = "model" if "ggf" in reference else "checkpoint-10"
    with pytest.raises((DataError, UsageError), match=f"Did you mean '{nearest}"):
        open_backend(f"builtin:{reference}")


@pytest.mark.parametrize("replace", [False, True])
def test_weights_overwritten_while_they_are_in_use_end_the_run(
    checkpoint: Path, replace: bool
) -> None:
    """They stay in the file, so that answers of two models would be stored as those of one.

    A file that another one takes the place of keeps its bytes for those who have it open.
    """
    file = checkpoint / "model.safetensors"
    os.utime(file, ns=(0, 0))
    backend = open_backend(f"builtin:{checkpoint}?device=cpu&pack_size=64")
    sample = Sample(id="sample", requests=(LogLikelihood("The quick", " brown"),))
    asked = [Instance("task", sample, 0)]
    (before,) = backend.answer(asked)
    written = file.with_name("new") if replace else file
    written.write_bytes(file.read_bytes())
    if replace:
        written.rename(file)
        ((_, outcome),) = backend.answer(asked)
        assert isinstance(outcome, LogLikelihoodResponse)
        assert isinstance(before[1], LogLikelihoodResponse)
        assert outcome.log_probability == before[1].log_probability
    else:
        with pytest.raises(DataError, match=r"model\.safetensors was overwritten while"):
            list(backend.answer(asked))


def test_how_the_work_is_packed_does_not_change_the_fingerprint(checkpoint: Path) -> None:
    plain = fingerprint(f"builtin:{checkpoint}")
    assert fingerprint(f"builtin:{checkpoint}?pack_size=7&slots=2") == plain


def test_a_context_longer_than_trained_is_refused(checkpoint: Path) -> None:
    with pytest.raises(UsageError, match="trained for 256"):
        open_backend(f"builtin:{checkpoint}?max_length=300")


def test_a_tokenizer_of_another_model_is_refused_before_any_work(checkpoint: Path) -> None:
    path = checkpoint / "config.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "vocab_size": 5}))
    with pytest.raises(DataError, match="do not belong together"):
        open_backend(f"builtin:{checkpoint}")


def test_a_token_beyond_the_embeddings_is_refused_before_any_work(checkpoint: Path) -> None:
    """Only tokens were counted: one of a large number ended the run with an IndexError."""
    path = checkpoint / "tokenizer.json"
    values = json.loads(path.read_text())
    vocabulary = values["model"]["vocab"]
    vocabulary[max(vocabulary, key=vocabulary.__getitem__)] = 70_000
    path.write_text(json.dumps(values))
    with pytest.raises(DataError, match="the number 70000, but the model has embeddings for 0 to"):
        open_backend(f"builtin:{checkpoint}")


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def leave_out(file: Path) -> None:
    weights = load_file(file)
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, file)


def shorten(file: Path) -> None:
    weights = load_file(file)
    weights["model.norm.weight"] = weights["model.norm.weight"][1:].clone()
    save_file(weights, file)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (truncate, "is damaged"),
        (leave_out, "is missing"),
        (shorten, "should have the shape"),
        (Path.unlink, "no weights to load"),
    ],
)
def test_damaged_weights_are_refused_before_any_work(
    checkpoint: Path, spoil: Callable[[Path], object], message: str
) -> None:
    """Of several models the last one's was found only when the others had been run."""
    spoil(checkpoint / "model.safetensors")
    with pytest.raises(DataError, match=message):
        open_backend(f"builtin:{checkpoint}")


def test_a_device_that_is_not_there_is_refused_with_what_there_is(checkpoint: Path) -> None:
    if torch.cuda.is_available():
        device, there = "mps", "cuda"
    else:
        device, there = "cuda", "cpu"
    with pytest.raises(UsageError, match=there):
        open_backend(f"builtin:{checkpoint}?device={device}")


def test_an_unreachable_hub_id_says_what_can_be_had(cache: Path) -> None:  # noqa: ARG001
    with pytest.raises(DataError, match="smollm2-135m-instruct"):
        open_backend("builtin:somebody/some-model")


def test_a_model_that_never_thinks_may_write_the_marks(checkpoint: Path) -> None:
    tokenizer = Tokenizer(checkpoint)
    assert tokenizer.thinking_marks is None
    (job,) = encode_generations(tokenizer, [Generation("What is <think>?", 5)], 99)
    assert not isinstance(job, Failure)
    assert job.job.thinking is None


def test_prompts_are_shown_with_the_token_that_starts_a_text(checkpoint: Path) -> None:
    backend = open_backend(f"builtin:{checkpoint}")
    assert backend.render(LogLikelihood("", "The fox")) == "<s>"
    assert backend.render(RollingLogLikelihood("The fox")) == "<s>The fox"
    assert backend.render(Generation("The fox", 5)) == "The fox"
    assert (
        backend.render(Generation((Message("user", "Hello"),), 5)) == "<s>[user]Hello\n[assistant]"
    )


def test_masked_tokens_are_refused_in_words_and_take_nothing_from_the_rest(
    checkpoint: Path,
) -> None:
    for scheme in ("builtin", "hf"):
        found = ask(
            f"{scheme}:{checkpoint}", [PseudoLogLikelihood("The fox"), LogLikelihood("The", " fox")]
        )
        assert isinstance(found[0], Failure)
        assert "masked models" in found[0].error
        assert isinstance(found[1], LogLikelihoodResponse)
