"""One file or a folder: the same bytes for the same runs, and nothing of others overwritten."""

import shutil
from pathlib import Path

import pytest

from evalharness.errors import UsageError
from evalharness.report import layouts
from evalharness.report.evidence import Evidence
from evalharness.report.layouts import render_single, write_single, write_site
from tests.report import folders
from tests.report.folders import MadeModel


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return folders.write_runs(tmp_path_factory.mktemp("runs"), samples=30)


@pytest.fixture(scope="module")
def evidence(runs: list[Path]) -> Evidence:
    return folders.evidence(runs, baseline="cedar-3b")


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_both_layouts_are_the_same_bytes_for_the_same_runs_in_any_order(
    runs: list[Path], evidence: Evidence, tmp_path: Path
) -> None:
    again = folders.evidence(runs[::-1], baseline="cedar-3b")
    assert render_single(evidence, title="t") == render_single(again, title="t")
    for name, found in (("one", evidence), ("two", again)):
        write_site(tmp_path / name, found, title="t", theme=None)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_runs_that_were_moved_give_the_same_bytes_also_where_files_are_missing_or_damaged(
    tmp_path: Path,
) -> None:
    """The page named the places of files on the machine that it was made on."""
    models = [MadeModel("a", 0.6), MadeModel("b", 0.5), MadeModel("c", 0.4)]
    first = folders.write_runs(tmp_path / "here" / "runs", models=models, samples=20)
    (first[1] / "samples" / "capitals.parquet").unlink()
    (first[2] / "samples" / "passages.parquet").write_bytes(b"PAR1 no more")
    shutil.copytree(tmp_path / "here", tmp_path / "elsewhere")
    moved = [tmp_path / "elsewhere" / "runs" / folder.name for folder in first]
    for name, runs in (("one", first), ("two", moved)):
        found = folders.evidence(runs, baseline="a")
        write_site(tmp_path / name, found, title="t", theme=None)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    text = (tmp_path / "one" / "comparison.html").read_text(encoding="utf-8")
    assert "samples/capitals.parquet is missing" in text
    assert str(tmp_path) not in text


def test_a_site_takes_the_place_of_an_older_one_and_leaves_nothing_of_it(
    runs: list[Path], evidence: Evidence, tmp_path: Path
) -> None:
    """Shards have the names of their hashes: those of old reports would have stayed for ever."""
    write_site(tmp_path / "site", evidence, title="t", theme=None)
    before = set(files(tmp_path / "site"))
    fewer = folders.evidence(runs[:1])
    write_site(tmp_path / "site", fewer, title="t", theme=None)
    write_site(tmp_path / "fresh", fewer, title="t", theme=None)
    assert files(tmp_path / "site") == files(tmp_path / "fresh")
    assert before - set(files(tmp_path / "site"))


def test_a_folder_with_other_files_is_refused(evidence: Evidence, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match="files in it that are no report"):
        write_site(tmp_path, evidence, title="t", theme=None)
    assert files(tmp_path) == {"thesis.tex": b"mine"}


