"""Tasks of question answering: what they read, ask and take for an answer."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from evalharness.discovery import find_tasks
from evalharness.errors import DataError, UsageError
from evalharness.prompts.preparation import PreparedTask, prepare
from evalharness.records import GenerationResponse, LogLikelihood, Sample, whole_prompt
from evalharness.sources.choice import with_data
from tests.plugins import write_rows
from tests.tasks.every import ROWS, TASKS, prepared
from tests.workplace import Workplace


def rows(name: str) -> list[dict[str, Any]]:
    text = (ROWS / "question_answering" / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def given(name: str, path: Path, *values: Mapping[str, Any]) -> PreparedTask:
    """The task on rows of a test, as --data TASK=PATH gives them."""
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values), encoding="utf-8")
    (task,) = with_data([find_tasks().find(name).task], {name: str(path)})
    return prepare(task, limit=None, num_fewshot=0, seed=0)


def continuations(sample: Sample) -> list[str]:
    return [one.continuation for one in sample.requests if isinstance(one, LogLikelihood)]


# --- Official scores, through the command line ----------------------------------------------


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("task", "split"), [("squad", "v1.1_dev"), ("xquad:en", "xquad_en_subset")]
)
def test_published_answers_get_the_scores_of_the_official_script(
    oracles: Path, workplace: Workplace, task: str, split: str
) -> None:
    """BERT's answers to SQuAD 1.1, whose questions are not told, and to XQuAD's published file."""
    folder = oracles / "squad"
    answers = json.loads((folder / "preds_1.1_BERT.json").read_text())
    official = json.loads((folder / "expected.json").read_text())["preds_1.1_BERT.json"][split]
    path = folder / "xquad.en.json"
    if task == "squad":
        accepted = json.loads((folder / "gold_v1.1_dev.json").read_text())
        path = workplace.folder / "data.jsonl"
        question = {"title": "", "question": ""}
        write_rows(
            path,
            [
                {"id": id, "context": id, "answers": {"text": texts}, **question}
                for id, texts in accepted.items()
            ],
        )
    asked = [sample.id for sample in published_samples(task, path)]
    write_rows(workplace.folder / "bert.jsonl", [{"id": id, "text": answers[id]} for id in asked])
    done = workplace(
        "run", "-m", "outputs:bert.jsonl", "-t", task, "--data", f"{task}={path}",
        "--format", "json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    found = result["tasks"][task]
    assert found["n"] == official["n"]
    assert found["metrics"]["exact_match"]["value"] == pytest.approx(official["exact_match"])
    assert found["metrics"]["f1"]["value"] == pytest.approx(official["f1"])


def published_samples(name: str, path: Path) -> tuple[Sample, ...]:
    (task,) = with_data([find_tasks().find(name).task], {name: str(path)})
    return prepare(task, limit=None, num_fewshot=0, seed=0).samples


# --- The form of each data set ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["openbookqa", "commonsense-qa", "siqa", "boolq"])
def test_a_question_from_the_wheel_is_asked_as_that_from_the_hub(name: str) -> None:
    """Both are the same benchmark, so that their prompts must be of one form."""
    beginnings, ends = set(), set()
    for place in (name, f"{name}--hub"):
        prompt = str(whole_prompt(prepared(place, 1).samples[0].requests[0]))
        beginnings.add(prompt.partition(":")[0] if name != "boolq" else prompt[-20:-8].isascii())
        ends.add(prompt.rpartition("\n")[2])
    assert len(beginnings) == len(ends) == 1


def test_commonsense_qa_of_the_wheel_is_put_together_again() -> None:
    """There the text was cut at the first question mark, which was put at the end of some."""
    task = prepared("commonsense-qa", None)
    assert {len(sample.choices) for sample in task.samples} == {5}
    assert not any(choice.endswith("?") for one in task.samples for choice in one.choices)
    prompts = [str(whole_prompt(sample.requests[0])) for sample in task.samples]
    questions = [prompt.removesuffix("\nAnswer:") for prompt in prompts]
    assert not any("\n" in question for question in questions)
    assert "Question: Batman bought beer.  There were no bottles available.  He had to settle " \
        "for what?." in questions  # fmt: skip
    assert sum(question.endswith("?") for question in questions) == 1207


def test_boolq_has_the_title_before_the_passage_as_super_glue_gives_it() -> None:
    (sample, *_) = prepared("boolq", 1).samples
    assert str(whole_prompt(sample.requests[0])).startswith("Ethanol fuel -- All biomass goes")
    assert sample.choices == ("no", "yes")


def test_yes_and_no_of_boolq_are_read_in_every_form(tmp_path: Path) -> None:
    row = {"question": "q", "title": "t", "passage": "p"}
    asked = given("boolq", tmp_path / "b.jsonl", *({**row, "answer": one} for one in
                  (True, "True", False, "false")))  # fmt: skip
    assert [sample.target for sample in asked.samples] == ["yes", "yes", "no", "no"]
    with pytest.raises(DataError, match=r"b.jsonl, row 1: .*should be true or false.*'perhaps'"):
        given("boolq", tmp_path / "b.jsonl", {**row, "answer": "perhaps"})


def test_hellaswag_leaves_out_the_marks_of_wikihow() -> None:
    samples = prepared("hellaswag", None).samples
    prompts = [str(whole_prompt(sample.requests[0])) for sample in samples]
    assert prompts[0] == "Peeling apples: A woman sits at a table with a bowl of apples. She"
    assert prompts[1] == (
        "Home and Garden: How to oil a gate. Clean the hinges. Wipe away the dust with a cloth."
    )
    assert samples[1].choices[3] == "Sing until the gate opens.. Rest."


def test_winogrande_scores_what_comes_after_the_gap(tmp_path: Path) -> None:
    (sample, *_) = prepared("winogrande", 1).samples
    prompts = [whole_prompt(request) for request in sample.requests]
    before = "The ladder did not fit into the van because"
    assert prompts == [f"{before} the ladder", f"{before} the van"]
    assert set(continuations(sample)) == {" was too long."}
    row = {"sentence": "no gap", "option1": "a", "option2": "b", "answer": "1"}
    with pytest.raises(DataError, match=r"row 1: .*has no gap _: 'no gap'"):
        given("winogrande", tmp_path / "w.jsonl", row)


def test_truthfulqa_does_not_tell_the_true_answers_by_their_place() -> None:
    """In the data they come first, and whoever takes the first of equals would be right."""
    golds = [sample.gold for sample in prepared("truthfulqa-mc1", None).samples]
    assert len(set(golds)) > 1
    for name in ("truthfulqa-mc1", "truthfulqa-mc2"):
        for row, sample in zip(rows(name), prepared(name, None).samples, strict=True):
            targets = row[f"{name[-3:]}_targets"]
            labels = dict(zip(targets["choices"], targets["labels"], strict=True))
            assert sorted(sample.choices) == sorted(labels)
            assert [labels[choice] for choice in sample.choices] == [
                int(index in sample.gold) for index in range(len(sample.choices))
            ]


@pytest.mark.parametrize("name", ["arc-challenge", "openbookqa--hub", "commonsense-qa--hub"])
def test_the_official_files_of_ai2_are_read_too(tmp_path: Path, name: str) -> None:
    """There the options stand within the question."""
    official = []
    for row in rows(name):
        labels, texts = row["choices"]["label"], row["choices"]["text"]
        stem = row["question_stem" if "question_stem" in row else "question"]
        choices = [
            {"text": text, "label": label} for label, text in zip(labels, texts, strict=True)
        ]
        question = {"stem": stem, "choices": choices}
        official.append({"id": row["id"], "question": question, "answerKey": row["answerKey"]})
    task = name.removesuffix("--hub")
    assert (
        given(task, tmp_path / "official.jsonl", *official).samples == prepared(name, None).samples
    )


def test_the_official_file_of_truthfulqa_is_read_too(tmp_path: Path) -> None:
    official = [
        {"question": row["question"]}
        | {
            key: dict(zip(row[key]["choices"], row[key]["labels"], strict=True))
            for key in ("mc1_targets", "mc2_targets")
        }
        for row in rows("truthfulqa-mc1")
    ]
    asked = given("truthfulqa-mc1", tmp_path / "mc.jsonl", *official)
    assert asked.samples == prepared("truthfulqa-mc1", None).samples


def test_the_official_file_of_triviaqa_is_read_too(tmp_path: Path) -> None:
    official = {
        "Data": [
            {
                "Question": row["question"],
                "QuestionId": row["question_id"],
                "Answer": {
                    "Aliases": row["answer"]["aliases"],
                    "NormalizedAliases": row["answer"]["normalized_aliases"],
                    "HumanAnswers": ["a harbour"],
                },
            }
            for row in rows("triviaqa")
        ],
        "Domain": "Web",
    }
    path = tmp_path / "unfiltered-web-dev.json"
    path.write_text(json.dumps(official))
    (task,) = with_data([find_tasks().find("triviaqa").task], {"triviaqa": str(path)})
    for ours, theirs in zip(
        prepare(task, limit=None, num_fewshot=0, seed=0).samples,
        prepared("triviaqa", None).samples,
        strict=True,
    ):
        assert (ours.id, ours.requests) == (theirs.id, theirs.requests)
        assert set(ours.references) == {*theirs.references, "a harbour"}


def test_a_trivia_question_that_stands_twice_is_one_group() -> None:
    """The rows are those of two sets that share questions; ids must differ all the same."""
    first, _, third, _ = prepared("triviaqa", None).samples
    assert first.id != third.id
    assert first.group == third.group
    assert first.references == ("Vellin Harbour", "Harbour of Vellin", "The Vellin-Harbour")


def test_a_question_without_an_accepted_answer_is_named(tmp_path: Path) -> None:
    for answer in ([], [""]):
        with pytest.raises(DataError, match=r"n.jsonl, row 2: .*no accepted answer says"):
            given("nq-open", tmp_path / "n.jsonl", {"question": "q", "answer": ["a"]},
                  {"question": "r", "answer": answer})  # fmt: skip


def test_a_text_of_one_word_is_no_passage(tmp_path: Path) -> None:
    (sample, *_) = prepared("lambada", 1).samples
    assert continuations(sample) == [" lamp"]
    assert str(whole_prompt(sample.requests[0])).endswith("she lit the")
    for text in ("word", "a passage that ends with a space "):
        with pytest.raises(DataError, match="should end with a space and a word"):
            given("lambada", tmp_path / "l.jsonl", {"text": text})


def test_squad_v2_asks_how_likely_it_is_that_there_is_no_answer() -> None:
    answerable, unanswerable, *_ = prepared("squad-v2", None).samples
    for sample in (answerable, unanswerable):
        assert continuations(sample) == [" unanswerable"]
        assert len({whole_prompt(request) for request in sample.requests}) == 1
    assert (answerable.target, answerable.references) == ("oil", ("oil", "oil", "oil"))
    assert (unanswerable.target, unanswerable.references) == ("unanswerable", ("",))


# --- MMLU ------------------------------------------------------------------------------------


def test_mmlu_names_the_subject_once_and_asks_for_a_letter() -> None:
    (sample, *_) = prepared("mmlu", 1).samples
    assert whole_prompt(sample.requests[0]) == (
        "The following are multiple choice questions (with answers) about abstract algebra.\n\n"
        "How many elements has the group of symmetries of a rectangle that is not a square?\n"
        "A. 2\nB. 4\nC. 6\nD. 8\nAnswer:"
    )
    assert continuations(sample) == [" A", " B", " C", " D"]
    assert (sample.target, sample.slices["category"]) == ("B", "stem")


def test_mmlu_5_shot_has_five_examples_of_the_same_subject_before_the_question() -> None:
    for sample, bare in zip(
        prepared("mmlu-5-shot", None).samples, prepared("mmlu", None).samples, strict=True
    ):
        prompt = str(whole_prompt(sample.requests[0]))
        header, question = str(whole_prompt(bare.requests[0])).split("\n\n")
        parts = prompt.split("\n\n")
        assert (parts[0], parts[-1], len(parts)) == (header, question, 7)
        assert [part.rpartition(" ")[2] for part in parts[1:-1]] == ["B", "C", "D", "A", "B"]
        subject = sample.slices["subject"]
        assert all(f"of {subject}?" in part for part in parts[1:-1])
        assert len({len(request.shots) for request in sample.requests
                    if isinstance(request, LogLikelihood)} ^ {5}) == 0  # fmt: skip


def test_a_subject_that_mmlu_has_not_is_named_with_the_nearest(tmp_path: Path) -> None:
    row = rows("mmlu")[0] | {"subject": "abstract_algebr"}
    with pytest.raises(DataError, match=r"row 1: .*'abstract_algebr'.*'abstract_algebra'"):
        given("mmlu", tmp_path / "m.jsonl", row)


def test_the_questions_of_mmlu_are_of_57_subjects() -> None:
    found = {sample.slices["subject"] for sample in prepared("mmlu", None).samples}
    assert found == {row["subject"] for row in rows("mmlu")}


# --- Variants of any multiple choice ----------------------------------------------------------


def test_letters_of_commonsense_qa_is_the_prompt_of_lm_evaluation_harness() -> None:
    (sample, *_) = prepared("letters:commonsense-qa--hub", 1).samples
    assert whole_prompt(sample.requests[0]) == (
        "Question: Where would you look for a lost ticket first?\n"
        "A. pocket\nB. cloud\nC. river\nD. attic\nE. oven\nAnswer:"
    )
    assert continuations(sample) == [" A", " B", " C", " D", " E"]
    assert sample.target == "A"


def test_mutual_information_scores_each_option_alone_too() -> None:
    task = prepared("mutual-information:openbookqa--hub", 1)
    (sample,) = task.samples
    assert [whole_prompt(request) for request in sample.requests[4:]] == [""] * 4
    assert continuations(sample)[:4] == continuations(sample)[4:]
    assert task.task.metrics[0].name == "acc_mutual_info"


def test_calibration_asks_as_the_task_does_and_has_its_metrics_once() -> None:
    task, plain = prepared("calibration:openbookqa--hub", 1), prepared("openbookqa--hub", 1)
    assert task.samples == plain.samples
    names = [metric.name for metric in task.task.metrics]
    assert names[0] == "ece"
    assert {metric.name for metric in plain.task.metrics} < set(names)
    assert len(names) == len(set(names)) == 9


@pytest.mark.parametrize("template", ["letters", "mutual-information", "calibration"])
def test_variants_of_what_is_no_multiple_choice_are_refused(template: str) -> None:
    catalogue = find_tasks()
    for name in ("lambada", "squad", "truthfulqa-mc2"):
        with pytest.raises(UsageError, match=f"{name} is no task of multiple choice"):
            catalogue.find(f"{template}:{name}")
    with pytest.raises(UsageError, match=r"there is no task 'arc-eazy'.*'arc-easy'"):
        catalogue.find(f"{template}:arc-eazy")


def test_what_is_letters_already_or_has_its_options_in_prompts_is_named() -> None:
    catalogue = find_tasks()
    for name, message in (("mmlu", "letters already"), ("winogrande", "not asked after one")):
        sample = catalogue.find(f"letters:{name}").task.sample
        with pytest.raises(ValueError, match=message):
            sample(next(iter(TASKS[name].data.rows())))


def test_xquad_is_in_twelve_languages() -> None:
    catalogue = find_tasks()
    for language in ("ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh"):
        task = catalogue.find(f"xquad:{language}").task
        spaced = task.metrics[0].name == "f1"
        assert spaced == (language not in ("th", "zh"))
    with pytest.raises(UsageError, match="in the languages ar, de"):
        catalogue.find("xquad:fr")


def nested(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows of the hub as the published files have them: an article each, a paragraph each."""
    articles = []
    for row in rows:
        places = zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True)
        question = {
            "id": row["id"],
            "question": row["question"],
            "answers": [{"text": text, "answer_start": start} for text, start in places],
        }
        paragraph = {"context": row["context"], "qas": [question]}
        title = {"title": row["title"]} if "title" in row else {}
        articles.append({**title, "paragraphs": [paragraph]})
    return {"version": "1", "data": articles}


