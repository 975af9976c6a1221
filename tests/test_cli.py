"""The command line as a user meets it: real processes, a real (tiny) checkpoint, real files."""

import json
import signal
import subprocess
import sys
from typing import Any

import pyarrow.parquet
import pytest

from tests.plugins import rows, write_plugin, write_rows
from tests.workplace import Workplace, interrupt, stored


def scores(results: Any) -> Any:
    """What must not depend on how often a run was interrupted: everything but the costs."""
    return [
        {
            "run_id": run["run_id"],
            "tasks": {
                name: {key: value for key, value in task.items() if key != "cost"}
                for name, task in run["tasks"].items()
            },
        }
        for run in results
    ]


def test_a_run_writes_its_folder_and_the_same_run_again_asks_nothing(workplace: Workplace) -> None:
    (first,) = workplace.run()
    folder = workplace.folder / "runs" / first["run_id"]
    assert {entry.name for entry in folder.iterdir()} == {"run.json", "results.json", "samples"}
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "complete"
    assert record["tasks"]["toy-choice"]["n"] == 30
    assert record["tasks"]["toy-choice"]["revision"].startswith("sha256:")
    table = pyarrow.parquet.read_table(folder / "samples" / "toy-answer.parquet").to_pylist()
    assert [row["id"] for row in table] == [f"q{number}" for number in range(30)]
    assert first["tasks"]["toy-choice"]["cost"]["from_store"] == 0
    (second,) = workplace.run()
    assert scores([second]) == scores([first])
    for task in second["tasks"].values():
        assert task["cost"]["from_store"] == task["cost"]["requests"]
    assert [entry.name for entry in (workplace.folder / "runs").glob("*checkpoint*")] == [
        first["run_id"]
    ]


def test_pack_sizes_and_slots_do_not_change_results(workplace: Workplace) -> None:
    runs = [
        workplace.run("-o", name, model=f"builtin:checkpoint?pack_size={size}&slots={slots}")
        for name, size, slots in [("a", 512, 32), ("b", 40, 3), ("c", 7, 1)]
    ]
    assert scores(runs[0]) == scores(runs[1]) == scores(runs[2])


