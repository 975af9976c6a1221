"""The sample page in Chromium: options, tokens, filters, orders, differences and links."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
import scipy.special
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, expect, sync_playwright

from evalharness.report import layouts
from evalharness.report.layouts import write_single, write_site
from evalharness.report.sample_columns import FLAGS, TaskSamples, task_samples
from evalharness.results import SampleRow
from evalharness.run_folder import read_sample_rows
from tests.report import folders
from tests.report.folders import MadeModel, MadeTask
from tests.report.opened import ARGUMENTS, Opened

pytestmark = pytest.mark.browser

TASKS = (
    MadeTask("reasoning", "question_answering", options=4),
    MadeTask("headlines", "summarization", graded=True),
    MadeTask("errors", "translation", graded=True, higher=False),
    MadeTask("pairs", "bias", ideal=0.5),
)
NAMES = tuple(task.name for task in TASKS)
HIDDEN = "left \u202eright\u202c zero\u200bwidth \x07bell\n</script><script>alert(1)</script>"
ARABIC = "مرحبا بالعالم كيف حالك"
LONG = " ".join(f"word-{number}" for number in range(4000))
# None of them is that of another sample, which the tests of filters rely on.
FLAGGED = {flag: 20 + place for place, flag in enumerate(FLAGS) if flag not in ("failed",)}
MODELS = (
    MadeModel("aspen-7b", 0.78, tasks=NAMES, tokens=True,
              outputs={1: HIDDEN, 2: ARABIC, 3: LONG}),
    MadeModel("birch-7b", 0.7, tasks=NAMES, tokens=True,
              outputs={3: LONG.replace("word-2000", "changed")}),
    MadeModel("cedar-3b", 0.5, tasks=NAMES, failed=4, flags=FLAGGED),
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """Runs and their reports: single.html, and site/samples.html."""

    folder: Path
    runs: dict[str, Path]

    @property
    def page(self) -> Path:
        return self.folder / "site" / "samples.html"

    def samples(self, task: str) -> TaskSamples:
        found = task_samples(task, folders.read([*self.runs.values()]), folders.catalogue(TASKS))
        assert found is not None
        return found

    def row(self, model: str, task: str, number: int) -> SampleRow:
        return read_sample_rows(self.runs[model], task)[f"{task}-{number:05}"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("reports")
    runs = folders.write_runs(folder / "runs", models=MODELS, tasks=TASKS, samples=60)
    evidence = folders.evidence(runs, baseline="birch-7b", tasks=TASKS)
    write_single(folder / "single.html", evidence, title="t", theme=None, any_size=False)
    write_site(folder / "site", evidence, title="t", theme=None)
    return Made(folder, dict(zip((model.name for model in MODELS), runs, strict=True)))


@pytest.fixture
def show(browser: Browser, made: Made) -> Iterator[Callable[..., Opened]]:
    """Opens the site's samples, at a sample or with filters, as a link would."""
    pages: list[Opened] = []

    def opened(*, path: Path = made.page, scheme: str = "light", width: int = 1280,
               **asked: object) -> Opened:  # fmt: skip
        view = f"#sample?{urlencode({'a': 'aspen-7b', 'b': 'birch-7b', **asked})}"
        pages.append(Opened(browser, path, scheme=scheme, width=width, view=view))
        pages[-1].sample()
        return pages[-1]

    yield opened
    for page in pages:
        assert page.complaints == []
        page.page.context.close()


def tokens_of(opened: Opened, label: str = "") -> Locator:
    """The strip of an output, with its tokens coloured."""
    opened.page.get_by_label("Colour tokens by surprisal").check()
    strip = opened.page.get_by_role("listbox", name=f"Tokens of {label}").first
    strip.wait_for()
    return strip


def listed(opened: Opened) -> list[int]:
    """The numbers of the listed samples of the first page, in their order."""
    return [int(text[-5:]) for text in opened.text("#sample-list tbody button")]


# --- Options -------------------------------------------------------------------------------------