@pytest.mark.parametrize("name", ["squad", "squad-v2", "xquad:de"])
def test_the_published_file_asks_what_the_rows_of_the_hub_ask(tmp_path: Path, name: str) -> None:
    """It had to be taken apart by hand. Articles of XQuAD have no title."""
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(nested(rows(name.replace(":", "--")))), encoding="utf-8")
    assert published_samples(name, path) == prepared(name, None).samples


@pytest.mark.parametrize(
    ("article", "problem"),
    [
        ({"paragraphs": None}, r"dev\.json, row 2: paragraphs: expected a list, found None"),
        ({"paragraphs": [3]}, r"row 2, paragraph 1: expected an object, found 3"),
        ({"paragraphs": [{"context": "x"}]}, r"row 2, paragraph 1: no field 'qas'"),
        (
            {"paragraphs": [{"context": "x", "qas": [{"id": "1", "question": "?"}]}]},
            r"row 2, paragraph 1, question 1: no field 'answers'",
        ),
        (
            {"paragraphs": [{"qas": [{"id": "1", "question": "?", "answers": [{"text": "x"}]}]}]},
            r"row 2, paragraph 1: no field 'context'",
        ),
    ],
)
def test_what_is_missing_in_a_published_file_is_named_with_its_place(
    tmp_path: Path, article: dict[str, Any], problem: str
) -> None:
    path = tmp_path / "dev.json"
    whole = nested(rows("squad"))
    whole["data"].insert(1, article)
    path.write_text(json.dumps(whole))
    with pytest.raises(DataError, match=problem):
        published_samples("squad", path)


