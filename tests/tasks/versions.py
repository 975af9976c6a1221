"""What the versions of tasks stand for: hashes of what they ask, kept in prompts/FAMILY.json.

A task that asks something else than before must have a new version. When it has:

    python -m tests.tasks.versions
"""

import json
import sys
from pathlib import Path

from tests.tasks.every import TASKS, prepared

KEPT = Path(__file__).parent / "prompts"
SAMPLES = 20


def asked(name: str) -> str:
    """A hash of the first samples: their prompts, what counts as right, an example before them."""
    plain = prepared(name, SAMPLES).record.prompt_hash
    if TASKS[name].shots is None:
        return plain
    return f"{plain} {prepared(name, SAMPLES, shots=1).record.prompt_hash}"


def kept(family: str) -> dict[str, dict[str, str | int]]:
    """Version and hash of every task of a family, as they were written down."""
    path = KEPT / f"{family}.json"
    found: dict[str, dict[str, str | int]] = json.loads(path.read_text()) if path.exists() else {}
    return found


def problem(name: str) -> str | None:
    """Why what is written down of a task does not hold, or None."""
    task = TASKS[name]
    before = kept(task.family).get(name)
    if before is None:
        return f"{name} is not written down yet: python -m tests.tasks.versions"
    if before["asked"] == asked(name):
        same = before["version"] == task.version
        return None if same else f"{name} has a new version: python -m tests.tasks.versions"
    if before["version"] == task.version:
        return f"{name} asks something else than before: raise its version"
    return f"{name} is written down with its old version: python -m tests.tasks.versions"


def main() -> int:
    """Write down all tasks, but for those that need a new version."""
    families: dict[str, dict[str, dict[str, str | int]]] = {}
    refused = []
    for name, task in sorted(TASKS.items()):
        entries = families.setdefault(task.family, {})
        found = problem(name)
        if found is not None and found.endswith("raise its version"):
            refused.append(found)
            entries[name] = kept(task.family)[name]
        else:
            entries[name] = {"version": task.version, "asked": asked(name)}
    KEPT.mkdir(exist_ok=True)
    for family, entries in families.items():
        (KEPT / f"{family}.json").write_text(f"{json.dumps(entries, indent=1)}\n")
    print("\n".join(refused), file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
