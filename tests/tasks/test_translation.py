"""Translation tasks on the official form of their data, and what is no task of theirs."""

import json
import sys
from pathlib import Path

import pytest
from sacrebleu.dataset import DATASETS

from evalharness.discovery import Catalogue, find_tasks
from evalharness.errors import UsageError
from evalharness.metrics import translation
from evalharness.prompts.preparation import PreparedTask, prepare
from evalharness.records import Task
from evalharness.sources import HubDataset, SacrebleuTestSet
from evalharness.sources.choice import with_data
from evalharness.sources.combined import innermost
from evalharness.sources.hub import MIRRORS
from tests.workplace import Workplace

FOUND = find_tasks()


@pytest.fixture
def catalogue() -> Catalogue:
    return FOUND


def prepared(task: Task, choice: str = "", shots: int = 0) -> PreparedTask:
    (chosen,) = with_data([task], {task.name: choice} if choice else {})
    return prepare(chosen, limit=None, num_fewshot=shots, seed=0)


@pytest.mark.oracle
def test_a_local_test_set_gets_the_published_wmt22_scores(
    workplace: Workplace, oracles: Path
) -> None:
    """Plain files, two references in the published order, outputs as the system wrote them."""
    begin = oracles / "wmt22" / "generaltest2022.en-de"
    done = workplace(
        "run", "-m", f"outputs:{begin}.hyp.PROMT.de", "-t", "local-translation:en-de",
        "--data", f"src={begin}.src.en,ref={begin}.ref.B.de,ref={begin}.ref.A.de",
        "--format", "json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    metrics = json.loads(done.stdout)[0]["tasks"]["local-translation:en-de"]["metrics"]
    rows = [line.split("\t") for line in (oracles / "wmt22/expected.tsv").read_text().splitlines()]
    published = {name: float(value) for _, who, _, _, name, value in rows if who == "PROMT"}
    assert metrics["bleu"]["value"] == pytest.approx(published["bleu-all"], abs=1e-6)
    assert metrics["chrf"]["value"] == pytest.approx(published["chrf-all"], abs=1e-6)
    assert metrics["bleu"]["signature"].startswith("nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp")
    assert metrics["chrf"]["signature"].startswith("nrefs:2|case:mixed|eff:yes|nc:6|nw:0|space:no")
    assert metrics["copied"]["value"] == 0.0
    assert metrics["wrong_language"]["value"] < 0.01


@pytest.mark.parametrize(
    ("task", "data", "problem"),
    [
        ("local-translation:en-dqe", "src=en,ref=de", "no language 'dqe'. Did you mean"),
        ("local-translation:en-de", "src=en,ref=empty", "empty, line 2: the reference is empty"),
        ("local-translation:en-de", "src=en,ref=short", "short has 1 lines, but en has 2"),
        ("local-translation:en-de", "local-translation:en-de=no_ref.jsonl", "no field 'refs'"),
        ("local-translation:en-de", "local-translation:en-de=twice.jsonl", "the id '1' is also"),
        ("local-translation:en-de", "local-translation:en-de=null.jsonl", "reference 2 is empty"),
        ("wmt22:en-ed", "src=en,ref=de", "not 'en-ed'. Did you mean 'en-de'"),
    ],
)
def test_what_cannot_be_scored_ends_with_status_2_and_the_place(
    workplace: Workplace, task: str, data: str, problem: str
) -> None:
    files = {
        "en": "One.\nTwo.\n",
        "de": "Eins.\nZwei.\n",
        "empty": "Eins.\n \n",
        "short": "Eins.\n",
        "no_ref.jsonl": '{"id": 1, "src": "One."}\n',
        "twice.jsonl": '{"id": 1, "src": "One.", "ref": "Eins."}\n' * 2,
        "null.jsonl": '{"id": 1, "src": "One.", "refs": ["Eins.", null]}\n',
    }
    for name, content in files.items():
        (workplace.folder / name).write_text(content)
    done = workplace("run", "-m", "baseline:copy-source", "-t", task, "--data", data)
    assert done.returncode == 2
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_wmt_directions_come_from_the_hub_where_it_has_the_official_set(
    catalogue: Catalogue,
) -> None:
    """Finnish of 2016 stands there with each source twice; French-German of 2019 not at all."""
    found = {
        name: isinstance(catalogue.find(name).task.data, SacrebleuTestSet)
        for name in ("wmt14:fr-en", "wmt16:en-fi", "wmt17:fi-en", "wmt18:en-fi", "wmt19:de-fr")
    }
    assert found == {
        "wmt14:fr-en": False,
        "wmt16:en-fi": True,
        "wmt17:fi-en": True,
        "wmt18:en-fi": False,
        "wmt19:de-fr": True,
    }


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("flores200:eng_Latn-ger_Latn", "no language 'ger_Latn'. Did you mean 'deu_Latn'"),
        ("flores-plus:eng_Latn-zho_Hans", "FLORES+ has no 'zho_Hans'. Did you mean 'cmn_Hans'"),
        ("flores-plus:eng_Latn-de", "not 'de'. Did you mean 'deu_Latn'"),
        ("flores-plus:eng_Latn-qqx_Latn", "there is no language 'qqx_Latn'"),
        ("opus100:en-yo", "OPUS-100 has no test set of 'en-yo'. Did you mean"),
        ("opus100:de-ja", "OPUS-100 has no test set of 'de-ja'"),
        ("tatoeba:eng-nobb", "there is no language 'nobb'"),
        ("wmt24pp:de_DE-en", "WMT24++ has no direction 'de_DE-en'. Did you mean 'en-de_DE'"),
        ("wmt14:en-ja", "wmt14 has cs-en, de-en"),
        ("django-messages:de", "'de' is a task of its own: django-messages-de"),
        ("django-messages:ukr", "Django has no messages in 'ukr'. Did you mean 'uk'"),
    ],
)
def test_directions_that_do_not_exist_are_refused(
    catalogue: Catalogue, name: str, problem: str
) -> None:
    with pytest.raises(UsageError) as refused:
        catalogue.find(name)
    assert problem in str(refused.value)


