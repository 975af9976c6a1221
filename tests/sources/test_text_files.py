"""Files of plain text as data: parallel ones, and folders of them."""

from pathlib import Path

import pytest

from evalharness.discovery import find_tasks
from evalharness.errors import DataError
from evalharness.prompts.preparation import PreparedTask, prepare
from evalharness.sources import ParallelFiles
from evalharness.sources.choice import with_data
from evalharness.sources.text_files import is_folder_of_texts


def write_lines(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_parallel_files_are_read_line_by_line(tmp_path: Path) -> None:
    """Only a line feed ends a line: other separators are part of a text, as sacrebleu has it."""
    source = write_lines(tmp_path / "src", "one\u2028still one\r\n\nthree\n")
    first = write_lines(tmp_path / "first", "eins\nzwei\ndrei")
    second = write_lines(tmp_path / "second", "uno\ndos\ntres\n")
    rows = list(ParallelFiles(source, (first, second)).rows())
    assert [dict(row) for row in rows] == [
        {"id": "1", "src": "one\u2028still one", "refs": ["eins", "uno"]},
        {"id": "2", "src": "", "refs": ["zwei", "dos"]},
        {"id": "3", "src": "three", "refs": ["drei", "tres"]},
    ]
    before = ParallelFiles(source, (first, second)).identity()
    assert before != ParallelFiles(source, (second, first)).identity()


@pytest.mark.parametrize(
    ("references", "problem"),
    [("eins\n \n", "ref, line 2: the reference is empty"), ("eins\n", "has 1 lines, but .* has 2")],
)
def test_parallel_files_that_do_not_fit_are_named(
    tmp_path: Path, references: str, problem: str
) -> None:
    source = write_lines(tmp_path / "src", "one\ntwo\n")
    reference = write_lines(tmp_path / "ref", references)
    with pytest.raises(DataError, match=problem):
        list(ParallelFiles(source, (reference,)).rows())


def read(task: str, path: Path) -> PreparedTask:
    (chosen,) = with_data([find_tasks().find(task).task], {task: str(path)})
    return prepare(chosen, limit=None, num_fewshot=0, seed=0)


def test_each_text_of_a_folder_is_a_document_as_it_is_alone(tmp_path: Path) -> None:
    """`datasets` makes a row of each line, so that a folder and its only file had two scores."""
    folder = tmp_path / "minutes"
    (folder / "2024").mkdir(parents=True)
    write_lines(folder / "b.txt", "One.\nTwo.\n")
    write_lines(folder / "2024" / "a.txt", "Three.\n")
    write_lines(folder / ".hidden", "not a text")
    task = read("local-text", folder)
    assert [(one.id, one.source) for one in task.samples] == [
        ("2024/a.txt: row 1", "Three.\n"),
        ("b.txt: row 1", "One.\nTwo.\n"),
    ]
    before = task.record.revision
    write_lines(folder / "b.txt", "One.\n")
    assert read("local-text", folder).record.revision != before


def test_catalogues_of_a_folder_are_messages_with_ids_that_do_not_tell_the_folder(
    tmp_path: Path,
) -> None:
    """`datasets` finds no data in them; the id is made of the name of the file."""
    found = []
    for name in ("here", "there"):
        folder = tmp_path / name / "messages"
        folder.mkdir(parents=True)
        write_lines(folder / "a.po", 'msgid "Open"\nmsgstr "Öffnen"\n')
        write_lines(folder / "b.po", 'msgid "Open"\nmsgstr "Auf"\n')
        found.append(read("django-messages-de", folder))
    assert {one.references for one in found[0].samples} == {("Öffnen",), ("Auf",)}
    assert [one.id for one in found[0].samples] == [one.id for one in found[1].samples]


def test_a_folder_with_other_files_is_a_data_set(tmp_path: Path) -> None:
    assert not is_folder_of_texts(tmp_path)
    write_lines(tmp_path / "a.txt", "x")
    assert is_folder_of_texts(tmp_path)
    write_lines(tmp_path / "test.jsonl", "{}")
    assert not is_folder_of_texts(tmp_path)


def test_a_row_that_cannot_be_read_in_a_folder_is_named_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"a\.txt, line 1: not valid UTF-8"):
        read("local-text", tmp_path)


def test_lines_of_winobias_are_read_from_a_file(tmp_path: Path) -> None:
    """One file, as the README gives it; it had to lie in a folder of its own."""
    path = write_lines(
        tmp_path / "type1.txt",
        "1 [The developer] argued with the designer because [he] did not like it.\n"
        "2 The developer argued with [the designer] because [her] idea failed.\n",
    )
    task = read("winobias-type1", path)
    assert [one.target for one in task.samples] == ["developer", "designer"]