# --- The answer in what a model writes ---------------------------------------------------------

WRITTEN = [
    (" 1871\nIt was then", "1871"),
    ("\n\n  Ida Morrow \n", "Ida Morrow"),
    ("The Vellin, or Harbour.", "The Vellin, or Harbour."),
    ("", ""),
]


@pytest.mark.parametrize(
    "name", ["squad", "squad-v2", "xquad:en", "nq-open", "triviaqa", "narrativeqa"]
)
@pytest.mark.parametrize(("text", "answer"), WRITTEN)
def test_the_answer_is_the_first_line_that_is_not_blank(name: str, text: str, answer: str) -> None:
    assert TASKS[name].extract(text) == answer


@pytest.mark.parametrize(
    ("name", "text", "scores"),
    [
        ("nq-open", "The four hundred workers", {"exact_match": 100, "exact_match_harness": 100}),
        (
            "nq-open",
            "four hundred workers, I think",
            {"exact_match": 0, "exact_match_harness": 100},
        ),
        ("triviaqa", "Vellin-Harbour", {"exact_match": 100, "f1": 100, "exact_match_harness": 0}),
        (
            "triviaqa",
            "vellin harbour.",
            {"exact_match": 100, "f1": 100, "exact_match_harness": 100},
        ),
    ],
)
def test_strict_and_harness_variants_differ_where_they_should(
    name: str, text: str, scores: dict[str, float]
) -> None:
    task = TASKS[name]
    (sample, *_) = prepared(name, 1).samples
    answer = [GenerationResponse(task.extract(text), "end")]
    found = {metric.name: 100 * metric.measure(sample, answer)[0] for metric in task.metrics}
    assert found == pytest.approx(scores)
