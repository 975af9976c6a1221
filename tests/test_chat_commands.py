"""Chats from the command line to the run folder and the report."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from tests.models import make_tokenizer
from tests.workplace import Workplace

# The model never writes </think>, so that its thinking never ends.
THINKER = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content.split('</think>')[-1] }}\n{% endfor %}"
    "[assistant]<think>"
)


def rows(workplace: Workplace, run: Any, task: str) -> list[dict[str, Any]]:
    path = workplace.folder / "runs" / run["run_id"] / "samples" / f"{task}.parquet"
    found: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    return found


def rendered(*turns: tuple[str, str]) -> str:
    """What transformers makes of the turns."""
    text = make_tokenizer().apply_chat_template(
        [{"role": role, "content": content} for role, content in turns],
        tokenize=False,
        add_generation_prompt=True,
    )
    return str(text)


def template(workplace: Workplace) -> Path:
    return workplace.folder / "checkpoint" / "chat_template.jinja"


def test_the_rendered_prompt_is_stored_and_previewed(workplace: Workplace) -> None:
    (workplace.folder / "system.txt").write_text("Be brief.\n")
    chat = ("--system-prompt", "@system.txt", "--num-fewshot", "1")
    (run,) = workplace.run(*chat, "--limit", "1")
    (stored,) = rows(workplace, run, "toy-answer")
    (prompt,) = stored["prompts"]
    shot, answer = prompt.split("[user]")[1].split("\n[assistant]")
    question = "Question: What comes after 0?\nAnswer:"
    assert shot.startswith("Question: What comes after 100")
    assert prompt == rendered(
        ("system", "Be brief."),
        ("user", shot),
        ("assistant", answer.rstrip("\n")),
        ("user", question),
    )
    preview = workplace(
        "tasks", "preview", "toy-answer", "-n", "1", "--tasks-dir", "plugins",
        "-m", "builtin:checkpoint", *chat,
    )  # fmt: skip
    assert preview.returncode == 0, preview.stderr
    assert f"--- prompt\n{prompt}\n--- " in preview.stdout
    assert "\n  generated: up to 8 tokens" in preview.stdout
    plain = rows(workplace, run, "toy-choice")[0]["prompts"][0]
    assert plain.startswith("Question: What comes after 100")


def test_how_prompts_became_chats_is_recorded(workplace: Workplace) -> None:
    (run,) = workplace.run("--chat", "on", "--num-fewshot", "1", "--limit", "2")
    (plain,) = workplace.run("--chat", "off", "--num-fewshot", "1", "--limit", "2")
    assert run["run_id"] != plain["run_id"]
    for name, task in run["tasks"].items():
        assert task["chat"] == {"system_prompt": "", "fewshot_as": "turns"}
        assert plain["tasks"][name]["chat"] is None
        assert plain["tasks"][name]["prompt_hash"] == task["prompt_hash"]
    record = json.loads((workplace.folder / "runs" / run["run_id"] / "run.json").read_text())
    found = {key: record["configuration"][key] for key in ("chat", "system_prompt", "fewshot_as")}
    assert found == {"chat": "on", "system_prompt": "", "fewshot_as": "turns"}
    # Run again, the same chats are found in the store.
    (again,) = workplace.run("--chat", "on", "--num-fewshot", "1", "--limit", "2", "-o", "runs")
    assert again["run_id"] == run["run_id"]
    assert all(task["cost"]["from_store"] for task in again["tasks"].values())


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (None, ("--chat", "on"), "checkpoint has no chat template, which --chat on needs"),
        (
            "{% if messages[0].role == 'system' %}{{ raise_exception('no system turns') }}"
            "{% endif %}{{ messages[0].content }}",
            ("--system-prompt", "Be brief."),
            "no system turns",
        ),
        ("{{ messages[0].nothing.at_all }}", (), "the chat template cannot render the prompt"),
        ("{% for %}", (), "the chat template cannot render the prompt"),
        ("{{ messages }}", ("--system-prompt", "x", "--chat", "off"), "leave one of both out"),
        ("{{ messages }}", ("--system-prompt", "@missing"), "'missing' cannot be read"),
        ("{{ messages }}", ("--chat", "onn"), "'onn' is not one of"),
    ],
)
def test_chats_that_cannot_be_are_refused_before_any_work(
    workplace: Workplace, source: str | None, options: tuple[str, ...], message: str
) -> None:
    template(workplace).unlink()
    if source is not None:
        template(workplace).write_text(source)
    done = workplace("run", "-m", "builtin:checkpoint", "-m", "baseline:random", "-t", "toy-*",
                     "--tasks-dir", "plugins", *options)  # fmt: skip
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (workplace.folder / "runs").exists()


def test_the_form_of_a_chat_needs_a_model_to_be_previewed(workplace: Workplace) -> None:
    done = workplace("tasks", "preview", "toy-answer", "--tasks-dir", "plugins", "--chat", "on")
    assert done.returncode == 2
    assert "name it with -m MODEL" in done.stderr


def test_unfinished_thinking_is_counted_in_files_table_and_report(workplace: Workplace) -> None:
    template(workplace).write_text(THINKER)
    (run,) = workplace.run("--limit", "5")
    assert run["tasks"]["toy-answer"]["validity"]["unfinished_thinking"] == 5
    assert run["tasks"]["toy-choice"]["validity"]["unfinished_thinking"] == 0
    for row in rows(workplace, run, "toy-answer"):
        assert row["unfinished_thinking"]
        assert row["extracted"] == [""]
        assert row["prompts"][0].endswith("[assistant]<think>")
        assert row["responses"][0]
    table = workplace("run", "-m", "builtin:checkpoint", "-t", "toy-*", "--tasks-dir", "plugins",
                      "--limit", "5")  # fmt: skip
    shown = " ".join(table.stdout.replace("│", " ").split())
    assert "5 of 5 ended before" in shown
    workplace("report", "runs", "-o", "report.html")
    assert "Thinking unfinished" in (workplace.folder / "report.html").read_text()
