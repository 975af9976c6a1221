"""The page says what the results say, the same way every time, and runs nothing of strangers."""

import base64
import hashlib
import io
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evalharness.report.cells import Cell
from evalharness.report.layouts import render_single
from evalharness.report.leaderboard import Run, build_leaderboard, order_runs
from evalharness.report.terminal import print_table
from evalharness.report.text import number, short, visible
from evalharness.report.view import build_page
from evalharness.results import ChatForm, Results, Validity
from evalharness.validity import THRESHOLDS
from tests.report import folders
from tests.report.folders import MadeModel
from tests.report.runs import evidence_of_runs, many, metric, run, task


def rendered(runs: Sequence[Run], *, title: str) -> str:
    """The single page of runs without samples."""
    return render_single(evidence_of_runs(runs), title=title)


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}"


class Page(HTMLParser):
    """The tags of a page, and the text of its table cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def cells(*metrics: float | tuple[float, float, float] | None, **options: float) -> list[Cell]:
    """The cells of one task: (value, low, high), a value without interval, or None for no run."""
    runs: list[Run] = []
    for place, one in enumerate(metrics):
        if one is None:
            runs.append(run(f"m{place}", {"other": task({"acc": metric(0.1, (0.0, 0.2))})}))
            continue
        value, found = (one, None) if isinstance(one, float) else (one[0], (one[1], one[2]))
        scores = {"acc": metric(value, found, **options)}  # type: ignore[arg-type]
        runs.append(run(f"m{place}", {"task": task(scores)}))
    board = build_leaderboard(runs)
    place = [column.task for column in board.columns].index("task")
    return [row.cells[place] for row in board.rows]


def test_every_model_whose_interval_overlaps_the_bests_is_marked() -> None:
    found = cells((0.5, 0.4, 0.6), (0.7, 0.6, 0.8), (0.55, 0.5, 0.61), (0.2, 0.1, 0.3))
    assert [cell.best for cell in found] == [True, True, True, False]


def test_the_direction_of_a_metric_decides_which_is_best() -> None:
    values = [(0.2, 0.1, 0.3), (0.7, 0.6, 0.8)]
    assert [cell.best for cell in cells(*values, higher=False)] == [True, False]
    assert [cell.best for cell in cells(*values, ideal=0.9)] == [False, True]
    assert [cell.best for cell in cells(*values, ideal=0.25)] == [True, False]


def test_a_single_model_is_not_marked_as_the_best() -> None:
    assert [cell.best for cell in cells((0.5, 0.4, 0.6))] == [False]
    scores = {"task": task({"acc": metric(0.5, (0.4, 0.6))})}
    assert "Bold" not in " ".join(Page(rendered([run("m", scores)], title="t")).text)


@pytest.mark.parametrize(
    ("score", "half"),
    [
        ((0.5, 0.4, 0.6), "±.100"),
        ((0.9, 0.84, 0.94), "±.050"),
        ((1.0, 0.438, 1.0), "\N{MINUS SIGN}.562"),
        ((0.0, 0.0, 0.281), "+.281"),
        ((0.983, 0.911, 0.997), "+.014 \N{MINUS SIGN}.072"),
        ((0.983, 0.933, 1.033), "±.050"),
    ],
)
def test_an_interval_is_not_shown_as_if_it_left_the_scale(
    score: tuple[float, float, float], half: str
) -> None:
    """1.000 ±.281 said that 1.281 may be the score."""
    assert cells(score)[0].half == half


def test_scores_of_unequal_length_are_known_to_be_so() -> None:
    """.917 stood below 1.000 with its point under the 1."""
    for values, uneven in (((1.0, 0.5), True), ((0.2, 0.5), False)):
        runs = [
            run(f"m{n}", {"task": task({"acc": metric(value, None)})})
            for n, value in enumerate(values)
        ]
        assert build_leaderboard(runs).columns[0].uneven is uneven


def test_samples_that_failed_were_not_answered() -> None:
    scores = {"task": task({"acc": metric(0.5, (0.4, 0.6))}, failed=3)}
    text = " ".join(" ".join(Page(rendered([run("m", scores)], title="t")).text).split())
    assert "Samples answered 37, 3 failed" in text


def test_bold_on_the_page_of_a_task_is_bold_on_the_leaderboard(tmp_path: Path) -> None:
    """One went by tests on the same samples, the other by intervals, which find less."""
    models = [MadeModel(f"m{n}", 0.5 + 0.06 * n, tasks=("passages",)) for n in range(6)]
    found = build_page(folders.evidence(folders.write_runs(tmp_path, models=models)), "t")
    (section,) = found.tasks
    on_page = {row.label: row.cells[0].best for row in section.rows}
    assert on_page == {row.model: row.cells[0].best for row in found.leaderboard.rows}
    assert 0 < sum(on_page.values()) < len(models)
    assert section.is_ranked


def test_missing_is_not_zero_and_undefined_is_not_missing() -> None:
    assert cells((0.5, 0.4, 0.6), None)[1].value == "–"
    nothing = {"task": task({"acc": metric(None, None)}, failed=40)}
    (cell,) = build_leaderboard([run("m", nothing)]).rows[0].cells
    assert (cell.value, cell.note) == ("undefined", "40 of 40 samples failed")


def test_without_intervals_only_equal_values_are_together() -> None:
    assert [cell.best for cell in cells(0.5, 0.7, 0.7)] == [False, True, True]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt_hash": "bb" * 32}, "prompts or data"),
        ({"version": 2}, "versions of the task"),
        ({"n": 41}, "numbers of samples"),
        ({"num_fewshot": 5}, "few-shot examples"),
    ],
)
def test_runs_of_different_work_are_flagged_and_nothing_is_marked(
    change: dict[str, Any], words: str
) -> None:
    scores = {"acc": metric(0.5, (0.4, 0.6))}
    runs = [run("a", {"task": task(scores)}), run("b", {"task": task(scores, **change)})]
    board = build_leaderboard(runs)
    assert words in board.columns[0].mismatch
    assert not any(cell.best for row in board.rows for cell in row.cells)
    assert "not comparable" in rendered(runs, title="t")


def test_models_of_one_name_are_told_apart() -> None:
    scores = {"task": task({"acc": metric(0.5, (0.4, 0.6))})}
    one, results = run("same", scores)
    other = Results(**{**dict(results), "run_id": "another-run-id"})
    rows = build_leaderboard([(one, results), (one, other)]).rows
    assert len({row.model for row in rows}) == 2


def test_the_page_is_the_same_for_the_same_runs_in_any_order() -> None:
    runs = list(many(3, 8))
    assert rendered(runs, title="t") == rendered(runs[::-1], title="t")


def test_limits_caveats_and_skipped_tasks_are_announced() -> None:
    scores = {"task": task({"acc": metric(0.5, (0.4, 0.6))})}
    record, results = run("m", scores, limit=7, caveat="rows of another split")
    record = record.model_copy(update={"skipped": {"xsum": "it cannot"}})
    page = " ".join(Page(rendered([(record, results)], title="t")).text)
    assert "only the first 7 samples" in page
    assert "rows of another split" in page
    assert "m was not run on xsum: it cannot." in page


def hostile_run() -> Run:
    scores = {HOSTILE: metric(0.5, (0.4, 0.6))}
    slices = {HOSTILE: {HOSTILE: {"n": 1, "metrics": scores}}}
    return run(
        HOSTILE, {HOSTILE: task(scores, slices=slices)}, caveat=HOSTILE, spec=f"builtin:{HOSTILE}"
    )


def test_hostile_names_are_text_and_nothing_else() -> None:
    page = Page(rendered([hostile_run()], title=HOSTILE))
    assert page.count("script") == 1
    assert page.count("img") == 0
    assert "{{7*7}}" in "".join(page.text)
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]


def test_the_policy_names_the_hashes_of_the_only_style_and_script() -> None:
    text = rendered([hostile_run()], title="t")
    for tag in ("style", "script"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in text.replace("&#39;", "'").replace("&#43;", "+")
    assert "default-src 'none'" in text
    assert not re.search(r"(?:src|href)=\"(?!#)", text)


def test_hidden_characters_are_shown_and_home_folders_are_not() -> None:
    assert visible("a\u202eb\x00c\u200d") == "a⟦U+202E⟧b⟦U+0000⟧c⟦U+200D⟧"
    assert visible("builtin:/home/alice/models/x") == "builtin:~/models/x"
    assert visible("/Users/bob/x /root/y") == "~/x ~/y"
    assert len(short("x" * 10_000)) == 80


@pytest.mark.parametrize(
    ("value", "percent", "expected"),
    [
        (0.2625, False, ".263"),
        (0.0, False, ".000"),
        (1.0, False, "1.000"),
        (-0.25, False, "−.250"),
        (62.891, True, "62.9"),
        (0.0, True, "0.0"),
        (100.0, True, "100.0"),
    ],
)
def test_numbers_are_written_by_the_scale_of_their_metric(
    value: float, percent: bool, expected: str
) -> None:
    assert number(value, metric(value, None, percent=percent)) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0.98765, "0.988"), (9.5, "9.500"), (23.456, "23.5"), (-0.5, "−0.500")]
)
def test_small_values_on_a_scale_without_an_end_are_not_rounded_away(
    value: float, expected: str
) -> None:
    """Models differ by hundredths of a bit per byte."""
    endless = metric(value, None).model_copy(update={"bounds": (0.0, None)})
    assert number(value, endless) == expected


@pytest.mark.parametrize(
    ("bounds", "value", "expected"),
    [
        ((-1.0, 1.0), -0.042, "\N{MINUS SIGN}.042"),
        ((0.0, 2.0), 0.042, ".042"),
        ((0.0, 2.0), 1.5, "1.500"),
        ((-100.0, 100.0), -4.21, "\N{MINUS SIGN}4.2"),
    ],
)
def test_differences_of_shares_are_not_rounded_away(
    bounds: tuple[float, float], value: float, expected: str
) -> None:
    """With one decimal, a gap of four points of accuracy was 0.0."""
    gap = metric(0.0, None).model_copy(update={"bounds": bounds})
    assert number(value, gap) == expected


def test_everything_failed_and_nothing_has_an_interval_still_is_a_page() -> None:
    failed = {"task": task({"acc": metric(None, None)}, failed=40)}
    bare = {"task": task({"acc": metric(0.5, None)})}
    page = " ".join(Page(rendered([run("a", failed), run("b", bare)], title="t")).text)
    assert "40 of 40 samples failed" in page
    assert "no interval" in page


def test_thirty_models_and_sixty_tasks_fit_one_page() -> None:
    text = rendered(many(30, 60), title="t")
    page = Page(text)
    assert page.count("td") > 2 * 30 * 60
    assert len(text) < 5_000_000


def printed(runs: list[Run], width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    print_table(runs, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_terminal_shows_values_intervals_and_n() -> None:
    text = printed([run("m", {"task": task({"acc": metric(0.5, (0.4, 0.6))})})], 80)
    for part in ("task", "acc", ".500", ".400 to .600", "n = 40"):
        assert part in text


def test_names_in_the_terminal_are_not_taken_for_markup() -> None:
    runs = [run("[red]m[/red]", {"[bold]t": task({"acc": metric(0.5, (0.4, 0.6))})})]
    text = printed(runs, 100)
    assert "[red]m[/red]" in text
    assert "[bold]t" in text


def test_a_task_that_runs_know_under_two_families_stands_once_as_not_comparable() -> None:
    """The sections were more than the columns, and the report ended in an error."""
    scores = {"acc": metric(0.5, (0.4, 0.6))}
    runs = [run("a", {"t": task(scores)}), run("b", {"t": task(scores, family="bias")})]
    page = rendered(runs, title="x")
    assert "Not comparable: different families" in page
    assert len(build_leaderboard(runs).columns) == 1


def in_series(name: str, series: str, step: int | None) -> Run:
    record, results = run(name, {"t": task({"acc": metric(0.5, (0.4, 0.6))})})
    model = results.model.model_copy(update={"series": series, "step": step})
    return record, results.model_copy(update={"model": model})


def test_a_series_stands_together_in_the_order_of_its_steps() -> None:
    """checkpoint-1000 stood before checkpoint-500, and other models between them."""
    series = "builtin:<i>[red]run/checkpoint-*"
    runs = [
        in_series("checkpoint-1000", series, 1000),
        run("checkpoint-7", {"t": task({"acc": metric(0.5, (0.4, 0.6))})}),
        in_series("checkpoint-last", series, None),
        in_series("checkpoint-500", series, 500),
        in_series("checkpoint-3", "builtin:another/*", 3),
    ]
    board = build_leaderboard(order_runs(runs))
    assert [(row.model, row.heading) for row in board.rows] == [
        ("checkpoint-7", ""),
        ("checkpoint-500", series),
        ("checkpoint-1000", ""),
        ("checkpoint-last", ""),
        ("checkpoint-3", "builtin:another/*"),
    ]
    page = rendered(runs, title="x")
    heading = re.findall(r'<tr class="series">(.*?)</tr>', page, re.DOTALL)
    assert [text.count("builtin:&lt;i&gt;[red]run/checkpoint-*") for text in heading] == [1, 0]
    assert f"series {series}: steps 500, 1000, checkpoint-last" in printed(runs, 200)


def test_the_banner_names_the_tasks_that_a_limit_may_have_cut() -> None:
    scores = {"acc": metric(0.5, (0.4, 0.6))}
    tasks = {"small": task(scores, n=39), "cut-task": task(scores, n=40)}
    page = rendered([run("m", tasks, limit=40)], title="x")
    assert "only the first 40 samples were answered of cut-task." in page
    assert "Partial runs" not in rendered([run("m", tasks, limit=1000)], title="x")


def test_the_page_says_how_weights_were_quantised() -> None:
    """A model that had lost most of its bits was float32, as the one beside it."""
    record, results = run("whole", {"task": task({"acc": metric(0.5, (0.4, 0.6))})})
    model = results.model.model_copy(update={"quantisation": "bitsandbytes, 4 bits"})
    quantised = record, results.model_copy(update={"model": model})
    text = Page(rendered([quantised], title="t")).text
    assert "float32, bitsandbytes, 4 bits" in text


def test_the_page_says_in_what_form_models_were_asked_and_whose_thinking_did_not_end() -> None:
    """Runs of one model as text and as chats looked the same, since they are compared."""
    scores = {"acc": metric(0.5, (0.4, 0.6))}
    form = ChatForm(system_prompt="Be brief.", fewshot_as="turns")
    unfinished = Validity(samples=40, unfinished_thinking=7)
    runs = [
        run("text", {"task": task(scores)}),
        run("chat", {"task": task(scores, chat=form, validity=unfinished)}),
    ]
    text = Page(rendered(runs, title="t")).text
    assert "plain text" in text
    assert "chat, system prompt, examples as turns" in text
    assert any("7 of 40 ended before the thinking did" in part for part in text)
    assert not any("Not comparable" in part for part in text)
    assert "7 of 40 ended before the thinking did" in " ".join(printed(runs, 200).split())


def test_warnings_of_a_task_go_by_the_thresholds_that_are_asked_for() -> None:
    validity = Validity(samples=40, empty=9)
    found = [run("m", {"task": task({"acc": metric(0.5, None)}).model_copy(
        update={"validity": validity})})]  # fmt: skip
    usual, lenient = (
        evidence_of_runs(found, thresholds=thresholds)
        for thresholds in (THRESHOLDS, {**THRESHOLDS, "empty": 0.5})
    )
    assert build_page(usual, "t").tasks[0].cautions == ("m: 9 of 40 samples are empty",)
    assert build_page(lenient, "t").tasks[0].cautions == ()
