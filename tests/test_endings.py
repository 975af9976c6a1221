"""How a command ends: with the right status, in words, and with nothing lost."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.plugins import write_plugin
from tests.workplace import Workplace, interrupt


@pytest.mark.parametrize(
    ("number", "said"),
    [(signal.SIGTERM, "terminated"), (signal.SIGHUP, "the terminal is gone")],
)
def test_a_signal_that_ends_the_run_says_how_to_go_on(
    workplace: Workplace, number: signal.Signals, said: str
) -> None:
    """SIGTERM and SIGHUP ended the process without a word, and lost what was not yet written."""
    write_plugin(workplace.folder / "plugins", samples=600)
    process = interrupt(workplace, number)
    _, errors = process.communicate()
    assert process.returncode == 128 + number
    assert f"{said}; what was answered is stored. To go on: {sys.executable} -m" in errors
    assert "Traceback" not in errors


def test_the_command_that_resumes_is_found_by_the_shell(tmp_path: Path) -> None:
    """.venv/bin/evalharness was printed as evalharness, which the shell does not find."""
    code = "import sys; sys.argv[0] = {!r}; from evalharness.cli.ending import own_command; "
    path = tmp_path / "evalharness"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    for called, expected in (
        (".venv/bin/evalharness", ".venv/bin/evalharness"),
        (str(path), "evalharness"),
        ("/somewhere/evalharness/__main__.py", f"{sys.executable} -m evalharness"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code.format(called) + "print(*own_command())"],
            env={**os.environ, "PATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == expected


def test_a_task_or_model_that_fails_takes_nothing_from_the_others(workplace: Workplace) -> None:
    """One metric's error after the inference threw away all tasks and all later models."""
    (workplace.folder / "plugins" / "bad.py").write_text(
        "from dataclasses import replace\n"
        "from evalharness.metrics.multiple_choice import ACCURACY\n"
        f"exec(open({str(workplace.folder / 'plugins' / 'toy.py')!r}).read())\n"
        "bad = replace(ACCURACY, measure=lambda sample, responses: (1 / 0,))\n"
        "TASKS = (replace(TASKS[0], name='toy-bad', metrics=(bad,)),)\n"
    )
    broken = workplace.folder / "broken"
    subprocess.run(["cp", "-r", str(workplace.folder / "checkpoint"), str(broken)], check=True)
    # What is in a file's header is checked before anything is computed, its numbers are at loading.
    (weights,) = broken.glob("*.safetensors")
    tensors = load_file(weights)
    next(iter(tensors.values())).fill_(float("nan"))
    save_file(tensors, weights)
    done = workplace("run", "-m", "builtin:broken", "-m", "builtin:checkpoint", "-m",
                     "baseline:random", "-t", "toy-choice,toy-bad", "--tasks-dir", "plugins",
                     "--format", "json", "--limit", "3")  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "error: broken: " in done.stderr
    assert "error: checkpoint: toy-bad: " in done.stderr
    assert "cannot measure the sample 'q0'" in done.stderr
    assert [set(run["tasks"]) for run in json.loads(done.stdout)] == [{"toy-choice"}] * 2
    assert not list(workplace.folder.glob("runs/*/results.json"))
    records = [json.loads(path.read_text()) for path in workplace.folder.glob("runs/*/run.json")]
    assert {record["status"] for record in records} == {"running"}


def test_a_run_of_nothing_is_an_error(workplace: Workplace) -> None:
    """Every task was skipped, and the status was 0."""
    done = workplace("run", "-m", "baseline:lead-3", "-t", "toy-choice", "--tasks-dir", "plugins")
    assert done.returncode == 2
    assert "skipped toy-choice: the baseline lead-3 writes text" in done.stderr
    assert "nothing was run" in done.stderr
    assert not list(workplace.folder.glob("runs/*"))


def test_a_dry_run_honours_the_format_and_makes_no_file(workplace: Workplace) -> None:
    done = workplace("run", "-m", "builtin:checkpoint", "-t", "toy-choice", "--tasks-dir",
                     "plugins", "--dry-run", "--format", "json", "-o", "new")  # fmt: skip
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["tasks"][0]["name"] == "toy-choice"
    assert (plan["tasks"][0]["samples"], plan["tasks"][0]["requests"]) == (30, 90)
    assert (plan["models"][0]["known"], plan["models"][0]["requests"]) == (0, 90)
    assert not (workplace.folder / "new").exists()


@pytest.mark.parametrize("name", ["x" * 300, os.fsdecode(b"\xff\xfe"), "plugins/toy.py"])
def test_a_folder_that_cannot_be_made_is_a_users_error(workplace: Workplace, name: str) -> None:
    """Names that the system refuses were called a defect of evalharness."""
    done = workplace("run", "-m", "baseline:random", "-t", "toy-choice", "--tasks-dir", "plugins",
                     "-o", name)  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "error: " in done.stderr
    assert "internal error" not in done.stderr


def test_debug_shows_a_traceback_and_keeps_the_status(workplace: Workplace) -> None:
    done = workplace("--debug", "tasks", "show", "opnbookqa")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "Did you mean 'openbookqa'" in done.stderr


def test_a_reader_that_has_read_enough_is_no_error(workplace: Workplace) -> None:
    """`tasks list | head -1` ended with 1."""
    command = shlex.join(workplace.command("tasks", "list"))
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; echo ${{PIPESTATUS[0]}}"],
        cwd=workplace.folder, env=workplace.environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "141"
    assert done.stderr == ""


def test_hidden_characters_of_strangers_do_not_reach_the_terminal(workplace: Workplace) -> None:
    """A description, a sample and a model's name could clear the screen or turn text around."""
    plugin = workplace.folder / "plugins" / "toy.py"
    text = plugin.read_text().replace("version=1,", "version=1, description='a\\x1b[2Jb\\u202e',")
    plugin.write_text(text.replace("Question:", "\\x1b]0;title\\x07Question:"))
    os.rename(workplace.folder / "checkpoint", workplace.folder / "check\u202epoint")
    outputs = [
        workplace("tasks", *arguments, "--tasks-dir", "plugins")
        for arguments in (("list",), ("show", "toy-choice"), ("preview", "toy-choice"))
    ]
    outputs.append(
        workplace(
            "run",
            "-m",
            "builtin:check\u202epoint",
            "-t",
            "toy-choice",
            "--tasks-dir",
            "plugins",
            "--limit",
            "2",
        )
    )
    for done in outputs:
        assert done.returncode == 0, done.stderr
        for hidden in "\x1b\x07\u202e":
            assert hidden not in done.stdout + done.stderr
        assert "⟦U+" in done.stdout + done.stderr