def test_a_run_killed_in_the_middle_goes_on_and_repeats_only_what_was_not_stored(
    workplace: Workplace,
) -> None:
    write_plugin(workplace.folder / "plugins", samples=600)
    process = interrupt(workplace, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    kept = stored(workplace)
    assert kept
    assert not list((workplace.folder / "runs").glob("*/results.json"))
    (resumed,) = workplace.run()
    (undisturbed,) = workplace.run("-o", "other")
    assert scores([resumed]) == scores([undisturbed])
    from_store = sum(task["cost"]["from_store"] for task in resumed["tasks"].values())
    requests = sum(task["cost"]["requests"] for task in resumed["tasks"].values())
    assert from_store == len(kept) < requests


def test_control_c_ends_with_130_and_the_command_that_resumes(workplace: Workplace) -> None:
    write_plugin(workplace.folder / "plugins", samples=600)
    process = interrupt(workplace, signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    command = "-m evalharness run -m 'builtin:checkpoint?pack_size=8&slots=1' -t 'toy-*'"
    assert f"To go on: {sys.executable} {command}" in errors
    assert "Traceback" not in errors


def test_few_shot_examples_come_before_every_prompt(workplace: Workplace) -> None:
    (run,) = workplace.run("--num-fewshot", "2", "--limit", "3")
    path = workplace.folder / "runs" / run["run_id"] / "samples" / "toy-choice.parquet"
    prompts = [row["prompts"][0] for row in pyarrow.parquet.read_table(path).to_pylist()]
    shared = prompts[0].removesuffix("Question: What comes after 0?\nAnswer:")
    assert shared.count("Question: What comes after 100") == 2
    assert shared.count("\n\n") == 2
    assert all(prompt.startswith(shared) for prompt in prompts)


def test_samples_that_lose_few_shot_examples_are_counted_and_reported(
    workplace: Workplace,
) -> None:
    (run,) = workplace.run("--num-fewshot", "4", model="builtin:checkpoint?max_length=120")
    for name, task in run["tasks"].items():
        assert task["validity"]["lost_shots"] == 30
        assert task["validity"]["truncated"] == 0
        path = workplace.folder / "runs" / run["run_id"] / "samples" / f"{name}.parquet"
        for row in pyarrow.parquet.read_table(path).to_pylist():
            # The prompt is stored as it was given.
            assert 1 <= row["lost_shots"] < 4
            left = [prompt.count("Question: What comes after 100") for prompt in row["prompts"]]
            assert min(left) == 4 - row["lost_shots"]
    done = workplace("report", "runs", "-o", "report.html")
    assert done.returncode == 0, done.stderr
    assert "Few-shot examples dropped" in (workplace.folder / "report.html").read_text()


def test_a_chat_task_with_few_shot_examples_is_refused_in_words(workplace: Workplace) -> None:
    plugin = workplace.folder / "plugins" / "toy.py"
    chat = 'prompt=(Message("user", row["question"]),)'
    text = plugin.read_text().replace("prompt=f\"Question: {row['question']}\\nAnswer:\"", chat)
    plugin.write_text(text.replace("import Task", "import Message, Task"))
    done = workplace("run", "-m", "builtin:checkpoint", "-t", "toy-answer", "--tasks-dir",
                     "plugins", "--num-fewshot", "2")  # fmt: skip
    assert done.returncode == 2
    assert "toy-answer" in done.stderr
    assert "plain text only" in done.stderr


def test_a_task_without_few_shot_examples_is_run_without_them_aloud(workplace: Workplace) -> None:
    plugin = workplace.folder / "plugins" / "toy.py"
    plugin.write_text(plugin.read_text().replace("TOKEN_F1), SHOTS)", "TOKEN_F1), None)"))
    done = workplace("run", "-m", "baseline:random", "-t", "toy-*", "--tasks-dir", "plugins",
                     "--num-fewshot", "2", "--format", "json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "toy-answer defines no few-shot examples" in done.stderr
    (run,) = json.loads(done.stdout)
    shots = {name: task["num_fewshot"] for name, task in run["tasks"].items()}
    assert shots == {"toy-answer": 0, "toy-choice": 2}


TEXTS_PLUGIN = """
from pathlib import Path

from evalharness.metrics.perplexity import BITS_PER_BYTE, BYTE_PERPLEXITY, WORD_PERPLEXITY
from evalharness.records import Task
from evalharness.samples import rolling
from evalharness.sources import LocalFile

TASKS = (
    Task(
        name="toy-texts",
        family="question_answering",
        version=1,
        data=LocalFile(Path(__file__).parent / "data" / "toy.jsonl"),
        sample=lambda row: rolling(id=row["id"], text=f"{row['question']} " * 20),
        metrics=(BITS_PER_BYTE, BYTE_PERPLEXITY, WORD_PERPLEXITY),
    ),
)
"""


def test_texts_longer_than_the_context_are_scored_whole(workplace: Workplace) -> None:
    (workplace.folder / "plugins" / "texts.py").write_text(TEXTS_PLUGIN)
    done = workplace("run", "-m", "baseline:random", "-m", "builtin:checkpoint?max_length=64",
                     "-m", "baseline:lead-3", "-t", "toy-texts", "--tasks-dir", "plugins",
                     "--format", "json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "skipped toy-texts: the baseline lead-3 writes text" in done.stderr
    floor, model = json.loads(done.stdout)
    uniform = floor["tasks"]["toy-texts"]["metrics"]
    assert uniform["bits_per_byte"]["value"] == pytest.approx(8.0)
    assert uniform["byte_perplexity"]["value"] == pytest.approx(256.0)
    assert model["tasks"]["toy-texts"]["validity"]["truncated"] == 0
    assert model["tasks"]["toy-texts"]["metrics"]["bits_per_byte"]["value"] > 0


def test_a_limited_run_does_not_take_the_place_of_the_whole_one(workplace: Workplace) -> None:
    """Guards against stale results after a limited run."""
    (limited,) = workplace.run("--limit", "5")
    (whole,) = workplace.run()
    assert limited["run_id"] != whole["run_id"]
    assert (limited["tasks"]["toy-choice"]["n"], whole["tasks"]["toy-choice"]["n"]) == (5, 30)


def test_a_suite_file_does_what_the_options_do(workplace: Workplace) -> None:
    (workplace.folder / "suite.yaml").write_text(
        "models: [builtin:checkpoint]\ntasks: [toy-choice]\ntasks_dir: [plugins]\nlimit: 4\n"
    )
    done = workplace("run", "-c", "suite.yaml", "--format", "json")
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)
    assert {name: task["n"] for name, task in run["tasks"].items()} == {"toy-choice": 4}


def test_dry_run_says_what_would_be_done_and_writes_no_run(workplace: Workplace) -> None:
    done = workplace("run", "-m", "builtin:checkpoint", "-t", "toy-choice", "--tasks-dir",
                     "plugins", "--dry-run")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "toy-choice: 30 samples, 90 requests" in done.stdout
    assert "0 of 90 requests are in the store" in done.stdout
    assert not list(workplace.folder.glob("runs/*/run.json"))


def test_a_task_that_a_baseline_cannot_answer_is_skipped_aloud(workplace: Workplace) -> None:
    (run,) = workplace.run(model="baseline:random")
    assert set(run["tasks"]) == {"toy-choice", "toy-answer"}
    done = workplace("run", "-m", "baseline:lead-3", "-m", "baseline:random", "-t", "toy-*",
                     "--tasks-dir", "plugins")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "skipped toy-choice: the baseline lead-3 writes text" in done.stderr


def test_samples_that_fail_are_counted_and_exit_with_3(workplace: Workplace) -> None:
    arguments = ("run", "-m", "builtin:checkpoint?max_length=8", "-t", "toy-answer",
                 "--tasks-dir", "plugins")  # fmt: skip
    done = workplace(*arguments)
    assert done.returncode == 3
    assert "30 of 30 samples failed, the first because 8 tokens are to be generated" in done.stderr
    (folder,) = workplace.folder.glob("runs/*/results.json")
    task = json.loads(folder.read_text())["tasks"]["toy-answer"]
    assert task["validity"]["failed"] == 30
    assert task["metrics"]["f1"]["value"] is None
    assert workplace(*arguments, "--allow-failed", "1").returncode == 0


def bad_data(workplace: Workplace, change: dict[str, object]) -> None:
    values = rows(0, 5)
    values[3] = {key: value for key, value in {**values[3], **change}.items() if value != "DROP"}
    write_rows(workplace.folder / "plugins" / "data" / "toy.jsonl", values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": "DROP"}, "toy.jsonl, row 4: no field 'question'"),
        ({"gold": 7}, "toy.jsonl, row 4: ValueError: the right answer is option 7"),
        ({"choices": ["", "a"]}, "row 4: ValueError: an answer option is empty"),
        ({"id": "q1"}, "row 4: the id 'q1' is also that of"),
    ],
)
def test_a_bad_row_is_named_with_file_row_and_field_and_nothing_is_run(
    workplace: Workplace, change: dict[str, object], message: str
) -> None:
    bad_data(workplace, change)
    done = workplace(
        "run", "-m", "builtin:checkpoint", "-t", "toy-choice", "--tasks-dir", "plugins"
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not stored(workplace)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "-m", "builtin:checkpoint", "-t", "toy-choise"), "Did you mean 'toy-choice'"),
        (("run", "-m", "builtin:checkpont", "-t", "toy-choice"), "no checkpoint 'checkpont'"),
        (("run", "-m", "baseline:rand", "-t", "toy-choice"), "Did you mean 'random'"),
        (("run", "-m", "baseline:random", "-t", "toy-choice", "--limt", "3"), "--limit"),
        (("run", "-m", "baseline:random", "-t", "toy-choice", "--limit", "0"), "limit"),
        (("run", "-m", "baseline:random", "-t", "toy-choice", "--num-fewshot", "9"), "6 few-shot"),
        (("run", "-m", "baseline:random"), "no tasks are given"),
        (("run", "-t", "toy-choice"), "no models are given"),
        (("run", "-c", "nowhere.yaml"), "nowhere.yaml cannot be read"),
        (("rnu",), "Did you mean 'run'"),
        (("tasks", "shwo"), "Did you mean 'show'"),
        (("tasks", "show", "toy-choise"), "Did you mean 'toy-choice'"),
        (("report", "nowhere"), "no folder nowhere"),
        (("report", "plugins"), "neither a run folder nor"),
    ],
)
def test_a_users_mistake_is_answered_in_words_with_exit_2(
    workplace: Workplace, arguments: tuple[str, ...], message: str
) -> None:
    takes_plugins = arguments[0] == "run" or arguments[:2] == ("tasks", "show")
    done = workplace(*arguments, *(("--tasks-dir", "plugins") if takes_plugins else ()))
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        ("modles: [baseline:random]", "Did you mean 'models'"),
        ("limit: many", "limit"),
        ("models: [baseline:random", "not valid YAML"),
        ("- models", "should hold keys"),
    ],
)
def test_a_wrong_suite_file_is_named_with_its_key(
    workplace: Workplace, suite: str, message: str
) -> None:
    (workplace.folder / "suite.yaml").write_text(suite)
    done = workplace("run", "-c", "suite.yaml", "-t", "toy-choice", "--tasks-dir", "plugins")
    assert done.returncode == 2
    assert "suite.yaml" in done.stderr
    assert message in done.stderr


