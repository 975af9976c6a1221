"""Test sets of WMT: as sacrebleu keeps them, and as the conference publishes them.

The oracle is sacrebleu's own reading of the published files, which it is given here as if it had
fetched them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sacrebleu.dataset import DATASETS

from evalharness.discovery import find_tasks
from evalharness.errors import DataError, UsageError
from evalharness.prompts.preparation import PreparedTask, prepare
from evalharness.sources import LocalFile, ParallelFiles, SacrebleuTestSet
from evalharness.sources.choice import with_data

XML = """<?xml version='1.0' encoding='utf-8'?>
<dataset id="wmttest2022">
 <collection id="general">
  <doc origlang="en" id="news.1" domain="news">
   <src lang="en"><p>
    <seg id="2">Second &amp;  last.</seg>
    <seg id="1">First.
    </seg></p>
   </src>
   <ref lang="de" translator="A"><p>
    <seg id="1">Erstens.</seg><seg id="2">Zweitens &amp; letztens.</seg></p>
   </ref>
   <ref lang="de" translator="B"><p>
    <seg id="1">Zuerst.</seg><seg id="2">Zuletzt.</seg></p>
   </ref>
   <hyp lang="de" system="S"><p><seg id="1">Eins.</seg><seg id="2">Zwei.</seg></p></hyp>
  </doc>
 </collection>
 <doc origlang="en" id="suite.1" testsuite="gender">
  <src lang="en"><p><seg id="1">A suite.</seg></p></src>
  <ref lang="de" translator="A"><p><seg id="1">Eine Reihe.</seg></p></ref>
 </doc>
 <doc origlang="en" id="news.2" domain="social">
  <src lang="en"><p><seg id="10">Tenth.</seg><seg id="9">Nobody translated this.</seg></p></src>
  <ref lang="de" translator="A"><p><seg id="10">Zehntens.</seg></p></ref>
  <ref lang="de" translator="B"><p><seg id="10">Zum Zehnten.</seg></p></ref>
  <hyp lang="de" system="S"><p><seg id="10">Zehn.</seg><seg id="9">Neun.</seg></p></hyp>
 </doc>