def arguments(template: str) -> list[str]:
    """Every direction that a template with a list of them takes."""
    module = sys.modules[FOUND.templates[template].template.make.__module__]
    if template == "django-messages":
        return list(module.OTHERS)
    if template == "flores200":
        return [f"{code}-eng_Latn" for code in module.CODES if code != "eng_Latn"]
    return list(module.DIRECTIONS)


@pytest.mark.parametrize(
    ("template", "number"),
    [("flores200", 203), ("opus100", 218), ("wmt24pp", 55), ("django-messages", 86)],
)
def test_every_direction_that_is_listed_makes_a_task(template: str, number: int) -> None:
    """None has a code without a name, or without a tokenizer."""
    names = [f"{template}:{argument}" for argument in arguments(template)]
    assert len({FOUND.find(name).task.name for name in names}) == number


@pytest.mark.parametrize("test_set", [f"wmt{year}" for year in range(14, 25)])
def test_every_direction_of_a_wmt_set_makes_a_task(test_set: str) -> None:
    for direction in DATASETS[test_set].langpairs:
        assert FOUND.find(f"{test_set}:{direction}").task.languages == tuple(direction.split("-"))


def test_a_missing_tokenizer_is_told_before_anything_is_asked(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translation, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match="needs the tokenizer ko-mecab"):
        catalogue.find("local-translation:en-ko")


def test_both_directions_of_a_pair_read_the_same_rows(catalogue: Catalogue) -> None:
    forth, back = (catalogue.find(f"opus100:{name}").task for name in ("en-fr", "fr-en"))
    assert forth.data == back.data
    forth, back = (catalogue.find(f"tatoeba:{name}").task for name in ("eng-nob", "nob-eng"))
    assert forth.data == back.data


ROW = {
    "iso_15924": "Latn",
    "url": "https://en.wikinews.org/wiki/A",
    "domain": "wikinews",
    "topic": "weather",
    "has_image": "no",
    "has_hyperlink": "no",
    "last_updated": "1.0",
}