def test_report_is_one_page_and_leaves_out_unfinished_runs_aloud(workplace: Workplace) -> None:
    (run,) = workplace.run("--limit", "5")
    unfinished = workplace.folder / "runs" / "unfinished"
    unfinished.mkdir()
    record = (workplace.folder / "runs" / run["run_id"] / "run.json").read_text()
    (unfinished / "run.json").write_text(record)
    done = workplace("report", "runs", "-o", "site/index.html", "--title", "Ours & theirs")
    assert done.returncode == 0, done.stderr
    assert "left out: runs/unfinished" in done.stderr
    page = (workplace.folder / "site" / "index.html").read_text()
    assert "Ours &amp; theirs" in page
    assert "toy-choice" in page


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "results.json"), ('{"schema": 2}', "schema"), ('{"schema": 1, "tsks": {}}', "results")],
)
def test_a_damaged_run_is_named_with_its_file(
    workplace: Workplace, text: str, message: str
) -> None:
    (run,) = workplace.run("--limit", "2")
    (workplace.folder / "runs" / run["run_id"] / "results.json").write_text(text)
    done = workplace("report", "runs")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_tasks_list_show_and_preview(workplace: Workplace) -> None:
    listed = workplace("tasks", "list", "--tasks-dir", "plugins", "--format", "json")
    names = {task["name"] for task in json.loads(listed.stdout)}
    assert {"toy-choice", "openbookqa", "xsum", "stereoset", "django-messages-de"} <= names
    shown = workplace("tasks", "show", "toy-choice", "--tasks-dir", "plugins")
    assert "toy.jsonl" in shown.stdout
    preview = workplace("tasks", "preview", "toy-choice", "-n", "1", "--tasks-dir", "plugins")
    assert "Question: What comes after 0?\nAnswer:\n* scored: ' 1'" in preview.stdout


def test_a_broken_plugin_is_listed_and_breaks_nothing_else(workplace: Workplace) -> None:
    (workplace.folder / "plugins" / "broken.py").write_text("import nothing_of_that_name\n")
    listed = workplace("tasks", "list", "--tasks-dir", "plugins")
    assert listed.returncode == 0
    assert "toy-choice" in listed.stdout
    assert "broken.py" in listed.stderr
    assert "nothing_of_that_name" in listed.stderr


def test_help_imports_no_torch(workplace: Workplace) -> None:
    code = (
        "import sys; sys.argv = ['evalharness', '--help']\n"
        "from evalharness.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert workplace("--help").returncode == 0


def test_doctor_finds_this_installation_sound(workplace: Workplace) -> None:
    done = workplace("doctor")
    assert done.returncode == 0, done.stdout
    assert "ok      device" in done.stdout


def test_doctor_names_a_broken_plugin(workplace: Workplace) -> None:
    (workplace.folder / "plugins" / "broken.py").write_text("1 / 0\n")
    done = workplace("doctor", "--tasks-dir", "plugins")
    assert done.returncode == 2
    assert "PROBLEM task plugin plugins/broken.py" in done.stdout