def test_options_have_their_probability_and_the_right_and_the_chosen_one_are_marked(
    made: Made, show: Callable[..., Opened]
) -> None:
    opened = show(task="reasoning", id="reasoning-00007")
    rows = opened.page.locator("#sample table tbody tr").all()
    stored = made.row("aspen-7b", "reasoning", 7)
    values = np.array([float(text) for text in stored.responses])
    lengths = np.array([len(text) for text in stored.choices])
    assert [row.locator("th").inner_text().split(" ✓")[0].strip() for row in rows] == stored.choices
    right = [place for place, row in enumerate(rows) if row.locator(".tag").count()]
    assert right == stored.gold
    shares, compared = scipy.special.softmax(values), scipy.special.softmax(values / lengths)
    for place, row in enumerate(rows):
        text = row.locator("td").first.inner_text()
        shown = "< 0.1 %" if shares[place] < 0.001 else f"{100 * shares[place]:.1f} %"
        assert text.startswith(shown)
        assert f"{100 * compared[place]:.1f} % per character" in text
        assert f"log-probability −{-values[place]:.3f}" in text
        assert ("chosen" in text) == (place == int(np.argmax(values / lengths)))
    assert opened.text("#sample thead th strong") == ["A · aspen-7b", "B · birch-7b", "cedar-3b"]
    assert "acc_norm compares the log-probability per character" in opened.page.inner_text(
        "#sample"
    )


def test_options_have_no_output_beside_them_until_their_tokens_are_asked_for(
    show: Callable[..., Opened],
) -> None:
    """A log-probability stood where outputs do, as if the model had written it."""
    opened = show(task="reasoning", id="reasoning-00007")
    assert opened.page.locator("#sample .output").count() == 0
    tokens_of(opened, "A · aspen-7b, option 1")
    headings = opened.text("#sample .output.side >> nth=0 >> h4")
    assert len(headings) == 4
    assert sum(heading.endswith("right") for heading in headings) == 1


# --- Tokens --------------------------------------------------------------------------------------


def test_each_token_has_the_colour_of_its_surprisal(
    made: Made, show: Callable[..., Opened]
) -> None:
    strip = tokens_of(show(task="headlines", id="headlines-00005"), "A")
    (stored,) = made.row("aspen-7b", "headlines", 5).tokens or [[]]
    bits = [-one.log_probability / np.log(2) for one in stored]
    classes = [token.get_attribute("class") for token in strip.get_by_role("option").all()]
    steps = np.searchsorted([1, 2, 4, 6, 9, 13], bits, side="right")
    assert classes == [f"token heat-token-{step}" for step in steps]
    assert strip.inner_text() == "".join(one.text for one in stored)


def test_arrow_keys_go_from_token_to_token_and_the_list_is_one_stop_of_the_tab_key(
    made: Made, show: Callable[..., Opened]
) -> None:
    opened = show(task="headlines", id="headlines-00005")
    strip = tokens_of(opened, "A")
    (stored,) = made.row("aspen-7b", "headlines", 5).tokens or [[]]
    panel = opened.page.locator(".token-panel").first
    assert strip.locator("[tabindex='0']").count() == 1
    strip.locator("[tabindex='0']").focus()
    for key, place in (("Home", 0), ("ArrowRight", 1), ("ArrowDown", 2), ("ArrowLeft", 1),
                       ("End", len(stored) - 1), ("ArrowRight", len(stored) - 1)):  # fmt: skip
        opened.page.keyboard.press(key)
        focused = opened.page.locator(":focus")
        assert focused.get_attribute("data-place") == str(place)
        assert focused.get_attribute("aria-selected") == "true"
        assert strip.locator("[tabindex='0']").count() == 1
        expect(panel).to_contain_text(f"Token {place + 1} of {len(stored)}")
    opened.page.keyboard.press("Tab")
    assert opened.page.locator(":focus").get_attribute("role") != "option"


