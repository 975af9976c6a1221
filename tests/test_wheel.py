"""The built wheel works outside the checkout, with its own tasks and templates."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, CHECKOUT],
        check=True,
        capture_output=True,
    )
    (found,) = folder.glob("*.whl")
    return found


def test_wheel_carries_tasks_and_templates_and_nothing_of_the_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "evalharness/_bundled/tasks/bias/stereoset.py" in names
    assert any(name.startswith("evalharness/_bundled/reports/") for name in names)
    assert not [
        name for name in names if name.startswith(("tests/", "tasks/", "reports/", "benchmarks/"))
    ]


def test_installed_wheel_runs_a_task_and_writes_a_report(wheel: Path, tmp_path: Path) -> None:
    """A new environment sees the dependencies of this one, but not this checkout."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel], check=True
    )
    # Appended, so that the wheel's own package comes first; without the editable install's hook.
    site = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    (site / "dependencies.py").write_text(
        f"import sys; sys.path.append({sysconfig.get_paths()['purelib']!r})\n"
    )
    (site / "dependencies.pth").write_text("import dependencies\n")

    def evalharness(*arguments: str) -> str:
        done = subprocess.run(
            [tmp_path / "venv" / "bin" / "evalharness", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    shown = evalharness("tasks", "show", "starter-pairs")
    assert str(site / "evalharness" / "_bundled") in shown
    evalharness("run", "-m", "baseline:random", "-t", "starter-pairs,starter-reading")
    evalharness("report", "runs", "-o", "report.html")
    assert "starter-reading" in (tmp_path / "report.html").read_text()