def test_a_site_in_the_place_of_a_file_is_refused(evidence: Evidence, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        write_site(tmp_path / "report.html", evidence, title="t", theme=None)


def test_the_list_of_files_cannot_lead_out_of_the_folder(
    evidence: Evidence, tmp_path: Path
) -> None:
    """The list is a file that anyone may have written."""
    write_site(tmp_path / "site", evidence, title="t", theme=None)
    (tmp_path / "kept.txt").write_text("mine")
    contents = tmp_path / "site" / "contents.txt"
    contents.write_text(contents.read_text() + f"../kept.txt\n{tmp_path}/kept.txt\n")
    write_site(tmp_path / "site", evidence, title="t", theme=None)
    assert (tmp_path / "kept.txt").read_text() == "mine"


def test_a_file_that_is_too_large_is_refused_unless_it_is_asked_for(
    evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layouts, "REFUSE_ABOVE", 10_000)
    monkeypatch.setattr(layouts, "WARN_ABOVE", 5_000)
    path = tmp_path / "report.html"
    with pytest.raises(UsageError, match="--layout site"):
        write_single(path, evidence, title="t", theme=None, any_size=False)
    assert not path.exists()
    warning = write_single(path, evidence, title="t", theme=None, any_size=True)
    assert "--layout site" in warning
    assert path.exists()


def test_a_single_file_says_how_many_of_all_samples_it_shows(tmp_path: Path) -> None:
    models = [MadeModel("a", 0.6), MadeModel("b", 0.4)]
    found = folders.evidence(folders.write_runs(tmp_path, models=models, samples=300))
    page = render_single(found, title="t")
    assert "400 of 1\N{NARROW NO-BREAK SPACE}200 samples." in page


def test_without_samples_there_is_a_report_without_their_page(tmp_path: Path) -> None:
    bare = folders.write_runs(tmp_path / "runs", samples=30)
    for folder in bare:
        for path in (folder / "samples").iterdir():
            path.unlink()
    write_site(tmp_path / "site", folders.evidence(bare), title="t", theme=None)
    names = set(files(tmp_path / "site"))
    assert "samples.html" not in names
    assert "samples.html" not in (tmp_path / "site" / "index.html").read_text()
    text = (tmp_path / "site" / "index.html").read_text()
    assert "The samples of some runs are not at hand" in text


def test_a_single_model_has_scores_and_no_ranks(tmp_path: Path) -> None:
    runs = folders.write_runs(tmp_path, models=[MadeModel("alone", 0.6)], samples=20)
    page = render_single(folders.evidence(runs), title="t")
    assert "alone" in page
    assert 'data-name="Rank"' not in page


# --- Themes --------------------------------------------------------------------------------------


def test_a_theme_replaces_what_it_has_and_its_style_may_run(
    evidence: Evidence, tmp_path: Path
) -> None:
    theme = tmp_path / "theme"
    theme.mkdir()
    (theme / "style.css").write_text("body { color: rebeccapurple; }")
    (theme / "reading.html.j2").write_text("<p>Our own words.</p>")
    page = render_single(evidence, title="t", theme=theme)
    assert "<style>body { color: rebeccapurple; }</style>" in page
    assert "<p>Our own words.</p>" in page
    assert "How to read this" not in page
    assert "Leaderboard" in page


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("styel.css", "", "Did you mean 'style.css'?"),
        ("reading.html.j2", "{{ page.titel }}", "has no attribute 'titel'"),
        ("reading.html.j2", "{% if %}", "reading.html.j2 cannot be rendered"),
    ],
)
def test_a_theme_that_cannot_be_used_is_an_error_that_says_why(
    evidence: Evidence, tmp_path: Path, name: str, text: str, words: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError) as caught:
        render_single(evidence, title="t", theme=tmp_path)
    assert words in str(caught.value)
    assert "--theme" in str(caught.value)


def test_a_theme_that_is_no_folder_is_an_error(evidence: Evidence, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        render_single(evidence, title="t", theme=tmp_path / "nowhere")


# --- The baseline --------------------------------------------------------------------------------


def test_a_baseline_is_found_by_any_of_its_names_and_a_wrong_one_has_a_hint(
    runs: list[Path],
) -> None:
    for name in ("cedar-3b", "builtin:cedar-3b"):
        found = folders.evidence(runs, baseline=name).comparison
        assert found is not None
        assert found.baseline == "cedar-3b"
    with pytest.raises(UsageError, match="Did you mean 'cedar-3b'"):
        folders.evidence(runs, baseline="cedar")


def test_a_baseline_alone_has_nothing_to_be_compared_with(runs: list[Path]) -> None:
    with pytest.raises(UsageError, match="no other model"):
        folders.evidence(runs[:1], baseline="aspen-7b")


def test_verdicts_and_their_words_are_those_of_the_comparison(evidence: Evidence) -> None:
    assert evidence.comparison is not None
    rows = [row for row in evidence.comparison.rows if row.run == "aspen-7b"]
    ranked = [row for row in rows if row.metric_result.ideal is None]
    found = [row.corrected <= 0.05 and (row.difference.difference or 0) > 0 for row in ranked]
    assert sum(found) > 0
    page = render_single(evidence, title="t")
    assert f"Better on {sum(found)}, worse on 0," in page
    assert page.count('class="verdict better"') >= 2 * sum(found)