</dataset>
"""
SOURCE_SGM = """<srcset setid="newstest2020" srclang="any">
<doc sysid="src" docid="news.1" genre="news" origlang="en">
<p>
<seg id="1">One  &amp; only.</seg>
<seg id="2">Two.</seg>\r
</p>
</doc>
<doc sysid="src" docid="news.2" genre="news" origlang="en">
<p>
<seg id="1"> Three. </seg>
</p>
</doc>
</srcset>
"""
REFERENCE_SGM = SOURCE_SGM.replace("One", "Eins").replace("Two", "Zwei").replace("Three", "Drei")

Fetched = Callable[[str, str, dict[int, str]], None]


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetched:
    """Puts the files of a direction where sacrebleu has what it fetched."""

    def put(name: str, direction: str, files: dict[int, str]) -> None:
        test_set: Any = DATASETS[name]
        folder = tmp_path / "sacrebleu" / name
        monkeypatch.setattr(test_set, "_outdir", str(folder))
        monkeypatch.setattr(test_set, "_rawdir", str(folder / "raw"))
        monkeypatch.setattr("sacrebleu.utils.SACREBLEU_DIR", str(tmp_path / "sacrebleu"))
        (folder / "raw").mkdir(parents=True)
        for url in test_set.data:
            archive = folder / "raw" / f"{name}.{Path(url).name}"
            archive.write_text("as if it were there")
        pair = test_set.langpairs[direction]
        for index, content in files.items():
            path = folder / "raw" / (pair["path"] if isinstance(pair, dict) else pair[index])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode())

    return put


def read(task: str, choice: str = "") -> PreparedTask:
    (chosen,) = with_data([find_tasks().find(task).task], {task: choice} if choice else {})
    return prepare(chosen, limit=None, num_fewshot=0, seed=0)


def test_a_set_that_sacrebleu_has_is_read_with_its_references_and_documents(
    fetched: Fetched,
) -> None:
    source = SacrebleuTestSet("wmt22", "en-de")
    fetched("wmt22", "en-de", {0: XML})
    assert not source.is_here()
    task = read("wmt22:en-de")
    assert source.is_here()
    assert [(one.source, one.references, one.group) for one in task.samples] == [
        ("First.", ("Erstens.",), "news.1"),
        ("Second & last.", ("Zweitens & letztens.",), "news.1"),
        ("Tenth.", ("Zehntens.",), "news.2"),
    ]
    assert task.record.source == "sacrebleu -t wmt22 -l en-de"
    assert task.record.revision.startswith("sha256:")
    assert task.record.caveat == ""


def test_wmts_xml_is_read_as_sacrebleu_reads_it(fetched: Fetched, tmp_path: Path) -> None:
    fetched("wmt22", "en-de", {0: XML})
    path = tmp_path / "wmttest2022.en-de.all.xml"
    path.write_text(XML, encoding="utf-8")
    given, own = read("wmt22:en-de", str(path)), read("wmt22:en-de")
    assert given.samples == own.samples
    assert "given by the user" in given.record.caveat
    # A test set of one's own is scored by all references.
    (first, *_) = read("local-translation:en-de", str(path)).samples
    assert first.references == ("Erstens.", "Zuerst.")


def test_the_references_of_a_direction_are_those_that_sacrebleu_scores_by(tmp_path: Path) -> None:
    """Into Czech, WMT22 is scored by the translator B."""
    path = tmp_path / "test.xml"
    path.write_text(XML.replace('lang="de"', 'lang="cs"'), encoding="utf-8")
    assert read("wmt22:en-cs", str(path)).samples[0].references == ("Zuerst.",)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('lang="de"', 'lang="fr"', r"row 1 .*: the file is from en into fr, not en-de"),
        (
            'translator="A"',
            'translator="C"',
            r"row 1 .*: there is no reference by the translator 'A'",
        ),
        ('id="2"', 'id="1"', "a <seg> should have a number of its own in its document, not '1'"),
        ('<seg id="2">', "<seg>", "should have a number of its own in its document, not ''"),
        ("</dataset>", "", r"test\.xml: not valid XML: no element found: line \d+"),
        ("<src ", "<source ", r"test\.xml: not valid XML: mismatched tag"),
        ("seg", "segment", r"test\.xml has no rows"),
    ],
)
def test_what_is_wrong_with_an_xml_file_is_named(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    path = tmp_path / "test.xml"
    path.write_text(XML.replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=problem):
        read("wmt22:en-de", str(path))


def test_an_xml_file_in_the_place_of_lines_says_how_to_give_it() -> None:
    with pytest.raises(UsageError, match=r"write --data wmt22:en-de=test\.xml"):
        read("wmt22:en-de", "src=test.xml,ref=test.xml")


def test_wmts_sgm_files_are_read_as_sacrebleu_reads_them(fetched: Fetched, tmp_path: Path) -> None:
    fetched("wmt20", "en-de", {0: SOURCE_SGM, 1: REFERENCE_SGM})
    source, reference = tmp_path / "src.en.sgm", tmp_path / "ref.de.sgm"
    source.write_bytes(SOURCE_SGM.encode())
    reference.write_bytes(REFERENCE_SGM.encode())
    given, own = read("wmt20:en-de", f"src={source},ref={reference}"), read("wmt20:en-de")
    assert [one.source for one in given.samples] == ["One &amp; only.", "Two.", "Three."]
    assert [(one.source, one.references) for one in given.samples] == [
        (one.source, one.references) for one in own.samples
    ]
    assert [one.group for one in own.samples] == ["news.1", "news.1", "news.2"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("<doc>\n</doc>\n", r"src\.sgm has no <seg>"),
        ("<seg id=1>One.\n</seg>\n", r"src\.sgm, line 1: a <seg> should begin and end a line"),
        ("  <seg id=1>One.</seg>\n", r"src\.sgm, line 1: a <seg> should begin and end a line"),
    ],
)
def test_segments_that_sacrebleu_would_leave_out_are_named(
    tmp_path: Path, content: str, problem: str
) -> None:
    path = tmp_path / "src.sgm"
    path.write_text(content)
    with pytest.raises(DataError, match=problem):
        list(ParallelFiles(path, (path,)).rows())


def test_a_set_that_cannot_be_fetched_says_how_to_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sacrebleu ends the program where what it fetched has another checksum."""
    monkeypatch.setattr(DATASETS["wmt22"], "_rawdir", str(tmp_path))
    for error in (OSError("no route"), SystemExit(1)):

        def fail(*_: object, error: BaseException = error, **__: object) -> None:
            raise error

        monkeypatch.setattr("sacrebleu.dataset.base.download_file", fail)
        with pytest.raises(DataError, match=r"sacrebleu cannot fetch wmt22, en-de") as raised:
            read("wmt22:en-de")
        for way in ("--data wmt22:en-de=src=FILE,ref=FILE", "=FILE.xml", "~/.sacrebleu"):
            assert way in str(raised.value)


def test_the_form_of_wmts_xml_is_kept_in_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "test.xml"
    path.write_text(XML, encoding="utf-8")
    row = dict(next(iter(LocalFile(path).rows())))
    assert (row["domain"], row["doc_id"], row["translators"]) == ("news", "news.1", ["A", "B"])
