"""tasks new: a plugin that works, three rows of data and a test, for a user to change."""

import re
from importlib.resources import files
from pathlib import Path

from evalharness.discovery import find_tasks
from evalharness.errors import UsageError, did_you_mean

KINDS = ("multiple-choice", "generation", "translation", "likelihood-pairs")
_LONGEST = 100
_NAME = re.compile("[a-z][a-z0-9]*(-[a-z0-9]+)*")


def new_task(name: str, kind: str, folder: Path) -> list[Path]:
    """Write NAME.py, data/NAME.jsonl and tests/test_NAME.py in a folder; returns their paths.

    Raises UsageError for an unknown kind, a name that is no name or taken, and files that exist.
    """
    if kind not in KINDS:
        raise UsageError(
            f"there is no kind of task {kind!r}; kinds are {', '.join(KINDS)}."
            f"{did_you_mean(kind, KINDS)}"
        )
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise UsageError(
            f"a task's name has up to {_LONGEST} small letters, digits, single hyphens, such as "
            f"my-task, not {name!r:.80}."
        )
    module = name.replace("-", "_")
    texts = {
        folder / f"{module}.py": "plugin.py.txt",
        folder / "data" / f"{module}.jsonl": "rows.jsonl.txt",
        folder / "tests" / f"test_{module}.py": "test.py.txt",
    }
    for path in texts:
        if path.exists():
            raise UsageError(f"{path} is there already; choose another name or folder.")
    if name in find_tasks([folder] if folder.is_dir() else []).tasks:
        raise UsageError(f"there is a task {name!r} already; choose another name.")
    for path, template in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (files(__package__) / kind / template).read_text(encoding="utf-8")
        path.write_text(text.replace("@NAME@", name).replace("@MODULE@", module), encoding="utf-8")
    return list(texts)
