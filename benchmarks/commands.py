"""Whole commands, as a user types them, timed from outside until the process ends."""

import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import yaml

from benchmarks.agreement import DisagreementError
from benchmarks.processes import run
from benchmarks.records import Checkpoint, CommandRow
from benchmarks.rounds import Setting
from benchmarks.theirs import BATCH_SIZE
from benchmarks.work import SMOLLM2, WORKS, prepare_work
from evalharness.prompts.preparation import PreparedTask
from evalharness.records import whole_prompt

WORK = "openbookqa-0-shot"
THEIR_TASK = "same_questions"
SCORES = ("acc", "acc_norm")
# lm-evaluation-harness prints four decimals.
PRINTED = 5e-5


def measure_commands(
    checkpoint: Checkpoint, setting: Setting, say: Callable[[str], None]
) -> CommandRow:
    """Run both commands alternately. Raises DisagreementError when they print other scores."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_their_task(folder, prepare_work(WORK))
        theirs = _their_command(checkpoint, folder, setting)
        seconds, peer_seconds = [], []
        for number in range(setting.times):
            printed, own = _timed(_our_command(folder / f"runs-{number}", setting), {})
            their_printed, other = _timed(theirs, {"HF_DATASETS_CACHE": str(folder / "datasets")})
            scores, their_scores = our_scores(printed), read_their_table(their_printed)
            check_printed(scores, their_scores)
            seconds.append(own)
            peer_seconds.append(other)
            say(f"round {number + 1} of {setting.times}: {own:.1f} s against {other:.1f} s")
    ratios = [other / own for own, other in zip(seconds, peer_seconds, strict=True)]
    return CommandRow(
        measured=datetime.now(UTC),
        machine=setting.machine,
        model=SMOLLM2,
        device=setting.device,
        dtype=setting.dtype,
        seconds=tuple(seconds),
        peer_seconds=tuple(peer_seconds),
        ratios=tuple(ratios),
        ratio=statistics.median(ratios),
        scores=scores,
    )


def _our_command(output: Path, setting: Setting) -> list[str]:
    """`output` is a new folder each time, so that nothing is answered from the store."""
    work = WORKS[WORK]
    model = f"builtin:{SMOLLM2}?dtype={setting.dtype}&device={setting.device}"
    arguments = ["-m", model, "-t", work.task, "--limit", str(work.limit)]
    return [
        *(sys.executable, "-m", "evalharness", "run"),
        *arguments,
        *("-o", str(output), "--format", "json"),
    ]


def _their_command(checkpoint: Checkpoint, folder: Path, setting: Setting) -> list[str]:
    return [
        *(sys.executable, "-m", "lm_eval", "run", "--model", "hf"),
        *("--model_args", f"pretrained={checkpoint.folder},dtype={setting.dtype}"),
        *("--include_path", str(folder), "--tasks", THEIR_TASK),
        *("--batch_size", str(BATCH_SIZE), "--device", setting.device),
    ]


def _timed(command: Sequence[str], environment: Mapping[str, str]) -> tuple[str, float]:
    started = time.perf_counter()
    printed = run(command, environment)
    return printed, time.perf_counter() - started


def write_their_task(folder: Path, prepared: PreparedTask) -> None:
    """The same questions as a task of lm-evaluation-harness: a YAML file over a local jsonl."""
    rows = [
        {
            "prompt": whole_prompt(sample.requests[0]),
            "choices": sample.choices,
            "gold": sample.gold[0],
        }
        for sample in prepared.samples
    ]
    data = folder / f"{THEIR_TASK}.jsonl"
    data.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    task = {
        "task": THEIR_TASK,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "prompt",
        "doc_to_choice": "choices",
        "doc_to_target": "gold",
        "num_fewshot": 0,
        "metric_list": [
            {"metric": name, "aggregation": "mean", "higher_is_better": True} for name in SCORES
        ],
    }
    (folder / f"{THEIR_TASK}.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")


def our_scores(printed: str) -> dict[str, float]:
    """The scores in what `evalharness run --format json` prints."""
    (run_,) = json.loads(printed)
    metrics = run_["tasks"][WORKS[WORK].task]["metrics"]
    return {name: float(metrics[name]["value"]) for name in SCORES}


def read_their_table(printed: str) -> dict[str, float]:
    """The scores in the table that `lm_eval` prints: |...|acc|arrow|value|±|error|."""
    found = re.findall(r"\|\s*(\w+)\s*\|[^|]*\|\s*([0-9.]+)\s*\|\s*±", printed)
    return {name: float(value) for name, value in found if name in SCORES}


def check_printed(ours: Mapping[str, float], theirs: Mapping[str, float]) -> None:
    """Raises DisagreementError unless both have the same scores, as far as they are printed."""
    equal = ours.keys() == theirs.keys() and all(
        abs(ours[name] - theirs[name]) <= PRINTED for name in ours
    )
    if not equal:
        raise DisagreementError(f"the commands print {dict(ours)} and {dict(theirs)}")