def test_pointing_shows_the_probability_and_the_five_likeliest(
    made: Made, show: Callable[..., Opened]
) -> None:
    opened = show(task="headlines", id="headlines-00005")
    strip = tokens_of(opened, "A")
    (stored,) = made.row("aspen-7b", "headlines", 5).tokens or [[]]
    panel = opened.page.locator(".token-panel").first
    for place in (1, 2):
        strip.get_by_role("option").nth(place).hover()
        share = np.exp(stored[place].log_probability)
        shown = "< 0.1 %" if share < 0.001 else f"{100 * share:.1f} %"
        expect(panel).to_contain_text(f"probability {shown}")
        others = panel.locator("li .token-text").all_inner_texts()
        expected = [text.replace(" ", "␣") for text, _ in stored[place].alternatives]
        assert others == expected
        assert len(others) == 5


def test_a_tap_shows_a_token(browser: Browser, made: Made) -> None:
    context = browser.new_context(
        offline=True, has_touch=True, viewport={"width": 320, "height": 700}
    )
    page = context.new_page()
    page.goto(f"{made.page.as_uri()}#sample?task=headlines&id=headlines-00005")
    page.get_by_label("Colour tokens by surprisal").check()
    page.locator(".token").nth(2).tap()
    expect(page.locator(".token-panel").first).to_contain_text("Token 3 of")
    context.close()


def test_in_text_from_right_to_left_the_left_arrow_goes_on(show: Callable[..., Opened]) -> None:
    opened = show(task="headlines", id="headlines-00002")
    strip = tokens_of(opened, "A")
    strip.locator("[tabindex='0']").focus()
    opened.page.keyboard.press("Home")
    opened.page.keyboard.press("ArrowLeft")
    assert opened.page.locator(":focus").get_attribute("data-place") == "1"


def test_hidden_characters_and_ends_of_lines_of_tokens_are_shown(
    show: Callable[..., Opened],
) -> None:
    strip = tokens_of(show(task="headlines", id="headlines-00001"), "A")
    marks = strip.locator(".hidden-character").all_inner_texts()
    assert marks == ["U+202E", "U+202C", "U+200B", "U+0007", "⏎"]
    assert "</script><script>alert(1)</script>" in strip.inner_text()


def test_all_tokens_are_in_a_table(made: Made, show: Callable[..., Opened]) -> None:
    opened = show(task="headlines", id="headlines-00005")
    tokens_of(opened, "A")
    opened.page.get_by_text("All tokens as a table").first.click()
    (stored,) = made.row("aspen-7b", "headlines", 5).tokens or [[]]
    table = opened.page.get_by_role("region", name="Tokens of A · aspen-7b")
    names = table.locator("tbody th").all_inner_texts()
    assert names == [one.text.replace(" ", "␣") for one in stored]
    (bits,) = table.locator("tbody tr").first.locator("td:nth-child(4)").all_inner_texts()
    assert float(bits) == pytest.approx(-stored[0].log_probability / np.log(2), abs=0.006)


def test_long_outputs_say_how_many_of_their_tokens_are_shown(show: Callable[..., Opened]) -> None:
    opened = show(task="headlines", id="headlines-00003")
    tokens_of(opened, "A")
    expect(opened.page.locator(".strip > p").first).to_contain_text(
        "4\u202f000 tokens, of which the first 1\u202f000 are shown"
    )


