"""Which prompts become chats, of what turns they are made, and what cannot be a chat."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalharness.backends import open_backend
from evalharness.errors import UsageError
from evalharness.metrics.question_answering import EXACT_MATCH
from evalharness.prompts.chat import ask_in_chat
from evalharness.prompts.preparation import PreparedTask, prepare, run_id
from evalharness.records import (
    Backend,
    DataIdentity,
    Generation,
    LogLikelihood,
    Message,
    PseudoLogLikelihood,
    Request,
    RollingLogLikelihood,
    Row,
    Sample,
    Task,
    whole_prompt,
)
from evalharness.results import RunConfiguration
from tests.models import make_llama, make_tokenizer

SYSTEM = "Be brief."
ALL_KINDS = Sample(
    id="all",
    requests=(
        Generation("Question: a\nAnswer:", 5),
        LogLikelihood("Question: a\nAnswer:", " yes"),
        LogLikelihood("", "A text."),
        RollingLogLikelihood("A document."),
        PseudoLogLikelihood("A sentence."),
    ),
)
EXAMPLE = Sample(id="shot", requests=(Generation("Question: b\nAnswer:", 5),), target="no")


class Rows:
    """A source of one row."""

    def __init__(self, name: str) -> None:
        self._name = name

    def rows(self) -> Iterator[Row]:
        yield Row({"name": self._name}, self._name)

    def identity(self) -> DataIdentity:
        return DataIdentity(self._name, "1")


def task(sample: Sample, *, num_fewshot: int = 0) -> PreparedTask:
    made = Task(
        name="task",
        family="question_answering",
        version=1,
        data=Rows("sample"),
        sample=lambda row: sample if row["name"] == "sample" else EXAMPLE,
        metrics=(EXACT_MATCH,),
        shots=Rows("shot"),
    )
    return prepare(made, limit=None, num_fewshot=num_fewshot, seed=0)


def configuration(**changes: Any) -> RunConfiguration:
    values = {"limit": None, "num_fewshot": 0, "seed": 0, "chat": "auto", **changes}
    return RunConfiguration(**values)


def asked(backend: Backend, prepared: PreparedTask, **changes: Any) -> PreparedTask:
    (found,) = ask_in_chat(backend, [prepared], configuration(**changes))
    return found


def requests(prepared: PreparedTask) -> Sequence[Request]:
    (sample,) = prepared.samples
    return sample.requests


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    make_llama(folder)
    return folder


@pytest.fixture(scope="module")
def backend(folder: Path) -> Backend:
    return open_backend(f"builtin:{folder}")


def with_template(folder: Path, template: str) -> Backend:
    make_llama(folder)
    (folder / "chat_template.jinja").write_text(template)
    return open_backend(f"builtin:{folder}")


def without_template(folder: Path) -> Backend:
    make_llama(folder)
    (folder / "chat_template.jinja").unlink()
    return open_backend(f"builtin:{folder}")


# --- which prompts ------------------------------------------------------------------------


def test_auto_asks_for_texts_in_chat_and_leaves_likelihoods_plain(backend: Backend) -> None:
    """Published figures of multiple choice are those of plain text."""
    prepared = task(ALL_KINDS)
    written, *others = requests(asked(backend, prepared))
    assert written == Generation((Message("user", "Question: a\nAnswer:"),), 5)
    assert others == list(ALL_KINDS.requests[1:])


def test_on_asks_all_in_chat_but_texts_without_a_prompt(backend: Backend) -> None:
    user = (Message("user", "Question: a\nAnswer:"),)
    assert requests(asked(backend, task(ALL_KINDS), chat="on")) == (
        Generation(user, 5),
        LogLikelihood(user, "yes"),
        *ALL_KINDS.requests[2:],
    )


def test_off_changes_nothing(backend: Backend) -> None:
    prepared = task(ALL_KINDS)
    assert asked(backend, prepared, chat="off") is prepared


@pytest.mark.parametrize("chat", ["auto", "on", "off"])
def test_a_baseline_reads_no_prompts_and_takes_them_as_they_are(chat: str) -> None:
    """A baseline beside a model ended a run with --chat on."""
    prepared = task(ALL_KINDS)
    assert asked(open_backend("baseline:random"), prepared, chat=chat) is prepared


def test_a_model_without_a_template_is_asked_in_plain_text_unless_chats_are_demanded(
    tmp_path: Path,
) -> None:
    backend, prepared = without_template(tmp_path), task(ALL_KINDS)
    assert asked(backend, prepared) is prepared
    with pytest.raises(UsageError, match="no chat template, which --chat on needs"):
        asked(backend, prepared, chat="on")
    with pytest.raises(UsageError, match="plain text has no system prompt"):
        asked(backend, prepared, system_prompt=SYSTEM)


def test_a_system_prompt_without_chats_is_a_mistake(backend: Backend) -> None:
    with pytest.raises(UsageError, match=r"system prompt .* --chat off"):
        asked(backend, task(ALL_KINDS), chat="off", system_prompt=SYSTEM)


# --- of what turns --------------------------------------------------------------------------


def test_turns_are_rendered_as_transformers_renders_them(backend: Backend) -> None:
    prepared = task(ALL_KINDS, num_fewshot=0)
    shown = task(Sample(id="one", requests=ALL_KINDS.requests[:2]), num_fewshot=1)
    for one, examples in ((prepared, []), (shown, ["Question: b\nAnswer:", "no"])):
        found = requests(asked(backend, one, chat="on", system_prompt=SYSTEM))[0]
        turns = [SYSTEM, *examples, "Question: a\nAnswer:"]
        roles = ["system", *["user", "assistant"] * (len(examples) // 2), "user"]
        theirs = make_tokenizer().apply_chat_template(
            [{"role": role, "content": turn} for role, turn in zip(roles, turns, strict=True)],
            tokenize=False,
            add_generation_prompt=True,
        )
        assert backend.render(found) == theirs


def test_examples_as_text_stand_in_the_turn_of_the_question(backend: Backend) -> None:
    prepared = task(Sample(id="one", requests=ALL_KINDS.requests[:1]), num_fewshot=1)
    (found,) = requests(asked(backend, prepared, fewshot_as="text"))
    assert whole_prompt(found) == (
        Message("user", "Question: b\nAnswer: no\n\nQuestion: a\nAnswer:"),
    )


def test_a_tasks_own_turns_keep_their_system_prompt(backend: Backend) -> None:
    user = Message("user", "Hello")
    own = (Message("system", "Mine."), user)
    sample = Sample(id="own", requests=(Generation(own, 5), LogLikelihood((user,), " yes")))
    kept, added = requests(asked(backend, task(sample), system_prompt=SYSTEM))
    assert kept == Generation(own, 5)
    assert added == LogLikelihood((Message("system", SYSTEM), user), "yes")


def test_a_template_that_refuses_the_system_prompt_is_an_error_in_its_own_words(
    tmp_path: Path,
) -> None:
    """Before anything is computed: it was one failed sample after the other."""
    refusing = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}"
        "{% endif %}{{ messages[-1].content }}"
    )
    backend = with_template(tmp_path, refusing)
    with pytest.raises(UsageError, match=r"System role not supported.*without --system-prompt"):
        asked(backend, task(ALL_KINDS), system_prompt=SYSTEM)
    assert backend.render(requests(asked(backend, task(ALL_KINDS)))[0]) == "Question: a\nAnswer:"


# --- what is recorded -------------------------------------------------------------------------


def test_the_prompt_hash_is_that_of_the_task_and_the_run_that_of_the_chat(
    backend: Backend, tmp_path: Path
) -> None:
    """Models with and without a template are asked the same, and are compared."""
    prepared = task(Sample(id="one", requests=ALL_KINDS.requests[:1]), num_fewshot=1)
    ways: list[dict[str, Any]] = [
        {"chat": "off"},
        {},
        {"fewshot_as": "text"},
        {"system_prompt": SYSTEM},
    ]
    found = [asked(backend, prepared, **way) for way in ways]
    assert {one.record.prompt_hash for one in found} == {prepared.record.prompt_hash}
    assert len({run_id(backend.model, [one], 0) for one in found}) == len(ways)
    assert [one.record.chat is None for one in found] == [True, False, False, False]
    # What makes no difference makes no other run.
    other = without_template(tmp_path)
    plain, auto = (asked(other, prepared, chat=chat) for chat in ("off", "auto"))
    assert run_id(other.model, [plain], 0) == run_id(other.model, [auto], 0)
