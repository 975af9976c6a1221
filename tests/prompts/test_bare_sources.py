"""Models that take no instructions are given a task's source, and nothing around it."""

import json
from pathlib import Path

import pytest

from evalharness.backends import open_backend
from evalharness.errors import UsageError
from evalharness.prompts.letters import as_asked
from evalharness.prompts.preparation import PreparedTask, prepare
from evalharness.records import Generation, SourceReading
from evalharness.results import RunConfiguration
from tests.encoder_models import make_seq2seq, seq2seq_spec
from tests.models import make_llama
from tests.workplace import Workplace

PLUGIN = """
from evalharness.metrics.translation import chrf
from evalharness.records import Task
from evalharness.samples import generation, likelihood_comparison
from evalharness.sources import LocalFile
from pathlib import Path

DATA = LocalFile(Path(__file__).parent / "data" / "lines.jsonl")


def sample(row):
    return generation(
        id=row["id"], prompt=f"English phrase: {row['en']}\\n\\nGerman phrase:",
        references=[row["de"]], max_tokens=6, stop=["\\n"], source=row["en"],
    )


TASKS = (
    Task(
        name="lines", family="translation", version=1, data=DATA, sample=sample,
        metrics=(chrf(),), shots=DATA, languages=("en", "de"),
    ),
)
"""
CONFIGURATION = RunConfiguration(limit=None, num_fewshot=0, seed=0)


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    (folder / "data").mkdir(parents=True)
    (folder / "lines.py").write_text(PLUGIN)
    rows = [{"id": "1", "en": "The quick fox", "de": "Der Fuchs"}]
    (folder / "data" / "lines.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def prepared(plugins: Path) -> PreparedTask:
    from evalharness.discovery import find_tasks

    task = find_tasks([plugins]).find("lines").task
    return prepare(task, limit=None, num_fewshot=0, seed=0)


def asked(spec: str, plugins: Path) -> PreparedTask:
    (task,) = as_asked(open_backend(spec), [prepared(plugins)], CONFIGURATION)
    return task


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("name", ["Marian", "NLLB", "M2M100", "mBART"])
def test_translation_models_are_given_the_source_alone(
    tmp_path: Path, plugins: Path, name: str
) -> None:
    """They would translate "English phrase:" as well."""
    make_seq2seq(tmp_path / "model", name)
    spec = seq2seq_spec(tmp_path / "model", name)
    task = asked(spec, plugins)
    assert [one.requests for one in task.samples] == [(Generation("The quick fox", 6),)]
    assert task.record.method is not None
    assert task.record.method.name == "source"
    assert task.record.prompt_hash != prepared(plugins).record.prompt_hash
    joined = "&" if "?" in spec else "?"
    assert asked(f"{spec}{joined}input=prompt", plugins).record == prepared(plugins).record


@pytest.mark.usefixtures("cache")
def test_models_that_take_instructions_are_given_the_prompt(tmp_path: Path, plugins: Path) -> None:
    make_seq2seq(tmp_path / "model", "T5")
    spec = f"hf:{tmp_path / 'model'}"
    assert asked(spec, plugins).record == prepared(plugins).record
    assert asked(f"{spec}?input=source", plugins).record.method is not None


@pytest.mark.usefixtures("cache")
def test_a_causal_model_has_no_such_choice(tmp_path: Path) -> None:
    make_llama(tmp_path / "model")
    with pytest.raises(UsageError, match="'input' has no effect"):
        open_backend(f"hf:{tmp_path / 'model'}?input=source")
    assert not isinstance(open_backend(f"builtin:{tmp_path / 'model'}"), SourceReading)


def test_run_and_rescore_say_that_the_source_was_given(workplace: Workplace, plugins: Path) -> None:
    make_seq2seq(workplace.folder / "model", "Marian")
    done = workplace(
        "run", "-m", "hf:model", "-t", "lines", "--tasks-dir", str(plugins), "--format", "json"
    )
    assert done.returncode == 0, done.stderr
    assert "lines is asked by the source alone" in done.stderr
    (run,) = json.loads(done.stdout)
    assert run["tasks"]["lines"]["method"]["name"] == "source"
    again = workplace("rescore", "runs", "--tasks-dir", str(plugins), "--format", "json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)[0]["run_id"] == run["run_id"]
