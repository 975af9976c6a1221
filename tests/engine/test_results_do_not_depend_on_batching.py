"""Scores and texts are those of one plain forward pass per request, however they were packed."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedModel

from evalharness.engine.generation import Ends, generate
from evalharness.engine.jobs import Job
from evalharness.engine.scoring import score
from evalharness.engine.trie import Limits, Query
from evalharness.records import Sampling
from evalharness.transformer.config import read_config
from evalharness.transformer.model import Transformer
from evalharness.transformer.tokenizer import Tokenizer
from evalharness.transformer.weights import load_transformer
from tests.models import make_model

CPU = torch.device("cpu")


class Checkpoint:
    """One checkpoint, as transformers and as the built-in transformer see it."""

    def __init__(self, folder: Path, architecture: str = "LlamaForCausalLM") -> None:
        self.theirs: PreTrainedModel = make_model(folder, architecture)
        self.ours: Transformer = load_transformer(folder, read_config(folder), torch.float32, CPU)
        self.tokenizer = Tokenizer(folder)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return Checkpoint(tmp_path_factory.mktemp("llama"))


@pytest.fixture(
    scope="module",
    params=["MistralForCausalLM", "Gemma3ForCausalLM", "Gemma2ForCausalLM", "GPT2LMHeadModel"],
)
def other(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Checkpoint:
    """Windows, soft caps, two rotations, learned positions."""
    return Checkpoint(tmp_path_factory.mktemp("other"), request.param)


def plain_score(model: PreTrainedModel, query: Query) -> float:
    with torch.inference_mode():
        logits = model(torch.tensor([query.tokens])).logits[0]
    rows = logits[len(query.tokens) - len(query.targets) :].log_softmax(-1)
    return sum(float(row[token]) for row, token in zip(rows, query.targets, strict=True))


PREFIXED = st.tuples(
    st.sampled_from([(), (5, 6, 7), tuple(range(2, 30))]),
    st.lists(st.integers(0, 300), min_size=1, max_size=8).map(tuple),
    st.integers(1, 5),
)


Parts = list[tuple[tuple[int, ...], tuple[int, ...], int]]
PARTS = st.lists(PREFIXED, min_size=1, max_size=12)
LIMITS = st.builds(Limits, pack_size=st.integers(1, 64), minimum_stem=st.integers(1, 40))


@settings(max_examples=25)
@given(PARTS, LIMITS)
def test_scores_equal_one_forward_pass_per_request(
    checkpoint: Checkpoint, parts: Parts, limits: Limits
) -> None:
    check_scores(checkpoint, parts, limits)


@settings(max_examples=8)
@given(PARTS, LIMITS)
def test_scores_of_other_families_equal_one_forward_pass_per_request(
    other: Checkpoint, parts: Parts, limits: Limits
) -> None:
    """The long prefix is longer than the window, and may be a stem or a part of each pack."""
    check_scores(other, parts, limits)


def check_scores(checkpoint: Checkpoint, parts: Parts, limits: Limits) -> None:
    queries = []
    for prefix, own, targets in parts:
        tokens = prefix + own
        queries.append(Query(tokens, tuple((token * 7) % 300 for token in tokens[-targets:])))
    found = {result.query: result for result in score(checkpoint.ours, queries, limits)}
    assert sorted(found) == list(range(len(queries)))
    for index, query in enumerate(queries):
        expected = plain_score(checkpoint.theirs, query)
        assert found[index].log_probability == pytest.approx(expected, abs=1e-4)


def test_tokens_and_seconds_are_shared_out_without_rest(checkpoint: Checkpoint) -> None:
    queries = [Query((*range(2, 60), number), (9,)) for number in range(70, 100)]
    found = list(score(checkpoint.ours, queries, Limits(pack_size=16, minimum_stem=8)))
    assert sum(result.computed_tokens for result in found) == 58 + 30
    assert all(result.seconds > 0 for result in found)


def test_greedy_says_whether_the_continuation_is_the_likeliest(checkpoint: Checkpoint) -> None:
    prompt = (3, 14, 15)
    with torch.inference_mode():
        logits = checkpoint.theirs(torch.tensor([prompt])).logits[0, -1]
    best, worst = int(logits.argmax()), int(logits.argmin())
    found = {
        result.query: result.greedy
        for result in score(checkpoint.ours, [Query(prompt, (best,)), Query(prompt, (worst,))])
    }
    assert found == {0: True, 1: False}


def texts(
    checkpoint: Checkpoint, jobs: Sequence[Job], *, slots: int, pack_size: int
) -> dict[int, tuple[str, str]]:
    continuations = generate(
        checkpoint.ours,
        jobs,
        Ends(checkpoint.tokenizer.decode, checkpoint.tokenizer.end_tokens),
        slots=slots,
        limits=Limits(pack_size=pack_size),
    )
    return {found.job: (found.text, found.finish) for found in continuations}


@pytest.mark.parametrize(("slots", "pack_size"), [(1, 512), (3, 16), (32, 512), (4, 1)])
def test_greedy_text_equals_transformers_generate(
    checkpoint: Checkpoint, slots: int, pack_size: int
) -> None:
    prompts = [
        "The quick",
        "The quick brown fox",
        "Question: what is",
        "日本",
        "1, 22",
        "The quick",
    ]
    tokens = checkpoint.tokenizer.encode(prompts)
    jobs = [Job(tuple(prompt), 5 + 9 * place, ()) for place, prompt in enumerate(tokens)]
    found = texts(checkpoint, jobs, slots=slots, pack_size=pack_size)
    for place, job in enumerate(jobs):
        output = checkpoint.theirs.generate(
            torch.tensor([job.tokens]), max_new_tokens=job.max_tokens, do_sample=False
        )[0, len(job.tokens) :].tolist()
        assert found[place][0] == checkpoint.tokenizer.decode(output)


def test_text_is_cut_before_the_first_stop_string(checkpoint: Checkpoint) -> None:
    prompt = tuple(checkpoint.tokenizer.encode(["The quick"])[0])
    (undisturbed,) = texts(checkpoint, [Job(prompt, 40, ())], slots=1, pack_size=512).values()
    whole, _ = undisturbed
    mark = whole[7:9]
    expected = whole[: whole.index(mark)]
    jobs = [Job(prompt, 40, (mark, "never to be seen")), Job(prompt, 40, ())]
    found = texts(checkpoint, jobs, slots=2, pack_size=512)
    assert found[0] == (expected, "stop")
    assert found[1] == undisturbed


def test_many_draws_of_one_prompt_share_it_and_depend_on_their_seed_only(
    checkpoint: Checkpoint,
) -> None:
    """Equal prompts end in one place of the trie; more of them than slots must not wait for it."""
    prompt = tuple(checkpoint.tokenizer.encode(["The quick brown"])[0])
    jobs = [Job(prompt, 6, (), Sampling(1.5, seed=seed)) for seed in range(12)]
    found = texts(checkpoint, jobs, slots=3, pack_size=64)
    alone = [texts(checkpoint, [job], slots=1, pack_size=512)[0] for job in jobs]
    assert [found[place] for place in range(12)] == alone
    assert len(set(alone)) > 6


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 30), st.integers(1, 12), st.booleans()), min_size=1, max_size=9
    ),
    st.integers(1, 5),
    st.integers(4, 64),
)
def test_texts_do_not_depend_on_slots_or_neighbours(
    checkpoint: Checkpoint, parts: list[tuple[int, int, bool]], slots: int, pack_size: int
) -> None:
    jobs = [
        Job(
            tuple(range(40, 40 + length)),
            max_tokens,
            (),
            Sampling(1.0, seed=place) if drawn else None,
        )
        for place, (length, max_tokens, drawn) in enumerate(parts)
    ]
    found = texts(checkpoint, jobs, slots=slots, pack_size=pack_size)
    for place, job in enumerate(jobs):
        assert found[place] == texts(checkpoint, [job], slots=1, pack_size=512)[0]
