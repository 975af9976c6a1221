"""The second pass of `run --store-logprobs`: what it asks, what it keeps, and what it says."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from evalharness.contamination import text_of
from evalharness.measurement import Answered
from evalharness.min_k import FAMILIAR, OTHERS, SLICE, min_k
from evalharness.prompts.preparation import PreparedTask
from evalharness.records import (
    Failure,
    Generation,
    GenerationResponse,
    Instance,
    LogLikelihood,
    LogLikelihoodResponse,
    Message,
    Outcome,
    Request,
    RollingLogLikelihood,
    Sample,
    Scorable,
    TokenScore,
    TokenScores,
)
from evalharness.results import RunConfiguration
from evalharness.run_folder import read_run, read_sample_rows
from evalharness.runner import EvaluatedRun, Progress, evaluate
from evalharness.store import Store
from evalharness.token_pass import read_tokens, store_tokens
from tests.test_runner import Fake, task


class Scorer(Fake):
    """Each word of a text is a token, and minus its length its log-probability.

    Fails at texts with `broken_token` in them.
    """

    def __init__(self, broken_token: str = "\\") -> None:
        super().__init__()
        self.scored: list[Scorable] = []
        self.broken_token = broken_token

    def token_scores(
        self, requests: Sequence[Scorable]
    ) -> Iterator[tuple[int, TokenScores | Failure]]:
        for index in reversed(range(len(requests))):
            request = requests[index]
            self.scored.append(request)
            match request:
                case LogLikelihood():
                    text = request.continuation
                case RollingLogLikelihood():
                    text = request.text
            if self.broken_token in text:
                yield index, Failure("a token is broken")
            else:
                yield index, word_scores(text)


def word_scores(text: str) -> TokenScores:
    return TokenScores(
        tuple(TokenScore(word, -float(len(word)), ((word, -0.5),)) for word in text.split())
    )


def run(
    backend: Fake, tasks: list[PreparedTask], folder: Path, *, tokens: bool = True
) -> EvaluatedRun:
    return evaluate(
        backend,
        tasks,
        output=folder,
        configuration=RunConfiguration(limit=None, num_fewshot=0, seed=0, store_logprobs=tokens),
        command=("test",),
        report=lambda _: None,
    )


def test_rows_have_the_tokens_of_each_request_and_the_min_k_of_their_text(tmp_path: Path) -> None:
    """And what was measured has the familiar samples apart, which are a quarter at most."""
    done = run(Scorer(), [task("numbers", range(90, 130))], tmp_path)
    rows = read_sample_rows(done.folder, "numbers")
    assert len(rows) == 40
    for number, row in rows.items():
        assert row.tokens == [list(word_scores(option).tokens) for option in (" yes", " no")]
        answer = "yes" if int(number) % 2 == 0 else "no"
        assert row.min_k == min_k([-float(len(word)) for word in (f"{number}?", answer)])
        assert row.slices[SLICE] in (FAMILIAR, OTHERS)
    slices = done.results.tasks["numbers"].slices[SLICE]
    # Of the numbers of two digits, whose least likely token is no longer than three letters, there
    # are ten; all ten are equal, so that all of them are the most familiar.
    assert {name: part.n for name, part in slices.items()} == {FAMILIAR: 10, OTHERS: 30}
    assert {row.slices[SLICE] for name, row in rows.items() if len(name) == 2} == {FAMILIAR}
    assert read_run(done.folder)[0].configuration.store_logprobs


def test_without_the_option_nothing_is_scored_again_nor_stored(tmp_path: Path) -> None:
    backend = Scorer()
    done = run(backend, [task("numbers", range(4))], tmp_path, tokens=False)
    assert backend.scored == []
    assert {row.tokens for row in read_sample_rows(done.folder, "numbers").values()} == {None}
    assert SLICE not in done.results.tasks["numbers"].slices


def test_a_model_without_token_scores_is_run_without_and_run_json_says_so(tmp_path: Path) -> None:
    done = run(Fake(), [task("numbers", range(4))], tmp_path)
    assert not done.record.configuration.store_logprobs
    assert {row.tokens for row in read_sample_rows(done.folder, "numbers").values()} == {None}
    assert done.results.tasks["numbers"].metrics["acc"].value == 0.5


def test_a_finished_run_gets_its_tokens_later_under_the_same_name_without_answering(
    tmp_path: Path,
) -> None:
    tasks = [task("numbers", range(6))]
    first = run(Scorer(), tasks, tmp_path, tokens=False)
    backend = Scorer()
    second = run(backend, tasks, tmp_path)
    assert second.folder == first.folder
    assert backend.asked == []
    assert all(row.tokens for row in read_sample_rows(second.folder, "numbers").values())
    third = Scorer()
    run(third, tasks, tmp_path)
    assert third.scored == []


def test_each_text_is_scored_once_whatever_tasks_it_is_in(tmp_path: Path) -> None:
    backend = Scorer()
    run(backend, [task("one", range(5)), task("two", range(3, 9))], tmp_path)
    assert len(backend.scored) == len(set(backend.scored)) == 9 * 2 + 9


def answered(sample: Sample, *outcomes: Outcome) -> list[Answered]:
    return [
        Answered(Instance("task", sample, index), outcome, from_store=False)
        for index, outcome in enumerate(outcomes)
    ]


def stored(folder: Path, backend: Scorer, answers: Sequence[Answered]) -> None:
    with Store(folder / "responses.sqlite") as store:
        store_tokens(backend, answers, store, lambda *_: None)


def test_a_text_that_was_written_is_scored_after_the_shots_that_fitted(tmp_path: Path) -> None:
    shots = ("one ", "two ", "three ")
    written = Generation("go", 9, shots=shots)
    chosen = LogLikelihood("go", " away", shots=shots)
    sample = Sample(id="s", requests=(written, chosen), target="here")
    backend = Scorer()
    answers = answered(
        sample,
        GenerationResponse(" on and on", "end", dropped_shots=2),
        LogLikelihoodResponse(-1.0, 1, greedy=False, dropped_shots=1),
    )
    stored(tmp_path, backend, answers)
    assert set(backend.scored) == {
        LogLikelihood("go", " on and on", shots=shots[2:]),
        replace(chosen, shots=shots[1:]),
        RollingLogLikelihood("go here"),
    }


def test_what_has_no_text_is_not_asked(tmp_path: Path) -> None:
    """A request that failed, an empty answer; and a text that is a task's own is scored once."""
    backend = Scorer()
    requests: tuple[Request, ...] = (Generation("go", 9), Generation("go", 8))
    failed = answered(
        Sample(id="s", requests=requests), Failure("no"), GenerationResponse("", "end")
    )
    rolled = RollingLogLikelihood("a whole text")
    whole = answered(
        Sample(id="t", requests=(rolled,)), LogLikelihoodResponse(-1.0, 1, greedy=False)
    )
    stored(tmp_path, backend, [*failed, *whole])
    assert set(backend.scored) == {RollingLogLikelihood("go "), rolled}
    assert len(backend.scored) == 2
    with Store(tmp_path / "responses.sqlite") as store:
        found = read_tokens(backend.model.fingerprint, [*failed, *whole], store)
    assert found["s"].tokens == [[], []]
    assert found["t"].tokens == [list(word_scores("a whole text").tokens)]
    assert (found["s"].min_k, found["t"].min_k) == (-2.0, -5.0)