def test_flores_plus_joins_two_configurations_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, catalogue: Catalogue
) -> None:
    """As they lie on the hub: a file for each language, described in the README."""
    folder = tmp_path / "openlanguagedata" / "flores_plus"
    texts = {"eng_Latn": ["Rain.", "Snow."], "deu_Latn": ["Regen.", "Schnee."]}
    configurations = ""
    for code, lines in texts.items():
        configurations += f"- config_name: {code}\n  data_files:\n"
        for split in ("dev", "devtest"):
            (folder / split).mkdir(parents=True, exist_ok=True)
            rows = [
                ROW | {"id": number, "iso_639_3": code[:3], "glottocode": "x", "text": text + split}
                for number, text in enumerate(lines)
            ]
            content = "".join(f"{json.dumps(row)}\n" for row in rows)
            (folder / split / f"{code}.jsonl").write_text(content)
            configurations += f"  - split: {split}\n    path: {split}/{code}.jsonl\n"
    (folder / "README.md").write_text(f"---\nconfigs:\n{configurations}---\n")
    monkeypatch.setenv(MIRRORS, str(tmp_path))
    found = prepared(catalogue.find("flores-plus:eng_Latn-deu_Latn").task, shots=1)
    assert [sample.source for sample in found.samples] == ["Rain.devtest", "Snow.devtest"]
    assert [sample.target for sample in found.samples] == ["Regen.devtest", "Schnee.devtest"]
    assert [sample.id for sample in found.samples] == ["0", "1"]
    assert {sample.group for sample in found.samples} == {ROW["url"]}
    assert found.samples[0].slices == {"domain": "wikinews"}
    assert found.examples[0].source.endswith("dev")


def test_flores200_reads_the_official_archive_and_facebooks_rows(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    task = catalogue.find("flores200:eng_Latn-deu_Latn").task
    for name, text in (("eng_Latn.devtest", "Rain.\nSnow.\n"), ("deu_Latn.devtest", "R\nS\n")):
        (tmp_path / name).write_text(text)
    files = f"src={tmp_path}/eng_Latn.devtest,ref={tmp_path}/deu_Latn.devtest"
    assert [one.target for one in prepared(task, files).samples] == ["R", "S"]
    row = {"id": 1, "URL": "u", "sentence_eng_Latn": "Rain.", "sentence_deu_Latn": "Regen."}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    (sample,) = prepared(task, str(tmp_path / "rows.jsonl")).samples
    assert (sample.source, sample.target, sample.group) == ("Rain.", "Regen.", "u")


def test_wmt24pp_leaves_out_bad_sources_and_says_so(tmp_path: Path, catalogue: Catalogue) -> None:
    """The published scores are over the 960 segments of good sources."""
    task = catalogue.find("wmt24pp:en-de_DE").task
    row = {"lp": "en-de_DE", "domain": "news", "document_id": "d", "original_target": "x"}
    rows = [
        row | {"segment_id": 1, "is_bad_source": True, "source": "CANARY", "target": "CANARY"},
        row | {"segment_id": 2, "is_bad_source": False, "source": "Rain.", "target": "Regen."},
    ]
    path = tmp_path / "en-de_DE.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in rows))
    found = prepared(task, str(path))
    assert [sample.id for sample in found.samples] == ["d:2"]
    assert "where is_bad_source is False" in found.record.source
    assert "German (Germany) phrase:" in str(found.samples[0].requests[0])


def test_hub_rows_of_one_text_twice_are_two_samples(tmp_path: Path, catalogue: Catalogue) -> None:
    """News test sets repeat short lines; an id made of the text would refuse the set."""
    task = catalogue.find("wmt16:de-en").task
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{json.dumps({'translation': {'de': 'Ja.', 'en': 'Yes.'}})}\n" * 2)
    assert [sample.id for sample in prepared(task, str(path)).samples] == ["1", "2"]


def test_hub_data_names_the_configuration_of_the_alphabet(catalogue: Catalogue) -> None:
    task = catalogue.find("opus100:fr-en").task
    assert innermost(task.data) == HubDataset("Helsinki-NLP/opus-100", "en-fr", "test")