def test_a_sample_whose_tokens_are_left_out_says_so(
    browser: Browser, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layouts, "_MOST_TOKENS_IN_SINGLE", 40)
    evidence = folders.evidence([*made.runs.values()], tasks=TASKS)
    page = tmp_path / "single.html"
    write_single(page, evidence, title="t", theme=None, any_size=False)
    opened = Opened(browser, page, view="#sample?task=headlines&id=headlines-00003")
    opened.page.get_by_label("Colour tokens by surprisal").check()
    expect(opened.page.locator("#sample")).to_contain_text("tokens of this sample are not in this")
    assert opened.page.locator("#sample .output .text").count() > 0
    opened.page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tokens_of_every_colour_can_be_read(show: Callable[..., Opened], scheme: str) -> None:
    """WCAG 2: a contrast of 4.5 to 1 between the text and what is behind it."""
    opened = show(task="headlines", id="headlines-00005", scheme=scheme)
    tokens_of(opened, "A")
    found = opened.page.evaluate(
        """() => [...document.querySelectorAll(".swatch")].map((one) => {
          const style = getComputedStyle(one);
          return [style.color, style.backgroundColor];
        })"""
    )
    assert len(found) == 7
    assert len({background for _, background in found}) == 7
    for pair in found:
        light, dark = sorted(map(luminance, pair), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2 of "rgb(r, g, b)"."""
    parts = np.array([int(part) for part in colour[4:-1].split(",")]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


# --- Which samples, in which order ---------------------------------------------------------------


def sides(made: Made, task: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The scores of aspen-7b and birch-7b."""
    samples = made.samples(task)
    a, b = (samples.models.index(name) for name in ("aspen-7b", "birch-7b"))
    return samples.scores[a], samples.scores[b]


@pytest.mark.parametrize(
    ("task", "button", "key"),
    [
        ("headlines", "A beats B most", lambda a, b: b - a),
        ("headlines", "B beats A most", lambda a, b: a - b),
        ("headlines", "Worst of A", lambda a, _: a),
        ("errors", "A beats B most", lambda a, b: a - b),
        ("errors", "B beats A most", lambda a, b: b - a),
        ("errors", "Worst of A", lambda a, _: -a),
        ("pairs", "A above B most", lambda a, b: b - a),
    ],
)
def test_a_button_lists_the_best_and_worst_samples_in_the_direction_of_the_metric(
    made: Made, show: Callable[..., Opened], task: str, button: str, key: Callable[..., Any]
) -> None:
    a, b = sides(made, task)
    by = key(a, b)
    opened = show(task=task)
    opened.page.get_by_role("button", name=button).click()
    expected = [int(place) for place in np.argsort(by, kind="stable")]
    if "most" in button:
        expected = [place for place in expected if by[place] < 0]
    expect(opened.page.locator("#sample-list tr.current")).to_contain_text(f"{expected[0]:05}")
    assert listed(opened) == expected[:50]
    assert int(opened.sample()[-5:]) == expected[0]


def test_the_most_surprising_samples_come_first_and_show_by_how_much(
    made: Made, show: Callable[..., Opened]
) -> None:
    opened = show(task="headlines")
    opened.page.get_by_role("button", name="Most surprising to A").click()
    means = []
    for number in range(60):
        (stored,) = made.row("aspen-7b", "headlines", number).tokens or [[]]
        means.append(-np.mean([one.log_probability for one in stored]) / np.log(2))
    expected = np.argsort(-np.array(means), kind="stable")[:50]
    expect(opened.page.locator("#sample-list tr.current")).to_contain_text(f"{expected[0]:05}")
    assert listed(opened) == expected.tolist()
    shown = [float(text) for text in opened.text("#sample-list tbody td:nth-child(4)")]
    assert shown == pytest.approx([means[place] for place in expected], abs=0.006)


def test_without_tokens_or_a_better_way_their_buttons_are_not_there(
    browser: Browser, tmp_path: Path
) -> None:
    runs = folders.write_runs(tmp_path / "runs", models=[MadeModel("a", 0.5)], samples=5)
    write_site(tmp_path / "site", folders.evidence(runs), title="t", theme=None)
    opened = Opened(browser, tmp_path / "site/samples.html", view="#sample?task=pairs")
    opened.sample()
    assert opened.text(".presets button") == ["All samples", "Keys"]
    assert opened.page.get_by_label("Colour tokens by surprisal").count() == 0
    opened.page.context.close()


@pytest.mark.parametrize("flag", FLAGS)
def test_each_flag_filters(show: Callable[..., Opened], flag: str) -> None:
    expected = [0, 1, 2, 3] if flag == "failed" else [FLAGGED[flag]]
    opened = show(task="headlines", b="cedar-3b", flag=flag)
    assert listed(opened) == expected
    assert opened.page.locator("#sample .output .flag").count() > 0
    opened.page.get_by_role("button", name="All samples").click()
    expect(opened.page.locator("#sample-status")).to_contain_text("60 of 60 match.")


@pytest.mark.parametrize(
    ("asked", "matches"),
    [
        ({"score": "0.7..0.9"}, lambda a, _: (a > 0.6999) & (a < 0.9001)),
        ({"score": "..0.63"}, lambda a, _: a < 0.6301),
        ({"difference": "0.1.."}, lambda a, b: a - b > 0.0999),
        ({"difference": "-0.05..0.05"}, lambda a, b: abs(a - b) < 0.0501),
        ({"show": "ab"}, lambda a, b: a > b),
        ({"show": "ba"}, lambda a, b: b > a),
        ({"show": "same"}, lambda a, b: a == b),
        ({"show": "right"}, lambda a, b: (a == 1) & (b == 1)),
        ({"show": "wrong"}, lambda a, b: (a < 1) & (b < 1)),
        ({"show": "ab", "score": "0.9..", "difference": "..0.2"},
         lambda a, b: (a > b) & (a > 0.8999) & (a - b < 0.2001)),
    ],
)  # fmt: skip
def test_filters_leave_what_they_say(
    made: Made, show: Callable[..., Opened], asked: dict[str, str], matches: Callable[..., Any]
) -> None:
    """An end that single precision has not, such as 0.7, is among what it includes."""
    found = np.flatnonzero(matches(*sides(made, "headlines")))
    assert 0 < len(found) < 60
    opened = show(task="headlines", **asked)
    expect(opened.page.locator("#sample-status")).to_contain_text(f"{len(found)} of 60 match (")
    assert listed(opened) == found[:50].tolist()


def test_any_two_models_differ(made: Made, show: Callable[..., Opened]) -> None:
    scores = made.samples("reasoning").scores
    found = np.flatnonzero(np.nanmax(scores, axis=0) > np.nanmin(scores, axis=0))
    assert listed(show(task="reasoning", show="differ")) == found[:50].tolist()


def test_a_copied_link_shows_the_same_samples_in_the_same_order(
    made: Made, show: Callable[..., Opened], browser: Browser
) -> None:
    opened = show(task="headlines")
    opened.page.get_by_role("button", name="A beats B most").click()
    opened.page.locator("#filters summary").click()
    opened.page.locator("#score-low").fill("0.8")
    expect(opened.page.locator("#sample-status")).to_contain_text("score of A from 0.8 to any")
    second = listed(opened)[1]
    opened.page.locator("#sample-list tbody button").nth(1).click()
    expect(opened.page.locator("#sample h3")).to_have_text(f"headlines-{second:05}")
    link = str(opened.page.evaluate("location.hash"))
    again = Opened(browser, made.page, view=link)
    expect(again.page.locator("#sample h3")).to_have_text(f"headlines-{second:05}")
    assert listed(again) == listed(opened)
    assert again.page.locator("#order").input_value() == "ab"
    again.page.context.close()


def test_a_link_with_a_text_searches_the_texts(show: Callable[..., Opened]) -> None:
    opened = show(task="headlines", text="Question 17: ")
    assert listed(opened) == [17]
    expect(opened.page.locator("#sample-status")).to_contain_text("in texts and names")


def test_a_link_to_a_task_that_is_not_here_says_so(show: Callable[..., Opened]) -> None:
    """Another task was shown without a word."""
    opened = show(task="no-such-task", id="no-such-task-00001")
    expect(opened.page.locator("#sample-status")).to_contain_text(
        "There is no task no-such-task here"
    )


def test_figures_are_no_texts_to_be_found(show: Callable[..., Opened]) -> None:
    """Log-probabilities and places of prompts matched what was searched for."""
    opened = show(task="reasoning")
    opened.page.locator("#sample-text").fill("-0.")
    opened.page.get_by_role("button", name="Search texts").click()
    expect(opened.page.locator("#sample-status")).to_contain_text("in texts and names")
    expect(opened.page.locator("#sample")).to_have_text("No sample matches.")


# --- Differences ---------------------------------------------------------------------------------


def test_differences_are_marked_by_words_or_characters_from_any_other(
    made: Made, show: Callable[..., Opened]
) -> None:
    a, b = sides(made, "headlines")
    number = next(int(n) for n in np.flatnonzero((a < b) & (b == 1)) if n > 3)
    texts = [made.row(name, "headlines", number).responses[0] for name in ("aspen-7b", "birch-7b")]
    assert texts[1].startswith(texts[0])
    opened = show(task="headlines", id=f"headlines-{number:05}")
    opened.page.get_by_label("Mark differences from").select_option("birch-7b")
    output = opened.page.locator("#sample .output .text").first
    expect(output.locator("del")).to_have_text(texts[1][len(texts[0]) :], use_inner_text=True)
    opened.page.get_by_label("Mark differences from").select_option("reference")
    opened.page.locator(".marks select").nth(1).select_option("characters")
    expect(output.locator("del")).not_to_have_count(0)


def test_texts_that_are_too_long_to_compare_say_so(show: Callable[..., Opened]) -> None:
    """They were shown without marks, as if they were equal."""
    opened = show(task="headlines", id="headlines-00003")
    opened.page.get_by_label("Mark differences from").select_option("reference")
    expect(opened.page.locator("#sample .output").first).to_contain_text(
        "Too long to mark differences by words."
    )


def test_long_texts_that_differ_little_are_compared(show: Callable[..., Opened]) -> None:
    """What they have in common at both ends is no part of what is too long."""
    opened = show(task="headlines", id="headlines-00003", a="birch-7b", b="aspen-7b")
    opened.page.get_by_label("Mark differences from").select_option("aspen-7b")
    output = opened.page.locator("#sample .output").first
    expect(output.locator("ins")).to_have_text(["changed"])


# --- The page as a whole -------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("sample", ["reasoning-00007", "headlines-00001"])
def test_axe_finds_nothing_with_everything_open(
    show: Callable[..., Opened], scheme: str, sample: str
) -> None:
    opened = show(task=sample[:-6], id=sample, scheme=scheme)
    tokens_of(opened, "A")
    opened.page.evaluate(
        "for (const one of document.querySelectorAll('main details')) one.open = true"
    )
    opened.page.get_by_role("region", name="Tokens of A").first.wait_for()
    found = Axe().run(opened.page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [320, 768, 1440])
@pytest.mark.parametrize("sample", ["reasoning-00007", "headlines-00001", "headlines-00003"])
def test_nothing_scrolls_the_page_sideways(
    show: Callable[..., Opened], width: int, sample: str
) -> None:
    opened = show(task=sample[:-6], id=sample, width=width)
    tokens_of(opened, "A")
    opened.page.locator("#filters summary").click()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("page", ["single.html", "site/samples.html"])
def test_without_javascript_the_page_says_what_is_missing_and_where_it_is(
    browser: Browser, made: Made, page: str
) -> None:
    opened = Opened(browser, made.folder / page, javascript=False)
    (text,) = opened.text("#samples noscript")
    assert "scripts are switched off" in text
    assert "samples/TASK.parquet" in text
    assert opened.text("#viewer") == []
    opened.page.context.close()


def test_keys_do_nothing_else_where_a_text_is_typed(show: Callable[..., Opened]) -> None:
    """A search for "jk?" went through the samples and opened the list of keys."""
    opened = show(task="headlines")
    opened.page.locator("#sample-text").press_sequentially("jk?[")
    assert not opened.page.get_by_role("dialog").is_visible()
    expect(opened.page.locator("#sample")).to_have_text("No sample matches.")