class Choosy(Scorer):
    """Calls texts without a prompt unsupported, as encoder-decoder models do."""

    def unsupported(self, instance: Instance) -> str | None:
        whole = isinstance(instance.request, RollingLogLikelihood)
        return "there is nothing to read" if whole else None


def test_texts_that_cannot_be_scored_are_counted_by_their_reason(tmp_path: Path) -> None:
    """They have no tokens in their rows, the others have; the next run tries them again."""
    tasks = [task("numbers", range(4))]
    done = run(Choosy(broken_token="no"), tasks, tmp_path)
    assert done.unscored == {"there is nothing to read": 4, "a token is broken": 4}
    for row in read_sample_rows(done.folder, "numbers").values():
        assert row.tokens == [list(word_scores(" yes").tokens), []]
        assert row.min_k is None
        assert not row.failed
    assert SLICE not in done.results.tasks["numbers"].slices
    again = Scorer()
    assert run(again, tasks, tmp_path).unscored == {}
    assert len(again.scored) == 8


def test_tokens_are_kept_when_the_pass_is_interrupted(tmp_path: Path) -> None:
    tasks = [task("numbers", range(10))]
    backend = Scorer()

    def interrupt(progress: Progress) -> None:
        if progress.unit != "requests answered" and progress.answered == 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(
            backend,
            tasks,
            output=tmp_path,
            configuration=RunConfiguration(limit=None, num_fewshot=0, seed=0, store_logprobs=True),
            command=("test",),
            report=interrupt,
        )
    again = Scorer()
    run(again, tasks, tmp_path)
    assert again.asked == []
    assert len(again.scored) == 30 - 11


def test_the_text_of_a_chat_is_what_the_turns_say() -> None:
    """Neither the system's turn nor who says what is a part of the benchmark."""
    turns = (Message("system", "Be brief."), Message("user", "Where?"))
    sample = Sample(id="s", requests=(Generation(turns, 9),), target="here")
    assert text_of(sample) == "Where? here"
