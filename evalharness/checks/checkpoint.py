"""doctor --model: does a checkpoint give here what it gives with transformers?

Every check is a function that yields findings. Texts are scored and continued by the built-in
transformer and by transformers' own class of the checkpoint, on the same device in the same dtype.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from evalharness.backends import open_backend
from evalharness.backends.bases import Bases
from evalharness.backends.builtin import BuiltinBackend, open_builtin
from evalharness.backends.checkpoint import find_adapter
from evalharness.backends.encoding import TextTokenizer
from evalharness.backends.huggingface.adapter import put_adapter
from evalharness.backends.spec import parse_spec
from evalharness.checks.installation import Finding
from evalharness.errors import DataError, EvalharnessError, UsageError
from evalharness.records import (
    Backend,
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
)

TEXTS = (
    "The lighthouse keeper wrote down the weather every morning.",
    "Question: How many legs has a spider?\nAnswer: Eight.",
    "for row in rows:\n    total += row[2]\n",
    "Der Zug nach Köln hält heute nicht in Düren.",
    "L'été dernier, nous avons traversé la rivière à pied.",
    "El niño preguntó: ¿dónde están las llaves?",
    "Vlak odjíždí přesně v šest hodin ráno.",
    "Bu sabah pazardan taze ekmek aldık.",
    "Старый мост закрыли на ремонт до весны.",
    "Το καράβι φεύγει από το λιμάνι το βράδυ.",
    "ספרייה חדשה נפתחה ליד התחנה.",
    "افتتحت المكتبة الجديدة قرب المحطة.",
    "नदी के किनारे एक पुराना पेड़ है।",
    "แมวนอนอยู่บนเก้าอี้ตัวเก่า",
    "古い橋のそばに小さな茶屋がある。",
    "昨天下午我们在公园里放风筝。",
    "오늘 아침에는 안개가 짙게 끼었다.",
    "3.14 × 2 = 6.28; 7 < 9 and 10 ≥ 4.",
    "Price: €12.50 🙂 (was £15, 20% off)",
    "  two leading spaces,\ttabs and\n\nblank lines  ",
)
CHAT = (Message("user", "Name a river in Europe."),)
NEW_TOKENS = 12
# The difference allowed in a log-probability per token, in nats: what sums of another order cost.
ROUNDING = {"float32": 1e-3, "bfloat16": 0.1, "float16": 0.02}
# Tokens one by one are slow: fewer texts show as much.
ALONE = 5

Check = Iterator[Finding]


def diagnose_model(spec: str) -> Check:
    """Look at a model. Raises UsageError for a spec that names none."""
    try:
        backend = open_backend(spec)
    except UsageError:
        raise
    except EvalharnessError as error:
        yield Finding("checkpoint", False, str(error))
        return
    model = backend.model
    facts = f"{model.architecture}, {model.parameters:,} parameters, {model.dtype}, {model.device}"
    quantised = f", weights quantised: {model.quantisation}" if model.quantisation else ""
    yield Finding("checkpoint", True, f"{facts}{quantised}")
    if not model.reusable:
        yield Finding("answers", True, "are computed by no model: there is nothing to compare")
    elif isinstance(backend, BuiltinBackend):
        yield from _diagnose_builtin(backend)
    else:
        yield Finding("transformers", True, "not compared: this is not the built-in transformer")
        yield from guarded("batches", lambda: check_batches(backend, backend))


def _diagnose_builtin(backend: BuiltinBackend) -> Check:
    try:
        scores(backend, TEXTS[:1])
    except EvalharnessError as error:
        yield Finding("weights", False, str(error))
        return
    yield from check_special_tokens(backend)
    alone = replace_options(backend, pack_size="1", slots="1")
    yield from guarded("batches", lambda: check_batches(backend, alone))
    yield from guarded("transformers", lambda: _compare(backend, load_reference(backend)))


def _compare(backend: BuiltinBackend, reference: "Reference") -> Check:
    yield Finding("transformers", True, type(reference.model).__name__)
    tokenizer = backend.tokenizer
    yield from guarded("tokens", lambda: check_tokens(tokenizer, reference))
    yield from guarded("BOS", lambda: check_bos(tokenizer, reference))
    yield from guarded("chat template", lambda: check_template(tokenizer, reference))
    yield from guarded("log-probabilities", lambda: check_scores(backend, reference))
    yield from guarded("greedy texts", lambda: check_texts(backend, reference))


def guarded(name: str, check: Callable[[], Check]) -> Check:
    """The findings of a check; whatever it raises is one, too.

    A stranger's checkpoint makes transformers fail in every way.
    """
    try:
        yield from check()
    except EvalharnessError as error:
        yield Finding(name, False, str(error))
    except Exception as error:
        yield Finding(name, False, f"{type(error).__name__}: {' '.join(str(error).split())}")


def replace_options(backend: BuiltinBackend, **options: str) -> BuiltinBackend:
    """The same checkpoint with other options."""
    spec = parse_spec(backend.model.spec)
    return open_builtin(replace(spec, options={**spec.options, **options}), Bases())


# --- With transformers ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reference:
    """Model and tokenizer of transformers, and the chat template to use."""

    model: Any
    tokenizer: Any
    template: str | None
    device: torch.device

    @torch.inference_mode()
    def logits(self, tokens: Sequence[int]) -> torch.Tensor:
        """(tokens, vocabulary), float32: what follows each token."""
        given = torch.tensor([list(tokens)], device=self.device)
        logits: torch.Tensor = self.model(input_ids=given).logits[0].float()
        return logits

    def score(self, tokens: Sequence[int]) -> float:
        """The log-probability of all tokens but the first, in nats."""
        log_probabilities = self.logits(tokens)[:-1].log_softmax(dim=-1)
        targets = torch.tensor(tokens[1:], device=self.device)
        return float(log_probabilities.gather(1, targets[:, None]).double().sum())

    def continuation(
        self, tokens: Sequence[int], ends: frozenset[int], most: int
    ) -> tuple[list[int], float]:
        """The likeliest tokens one after another; by how much the closest choice was made."""
        found: list[int] = []
        closest = float("inf")
        while len(found) < most:
            values, likeliest = self.logits([*tokens, *found])[-1].topk(2)
            token = int(likeliest[0])
            closest = min(closest, float(values[0] - values[1]))
            if token in ends:
                break
            found.append(token)
        return found, closest


def load_reference(backend: BuiltinBackend) -> Reference:
    """Load a checkpoint with transformers, which runs no code that it brings.

    Raises whatever transformers raises.
    """
    import transformers

    transformers.utils.logging.disable_progress_bar()
    own: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    device = torch.device(backend.model.device)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        backend.folder, dtype=getattr(torch, backend.model.dtype), **own
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(backend.folder, **own)
    options = parse_spec(backend.model.spec).options
    if "adapter" in options:
        model = put_adapter(model, find_adapter(Path(options["adapter"])))
    chosen = options.get("chat_template")
    template = tokenizer.chat_template if chosen is None else Path(chosen).read_text("utf-8")
    return Reference(model.to(device).eval(), tokenizer, template, device)


def check_tokens(tokenizer: TextTokenizer, reference: Reference) -> Check:
    """Is every text cut into the same tokens? What is put after a text belongs to other uses."""
    special = set(reference.tokenizer.all_special_ids)
    different = []
    for text, ours in zip(TEXTS, tokenizer.encode(TEXTS), strict=True):
        theirs = list(reference.tokenizer(text)["input_ids"])
        while len(theirs) > len(ours) and theirs[-1] in special:
            theirs.pop()
        if ours != theirs:
            different.append(text)
    yield _compared("tokens", len(TEXTS), different, "are those of transformers")


def check_bos(tokenizer: TextTokenizer, reference: Reference) -> Check:
    """Does the token that starts a text stand before each once, also where the text has it?"""
    text = reference.tokenizer.bos_token
    start = tokenizer.start_token
    first, *others = tokenizer.encode([TEXTS[0], *([f"{text}{TEXTS[0]}"] if text else [])])
    if any(_begins_twice(tokens, start) for tokens in (first, *others)):
        yield Finding("BOS", False, f"stands twice before a text: {first[:3]}")
    elif first[:1] == [start]:
        yield Finding("BOS", True, f"{text!r} stands once before each text")
    else:
        yield Finding("BOS", True, "none is put before a text")


def _begins_twice(tokens: Sequence[int], start: int) -> bool:
    return list(tokens[:2]) == [start, start]


def check_template(tokenizer: TextTokenizer, reference: Reference) -> Check:
    """Does the chat template say what it says in transformers, with one BOS?"""
    if not tokenizer.has_chat_template:
        yield Finding("chat template", True, "none: tasks whose prompts are chats are skipped")
        return
    ours = tokenizer.render(CHAT)
    if CHAT[0].content not in ours:
        yield Finding("chat template", False, f"leaves out what the user says: {ours!r:.80}")
        return
    (tokens,) = tokenizer.encode([ours])
    if _begins_twice(tokens, tokenizer.start_token):
        yield Finding("chat template", False, f"BOS stands twice before a chat: {tokens[:3]}")
        return
    turns = [{"role": turn.role, "content": turn.content} for turn in CHAT]
    theirs = reference.tokenizer.apply_chat_template(
        turns, chat_template=reference.template, tokenize=False, add_generation_prompt=True
    )
    if theirs != ours:
        yield Finding(
            "chat template", False, f"transformers renders {theirs!r:.80}, not {ours!r:.80}"
        )
    else:
        yield Finding("chat template", True, "renders a chat, with BOS at most once")


def check_scores(backend: BuiltinBackend, reference: Reference) -> Check:
    """Are the log-probabilities of the texts those of transformers?"""
    tokenizer = backend.tokenizer
    allowed = ROUNDING[backend.model.dtype]
    largest, different, compared = 0.0, [], 0
    fitting = _fitting(backend, 0)
    for text, ours in zip(fitting, scores(backend, fitting), strict=True):
        (tokens,) = tokenizer.encode([text])
        start = tokenizer.start_token
        whole = tokens if tokens[:1] == [start] else [start, *tokens]
        difference = abs(ours.log_probability - reference.score(whole)) / ours.tokens
        largest, compared = max(largest, difference), compared + 1
        if not difference <= allowed:
            different.append(text)
    same = f"are those of transformers to {largest:.1e} a token"
    yield _compared("log-probabilities", compared, different, same)


def check_texts(backend: BuiltinBackend, reference: Reference) -> Check:
    """Does greedy decoding write what transformers' logits say?

    Where the two likeliest tokens are closer than rounding, either may be taken.
    """
    tokenizer = backend.tokenizer
    fitting = _fitting(backend, NEW_TOKENS)
    different, tied = [], 0
    for text, ours in zip(fitting, continuations(backend, fitting), strict=True):
        (tokens,) = tokenizer.encode([text])
        found, closest = reference.continuation(tokens, tokenizer.end_tokens, NEW_TOKENS)
        if ours == tokenizer.decode(found):
            continue
        if closest <= ROUNDING[backend.model.dtype]:
            tied += 1
        else:
            different.append(text)
    ties = f", but for {tied} in which two tokens are equally likely" if tied else ""
    same = f"are those of transformers{ties}"
    yield _compared("greedy texts", len(fitting), different, same)


# --- On its own ----------------------------------------------------------------------------------


def check_special_tokens(backend: BuiltinBackend) -> Check:
    """Does every text have an end, and every special token an embedding?"""
    size = backend.vocabulary_size
    ends = sorted(backend.tokenizer.end_tokens)
    beyond = [token for token in (*ends, backend.tokenizer.start_token) if not 0 <= token < size]
    if not ends:
        detail = "no token ends a text: neither tokenizer nor generation_config.json names one"
        yield Finding("special tokens", False, f"{detail}, so that each is cut at its limit")
    elif beyond:
        yield Finding(
            "special tokens", False, f"{beyond[0]} has no embedding: there are {size} of them"
        )
    else:
        detail = f"{', '.join(map(str, ends))} end a text; all {size} embeddings suffice"
        yield Finding("special tokens", True, detail)


def check_batches(together: Backend, alone: Backend) -> Check:
    """Are answers the same whatever is computed beside them?

    `alone` answers one text at a time, the built-in transformer one token at a time.
    """
    allowed = ROUNDING.get(together.model.dtype, 0.1)
    texts = TEXTS[:ALONE]
    all_at_once = scores(together, TEXTS)[:ALONE]
    each = [scores(alone, [text])[0] for text in texts]
    pairs = zip(all_at_once, each, strict=True)
    differences = [abs(a.log_probability - b.log_probability) / a.tokens for a, b in pairs]
    different = [text for text, one in zip(texts, differences, strict=True) if not one <= allowed]
    yield _compared(
        "batches", len(texts), different, f"give the same to {max(differences):.1e} a token"
    )
    if together.model.dtype != "float32" or not _answers_texts(together):
        return  # rounding decides between tokens that are close
    written = continuations(together, TEXTS)[:ALONE]
    singly = [continuations(alone, [text])[0] for text in texts]
    unlike = [text for text, a, b in zip(texts, written, singly, strict=True) if a != b]
    yield _compared("batches of texts", len(texts), unlike, "give the same")


def scores(backend: Backend, texts: Sequence[str]) -> list[LogLikelihoodResponse]:
    """The texts scored in the way that this kind of model has: as wholes, by masked tokens, or
    given another text. Raises DataError for one that cannot be.
    """
    ways: tuple[Callable[[str], Request], ...] = (
        RollingLogLikelihood,
        PseudoLogLikelihood,
        lambda text: LogLikelihood(TEXTS[0], text),
    )
    way = next((one for one in ways if _is_supported(backend, one(TEXTS[0]))), ways[0])
    outcomes = _answers(backend, [way(text) for text in texts])
    return [one for one in outcomes if isinstance(one, LogLikelihoodResponse)]


def continuations(backend: Backend, texts: Sequence[str]) -> list[str]:
    """What greedy decoding writes after each text. Raises DataError for one that has no answer."""
    outcomes = _answers(backend, [Generation(text, NEW_TOKENS) for text in texts])
    return [one.text for one in outcomes if isinstance(one, GenerationResponse)]


def _answers_texts(backend: Backend) -> bool:
    return _is_supported(backend, Generation(TEXTS[0], NEW_TOKENS))


def _is_supported(backend: Backend, request: Request) -> bool:
    sample = Sample(id="doctor", requests=(request,))
    return backend.unsupported(Instance("doctor", sample, 0)) is None


def _answers(backend: Backend, requests: Sequence[Request]) -> list[Outcome]:
    sample = Sample(id="doctor", requests=tuple(requests))
    asked = [Instance("doctor", sample, index) for index in range(len(requests))]
    answered = dict(backend.answer(asked))
    for outcome in answered.values():
        if isinstance(outcome, Failure):
            raise DataError(outcome.error)
    return [answered[index] for index in range(len(requests))]


def _fitting(backend: BuiltinBackend, more: int) -> list[str]:
    """The texts whose tokens fit the context, with room for `more`."""
    room = backend.model.max_length - more
    encoded = zip(TEXTS, backend.tokenizer.encode(TEXTS), strict=True)
    return [text for text, tokens in encoded if len(tokens) < room]


def _compared(name: str, number: int, different: Sequence[str], same: str) -> Finding:
    if different:
        shown = ", ".join(repr(text[:30]) for text in different[:3])
        return Finding(name, False, f"{len(different)} of {number} texts differ: {shown}")
    if number == 0:
        return Finding(name, False, "no text fits the model's context")
    return Finding(name, True, f"{number} texts {same}")
